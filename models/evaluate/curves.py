"""How well survival is told: Uno's and Antolini's concordance and the integrated Brier score, each by its name.

Harrell's is in `models.evaluate.concordance`. Uno's and the Brier score weigh by the inverse of the probability of
still being followed, a Kaplan-Meier curve that is fitted on the training rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import UsageError
from omicstore.extras import extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_FOLLOWED", "antolini", "integrated_brier", "uno", "weighting_horizon"]

#: Weights are taken up to where this share would still be followed: none counts more than ten times.
LEAST_FOLLOWED = 0.1


def weighting_horizon(
    train_time: NDArray[np.floating], train_event: NDArray[np.floating], time: NDArray[np.floating]
) -> float:
    """Return the time, days, up to which `uno` and `integrated_brier` may be taken.

    It is the last training time at which the training rows' Kaplan-Meier probability of not being censored is at least
    `LEAST_FOLLOWED`, or the longest test time if that is shorter.

    Parameters
    ----------
    train_time, train_event
        (m,) days and 1 = event of the training rows.
    time
        (n,) days of the test rows.

    Examples
    --------
    >>> weighting_horizon(np.arange(1.0, 9.0), np.tile([1.0, 0.0], 4), np.array([2.0, 30.0]))
    7.0
    """
    followed = (
        extra("sksurv.nonparametric", "bench").CensoringDistributionEstimator().fit(_outcome(train_time, train_event))
    )
    days = np.unique(train_time)
    enough = followed.predict_proba(days) >= LEAST_FOLLOWED
    return float(min(days[enough].max(initial=0), np.max(time)))


def uno(
    train_time: NDArray[np.floating],
    train_event: NDArray[np.floating],
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    risk: NDArray[np.floating],
    horizon: float,
) -> float:
    """Return Uno's C (Uno et al. 2011, Stat. Med. 30:1105); scikit-survival computes it.

    Parameters
    ----------
    train_time, train_event
        (m,) days and 1 = event of the training rows, of which the weights are made.
    time, event, risk
        (n,) of the test rows; risk is higher = earlier event.
    horizon
        Only events before it count, days: `weighting_horizon`.

    Returns
    -------
    NaN where no pair can be compared.
    """
    metrics = extra("sksurv.metrics", "bench")
    train, test = _outcome(train_time, train_event), _outcome(*_cut_off(time, event, horizon))
    if not test["event"].any():
        return float("nan")
    try:
        return float(metrics.concordance_index_ipcw(train, test, np.asarray(risk, dtype=np.float64))[0])
    except extra("sksurv.exceptions", "bench").NoComparablePairException:
        return float("nan")


def antolini(
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    survival: NDArray[np.floating],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return Antolini's time-dependent C under each row of weights (Antolini et al. 2005, Stat. Med. 24:3927).

    A pair counts as in `models.evaluate.concordance.harrell`: the shorter time ended in an event, or at equal times
    exactly one did. It is right where, at that time, the one with the event has the lower probability of survival;
    equal probabilities count one half, where the paper and pycox's ``antolini`` count nothing.

    Of the libraries of this house torchsurv has it, pair by pair and without case weights; the tests compare.

    Parameters
    ----------
    time, event
        (n,) days and 1 = event.
    survival
        (n, n), in row i and column j the probability that i survives the time of j.
    weights
        (B, n), how often each patient counts; `models.evaluate.bootstrap.patient_weights` makes them.

    Returns
    -------
    (B,), NaN where no pair can be compared.

    Examples
    --------
    >>> time, event = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0])
    >>> survival = np.array([[0.2, 0.1, 0.1], [0.5, 0.3, 0.2], [0.9, 0.8, 0.7]])
    >>> antolini(time, event, survival, np.ones((1, 3))).tolist()
    [1.0]
    """
    happened = event == 1
    comparable = happened[:, None] & ((time[:, None] < time) | ((time[:, None] == time) & ~happened))
    own, other = np.diag(survival)[:, None], survival.T
    right = comparable * ((own < other) + 0.5 * (own == other))
    pairs = ((weights @ comparable.astype(np.float64)) * weights).sum(axis=1)
    good = ((weights @ right) * weights).sum(axis=1)
    return np.asarray(np.divide(good, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def integrated_brier(
    train_time: NDArray[np.floating],
    train_event: NDArray[np.floating],
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    survival: NDArray[np.floating],
    times: NDArray[np.floating],
) -> float:
    """Return the integrated Brier score (Graf et al. 1999, Stat. Med. 18:2529); scikit-survival computes it.

    0 is perfect; 1/4 is what a survival of one half at all times gets.

    Parameters
    ----------
    train_time, train_event
        (m,) days and 1 = event of the training rows, of which the weights are made.
    time, event
        (n,) of the test rows.
    survival
        (n, K) the probability of surviving each of `times`.
    times
        (K,) rising, days, over which it is integrated: from the shortest test time to below `weighting_horizon`.

    Raises
    ------
    UsageError
        If `times` leave that range, where the score is not defined.
    """
    metrics = extra("sksurv.metrics", "bench")
    end = weighting_horizon(train_time, train_event, time)
    if times.min() < np.min(time) or times.max() >= end or len(times) < 2:
        raise UsageError(
            f"{len(times)} times from {times.min():g} to {times.max():g} days",
            expected=f"at least 2, from {np.min(time):g} to below {end:g}",
            run="choose times within the follow-up of the test and of the training rows",
        )
    train, test = _outcome(train_time, train_event), _outcome(*_cut_off(time, event, end))
    return float(metrics.integrated_brier_score(train, test, np.asarray(survival, dtype=np.float64), times))


def _cut_off(
    time: NDArray[np.floating], event: NDArray[np.floating], horizon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and events as they were known at the horizon: nothing before it changes."""
    reached = np.asarray(time) >= horizon
    return np.where(reached, horizon, time).astype(np.float64), np.where(reached, 0, event).astype(np.float64)


def _outcome(time: NDArray[np.floating], event: NDArray[np.floating]) -> NDArray[np.void]:
    """Return them as scikit-survival wants them."""
    out = np.empty(len(time), dtype=[("event", bool), ("time", np.float64)])
    out["event"], out["time"] = np.asarray(event) == 1, time
    return out
