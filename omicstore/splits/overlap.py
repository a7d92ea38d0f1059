"""What is known of people in two cohorts and of people under two names, for the manifest and for L6 and L7."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.identifiers import cohorts_agree
from omicstore.splits.results import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omicstore.splits.catalogue import Catalogue

__all__ = ["alias_facts", "cohort_facts"]


def cohort_facts(catalogue: Catalogue, patients: Iterable[str]) -> dict[str, Any]:
    """Return how many of the patients are in two cohorts of the store, and which cohorts overlap.

    Returns
    -------
    dict
        patients_of_two_cohorts; shared: the cohorts, two by two, and how many of the patients they have in common;
        by_name: cohorts of which one contains the other by its name, as COADREAD does COAD, whoever is in them.
    """
    wanted = pl.Series(sorted(set(patients)), dtype=pl.String)
    held = catalogue.profiles.filter(pl.col("patient_id").is_in(wanted.implode()))
    of = held.group_by("patient_id").agg(pl.col("cohort").unique().sort())["cohort"].to_list()
    shared: dict[str, int] = {}
    for cohorts in of:
        for pair in combinations(cohorts, 2):
            name = " and ".join(pair)
            shared[name] = shared.get(name, 0) + 1
    alike = [" and ".join(pair) for pair in combinations(catalogue.cohorts, 2) if cohorts_agree(*pair)]
    return {
        "patients_of_two_cohorts": sum(len(cohorts) > 1 for cohorts in of),
        "shared": dict(sorted(shared.items())),
        "by_name": alike,
    }


def alias_facts(catalogue: Catalogue) -> dict[str, Any] | None:
    """Return what the alias table names; None where there is none.

    Returns
    -------
    dict
        rows; joined: groups of names with two or more patients of the store; of_nobody: rows of which neither name is a
        patient of the store, how many and the first; chains: people of more than two names, how many and the first.
        A chain may lead through a name that nobody in the store bears.
    """
    from omicstore.splits.identity import Groups

    if catalogue.aliases is None:
        return None
    named = catalogue.aliases.drop_nulls().unique().sort("patient_id", "alias").rows()
    groups, names = Groups(), sorted({name for row in named for name in row})
    for one, other in named:
        groups.join(one, other)
    people: dict[str, list[str]] = {}
    for name in names:
        people.setdefault(groups.find(name), []).append(name)
    known = {*catalogue.profiles["patient_id"].to_list(), *catalogue.patients["patient_id"].to_list()}
    chains = [", ".join(group) for group in people.values() if len(group) > 2]
    nobody = [f"{one} and {other}" for one, other in named if not {one, other} & known]
    return {
        "rows": len(named),
        "joined": sum(len(known.intersection(group)) > 1 for group in people.values()),
        "of_nobody": {"n": len(nobody), "first": nobody[:SHOWN]},
        "chains": {"n": len(chains), "first": sorted(chains)[:SHOWN]},
    }
