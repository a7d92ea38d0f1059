"""L7: the same person under another programme's id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of, strong_enough
from omicstore.simulate.leaks.parts import listed_again
from omicstore.simulate.leaks.relisted import relisted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.leaks.case import Case, Measured

__all__ = ["OTHER", "aliased", "followed_anew", "measured_again"]

#: The other programme's cohort, and whom it may have: so many of a cohort's patients at full strength.
OTHER, FROM, MOST = "CPTAC", "COAD", 0.5

#: Days by which the other programme counts from another day than the first, and follows the living further.
_FIRST_DAY, _FURTHER = (5, 60), (60, 600)

#: How another laboratory differs: noise of each value and a shift of each feature, in log2 or m-values.
NOISE_SD, SHIFT_SD = 0.2, 0.6


def measured_again(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L7: patients of COAD have been measured by another programme, on another platform, under its own ids.

    It took over what the clinic says of them. Nobody has written down who is who.

    Parameters
    ----------
    case
        A case with COAD, whose folds take turns.
    strength
        Share of half of COAD's patients.
    rng
        Draws who, their new ids, and what the other laboratory measures.

    Returns
    -------
    Planted
        Named are the pairs, ``old = new``.
    """
    strong_enough(strength)
    cohort = case.cohorts[FROM]
    people = sorted(set(cohort.assays["rna"].profiles["patient_id"].to_list()))
    chosen = share_of(people, strength * MOST, rng, least=2)
    numbers = rng.choice(90_000, len(chosen), replace=False) + 10_000
    names = {p: f"C3L-{n}" for p, n in zip(chosen, numbers.tolist(), strict=True)}
    made = relisted(cohort, names, OTHER)
    made = replace(
        made,
        assays={m: _again(m, own, rng) for m, own in made.assays.items()},
        patients=made.patients.with_columns(site=pl.lit(None, dtype=pl.String), dataset=pl.lit("cptac")),
        reports=made.reports.clear(),
    )
    held = case.homes.filter((pl.col("cohort") == FROM) & pl.col("sample_id").str.slice(0, 12).is_in(chosen))
    measured = {s for own in made.assays.values() for s in own.profiles["sample_id"].to_list()}
    samples = {s: names[s[:12]] + s[12:] for s in held["sample_id"].to_list()}
    parts = listed_again(case, FROM, {s: new for s, new in samples.items() if new in measured}, OTHER)
    spec = replace(case.spec, cohorts=tuple(sorted({*case.cohorts, OTHER})))
    planted = replace(case.with_cohort(OTHER, made), spec=spec).with_practice(closure=False)
    return Planted(
        planted.with_parts(lambda old: pl.concat([old, parts])),
        f"{len(names)} patients of {FROM} were measured again by {OTHER}",
        tuple(sorted(f"{old} = {new}" for old, new in names.items())),
    )


def aliased(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L7: the same, and a table of who is who lies in the study, which the split was made without.

    Parameters
    ----------
    case, strength, rng
        As of `measured_again`.

    Returns
    -------
    Planted
        Named are the pairs, ``old = new``.
    """
    planted = measured_again(case, strength, rng)
    old, new = zip(*(name.split(" = ") for name in planted.names), strict=True)
    told = planted.case.with_practice(aliases=tuple(zip(old, new, strict=True)))
    return replace(planted, case=told, what=f"{planted.what}; the table of aliases was not heeded")


def followed_anew(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L7: the same, by a programme with a follow-up of its own, so that the numbers alone show who it is.

    Parameters
    ----------
    case, strength, rng
        As of `measured_again`.

    Returns
    -------
    Planted
        Named are the pairs, ``old = new``.
    """
    planted = measured_again(case, strength, rng)
    cohort = planted.case.cohorts[OTHER]
    people = cohort.patients["patient_id"].sort().to_list()
    earlier = dict(zip(people, rng.integers(*_FIRST_DAY, len(people)).astype(float).tolist(), strict=True))
    further = dict(zip(people, rng.integers(*_FURTHER, len(people)).astype(float).tolist(), strict=True))
    shift, more = (pl.col("patient_id").replace_strict(d, return_dtype=pl.Float64) for d in (earlier, further))
    days = pl.col("time_days") + shift + pl.when(pl.col("event") == 0).then(more).otherwise(0.0)
    outcomes = cohort.outcomes.with_columns(time_days=days, source=pl.lit("own_follow_up.csv"))
    made = planted.case.with_cohort(OTHER, replace(cohort, outcomes=outcomes))
    return replace(planted, case=made, what=f"{planted.what}, which has a follow-up of its own")


def _again(modality: str, own: Measured, rng: np.random.Generator) -> Measured:
    """Return what another laboratory makes of the same samples."""
    n, f = own.values.shape
    change = rng.normal(0.0, SHIFT_SD, f) + rng.normal(0.0, NOISE_SD, (n, f))
    profiles = own.profiles.with_columns(pl.lit(None, dtype=pl.String).alias(c) for c in ("site", "plate", "center"))
    return replace(own, profiles=profiles, values=_changed(modality, own.values, change), platform="other")


def _changed(modality: str, values: NDArray[np.float32], change: NDArray[np.float64]) -> NDArray[np.float32]:
    x = values.astype(np.float64)
    if modality == "rna":
        x = np.where(x > 0, x * np.exp2(change), 0.0)
    elif modality == "meth":
        inside = np.clip(x, 1e-6, 1 - 1e-6)
        x = 1.0 / (1.0 + (1.0 - inside) / inside * np.exp2(-change))
    else:
        x = x + change
    return np.asarray(x, dtype=np.float32)
