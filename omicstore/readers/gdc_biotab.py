"""TCGA's clinical tables as tab-delimited text ("biotab"): ``nationwidechildrens.org_clinical_patient_luad.txt``.

Three header lines: the names of the columns, older names of the same, and ids of data elements (``CDE_ID:...``). In a
folder the tables of later visits (``..._clinical_follow_up_v1.0_luad.txt``) add to follow-up.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.clinical import TextTable, canonical, label_table, number, outcome_table, present
from omicstore.readers.delimited import Layout, read_texts, sniff
from omicstore.readers.gdc_clinical import overall
from omicstore.readers.recognise import Guess
from omicstore.readers.table import RawTable

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["read_biotab", "recognise"]

#: Canonical column to the older names, which Firehose and Xena have too.
CLINICAL: dict[str, tuple[str, ...]] = {
    "sex": ("gender",),
    "age_years": ("age_at_initial_pathologic_diagnosis",),
    "race": ("race",),
    "ethnicity": ("ethnicity",),
    "stage": ("pathologic_stage", "clinical_stage"),
    "grade": ("neoplasm_histologic_grade", "tumor_grade"),
    "histology": ("histological_type", "diagnosis"),
    "diagnosis_year": ("year_of_initial_pathologic_diagnosis",),
    "vital_status": ("vital_status",),
}

PATIENT = "bcr_patient_barcode"

_PATIENTS = re.compile(r"clinical_patient_(?P<cohort>[a-z0-9]+)\.txt(?:\.gz)?$")
_VISITS = re.compile(r"clinical_follow_up_v[\d.]+_[a-z0-9]+\.txt(?:\.gz)?$")


def read_biotab(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the table of patients: clinical columns, overall survival, and the labels that the source names.

    Raises
    ------
    SourceError
        If there is no such table, or it has no column ``bcr_patient_barcode``.
    """
    del sampling  # ids are barcodes
    patients, visits = _files(source.path)
    table = _read(source, patients)
    seen = [table, *(_read(source, path) for path in visits)]
    rows = table.frame.filter(pl.col(PATIENT).is_not_null())
    frame = rows.drop("vital_status", "days_to_death", strict=False)
    frame = frame.join(_follow_up(seen), on=PATIENT, how="left", maintain_order="left")
    whole = TextTable(replace(table.layout, header=[*frame.columns]), frame)
    found = RawTable("clinical", source, frame=canonical(whole, CLINICAL, pl.col(PATIENT)))
    found.rows_in, found.columns_in = table.frame.height, len(table.layout.header)
    found.drops.add("row without an id", [], count=table.frame.height - rows.height)
    outcome = outcome_table(source, whole, {"OS": overall()}, [pl.col(PATIENT).alias("raw_id")])
    if not visits:
        outcome.warnings.append("there is no table of later visits in it: follow-up may end at enrolment")
    labels = label_table(source, whole, pl.col(PATIENT))
    return [found, outcome] if labels is None else [found, outcome, labels]


def _files(path: Path) -> tuple[Path, list[Path]]:
    if not path.is_dir():
        return path, []
    below = sorted(p for p in path.rglob("*.txt*") if p.is_file())
    patients = [p for p in below if _PATIENTS.search(p.name)]
    if len(patients) != 1:
        raise SourceError(
            path,
            f"there are {len(patients)} tables of patients in the folder",
            expected="one, named *_clinical_patient_<cohort>.txt",
            run="name the one that is meant in the study file, as a source for each cohort",
        )
    return patients[0], [p for p in below if _VISITS.search(p.name)]


def _read(source: Source, path: Path) -> TextTable:
    """Read a table under its older names, which are the second line, and under its own where these are others."""
    layout = sniff(path)
    older = layout.rows[0]
    if PATIENT not in layout.header or PATIENT not in older:
        raise SourceError(
            path,
            f"the header is {', '.join(layout.header[:4])}, and the second line is {', '.join(older[:4])}",
            line=2,
            expected=f"the three header lines of biotab files: {PATIENT} in the first two, CDE_ID in the third",
            run="name another file or format in the study file",
        )
    columns: dict[str, int] = {}
    for names in (older, layout.header):
        for position, name in enumerate(names):
            columns.setdefault(name, position)
    text = read_texts(layout)
    first = pl.col(str(layout.header.index(PATIENT)))
    text = text.filter(~(first.eq(PATIENT) | first.str.starts_with("CDE_ID")).fill_null(value=False))
    frame = text.select(pl.col(str(i)).alias(name) for name, i in columns.items())
    named = Layout(path, layout.delimiter, [*columns], skip=3, crlf=layout.crlf)
    return TextTable(named, frame.with_columns(present(pl.all(), source.missing)))


def _follow_up(tables: list[TextTable]) -> pl.DataFrame:
    """Return vital_status, days_to_death and last_seen of each patient, by all tables: who is dead in one is dead."""

    def column(table: TextTable, *names: str) -> pl.Expr:
        return table.first_of(names)

    rows = pl.concat(
        table.frame.select(
            PATIENT,
            vital_status=column(table, "vital_status").str.to_lowercase(),
            days_to_death=number(column(table, "days_to_death", "death_days_to")),
            last_seen=number(column(table, "days_to_last_followup", "last_contact_days_to")),
        )
        for table in tables
    )
    dead = pl.col("vital_status").is_in(["dead", "deceased"])
    return (
        rows.filter(pl.col(PATIENT).is_not_null())
        .group_by(PATIENT, maintain_order=True)
        .agg(
            vital_status=pl.when(dead.any())
            .then(pl.lit("dead"))
            .otherwise(pl.col("vital_status").drop_nulls().first()),
            days_to_death=pl.col("days_to_death").max().cast(pl.String),
            last_seen=pl.col("last_seen").max(),
        )
    )


def recognise(head: Head) -> Guess | None:
    """Tell the table of patients by its header lines, and a folder by its name in it."""
    named = next((m for n in (head.path.name, *head.names) if (m := _PATIENTS.search(n))), None)
    cohort = named["cohort"].upper() if named is not None else None
    if head.is_dir:
        return Guess("gdc-biotab", cohort=cohort, specific=10) if named is not None else None
    lines = [line.split("\t") for line in head.lines[:3]]
    three = len(lines) == 3 and PATIENT in lines[0] and any(cell.startswith("CDE_ID") for cell in lines[2])
    return Guess("gdc-biotab", cohort=cohort, specific=10) if three and "vital_status" in lines[1] else None
