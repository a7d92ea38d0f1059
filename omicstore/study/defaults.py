"""The split, train and evaluate sections that a study's data can bear."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from omicstore.identifiers import parse_barcode
from omicstore.modalities import MATRIX_MODALITIES
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.sources import Study

__all__ = ["Defaults", "Measured", "choose_defaults", "defaults_for"]

FOLDS = 5

#: A fold has a test, a val and a train part.
LEAST_FOLDS = 3

#: Fewer patients than this in a fold's test part say nothing.
PATIENTS_PER_FOLD = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """Where a modality is held in one unit: cohort to the ids of its tumour (or cell line) samples."""

    modality: str
    unit: str
    samples: Mapping[str, frozenset[str]]


@dataclass(slots=True)
class Defaults:
    """Sections of params.yaml, for each the sentences that say why, and whether DVC is there to run the pipeline."""

    sections: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    pipeline: bool = True


def choose_defaults(study: Study) -> Defaults:
    """Look at the ids in a study's files and choose what its pipeline does."""
    from omicstore.readers import has_outcomes
    from omicstore.study.peek import measured_samples

    has_outcome = any(has_outcomes(source) for source in study.sources)
    return defaults_for(measured_samples(study), has_outcome=has_outcome)


def defaults_for(measured: list[Measured], *, has_outcome: bool) -> Defaults:
    """Choose the sections from who was measured in what.

    The model takes the two modalities with the most shared samples, each in one unit, and the cohorts that hold both
    so. Sites are kept whole where there are at least twice as many as folds.

    Parameters
    ----------
    measured
        One entry per modality and unit.
    has_outcome
        Whether a source brings follow-up.

    Examples
    --------
    >>> ids = frozenset(f"TCGA-{i % 20:02d}-{i:04d}-01" for i in range(200))
    >>> rna, prot = Measured("rna", "tpm", {"BLCA": ids}), Measured("prot", "log2_ratio", {"BLCA": ids})
    >>> defaults_for([rna, prot], has_outcome=True).sections["split"]["strategy"]
    'site_preserved_kfold'
    """
    defaults = Defaults()
    modalities, cohorts, samples = _best_pair(measured)
    patients = {(b.patient_id if (b := parse_barcode(s)) else s) for s in samples}
    sites = {b.site for s in samples if (b := parse_barcode(s))}
    folds = max(LEAST_FOLDS, min(FOLDS, len(patients) // PATIENTS_PER_FOLD))
    split, why_split = _split(folds, len(sites), len(patients), cohorts, has_outcome=has_outcome)
    defaults.sections["split"], defaults.reasons["split"] = split, why_split
    defaults.sections["train"] = {
        "model": "aro",
        "preset": "small",
        "modalities": modalities,
        "cohorts": [*cohorts],
        "fold": 0,
        "seed": 17,
    }
    shared = f"{len(samples)} samples of {', '.join(cohorts)} have {' and '.join(modalities)}"
    defaults.reasons["train"] = (
        [f"{shared}, the most of any two modalities in one unit."] if len(modalities) > 1 else []
    )
    defaults.reasons["train"] += [
        f"No tumour or cell line was recognised in the sources of {m.modality} ({m.unit}); their build will say more."
        for m in measured
        if not any(m.samples.values())
    ]
    defaults.sections["evaluate"] = {
        "impute": {"from": modalities[0], "to": modalities[1]} if len(modalities) > 1 else None,
        "survival": {"endpoint": "OS"} if has_outcome else {"not_applicable": "no source brings follow-up"},
        "bootstrap": 1000,
    }
    return defaults


def _best_pair(measured: list[Measured]) -> tuple[list[str], list[str], set[str]]:
    """Return the two modalities, the cohorts and the shared samples; ties go to the registry's order."""
    order = {name: position for position, name in enumerate(MATRIX_MODALITIES)}
    ranked = sorted(measured, key=lambda m: (order[m.modality], m.unit))
    best: tuple[list[str], list[str], set[str]] = ([], [], set())
    for one, other in combinations(ranked, 2):
        if one.modality == other.modality:
            continue
        shared = {c: one.samples[c] & other.samples[c] for c in sorted(set(one.samples) & set(other.samples))}
        cohorts = [c for c, ids in shared.items() if ids]
        samples = {s for c in cohorts for s in shared[c]}
        if len(samples) > len(best[2]):
            best = ([one.modality, other.modality], cohorts, samples)
    if best[0] or not ranked:
        return best
    alone = max(ranked, key=lambda m: sum(len(ids) for ids in m.samples.values()))
    return [alone.modality], sorted(alone.samples), {s for ids in alone.samples.values() for s in ids}


def _split(
    folds: int, n_sites: int, n_patients: int, cohorts: list[str], *, has_outcome: bool
) -> tuple[dict[str, Any], list[str]]:
    preserved = n_sites >= 2 * folds
    sites = "sites are kept whole" if preserved else "too few sites to keep them whole"
    why = [f"{n_patients} patients of {n_sites} sites: {sites}."]
    section = {
        "name": "default",
        "strategy": "site_preserved_kfold" if preserved else "grouped_kfold",
        "k": folds,
        "seed": 17,
        "cohorts": [*cohorts],
    }
    if has_outcome:
        section["endpoint"] = "OS"
    return section, why


def unit_of(text: str) -> str:
    """Return what the store would hold a source's unit as, e.g. ``tpm`` for ``log2(tpm+1)``."""
    return parse_unit(text).stored
