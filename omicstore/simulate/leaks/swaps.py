"""Samples that were mixed up: between patients of one cohort, and between cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.simulate.leaks.case import Planted, share_of, strong_enough
from omicstore.simulate.leaks.values import primaries, rows_of

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case, Measured

__all__ = ["MOST_FOREIGN", "MOST_SWAPPED", "filed_elsewhere", "swapped"]

#: At full strength, so many patients of each cohort have their RNA exchanged in pairs, or lie in the other cohort.
MOST_SWAPPED, MOST_FOREIGN = 8, 4


def swapped(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """Exchange the RNA of patients of one cohort, so that it goes with another's proteins and methylation.

    Parameters
    ----------
    case
        Any case.
    strength
        Share of four pairs in each cohort.
    rng
        Draws who.

    Returns
    -------
    Planted
        Named are the patients.
    """
    strong_enough(strength)
    named: list[str] = []
    made = case
    for name, cohort in case.cohorts.items():
        pairs = max(1, round(strength * MOST_SWAPPED / 2))
        people = share_of(primaries(cohort, "rna", "meth", "prot"), 1e-9, rng, least=2 * pairs)
        own, values = cohort.assays["rna"], cohort.assays["rna"].values.copy()
        order = [people[i] for i in rng.permutation(len(people))]
        for one, other in zip(order[::2], order[1::2], strict=True):
            _exchange(own, values, one, own, values, other)
        named += people
        made = made.with_cohort(name, cohort.with_assay("rna", values=values))
    return Planted(made, f"the RNA of {len(named)} patients is another's", tuple(sorted(named)))


def filed_elsewhere(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """Exchange all that was measured of patients of two cohorts, as where a tube bears the wrong label.

    Parameters
    ----------
    case
        A case of two cohorts.
    strength
        Share of four patients of each.
    rng
        Draws who.

    Returns
    -------
    Planted
        Named are the patients, of both cohorts.
    """
    strong_enough(strength)
    (a, first), (b, second) = sorted(case.cohorts.items())
    count = max(1, round(strength * MOST_FOREIGN))
    everything = tuple(first.assays)
    here = share_of(primaries(first, *everything), 1e-9, rng, least=count)
    there = share_of(primaries(second, *everything), 1e-9, rng, least=count)
    for modality in everything:
        one, other = first.assays[modality], second.assays[modality]
        values, others = one.values.copy(), other.values.copy()
        for p, q in zip(here, there, strict=True):
            _exchange(one, values, p, other, others, q)
        first = first.with_assay(modality, values=values)
        second = second.with_assay(modality, values=others)
    return Planted(
        case.with_cohort(a, first).with_cohort(b, second),
        f"{count} patients of {a} and {count} of {b} lie in the other cohort",
        tuple(sorted([*here, *there])),
    )


def _exchange(one: Measured, values: np.ndarray, p: str, other: Measured, others: np.ndarray, q: str) -> None:
    """Put the first aliquot of each patient's tumour where all of the other's aliquots are."""
    mine, theirs = rows_of(one, p), rows_of(other, q)
    values[mine], others[theirs] = other.values[theirs[0]].copy(), one.values[mine[0]].copy()
