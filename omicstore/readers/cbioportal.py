"""Study folders of cBioPortal.

The meta files say what the data files are (`omicstore.readers.cbioportal_meta`). Each profile that fits a modality is a
part, named by its stable id; the clinical data of patients and samples are the part ``clinical``, whose provenance
names every file that was left out, with the reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from omicstore.errors import SourceError, StudyError
from omicstore.readers.cbioportal_clinical import listed_samples, read_clinical
from omicstore.readers.cbioportal_meta import read_study
from omicstore.readers.cbioportal_mutations import looked_at, read_mutations
from omicstore.readers.cbioportal_profiles import matrix_ids, read_matrix
from omicstore.readers.maf import read_calls
from omicstore.readers.recognise import Guess

if TYPE_CHECKING:
    import polars as pl

    from omicstore.readers.cbioportal_meta import Profile, Study
    from omicstore.readers.recognise import Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["CLINICAL", "expand", "people", "profile_ids", "read", "recognise"]

#: The part that holds the tables of patients and samples.
CLINICAL = "clinical"


def expand(source: Source) -> list[Source]:
    """Return a source for each profile that is taken, and one for the clinical data.

    Without ``part:`` one profile of each modality is taken (see `cbioportal_meta.Study.chosen`). ``modality:`` leaves
    the others out; ``part:`` takes the one profile that it names, or the clinical data, alone.

    Raises
    ------
    SourceError
        If the folder is no study.
    StudyError
        If ``part:`` names what cannot be taken, or if nothing tells the unit of a profile.
    """
    study = read_study(source.path)
    if source.part is not None and source.part != CLINICAL:
        return [_part(source, _named(study, source.part), unit=source.unit)]
    if source.unit is not None and source.modality is None:
        raise StudyError(
            f"{source.path.name}: unit: {source.unit} says nothing of which profile it is the unit",
            expected="part: beside it",
            run=f"add part: {study.chosen()[0].id if study.chosen() else 'with a stable id'} to the source",
        )
    parts = []
    if source.part is None:
        parts = [_part(source, p, unit=source.unit) for p in study.chosen(source.modality)]
        if source.modality is not None and not parts:
            return []
    clinical = study.of_kind("CLINICAL", "PATIENT_ATTRIBUTES") + study.of_kind("CLINICAL", "SAMPLE_ATTRIBUTES")
    return [*parts, replace(source, modality=None, unit=None, part=CLINICAL)] if clinical else parts


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read one part of a study: a profile by samples, or what is known of patients and samples.

    Raises
    ------
    SourceError
        If a data file is not what its meta file says it is.
    """
    del sampling  # ids are harmonised later; the study itself says whose they are
    study = read_study(source.path)
    if source.part == CLINICAL:
        return read_clinical(source, study)
    profile = _named(study, source.part or "")
    people = listed_samples(study)
    if profile.kind == "MUTATION_EXTENDED":
        return [read_mutations(source, study, profile, people)]
    return [read_matrix(source, profile, people)]


def profile_ids(source: Source) -> list[str]:
    """Return the samples of a profile."""
    study = read_study(source.path)
    profile, people = _named(study, source.part or ""), listed_samples(study)
    if profile.kind == "MUTATION_EXTENDED":
        return looked_at(study, profile, people, read_calls(profile.data))[0]
    return matrix_ids(profile, people)


def people(source: Source) -> pl.DataFrame:
    """Return the samples that the study lists, whose patients they are of, and these patients."""
    return listed_samples(read_study(source.path))


def recognise(head: Head) -> Guess | None:
    """Tell a study by meta_study.txt, or by meta files beside data files."""
    names = {name.rpartition("/")[2] for name in head.names if "/" not in name}
    metas = [name for name in names if name.startswith("meta_") and name.endswith(".txt")]
    if not head.is_dir or not ("meta_study.txt" in names or (metas and any(n.startswith("data_") for n in names))):
        return None
    try:
        study = read_study(head.path)
    except SourceError as error:
        return Guess("cbioportal", notes=(str(error),), specific=10)
    chosen = study.chosen()
    notes = [
        f"{p.modality} comes from part {p.id}, {p.unit or 'whose unit is not told: add part: and unit:'}"
        for p in chosen
    ]
    return Guess("cbioportal", notes=tuple(notes), specific=10)


def _named(study: Study, part: str) -> Profile:
    found = next((p for p in study.profiles if p.id == part and p.kind != "CLINICAL"), None)
    known = [p.id for p in study.profiles if p.modality is not None]
    if found is None:
        raise StudyError(
            f"{study.folder.name} has no part {part!r}",
            expected=f"one of {', '.join([*known, CLINICAL])}",
            run="correct part: of the source in study.sources",
        )
    if found.modality is None:
        raise StudyError(
            f"part {part} of {study.folder.name} cannot be taken: {found.reason}",
            expected=f"one of {', '.join([*known, CLINICAL])}",
            run="correct part: of the source in study.sources, or leave it out",
        )
    return found


def _part(source: Source, profile: Profile, unit: str | None) -> Source:
    unit = unit or profile.unit
    if unit is None:
        raise StudyError(
            f"{source.path.name}: nothing tells the unit of {profile.id} ({profile.says}, {profile.datatype})",
            expected="a unit in the study file",
            run=f"add a source with part: {profile.id} and unit: log2(tpm+1), log2(intensity), ..., "
            f"and give each other part that is wanted a source of its own with part: (one is {CLINICAL})",
        )
    fit = source.upstream_fit or ("per_cohort" if unit == "zscore" else None)
    return replace(
        source, modality=profile.modality, unit=unit, part=profile.id, upstream_fit=fit, labels={},
        platform=source.platform or _platform(profile),
    )  # fmt: skip


def _platform(profile: Profile) -> str | None:
    """Return the methylation array, where the stable id says it."""
    if profile.modality != "meth":
        return None
    named = [array for array in ("hm27", "hm450", "epic") if array in profile.id.lower()]
    return named[0] if len(named) == 1 else None
