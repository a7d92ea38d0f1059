"""Clinical data of a cBioPortal study: patients, samples, who is whose, and what of the study is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.bytestream import pieces
from omicstore.readers.cbioportal_meta import refuse_pointer
from omicstore.readers.clinical_table import read_layout
from omicstore.readers.delimited import Layout, read_texts, split

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.cbioportal_meta import Profile, Study
    from omicstore.readers.table import Drops, RawTable
    from omicstore.sources import Source

__all__ = ["attributes_layout", "listed_samples", "read_clinical"]

PATIENT, SAMPLE = "PATIENT_ID", "SAMPLE_ID"

#: Words in SAMPLE_TYPE to the sample types of queries; the first that is found counts.
SAMPLE_TYPES: tuple[tuple[str, str], ...] = (
    ("xenograft", "xenograft"), ("pdx", "xenograft"), ("cell line", "cell_line"), ("cell_line", "cell_line"),
    ("organoid", "cell_culture"), ("normal", "normal"), ("metast", "metastasis"), ("recur", "recurrent"),
    ("relapse", "recurrent"), ("progress", "recurrent"), ("primary", "primary"),
)  # fmt: skip

#: Lines that are looked at to tell text from numbers.
ROWS = 50

PEOPLE = {
    "raw_id": pl.String,
    "sample_id": pl.String,
    "patient_id": pl.String,
    "sample_type": pl.String,
    "patient_level": pl.Boolean,
}


def listed_samples(study: Study) -> pl.DataFrame:
    """Return who is who: the samples of the study, then its patients, who stand for their (first) primary sample.

    Returns
    -------
    polars.DataFrame
        raw_id, sample_id, patient_id, sample_type (null where the study does not say it), patient_level.

    Raises
    ------
    SourceError
        If the study has no sample file, or a sample comes twice.
    """
    profile = _sample_file(study)
    layout = attributes_layout(profile.data)
    patient, sample = layout.index(PATIENT), layout.index(SAMPLE)
    kind = next((i for i, name in enumerate(layout.header) if name.upper() == "SAMPLE_TYPE"), None)
    texts = read_texts(layout, [i for i in (patient, sample, kind) if i is not None])
    said = pl.col(str(kind)).str.to_lowercase() if kind is not None else pl.lit(None, dtype=pl.String)
    found = texts.select(
        raw_id=str(sample),
        sample_id=str(sample),
        patient_id=str(patient),
        sample_type=pl.coalesce(
            pl.when(said.str.contains(word, literal=True)).then(pl.lit(t)) for word, t in SAMPLE_TYPES
        ),
        patient_level=pl.lit(value=False),
    ).filter(pl.col("raw_id").is_not_null() & pl.col("patient_id").is_not_null())
    twice = found.filter(pl.col("raw_id").is_duplicated())
    if twice.height:
        raise SourceError(
            profile.data,
            f"the sample {twice['raw_id'][0]!r} comes {twice.filter(raw_id=twice['raw_id'][0]).height} times",
            column=SAMPLE,
            expected="one row for each sample",
            run="take out all but one",
        )
    patients = (
        found.sort(pl.col("sample_type").fill_null("primary") != "primary", "sample_id")
        .unique("patient_id", keep="first", maintain_order=True)
        .filter(~pl.col("patient_id").is_in(found["raw_id"].implode()))
        .with_columns(raw_id="patient_id", patient_level=pl.lit(value=True))
        .sort("raw_id")
    )
    return pl.concat([found, patients]).select(pl.col(name).cast(dtype) for name, dtype in PEOPLE.items())


def read_clinical(source: Source, study: Study) -> list[RawTable]:
    """Read the attributes, outcomes and labels of patients and samples.

    Raises
    ------
    SourceError
        If a label's column is in neither file, or a file has no id column.
    """
    found: list[RawTable] = []
    missing = dict(source.labels)
    for kind, key in (("PATIENT_ATTRIBUTES", PATIENT), ("SAMPLE_ATTRIBUTES", SAMPLE)):
        for profile in study.of_kind("CLINICAL", kind):
            layout = attributes_layout(profile.data)
            labels = {task: column for task, column in source.labels.items() if column in layout.header}
            missing = {task: column for task, column in missing.items() if task not in labels}
            own = replace(source, id=key, select=(), drop=(), labels=labels)
            found += [_with_source(raw, source, profile) for raw in read_layout(own, layout)]
    for task, column in missing.items():
        raise SourceError(
            source.path,
            f"labels: {task} names the column {column!r}, which neither clinical file has",
            expected="an attribute of patients or samples",
            run="mend labels: of the source in the study file",
        )
    if found:
        _count_left_out(study, found[0].drops)
    return found


def attributes_layout(path: Path) -> Layout:
    """Return the columns of a clinical file, which stand below lines that begin with ``#``.

    Raises
    ------
    SourceError
        If there is nothing but such lines.
    """
    start = b""
    for piece in pieces(path):
        start += piece
        if len(start) > 1 << 20:
            break
    refuse_pointer(path, start)
    lines = start.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
    skip = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if skip is None:
        raise SourceError(path, "there is no header below the lines of labels", expected="a header, as PATIENT_ID")
    header = [name.strip().upper() for name in split(lines[skip], "\t")]
    rows = [split(line, "\t") for line in lines[skip + 1 : skip + 1 + ROWS] if line.strip()]
    return Layout(path, "\t", header, rows, skip + 1, b"\r\n" in start)


def _sample_file(study: Study) -> Profile:
    files = study.of_kind("CLINICAL", "SAMPLE_ATTRIBUTES")
    if not files:
        raise SourceError(
            study.folder,
            "no meta file is of CLINICAL data with SAMPLE_ATTRIBUTES",
            expected="a clinical sample file, which every study has",
            run="add meta_clinical_sample.txt and data_clinical_sample.txt",
        )
    return files[0]


def _with_source(raw: RawTable, source: Source, profile: Profile) -> RawTable:
    raw.source = replace(source, labels=raw.source.labels, part=profile.data.name)
    if raw.kind == "clinical" and raw.frame is not None and PATIENT in raw.frame.columns:
        raw.frame = raw.frame.drop(PATIENT)  # whose a sample is, is told by `listed_samples`
    return raw


def _count_left_out(study: Study, drops: Drops) -> None:
    """Enter every data file that brings nothing, and why."""
    taken = {p.id for p in study.chosen()}
    for profile in study.profiles:
        if profile.kind == "GENE_PANEL_MATRIX":
            continue  # read with the mutations
        if profile.modality is None and profile.reason:
            drops.add(f"file left out: {profile.reason}", [profile.data.name])
        elif profile.modality is not None and profile.id not in taken:
            why = f"{profile.modality} comes from another profile; part: takes this one"
            drops.add(f"file left out: {why}", [profile.id])
