"""L6: cohorts that overlap, and encoders that have seen the test patients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of, strong_enough
from omicstore.simulate.leaks.parts import listed_again
from omicstore.simulate.leaks.relisted import relisted
from omicstore.slides.exposure import exposure

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case

__all__ = ["overlapping", "pretrained"]

PART, UNION = "COAD", "COADREAD"


def overlapping(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L6: patients of COAD are listed again in COADREAD, which is dealt out by itself.

    Parameters
    ----------
    case
        A case with COAD, whose folds take turns.
    strength
        Share of the patients of COAD.
    rng
        Draws who.

    Returns
    -------
    Planted
        Named are the patients.
    """
    cohort = case.cohorts[PART]
    chosen = share_of(cohort.assays["rna"].profiles["patient_id"].to_list(), strength, rng)
    again = relisted(cohort, {p: p for p in chosen}, UNION)
    held = case.homes.filter((pl.col("cohort") == PART) & pl.col("sample_id").str.slice(0, 12).is_in(chosen))
    samples = {s: s for s in held["sample_id"].to_list()}
    parts = listed_again(case, PART, samples, UNION)
    spec = replace(case.spec, cohorts=tuple(sorted({*case.cohorts, UNION})))
    made = replace(case.with_cohort(UNION, again), spec=spec)
    return Planted(
        made.with_parts(lambda old: pl.concat([old, parts])),
        f"{len(chosen)} patients of {PART} are in {UNION} too, in another part",
        tuple(chosen),
    )


def pretrained(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L6: the encoder of the reports was trained on the programme's reports, the test patients' among them.

    Parameters
    ----------
    case
        Any case.
    strength
        Share of the cohorts whose reports it was trained on.
    rng
        Draws which.

    Returns
    -------
    Planted
        Named are the cohorts.
    """
    strong_enough(strength)
    names = sorted(case.cohorts)
    count = math.ceil(strength * len(names))
    seen = sorted(names[i] for i in rng.permutation(len(names))[:count])
    cohorts = {}
    for name, cohort in case.cohorts.items():
        dataset = cohort.patients["dataset"][0]
        told = exposure("ours", [f"{dataset}-{s}" for s in seen]).to_json()
        cohorts[name] = replace(cohort, encoder=told) if name in seen else cohort
    return Planted(
        replace(case, cohorts=cohorts), f"the encoder of the reports was trained on {', '.join(seen)}", tuple(seen)
    )
