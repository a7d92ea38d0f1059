"""A matrix's feature axis, and how the columns of a source file make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from omicstore.schema import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from omicstore.units import Unit

__all__ = ["Axis", "aggregate", "make_axis"]

#: Values that are converted at a time; keeps what is allocated beside source and result small.
BLOCK = 1 << 21


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
        ``sum`` (missing where one of them is) or ``mean`` (of the observed ones).
    """

    frame: pl.DataFrame
    columns: NDArray[np.intp]
    starts: NDArray[np.intp]
    how: Literal["sum", "mean"]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """How many source columns each feature has."""
        return np.diff(np.append(self.starts, self.columns.size))


def make_axis(
    ids: Sequence[str],
    columns: Sequence[int],
    how: Literal["sum", "mean"],
    describe: Callable[[str, list[int]], dict[str, Any]],
) -> Axis:
    """Group source columns by feature id.

    Parameters
    ----------
    ids, columns
        Pairs of feature id and source column, in any order.
    how
        How several columns of one feature become one.
    describe
        Called with a feature id and its source columns; returns the other columns of the features table.
    """
    names, inverse = np.unique(np.asarray(ids, dtype=np.str_), return_inverse=True)
    order = np.lexsort((np.asarray(columns), inverse))
    sorted_columns = np.asarray(columns, dtype=np.intp)[order]
    starts = np.searchsorted(inverse[order], np.arange(names.size)).astype(np.intp)
    ends = np.append(starts[1:], sorted_columns.size)
    listed = sorted_columns.tolist()
    rows = [
        {"feature_id": name, **describe(name, listed[start:end])}
        for name, start, end in zip(names.tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]
    return Axis(pl.DataFrame(rows, schema=dict(FEATURES.columns)), sorted_columns, starts, how)


def aggregate(
    values: NDArray[np.float32],
    rows: NDArray[np.intp],
    axis: Axis,
    unit: Unit,
    decimals: int | None,
) -> NDArray[np.float32]:
    """Convert a source matrix to the stored unit and to the features of an axis.

    Parameters
    ----------
    values
        (profiles, source columns) float32, in the source's unit and range; left as it is.
    rows
        The profiles to take, in the order wanted.
    axis
        The features.
    unit, decimals
        Of the source.

    Returns
    -------
    ndarray
        (len(rows), features) float32, C order, in the stored unit, with one bit pattern for NaN.
    """
    out = np.empty((rows.size, axis.starts.size), dtype=np.float32)
    step = max(1, BLOCK // max(1, values.shape[1]))
    for start in range(0, rows.size, step):
        part = rows[start : start + step]
        linear = unit.to_linear(values[part], decimals)
        if unit.base.low is not None:
            np.clip(linear, unit.base.low, unit.base.high, out=linear)  # what rounding alone put outside
        target = out[start : start + step]
        if axis.columns.size == axis.starts.size:
            np.take(linear, axis.columns, axis=1, out=target, mode="clip")
        elif axis.how == "sum":
            _sum(linear, axis, target)
        else:
            _mean(linear, axis, target)
        target[np.isnan(target)] = np.nan
    return out


def _sum(linear: NDArray[np.float32], axis: Axis, out: NDArray[np.float32]) -> None:
    np.take(linear, axis.columns[axis.starts], axis=1, out=out, mode="clip")
    sizes = axis.sizes
    several = np.flatnonzero(sizes > 1)
    if several.size:
        taken = np.concatenate([axis.columns[axis.starts[g] : axis.starts[g] + sizes[g]] for g in several])
        begins = np.concatenate(([0], np.cumsum(sizes[several])[:-1]))
        out[:, several] = np.add.reduceat(linear[:, taken], begins, axis=1, dtype=np.float64)


def _mean(linear: NDArray[np.float32], axis: Axis, out: NDArray[np.float32]) -> None:
    spread = linear[:, axis.columns]
    missing = np.isnan(spread)
    counts = np.broadcast_to(axis.sizes, out.shape)
    if missing.any():
        spread[missing] = 0.0
        counts = counts - np.add.reduceat(missing, axis.starts, axis=1, dtype=np.int64)
    sums = np.add.reduceat(spread, axis.starts, axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.divide(sums, counts, out=out, casting="same_kind")
