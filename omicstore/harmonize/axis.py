"""A matrix's feature axis, and how the columns of a source file make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from omicstore.schema import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.units import Unit

__all__ = ["Axis", "aggregate", "make_axis"]

#: Values that are converted at a time: few enough to stay in the processor's cache.
BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Axis:
    """Features, sorted by feature_id, and the source columns that each is made of.

    Attributes
    ----------
    frame
        The columns of the features table, one row per feature.
    columns
        Source columns (int), those of one feature side by side.
    starts
        Where in `columns` each feature begins.
    how
        ``sum`` (missing where one of them is), ``mean`` (of the observed ones) or ``extreme`` (of these the one
        farthest from 0, the larger of two equally far).
    """

    frame: pl.DataFrame
    columns: NDArray[np.intp]
    starts: NDArray[np.intp]
    how: Literal["sum", "mean", "extreme"]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """How many source columns each feature has."""
        return np.diff(np.append(self.starts, self.columns.size))


def make_axis(
    pairs: pl.DataFrame, how: Literal["sum", "mean", "extreme"], count: Literal["n_sources", "n_probes"] = "n_sources"
) -> Axis:
    """Group source columns by feature id.

    Parameters
    ----------
    pairs
        A row for each feature and source column of it, in any order: feature_id, column (int), and columns of the
        features table. Of these the feature takes what its first source column says; names of sources are joined.
    how
        How several columns of one feature become one.
    count
        What the features table calls the number of source columns.
    """
    ordered = pairs.sort("feature_id", "column")
    about = [c for c in pairs.columns if c in FEATURES.columns and c not in ("feature_id", "source_name")]
    names = [pl.col("source_name").str.join(";")] if "source_name" in pairs.columns else []
    size = pl.len().cast(pl.Int64).alias(count)
    frame = ordered.group_by("feature_id", maintain_order=True).agg(*(pl.col(c).first() for c in about), *names, size)
    sizes = frame.get_column(count).to_numpy()
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    return Axis(FEATURES.conform(frame), ordered.get_column("column").to_numpy().astype(np.intp), starts, how)


def aggregate(
    values: NDArray[np.float32],
    rows: NDArray[np.intp],
    axis: Axis,
    unit: Unit,
    decimals: int | None,
    *,
    reuse: bool = False,
) -> NDArray[np.float32]:
    """Convert a source matrix to the stored unit and to the features of an axis.

    Parameters
    ----------
    values
        (profiles, source columns) float32, C order, in the source's unit and range.
    rows
        The profiles to take, each once, in the order wanted.
    axis
        The features.
    unit, decimals
        Of the source.
    reuse
        `values` is no longer needed: where the result is nearly as large, it takes the same memory.

    Returns
    -------
    ndarray
        (len(rows), features) float32, C order, in the stored unit, with one bit pattern for NaN.
    """
    shape = (rows.size, axis.starts.size)
    if reuse and values.flags.writeable and values.shape[1] <= 2 * shape[1] <= 2 * values.shape[1]:
        # Rows are taken in the order in which they lie, so none is written over before it has been read.
        out = values.reshape(-1)[: rows.size * shape[1]].reshape(shape)
    else:
        out = np.empty(shape, dtype=np.float32)
    order = np.argsort(rows)
    step = max(1, BLOCK // max(1, values.shape[1]))
    for start in range(0, rows.size, step):
        part = rows[order[start : start + step]]
        linear = unit.to_linear(values[part], decimals)
        if unit.base.low is not None:
            np.clip(linear, unit.base.low, unit.base.high, out=linear)  # what rounding alone put outside
        target = out[start : start + step]
        if axis.columns.size == axis.starts.size:
            np.take(linear, axis.columns, axis=1, out=target, mode="clip")
        elif axis.how == "sum":
            _sum(linear, axis, target)
        elif axis.how == "extreme":
            _extreme(linear, axis, target)
        else:
            _mean(linear, axis, target)
        target[np.isnan(target)] = np.nan
    _move_rows(out, order)
    return out


def _move_rows(values: NDArray[np.float32], to: NDArray[np.intp]) -> None:
    """Move row i to row ``to[i]``, for all i, in place."""
    moved = to == np.arange(to.size)
    for first in np.flatnonzero(~moved):
        at, held = first, values[first].copy()
        while not moved[at]:
            moved[at] = True
            at = to[at]
            held, values[at] = values[at].copy(), held


def _sum(linear: NDArray[np.float32], axis: Axis, out: NDArray[np.float32]) -> None:
    np.take(linear, axis.columns[axis.starts], axis=1, out=out, mode="clip")
    sizes = axis.sizes
    several = np.flatnonzero(sizes > 1)
    if several.size:
        taken = np.concatenate([axis.columns[axis.starts[g] : axis.starts[g] + sizes[g]] for g in several])
        begins = np.concatenate(([0], np.cumsum(sizes[several])[:-1]))
        out[:, several] = np.add.reduceat(linear[:, taken], begins, axis=1, dtype=np.float64)


def _extreme(linear: NDArray[np.float32], axis: Axis, out: NDArray[np.float32]) -> None:
    spread = linear[:, axis.columns]
    high, low = np.fmax.reduceat(spread, axis.starts, axis=1), np.fmin.reduceat(spread, axis.starts, axis=1)
    np.copyto(out, np.where(high >= -low, high, low))


def _mean(linear: NDArray[np.float32], axis: Axis, out: NDArray[np.float32]) -> None:
    # Added up one by one in the order of the columns, as `probe_sums` does, so that both give the same last bit.
    width = axis.starts.size
    owner = np.repeat(np.arange(width), axis.sizes)
    for row, target in zip(linear, out, strict=True):
        taken = row[axis.columns]
        missing = np.isnan(taken)
        counts = axis.sizes
        if missing.any():
            taken[missing] = 0.0
            counts = counts - np.bincount(owner[missing], minlength=width)
        with np.errstate(invalid="ignore", divide="ignore"):
            np.divide(np.bincount(owner, taken, width), counts, out=target, casting="same_kind")
