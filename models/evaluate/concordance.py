"""Harrell's concordance under every weighting of the patients at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["cohort_concordance", "cohorts_dropped", "harrell"]


def harrell(
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    risk: NDArray[np.floating],
    weights: NDArray[np.float64],
    *,
    pair: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return Harrell's C under each row of weights (Harrell et al. 1982, JAMA 247:2543; weights as case weights).

    A pair counts where the shorter time ended in an event; at equal times, where exactly one ended in an event. Equal
    risks count one half. A patient drawn twice is not compared with itself.

    Parameters
    ----------
    time, event, risk
        (n,) days, 1 = event, and the predicted risk (higher = earlier event).
    weights
        (B, n), how often each patient counts.
    pair
        (n,) what a pair counts, by its patient with the event; 1 where absent.

    Returns
    -------
    (B,), NaN where no pair can be compared.

    Examples
    --------
    >>> time, event = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0])
    >>> harrell(time, event, np.array([3.0, 2.0, 1.0]), np.ones((1, 3))).tolist()
    [1.0]
    """
    happened = event == 1
    comparable = (happened[:, None] & (time[:, None] < time)) | (
        (happened[:, None] & ~happened) & (time[:, None] == time)
    )
    counted = comparable * (np.ones(len(time)) if pair is None else pair)[:, None]
    right = counted * ((risk[:, None] > risk) + 0.5 * (risk[:, None] == risk))
    pairs = ((weights @ counted) * weights).sum(axis=1)
    good = ((weights @ right) * weights).sum(axis=1)
    return np.asarray(np.divide(good, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def cohorts_dropped(time: NDArray[np.floating], event: NDArray[np.floating], cohorts: Sequence[str]) -> list[str]:
    """Return the cohorts in which no pair can be compared, sorted: `cohort_concordance` leaves them out.

    Examples
    --------
    >>> cohorts_dropped(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0]), ["A", "A", "B"])
    ['B']
    """
    names = np.asarray(cohorts)
    ones = {name: names == name for name in np.unique(names)}
    return [
        str(name)
        for name, rows in ones.items()
        if np.isnan(harrell(time[rows], event[rows], np.zeros(rows.sum()), np.ones((1, rows.sum()))))[0]
    ]


def cohort_concordance(
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    risk: NDArray[np.floating],
    cohorts: Sequence[str],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean of the cohorts' own C, weighted by their patients: sum of n_c C_c over sum of n_c.

    Cohorts without a comparable pair are left out of both sums.

    Parameters
    ----------
    time, event, risk, weights
        As `harrell` takes them.
    cohorts
        n cohorts, one per patient.
    """
    names = np.asarray(cohorts)
    total, count = np.zeros(weights.shape[0]), np.zeros(weights.shape[0])
    for name in np.unique(names):
        rows = names == name
        c = harrell(time[rows], event[rows], risk[rows], weights[:, rows])
        n = np.where(np.isnan(c), 0, weights[:, rows].sum(axis=1))
        total += np.nan_to_num(c) * n
        count += n
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))
