"""The patient bootstrap: resampling people, since samples of one person are not independent.

Intervals are percentile intervals of the cluster bootstrap with the patient as the cluster (Efron and Tibshirani 1993,
An Introduction to the Bootstrap, chapter 13; Davison and Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Estimate", "estimate", "patient_weights"]


class Estimate(TypedDict):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


def patient_weights(patient_ids: Sequence[str], n_boot: int, seed: int) -> NDArray[np.float64]:
    """Return how often each sample counts in each resample of the patients.

    Parameters
    ----------
    patient_ids
        n patients, one per sample.
    n_boot
        How many resamples.
    seed
        Of the generator.

    Returns
    -------
    (1 + n_boot, n); the first row is all ones and gives the value itself.

    Examples
    --------
    >>> weights = patient_weights(["p", "p", "q"], 5, seed=0)
    >>> weights.shape, bool((weights[:, 0] == weights[:, 1]).all())
    ((6, 3), True)
    """
    _, patient = np.unique(np.asarray(patient_ids), return_inverse=True)
    n = int(patient.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_boot)
    return np.vstack([np.ones(len(patient)), drawn[:, patient]])


def estimate(values: NDArray[np.float64]) -> Estimate:
    """Return a value and the 2.5th and 97.5th percentile of its resamples, rounded to six decimals.

    Parameters
    ----------
    values
        (1 + n_boot,), the value first, as `patient_weights` orders them; resamples where it is undefined are NaN.
    """
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return {"value": round(float(values[0]), 6), "low": round(float(low), 6), "high": round(float(high), 6)}
