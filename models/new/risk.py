"""A survival probe that goes with a trained model: penalised Cox regression on its embedding, fitted on training rows.

`models.evaluate.survival` judges such probes beside the clinic; this one is kept, so that a new patient has a risk.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.rowspace import RowSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ENDPOINTS", "Followed", "RiskProbe", "fit_risk"]

ENDPOINTS = ("OS", "DSS", "PFI", "DFI")

#: Components of the embedding, strength of the squared penalty, and events needed: those of the evaluation's probe.
COMPONENTS, PENALTY, FEWEST_EVENTS = 10, 0.1, 15

#: Events in val that a concordance is worth saying for.
FEWEST_JUDGED = 5

#: Half-width of a 90% interval of a normal distribution, in standard deviations.
_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Followed:
    """Embeddings with follow-up.

    Attributes
    ----------
    z
        (n, D).
    time, event
        (n,) days and 1 = event; NaN where there is no follow-up.
    """

    z: NDArray[np.floating]
    time: NDArray[np.floating]
    event: NDArray[np.floating]

    def known(self) -> Followed:
        """Return the rows with a follow-up of more than no time."""
        rows = self.time > 0  # False for NaN
        return Followed(self.z[rows], self.time[rows], self.event[rows])


@dataclass(frozen=True, slots=True)
class RiskProbe:
    """A fitted Cox model on a few components of an embedding.

    Attributes
    ----------
    mean, axes
        (D,) and (D, k): components, scaled to unit spread on the training rows.
    coefficients, covariance
        (k,) and (k, k).
    training
        (n,) log hazards of the training patients, sorted.
    about
        n_fit, events_fit, n_val, events_val and concordance (Harrell's C on val; None where events are too few).
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    training: NDArray[np.float64]
    about: dict[str, float | int | None]

    def log_hazard(self, z: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (n,) log partial hazards relative to the mean training patient, and the half-width of 90% intervals.

        The interval is that of the fitted coefficients; it says nothing of how long one patient lives.
        """
        x = (z - self.mean) @ self.axes
        spread = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", x, self.covariance, x), 0.0))
        return x @ self.coefficients, _NORMAL_90 * spread

    def percentile(self, log_hazard: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n,) the share of training patients with a lower risk, in percent."""
        return 100.0 * np.searchsorted(self.training, log_hazard) / len(self.training)


def fit_risk(train: Followed, val: Followed) -> RiskProbe | None:
    """Fit a probe on training patients, and judge it on those of val; None where events are too few."""
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning
    from lifelines.utils import concordance_index

    fit_on, judge_on = train.known(), val.known()
    if fit_on.event.sum() < FEWEST_EVENTS:
        return None
    space = RowSpace.fit(fit_on.z)
    axes = space.axes[:, :COMPONENTS]
    if not axes.shape[1]:
        return None
    axes = axes / ((fit_on.z - space.mean) @ axes).std(axis=0)
    x = (fit_on.z - space.mean) @ axes
    names = [f"x{i}" for i in range(x.shape[1])]
    frame = pd.DataFrame(x, columns=names).assign(time=fit_on.time, event=fit_on.event)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = CoxPHFitter(penalizer=PENALTY).fit(frame, duration_col="time", event_col="event")
    except ConvergenceError:
        return None
    coefficients = model.params_[names].to_numpy(dtype=np.float64)
    covariance = model.variance_matrix_.loc[names, names].to_numpy(dtype=np.float64)
    events = int(judge_on.event.sum())
    concordance = None
    if events >= FEWEST_JUDGED:
        risk = ((judge_on.z - space.mean) @ axes) @ coefficients
        concordance = round(float(concordance_index(judge_on.time, -risk, judge_on.event)), 6)
    about = {
        "n_fit": len(fit_on.time),
        "events_fit": int(fit_on.event.sum()),
        "n_val": len(judge_on.time),
        "events_val": events,
        "concordance": concordance,
    }
    return RiskProbe(space.mean, np.ascontiguousarray(axes), coefficients, covariance, np.sort(x @ coefficients), about)
