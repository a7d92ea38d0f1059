"""Which unit values are in, told from a sample of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Stats", "measure"]

#: What is added before a logarithm in files that people have, beside 1.
_OFFSETS = (0.001, 0.01, 0.1, 0.5)

#: The most that log2(x + 1) of an expression reaches: 2^28 normalised reads are too many.
HIGHEST_LOG = 28.0


@dataclass(frozen=True, slots=True)
class Stats:
    """Of a sample of values.

    Attributes
    ----------
    n, low, high, median, spread
        Their number, least, greatest and middle one, and the standard deviation.
    whole, negative, zero
        The shares of whole numbers, of numbers under 0, of zeros.
    feature_mean, feature_sd
        The medians over features of mean and standard deviation; None where there are fewer than 8 profiles.
    total, upper_quartile
        The medians over profiles of the sum of the values and of the third quartile of those over 0; None where a
        profile has fewer than 5,000 values, which is no whole transcriptome.
    offset
        What was added before a log2, if the least value comes often and is the code of a zero; else None.
    whole_unlogged
        Whether 2^x - 1 is a whole number for all.
    floor
        The least value, where it comes again and again and lies ten thousand times under the next: a token for missing
        values.
    """

    n: int
    low: float
    high: float
    median: float
    spread: float
    whole: float
    negative: float
    zero: float
    feature_mean: float | None
    feature_sd: float | None
    total: float | None
    upper_quartile: float | None
    offset: float | None
    whole_unlogged: bool
    floor: float | None


def measure(values: NDArray[np.float64]) -> Stats | None:
    """Describe a sample of values.

    Parameters
    ----------
    values
        (profiles, features), NaN where missing.

    Returns
    -------
    Stats or None
        None if no value is there.
    """
    found = values[np.isfinite(values)]
    if not found.size:
        return None
    floor = _floor(found)
    if floor is not None:
        found = found[found > floor * 2]
    low, high = float(found.min()), float(found.max())
    return Stats(
        n=int(found.size),
        low=low,
        high=high,
        median=float(np.median(found)),
        spread=float(found.std()),
        whole=float((found == np.round(found)).mean()),
        negative=float((found < 0).mean()),
        zero=float((found == 0).mean()),
        feature_mean=_over_features(values, np.nanmean),
        feature_sd=_over_features(values, np.nanstd),
        total=_over_profiles(values, lambda row: float(np.nansum(row))),
        upper_quartile=_over_profiles(values, lambda row: float(np.quantile(row[row > 0], 0.75))),
        offset=_offset(found, low),
        whole_unlogged=_whole_unlogged(found, low, high),
        floor=floor,
    )


def _floor(found: NDArray[np.float64]) -> float | None:
    low = float(found.min())
    if not 0 < low < 1e-6:
        return None
    rest = found[found > low * 2]
    # A smallest measurement is there once; a token for missing values comes again and again.
    return low if rest.size and float(rest.min()) > low * 1e4 and (found == low).sum() > 2 else None


def _over_features(values: NDArray[np.float64], of: Callable[..., Any]) -> float | None:
    if values.shape[0] < 8:
        return None
    full = values[:, np.isfinite(values).sum(axis=0) >= 8]
    return float(np.median(of(full, axis=0))) if full.size else None


def _over_profiles(values: NDArray[np.float64], of: Callable[[NDArray[np.float64]], float]) -> float | None:
    if values.shape[1] < 5_000:
        return None
    rows = [row for row in values if (row > 0).any()]
    return float(np.median([of(row[np.isfinite(row)]) for row in rows])) if rows else None


def _offset(found: NDArray[np.float64], low: float) -> float | None:
    if low >= 0 or (found == low).sum() < 2:
        return None
    return next((offset for offset in _OFFSETS if abs(low - math.log2(offset)) < 1e-3), None)


def _whole_unlogged(found: NDArray[np.float64], low: float, high: float) -> bool:
    if low < 0 or high > HIGHEST_LOG or bool((found == np.round(found)).all()):
        return False
    unlogged = np.exp2(found) - 1
    # Files give 3 to 15 decimals; a count of 1,000 needs 4 to be told from 1,000.5.
    small = unlogged < 500
    rest = np.abs(unlogged - np.round(unlogged))[small]
    return bool(small.sum() >= 20 and (rest < 0.02).mean() > 0.99 and (unlogged[small] > 1.5).any())
