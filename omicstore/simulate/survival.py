"""Survival with a known hazard, and the findings that go with it.

The death of patient i follows a Weibull distribution with the proportional hazard exp(eta_i), by inversion of its
survival function (Bender et al. 2005, doi:10.1002/sim.2059): t = scale * (E / exp(eta))^(1 / shape) with E standard
exponential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.simulate.design import AGE_EFFECT, HAZARD, LATENTS
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.people import People
    from omicstore.simulate.programmes import State

__all__ = ["FollowUp", "make_follow_up"]

STAGES = ("Stage I", "Stage II", "Stage III", "Stage IV")
#: Cohorts with a stage, and the grades of those with a grade.
STAGED = ("BRCA", "UCEC")
GRADES = {"UCEC": ("G1", "G2", "G3"), "GBM": ("G4",), "LGG": ("G2", "G3")}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What became of a cohort's patients; rows as in ``People.patients``.

    Attributes
    ----------
    log_hazard
        (patients,) true log hazard, relative to the cohort's mean patient.
    death_days
        (patients,) true time to death, also of those who are censored.
    frame
        patient_id, stage, grade and, for each endpoint OS, DSS, DFI, PFI, the event and the time in days.
    """

    log_hazard: NDArray[np.float64]
    death_days: NDArray[np.float64]
    frame: pl.DataFrame


def make_follow_up(seed: int, people: People, state: State) -> FollowUp:
    """Draw death, progression and censoring; the censored share is that of the design."""
    design, patients = people.design, people.patients
    rng = stream(seed, design.name, "survival")
    latents = state.latents[people.primary]
    centred = latents - latents.mean(axis=0)
    eta = AGE_EFFECT * (patients["age_years"].to_numpy() - design.age[0])
    for name, effect in HAZARD.items():
        eta = eta + effect * centred[:, LATENTS.index(name)]
    count = patients.height
    scale = design.median_days / np.log(2.0) ** (1.0 / design.shape)
    death = scale * (rng.exponential(1.0, count) / np.exp(eta)) ** (1.0 / design.shape)
    progression = 0.6 * scale * (rng.exponential(1.0, count) / np.exp(1.2 * eta)) ** (1.0 / design.shape)
    last_seen = _censoring(death, rng.uniform(0.15, 1.0, count), design.censored)
    time = np.maximum(1.0, np.round(np.minimum(death, last_seen)))
    dead = death <= last_seen
    progressed = (progression < death) & (progression <= last_seen)
    of_disease = dead & (progressed | (rng.random(count) < 0.7))
    free = (rng.random(count) < 0.6) & (design.name != "GBM")
    once = int(np.argmin(np.where(dead, np.inf, last_seen)))  # one patient was seen only on the first day
    time[once], progressed[once] = 0.0, False
    progression_time = np.where(progressed, np.maximum(1.0, np.round(progression)), time)
    frame = patients.select("patient_id").with_columns(
        pl.Series("OS", dead, dtype=pl.Int8), pl.Series("OS.time", time),
        pl.Series("DSS", of_disease, dtype=pl.Int8), pl.Series("DSS.time", time),
        pl.Series("DFI", np.where(progressed, 1, 0), dtype=pl.Int8), pl.Series("DFI.time", progression_time),
        pl.Series("PFI", progressed | of_disease, dtype=pl.Int8),
        pl.Series("PFI.time", np.minimum(progression_time, time)),
        pl.Series("free", free),
    )  # fmt: skip
    frame = frame.with_columns(pl.when("free").then(pl.col("DFI", "DFI.time"))).drop("free")
    severity = eta + rng.normal(0.0, 0.8, count)
    return FollowUp(eta, death, frame.with_columns(*_findings(design.name, severity)))


def _censoring(death: NDArray[np.float64], share: NDArray[np.float64], censored: float) -> NDArray[np.float64]:
    # The end of the study is moved until the wanted share of the patients outlives their own follow-up.
    low, high = 1.0, float(death.max()) * 10.0
    for _ in range(60):
        end = (low + high) / 2.0
        low, high = (end, high) if (death > share * end).mean() > censored else (low, end)
    return np.asarray(share * high)


def _findings(cohort: str, severity: NDArray[np.float64]) -> tuple[pl.Series, pl.Series]:
    rank = np.argsort(np.argsort(severity)) / severity.size
    stage = [STAGES[i] for i in np.searchsorted([0.3, 0.7, 0.92], rank, side="right")] if cohort in STAGED else None
    names = GRADES.get(cohort)
    grade = [names[min(int(r * len(names)), len(names) - 1)] for r in rank] if names else None
    empty = [""] * severity.size
    return pl.Series("stage", stage or empty), pl.Series("grade", grade or empty)
