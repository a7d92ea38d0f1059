"""Antolini's concordance of survival curves, and how far Uno's and the Brier score may be taken.

Harrell's is in `models.evaluate.concordance`; Uno's and the Brier score are in `models.evaluate.censoring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.hazards import outcome
from omicstore.extras import extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_FOLLOWED", "antolini", "weighting_horizon"]

#: Weights are taken up to where this share would still be followed: none counts more than ten times.
LEAST_FOLLOWED = 0.1


def weighting_horizon(
    train_time: NDArray[np.floating], train_event: NDArray[np.floating], time: NDArray[np.floating]
) -> float:
    """Return the time, days, up to which Uno's C and the Brier score may be taken.

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
    estimator = extra("sksurv.nonparametric", "bench").CensoringDistributionEstimator()
    followed = estimator.fit(outcome(train_time, train_event))
    days = np.unique(train_time)
    enough = followed.predict_proba(days) >= LEAST_FOLLOWED
    return float(min(days[enough].max(initial=0), np.max(time)))


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
