"""L12: what is missing tells what is to be predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omicstore.simulate.leaks.case import Case

__all__ = ["by_label", "by_site"]


def by_label(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L12: proteins are missing of patients of one class.

    Parameters
    ----------
    case
        A case with labels.
    strength
        Share of the class whose proteins are missing.
    rng
        Draws who.

    Returns
    -------
    Planted
        Named are the patients.
    """
    wanted = {}
    for name, cohort in case.cohorts.items():
        kind = cohort.labels["label"].min()
        wanted[name] = cohort.labels.filter(pl.col("label") == kind)["patient_id"].to_list()
    return _without(case, wanted, strength, rng, "proteins of {n} patients of one class are missing")


def by_site(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L12: half of the sites sent no tissue for proteins.

    Parameters
    ----------
    case
        A case with sites.
    strength
        Share of the patients of these sites whose proteins are missing.
    rng
        Draws the sites and who.

    Returns
    -------
    Planted
        Named are the patients.
    """
    wanted = {}
    for name, cohort in case.cohorts.items():
        sites = cohort.patients["site"].unique().sort().to_list()
        none = sorted(sites[i] for i in rng.permutation(len(sites))[: len(sites) // 2])
        wanted[name] = cohort.patients.filter(pl.col("site").is_in(none))["patient_id"].to_list()
    return _without(case, wanted, strength, rng, "proteins of {n} patients of half of the sites are missing")


def _without(case: Case, wanted: dict[str, list[str]], strength: float, rng: np.random.Generator, what: str) -> Planted:
    """Leave out the proteins of a share of patients; who had nothing else keeps them."""
    named: list[str] = []
    made = case
    for name, cohort in case.cohorts.items():
        own = cohort.assays["prot"]
        others = _measured([a.profiles for m, a in cohort.assays.items() if m != "prot"])
        alone = set(own.profiles.filter(~pl.col("sample_id").is_in(sorted(others)))["patient_id"].to_list())
        have = set(own.profiles["patient_id"].to_list())
        chosen = share_of((set(wanted[name]) & have) - alone, strength, rng)
        named += chosen
        kept = np.flatnonzero((~own.profiles["patient_id"].is_in(chosen)).to_numpy())
        fewer = own.take(kept)
        made = made.with_cohort(name, cohort.with_assay("prot", profiles=fewer.profiles, values=fewer.values))
    return Planted(made, what.format(n=len(named)), tuple(sorted(named)))


def _measured(frames: Iterable[pl.DataFrame]) -> set[str]:
    return {s for frame in frames for s in frame["sample_id"].to_list()}
