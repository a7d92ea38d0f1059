"""The most similar profile of another patient: near-duplicates show as a correlation close to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.diskmatrix import Rows

__all__ = ["MAX_FEATURES", "nearest_other", "standardised"]

#: More features than this add time but nothing to see: they are thinned evenly.
MAX_FEATURES = 2048

#: Rows at a time; with all of them at once BLAS makes half of the symmetric product only.
_BLOCK = 1024


def standardised(values: Rows, *, log: bool) -> NDArray[np.float32]:
    """Standardise the columns, then the rows, so that a product of two rows is their Pearson correlation.

    Parameters
    ----------
    values
        (profiles, features), NaN where missing. A missing value becomes its column's mean.
    log
        Take log2(1 + x) first, for amounts.

    Returns
    -------
    ndarray
        (profiles, informative features) float32; rows have mean 0 and length 1, or are all 0.
    """
    x = np.array(values[:, _thinned(values.shape[1])], dtype=np.float32)
    if log:
        np.log2(np.maximum(x, 0.0, out=x) + np.float32(1.0), out=x)
    missing = np.isnan(x)
    observed = (~missing).sum(axis=0)
    x[missing] = 0.0
    x -= x.sum(axis=0, dtype=np.float64) / np.maximum(observed, 1)
    x[missing] = 0.0
    spread = np.sqrt(np.einsum("ij,ij->j", x, x) / np.maximum(observed, 1))
    informative = spread > 1e-6
    x = x[:, informative]
    x /= spread[informative]
    x -= x.sum(axis=1, keepdims=True, dtype=np.float64) / max(1, x.shape[1])
    length = np.sqrt(np.einsum("ij,ij->i", x, x))
    x /= np.where(length > 0, length, 1.0)[:, None]
    return x


def _thinned(n: int) -> NDArray[np.intp]:
    if n <= MAX_FEATURES:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, MAX_FEATURES).astype(np.intp))


def nearest_other(values: Rows, patients: Sequence[str], *, log: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find for each profile the most similar one of another patient.

    Parameters
    ----------
    values
        (profiles, features), NaN where missing.
    patients
        Of each profile.
    log
        Compare log2(1 + x), for amounts.

    Returns
    -------
    nearest
        (profiles,) row of the most similar profile, -1 where there is no other patient or no spread.
    r
        (profiles,) Pearson correlation over standardised features, rounded to 3 decimals; NaN where there is none.
    """
    n = len(patients)
    nearest = np.full(n, -1, dtype=np.intp)
    best = np.full(n, np.nan)
    x = standardised(values, log=log)
    if x.shape[1] < 2:
        return nearest, best
    groups = np.unique(np.asarray(patients, dtype=np.str_), return_inverse=True)[1]
    for start in range(0, n, _BLOCK):
        rows = slice(start, min(n, start + _BLOCK))
        # Rounded before the search, so that the last digits of a product cannot choose between equals.
        r = np.round(np.clip(x[rows] @ x.T, -1.0, 1.0).astype(np.float64), 3)
        r[groups[rows, None] == groups[None, :]] = -np.inf
        found = r.argmax(axis=1)
        value = r[np.arange(found.size), found]
        some = np.isfinite(value)
        nearest[rows] = np.where(some, found, -1)
        best[rows] = np.where(some, value + 0.0, np.nan)
    return nearest, best
