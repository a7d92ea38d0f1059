"""Weights for who was followed no longer, and the scores that take them, under every weighting of the patients at once.

Uno's C and the Brier score weigh by the inverse of the Kaplan-Meier probability of still being followed, fitted on the
rows that the models were fitted on. Under one weighting both are scikit-survival's; the tests compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.hazards import outcome
from models.evaluate.concordance import harrell
from models.evaluate.curves import weighting_horizon
from omicstore.extras import extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Censoring"]

#: At so many times is the Brier score taken.
_N_TIMES = 100


class Censoring:
    """The censoring of the rows fitted on, and how far it lets the test rows be weighted.

    Parameters
    ----------
    fit_time, fit_event
        (m,) days and 1 = event of the rows fitted on.
    time, event
        (n,) of the test rows.

    Attributes
    ----------
    horizon
        Days up to which weights are taken, `models.evaluate.curves.weighting_horizon`.
    times
        Those at which the Brier score is taken, rising, from the shortest test time to below the horizon; none where
        there is no room.
    """

    def __init__(
        self,
        fit_time: NDArray[np.floating],
        fit_event: NDArray[np.floating],
        time: NDArray[np.floating],
        event: NDArray[np.floating],
    ) -> None:
        self.time, self.event = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
        self.horizon = weighting_horizon(fit_time, fit_event, time)
        follow = extra("sksurv.nonparametric", "bench").CensoringDistributionEstimator()
        self.followed = follow.fit(outcome(fit_time, fit_event))
        room = self.horizon > self.time.min()
        self.times = np.linspace(self.time.min(), self.horizon, _N_TIMES, endpoint=False) if room else np.empty(0)
        before = self.time < self.horizon
        self._inverse = np.zeros(len(time))
        if before.any():
            self._inverse[before] = 1 / self.followed.predict_proba(self.time[before])

    def uno(self, risk: NDArray[np.floating], weights: Floats) -> Floats:
        """Return Uno's C (Uno et al. 2011, Stat. Med. 30:1105) under each row of weights, (B,).

        A pair is that of `models.evaluate.concordance.harrell` whose event is before the horizon, and counts as the
        square of the inverse probability that its time is observed.
        """
        counted = np.where(self.time < self.horizon, self.event, 0)
        return harrell(self.time, counted, risk, weights, pair=self._inverse**2)

    def brier(self, survival: Floats) -> Floats:
        """Return each patient's part of the integrated Brier score (Graf et al. 1999, Stat. Med. 18:2529), (n,).

        Its mean, over whichever patients, is the score: the mean over `times` by the trapezoidal rule.

        Parameters
        ----------
        survival
            (n, K) the probability of surviving each of `times`.
        """
        happened = (self.time[:, None] <= self.times) & (self.event[:, None] == 1)
        later = self.time[:, None] > self.times
        at = 1 / self.followed.predict_proba(self.times)
        each = survival**2 * happened * self._inverse[:, None] + (1 - survival) ** 2 * later * at
        return np.asarray(np.trapezoid(each, self.times, axis=1) / (self.times[-1] - self.times[0]))
