"""The survival probe: Cox models of what the embedding knows of time to event, beside what the clinic knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.baselines.rowspace import RowSpace
from models.baselines.survival import ClinicalCovariates, cox_risk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.settings import Survival
    from omicstore.store.reader import Store

__all__ = ["Followed", "cox_probes", "people", "probe_inputs", "probe_space"]


@dataclass(frozen=True, slots=True)
class Followed:
    """Patients with an embedding and, some of them, with follow-up.

    Attributes
    ----------
    z
        (n, D) embedding.
    time, event
        (n,) days and 1 = event; NaN where there is no follow-up.
    patients
        n rows: sample_id, patient_id, cohort, age_years, sex, stage.
    """

    z: NDArray[np.floating]
    time: NDArray[np.floating]
    event: NDArray[np.floating]
    patients: pl.DataFrame

    @classmethod
    def of(cls, rows: MultiOmicsBatch, z: NDArray[np.floating], patients: pl.DataFrame) -> Followed:
        """Return the rows of a batch with their embedding and what `people` says of them."""
        whose = pl.DataFrame({"sample_id": rows.sample_id, "patient_id": rows.patient_id})
        known = whose.join(patients, on="patient_id", how="left", maintain_order="left")
        known = known.with_columns(pl.col("cohort").fill_null(""))
        return cls(z, rows.targets.time.numpy(), rows.targets.event.numpy(), known)

    def take(self, rows: NDArray[np.bool_]) -> Followed:
        """Return the patients where `rows`, (n,) bool, is True."""
        return Followed(self.z[rows], self.time[rows], self.event[rows], self.patients.filter(pl.Series(rows)))

    def first_per_patient(self) -> Followed:
        """Return one row per patient, the first."""
        return self.take(self.patients["patient_id"].is_first_distinct().to_numpy())

    @classmethod
    def join(cls, one: Followed, other: Followed) -> Followed:
        """Return the rows of both."""
        return cls(
            np.concatenate([one.z, other.z]),
            np.concatenate([one.time, other.time]),
            np.concatenate([one.event, other.event]),
            one.patients.vstack(other.patients),
        )


def probe_inputs(
    train: Followed, fit_on: Followed, judge_on: Followed, survival: Survival
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return, for each Cox model of the probe, what it is fitted on and what it is judged on.

    Parameters
    ----------
    train
        The training rows, on which the components of the embedding are found.
    fit_on, judge_on
        The rows that the Cox models are fitted and judged on.
    survival
        How many components.

    Returns
    -------
    dict
        ``embedding``, and where anything clinical is known ``clinical`` and ``clinical + embedding``: two arrays each.
    """
    read = probe_space(train.z, survival.components)
    z_fit, z_new = (read(part.z) for part in (fit_on, judge_on))
    inputs = {"embedding": (z_fit, z_new)}
    clinical = ClinicalCovariates.fit(fit_on.patients)
    if clinical.columns:
        c_fit, c_new = (clinical.matrix(part.patients) for part in (fit_on, judge_on))
        inputs["clinical"] = (c_fit, c_new)
        inputs["clinical + embedding"] = (np.hstack([c_fit, z_fit]), np.hstack([c_new, z_new]))
    return inputs


def probe_space(train: NDArray[np.floating], components: int) -> Callable[[NDArray[np.floating]], NDArray[np.float64]]:
    """Return what gives the leading principal components of rows, in units of their spread over the training rows."""
    space = RowSpace.fit(train)
    sd = space.scores(train)[:, :components].std(axis=0)
    return lambda rows: space.scores(rows)[:, :components] / sd


def cox_probes(
    inputs: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], fit_on: Followed, survival: Survival
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return, per method, the log partial hazards of the rows fitted on and of those to judge.

    Parameters
    ----------
    inputs
        Per method the covariates of both.
    fit_on
        Follow-up of the rows to fit on.
    survival
        The penalty.
    """
    found = {}
    for name, (x, new) in inputs.items():
        both = np.vstack([x, new])
        risk = cox_risk(x, fit_on.time, fit_on.event, both, penalizer=survival.penalizer)
        found[name] = (risk[: len(x)], risk[len(x) :])
    return found


def people(store: Store) -> pl.DataFrame:
    """Return a row per patient: patient_id, cohort, age_years, sex, stage."""
    columns = ["patient_id", "cohort", "age_years", "sex", "stage"]
    return store.table("patients").select(columns).unique("patient_id", keep="first", maintain_order=True)
