"""Numbers about numbers: one row of statistics per row of a matrix, in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.units import BASES, TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["describe_features", "describe_matrix", "describe_rows", "describe_samples"]

#: About this many values are looked at together.
_BLOCK = 1 << 20

_INTEGERS = ("n", "n_outside", "n_fractions", "n_infinite")


def describe_rows(values: NDArray[np.float32], bounds: tuple[float | None, float | None]) -> dict[str, NDArray[Any]]:
    """Describe each row of a block.

    Parameters
    ----------
    values
        (k, n) float32, NaN where missing.
    bounds
        The range of the unit; None where it has no bound.

    Returns
    -------
    dict
        Arrays of length k. n: observed values; missing: the share that is NaN; min, max, range, mean, sd (with n - 1),
        median_abs: of the observed ones, NaN where there are too few; zeros: the share of zeros among the observed;
        n_outside: values beyond the bounds by more than float32 rounding; n_fractions: those that are not whole;
        n_infinite.

    Examples
    --------
    >>> found = describe_rows(np.array([[0.0, 1.5, np.nan, -4.0]], np.float32), (0.0, 1.0))
    >>> {name: round(float(column[0]), 3) for name, column in found.items()}
    {'n': 3.0, 'missing': 0.25, 'min': -4.0, 'max': 1.5, 'range': 5.5, 'mean': -0.833, 'sd': 2.843,
     'median_abs': 1.5, 'zeros': 0.333, 'n_outside': 2.0, 'n_fractions': 1.0, 'n_infinite': 0.0}
    """
    width = values.shape[1]
    seen = ~np.isnan(values)
    n = seen.sum(axis=1)
    some = np.maximum(n, 1)
    low, high = bounds
    with np.errstate(invalid="ignore", over="ignore"):
        least = np.where(seen, values, np.float32(np.inf)).min(axis=1, initial=np.inf).astype(np.float64)
        most = np.where(seen, values, np.float32(-np.inf)).max(axis=1, initial=-np.inf).astype(np.float64)
        filled = np.where(seen, values, np.float32(0.0))
        mean = filled.sum(axis=1, dtype=np.float64) / some
        away = np.where(seen, values - mean[:, None].astype(np.float32), np.float32(0.0))
        # The mean was rounded to float32, so what is left of it is taken out again.
        left = away.sum(axis=1, dtype=np.float64) / some
        squares = np.square(away, dtype=np.float64).sum(axis=1) - n * left**2
        sd = np.sqrt(np.maximum(squares, 0.0) / np.maximum(n - 1, 1))
        outside = np.zeros(len(n), np.int64)
        if low is not None:
            outside += (values < low - TOLERANCE).sum(axis=1)
        if high is not None:
            outside += (values > high + TOLERANCE).sum(axis=1)
        spread = most - least
        fractions = (filled != np.rint(filled)).sum(axis=1)
    return {
        "n": n,
        "missing": 1.0 - n / max(width, 1),
        "min": _where(n > 0, least),
        "max": _where(n > 0, most),
        "range": _where(n > 1, spread),
        "mean": _where(n > 0, mean),
        "sd": _where(n > 1, sd),
        "median_abs": _where(n > 0, _median_abs(values, n)),
        "zeros": _where(n > 0, (values == 0).sum(axis=1) / some),
        "n_outside": outside,
        "n_fractions": fractions,
        "n_infinite": np.isinf(values).sum(axis=1),
    }


def _where(enough: NDArray[np.bool_], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(enough, numbers, np.nan)


def _median_abs(values: NDArray[np.float32], n: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    if not values.shape[1]:
        return np.full(len(n), np.nan)
    ordered = np.abs(values)
    ordered.sort(axis=1)  # NaN come last
    rows, below, above = np.arange(len(n)), np.maximum(n - 1, 0) // 2, np.minimum(n // 2, values.shape[1] - 1)
    low, high = ordered[rows, below].astype(np.float64), ordered[rows, above].astype(np.float64)
    return np.asarray((low + high) / 2.0)


def describe_samples(values: NDArray[np.float32], unit: str | None) -> pl.DataFrame:
    """Return one row of statistics per sample of an (n, F) matrix; see `describe_rows`."""
    step = max(1, _BLOCK // max(values.shape[1], 1))
    return _joined([describe_rows(values[i : i + step], _bounds(unit)) for i in range(0, values.shape[0], step)])


def describe_features(values: NDArray[np.float32], unit: str | None) -> pl.DataFrame:
    """Return one row of statistics per feature of an (n, F) matrix; see `describe_rows`."""
    step = max(1, _BLOCK // max(values.shape[0], 1))
    blocks = (np.ascontiguousarray(values[:, i : i + step].T) for i in range(0, values.shape[1], step))
    return _joined([describe_rows(block, _bounds(unit)) for block in blocks])


def describe_matrix(samples: pl.DataFrame) -> dict[str, Any]:
    """Return one row of statistics for a whole matrix from those of its samples.

    `median_abs` is the median over the samples of the median |x| within each, so that no copy of the matrix is sorted.
    """
    observed = int(samples["n"].sum())
    if not observed:
        return {"observed": 0, "missing": 1.0}
    n, mean = samples["n"].to_numpy(), samples["mean"].fill_null(0.0).to_numpy()
    grand = float((n * mean).sum() / observed)
    with np.errstate(invalid="ignore"):  # of infinite values, which are reported as such
        within = (np.maximum(n - 1, 0) * samples["sd"].fill_null(0.0).to_numpy() ** 2).sum()
        between = (n * (mean - grand) ** 2).sum()
    low, high = samples["min"].min(), samples["max"].max()
    assert isinstance(low, float)
    assert isinstance(high, float)
    return {
        "observed": observed,
        "missing": float(samples["missing"].mean()),  # type: ignore[arg-type]
        "min": low,
        "max": high,
        "range": high - low,
        "mean": grand,
        "sd": float(np.sqrt((within + between) / (observed - 1))) if observed > 1 else None,
        "median_abs": samples["median_abs"].median(),
        "zeros": float((samples["zeros"].fill_null(0.0).to_numpy() * n).sum() / observed),
    }


def _bounds(unit: str | None) -> tuple[float | None, float | None]:
    base = BASES.get(unit or "")
    return (base.low, base.high) if base else (None, None)


def _joined(parts: list[dict[str, NDArray[Any]]]) -> pl.DataFrame:
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    frame = pl.DataFrame(columns).with_columns(pl.col(_INTEGERS).cast(pl.Int64))
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
