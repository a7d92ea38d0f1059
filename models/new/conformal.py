"""Intervals around imputed values: split-conformal, per feature, from the val rows' residuals.

The model is fitted on training rows alone; how far it misses val rows says how far it will miss the next patient. With
n val rows the half-width is the ``ceil((n + 1) * level)``-th smallest absolute residual, and a new value of a patient
like those lies within it with at least that probability, whatever the model is (Vovk, Gammerman and Shafer 2005,
Algorithmic Learning in a Random World; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, J. Am. Stat. Assoc.
113:1094). The promise is an average over patients, not one for each patient; and since val also chose the epoch, it
holds up to what that choice of one number can spoil.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["LEVELS", "half_widths", "pairs", "rows_needed", "views"]

#: The levels that are kept with a model.
LEVELS: tuple[float, ...] = (0.8, 0.9, 0.95)

#: With at most this many modalities every set of them is calibrated; else each alone, and all but one.
_ALL_SETS = 4


def half_widths(residuals: NDArray[np.floating], level: float) -> NDArray[np.float32]:
    """Return the half-width of each feature's interval, (F,); infinite where the rows are too few for the level.

    Parameters
    ----------
    residuals
        (n, F) truth minus prediction; NaN = not observed.
    level
        In (0, 1).

    Examples
    --------
    >>> rows = np.array([[3.0], [-1.0], [2.0], [np.nan]])
    >>> half_widths(rows, 0.75).tolist(), half_widths(rows, 0.8).tolist()
    ([3.0], [inf])
    """
    ordered = np.sort(np.abs(residuals), axis=0)  # NaN sorts last
    count = (~np.isnan(ordered)).sum(axis=0)
    # Without the tolerance, (n + 1) * level of exactly a whole number may be rounded up to the next.
    rank = np.ceil((count + 1) * level - 1e-9).astype(np.int64)
    if not len(ordered):
        return np.full(residuals.shape[1], np.inf, dtype=np.float32)
    found = np.take_along_axis(ordered, np.clip(rank - 1, 0, len(ordered) - 1)[None], axis=0)[0]
    return np.where(rank > count, np.inf, found).astype(np.float32)


def rows_needed(level: float) -> int:
    """Return how many val rows an interval of a level needs.

    Examples
    --------
    >>> rows_needed(0.9)
    9
    """
    return math.ceil(level / (1 - level) - 1e-9)


def views(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the sets of modalities that a new patient may come with and that are calibrated.

    Examples
    --------
    >>> views(["rna", "prot"])
    [('rna',), ('prot',), ('rna', 'prot')]
    """
    n = len(modalities)
    sizes = range(1, n + 1) if n <= _ALL_SETS else sorted({1, n - 1, n})
    return [view for size in sizes for view in combinations(modalities, size)]


def pairs(modalities: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
    """Return what is imputed from what: each set of `views` with each modality that it lacks."""
    return [(view, target) for view in views(modalities) for target in modalities if target not in view]
