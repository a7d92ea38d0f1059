"""New patients' files, through the readers and the harmonising that make a store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from models.new.per_million import PER_LENGTH, to_tpm
from omicstore.errors import SourceError, UsageError
from omicstore.files import sha256_of
from omicstore.harmonize.assay import Assay, Matrix, to_assays
from omicstore.harmonize.combine import combine
from omicstore.harmonize.genes import GeneResolver
from omicstore.harmonize.references import References
from omicstore.identifiers import NOT_A_DISEASE, cohort_of_disease, cohorts_agree, find_barcode, is_ensembl_gene
from omicstore.modalities import MODALITIES, get_modality
from omicstore.readers import expand, read
from omicstore.recognise import survey
from omicstore.sources import Reference, Sampling, Source, Study, load_study
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from omicstore.readers.table import RawTable
    from omicstore.recognise import Finding

__all__ = ["NewData", "declared_study", "read_matrices", "recognised_study"]

#: What new patients are a cohort of: no disease's code, since nothing says which disease they have.
COHORT = "NEW"


@dataclass(slots=True)
class NewData:
    """A study of new patients, and what was found out on the way to it.

    Attributes
    ----------
    study
        Its sources, references and rule for ids.
    warnings
        What a person ought to check.
    notes
        What a person may want to know.
    cohorts
        Of samples with a barcode whose site is known, the cohort that the site collected for.
    """

    study: Study
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cohorts: dict[str, str] = field(default_factory=dict)

    def strange_to(self, cohorts: Sequence[str]) -> list[str]:
        """Return a warning where barcodes say that samples are of none of the cohorts that a model was trained on.

        Examples
        --------
        >>> new = NewData(Study("new", (COHORT,), ()), cohorts={"TCGA-OR-A5J1-01": "ACC", "TCGA-BL-A13J-01": "BLCA"})
        >>> new.strange_to(["BLCA"])
        ['by their barcodes 1 of 2 samples are of ACC, and the model was trained on BLCA']
        """
        others = [c for c in self.cohorts.values() if not any(cohorts_agree(c, known) for known in cohorts)]
        if not others:
            return []
        share = f"{len(others)} of {len(self.cohorts)} samples are of {', '.join(sorted(set(others)))}"
        return [f"by their barcodes {share}, and the model was trained on {', '.join(cohorts)}"]


def recognised_study(
    files: Sequence[Path],
    *,
    modality: str | None,
    unit: str | None,
    orientation: str | None,
    references: Sequence[Path],
    home: Path | None,
) -> NewData:
    """Make a study of files, as ``omicstore sources`` recognises them.

    Parameters
    ----------
    files
        Matrices, and reference tables among them.
    modality, unit, orientation
        Of the one matrix among the files, instead of what is recognised; see `omicstore.sources.Source`.
    references
        Reference tables; with none, those of the study at `home` are used.
    home
        The folder of the model's study, where there is one.

    Raises
    ------
    UsageError
        If modality or unit are given for several matrices, or nothing tells them of one.
    SourceError
        If a file is no matrix of measurements.
    """
    data = NewData(Study("new", (COHORT,), ()))
    findings = survey(files, references, home)
    tables = [f for f in findings if f.kind == "reference"]
    matrices = [f for f in findings if f.kind != "reference"]
    if not matrices:
        raise UsageError("no file holds measurements", expected="FILE... with a matrix of samples and features")
    said = {"modality": modality, "unit": unit, "orientation": orientation}
    if len(matrices) > 1 and any(said.values()):
        raise UsageError(
            f"--modality, --unit and --samples-in are of one file, and there are {len(matrices)}",
            expected="one file, or files that tell their modality and unit",
            run="omicstore sources FILE... --out study.yaml, mend it, and give it with --sources",
        )
    sources = tuple(source for found in matrices for source in _sources(found, said, data))
    ids = [name for found in matrices for name in found.ids]
    barcodes = bool(ids) and all(find_barcode(name) is not None for name in ids)
    data.study = Study(
        dataset="new",
        cohorts=(COHORT,),
        sources=sources,
        references=tuple(_reference(f) for f in tables) or _of_study(home),
        samples=None if barcodes else Sampling(origin="id", sample_type="primary"),
    )
    return data


def declared_study(path: Path, home: Path | None) -> NewData:
    """Read a study section of new patients, with the references of the study at `home` where it names none."""
    study = load_study(path)
    return NewData(study if study.references else replace(study, references=_of_study(home)))


def _of_study(home: Path | None) -> tuple[Reference, ...]:
    from omicstore.cli.common import read_section

    # A study that was made without references has none to lend, and need not have sources that can still be read.
    if home is None or not (read_section(home, "study") or {}).get("references"):
        return ()
    return load_study(home / "params.yaml").references


def _reference(found: Finding) -> Reference:
    return Reference(found.reference or "", found.path, found.format or "", found.keys.get("platform"))


def _sources(found: Finding, said: Mapping[str, str | None], data: NewData) -> list[Source]:
    """Return a recognised file as sources; what is said goes before what is recognised, and a contradiction is told."""
    name = found.path.name
    if found.kind == "damaged":
        raise SourceError(found.path, found.reason, run="get the file again")
    if found.kind != "source" or found.format is None:
        raise SourceError(
            found.path,
            f"this is no matrix of measurements: {found.reason or 'nothing tells what it is'}",
            expected="a table with a row or column per sample, and a column or row per feature",
            run=f"omicstore sources {found.path}",
        )
    chosen = get_modality(said["modality"]).name if said["modality"] else found.modality
    told = said["unit"] or found.unit
    if not found.parts and (chosen is None or told is None):
        lacking = " and ".join(o for o, v in (("--modality", chosen), ("--unit", told)) if v is None)
        raise UsageError(
            f"nothing in {name} tells what {lacking} says",
            expected="for instance --modality rna --unit 'log2(tpm+1)'",
            run=f"add {lacking}",
        )
    if told is not None:
        parse_unit(told)
    data.warnings += _contradictions(found, said)
    source = Source(
        found.path,
        found.format,
        chosen,
        COHORT,
        told,
        platform=found.keys.get("platform"),
        id=found.keys.get("id"),
        orientation=said["orientation"] or found.orientation,
    )
    parts = expand(source)
    if tables := [part for part in parts if part.modality is None]:
        data.notes.append(f"{name}: {len(tables)} tables of patients in it are not read")
    return [part for part in parts if part.modality is not None and MODALITIES[part.modality].kind == "matrix"]


def _contradictions(found: Finding, said: Mapping[str, str | None]) -> list[str]:
    """Return where a guess was not confirmed, or where what is said is not what a file looks like."""
    name, told = found.path.name, []
    for what, option in (("modality", "--modality"), ("unit", "--unit"), ("orientation", "--samples-in")):
        own, seen = said[what], getattr(found, what)
        if own is None and what in found.unsure:
            told.append(f"{name}: {what} {seen} is a guess ({found.unsure[what]}); {option} says it")
        elif own and seen and what not in found.unsure and _plain(own) != _plain(seen):
            told.append(f"{name}: {what} is said to be {own}, and the file looks like {seen}; {own} is taken")
    return told


def _plain(text: str) -> str:
    return "".join(text.split()).lower()


def read_matrices(data: NewData, units: Mapping[str, str]) -> list[Matrix]:
    """Read and harmonise a study's matrices: one per modality, a row per sample, in the store's unit and features.

    Parameters
    ----------
    data
        The study; what harmonising warns of is added to its warnings and notes.
    units
        The modalities that the model knows, with its unit of each; others are not read.

    Raises
    ------
    SourceError
        If no file holds any of them, or a file is not what it is said to be.
    """
    modalities = list(units)
    study = data.study
    refs = References.load(study)
    assays: dict[str, list[Assay]] = {}
    seen: list[str] = []
    for cohort in study.cohorts:
        for source in study.sources_of(cohort):
            for part in expand(source):
                if part.modality is None or MODALITIES[part.modality].kind != "matrix":
                    continue
                seen.append(part.modality)
                # Probes give the genes of the model; a model of probes themselves is asked for them.
                wanted = part.modality in modalities or (part.modality == "meth" and "meth_probe" in modalities)
                if not wanted:
                    data.notes.append(f"{part.path.name}: the model does not know {part.modality}, so it is not read")
                    continue
                keep = replace(part, keep_probes="meth_probe" in modalities)
                for raw in read(keep, sampling=study.samples):
                    if units.get(part.modality) == "tpm" and parse_unit(part.unit or "").base.name in PER_LENGTH:
                        data.notes.append(f"{part.path.name}: {to_tpm(raw)}")
                    for assay in to_assays(raw, cohort, study, _refs_for(refs, study, raw), _id(part.path)):
                        assays.setdefault(assay.modality, []).append(assay)
                        data.notes += [f"{part.path.name}: {w}" for w in assay.warnings]
                        data.notes += [
                            f"{part.path.name}: left out {n} ({why})" for why, n in assay.drops.counts.items()
                        ]
    found = [combine(parts) for modality, parts in assays.items() if modality in modalities]
    if not found:
        held = ", ".join(dict.fromkeys(seen)) or "no matrix"
        raise SourceError(
            ", ".join(dict.fromkeys(s.path.name for s in study.sources)),
            f"it holds {held}, which the model does not read",
            expected=" or ".join(modalities),
            run=f"give a file of {', '.join(modalities)}; --modality says what a file measures",
        )
    for matrix in found:
        data.warnings += _several(matrix)
        data.cohorts |= _cohorts(matrix, refs)
    return found


def _cohorts(matrix: Matrix, refs: References) -> dict[str, str]:
    """Return the cohort of each sample whose site is known."""
    found = {}
    for sample, site in matrix.profiles.select("sample_id", "site").drop_nulls().iter_rows():
        code = cohort_of_disease(refs.sites.get(site, ("", ""))[1])
        if code is not None and code not in NOT_A_DISEASE:
            found[sample] = code
    return found


def _several(matrix: Matrix) -> list[str]:
    """Return a warning where a sample comes more than once and one of its profiles was chosen."""
    left_out = matrix.profiles.filter(~pl.col("chosen"))
    if left_out.is_empty():
        return []
    names = left_out["sample_id"].unique().sort().to_list()
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"{matrix.modality}: one profile is taken of each sample that comes more than once: {shown}"]


class _EnsemblAlone(References):
    """References of a study that names none for genes: Ensembl ids say themselves which gene they are of."""

    @cached_property
    def genes(self) -> GeneResolver:
        """The genes, of which nothing but the id is known."""
        return GeneResolver()


def _refs_for(refs: References, study: Study, raw: RawTable) -> References:
    """Return the references, or those for Ensembl ids alone where the study has none and the file needs none."""
    if refs.has("symbols") or refs.has("genes") or not raw.features or not all(map(is_ensembl_gene, raw.features)):
        return refs
    from omicstore.readers.references import read_reference

    return _EnsemblAlone(study.references, read_reference)


def _id(path: Path) -> str:
    return sha256_of(path)[:12] if path.is_file() else path.name
