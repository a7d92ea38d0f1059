"""L13: classes that were normalised apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.leaks.case import Planted, share_of, strong_enough

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.leaks.case import Case, CohortCase

__all__ = ["scaled_apart"]


def scaled_apart(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L13: z-scores of the RNA were made within each class, and nothing says so.

    Parameters
    ----------
    case
        A case with labels.
    strength
        Share of the genes that were scaled within the classes of a cohort; the others were scaled over both cohorts.
    rng
        Draws which.

    Returns
    -------
    Planted
        Named are the genes.
    """
    strong_enough(strength)
    logs = {name: np.log2(1.0 + c.assays["rna"].values.astype(np.float64)) for name, c in case.cohorts.items()}
    mean, sd = _centre(np.concatenate(list(logs.values())))
    genes = next(iter(case.cohorts.values())).assays["rna"].features["feature_id"].to_list()
    chosen = set(share_of(genes, strength, rng))
    made = case
    for name, cohort in case.cohorts.items():
        together, apart = (logs[name] - mean) / sd, np.empty_like(logs[name])
        for rows in _classes(cohort):
            own_mean, own_sd = _centre(logs[name][rows])
            apart[rows] = (logs[name][rows] - own_mean) / own_sd
        values = np.where([g in chosen for g in genes], apart, together).astype(np.float32)
        made = made.with_cohort(name, cohort.with_assay("rna", values=values, unit="zscore"))
    return Planted(made, f"{len(chosen)} of {len(genes)} genes are scaled within each class", tuple(sorted(chosen)))


def _classes(cohort: CohortCase) -> list[NDArray[np.int64]]:
    label_of = dict(cohort.labels.select("patient_id", "label").iter_rows())
    labels = np.array([label_of[p] for p in cohort.assays["rna"].profiles["patient_id"].to_list()])
    return [np.flatnonzero(labels == kind) for kind in np.unique(labels)]


def _centre(log2: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each gene; one that does not vary is left as wide as it is."""
    sd = log2.std(axis=0)
    return log2.mean(axis=0), np.where(sd > 0, sd, 1.0)
