"""Merged clinical tables of Firehose: some 850 to 2,100 columns, mostly empty, with lower-case barcodes.

Turned ones have patients in rows; in Firehose's own orientation the rows are the columns' names, and patients stand in
columns. Only the columns that are known are read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.identifiers import cohort_of_disease, parse_barcode
from omicstore.readers.clinical import TextTable, canonical, label_table, number, outcome_table, present
from omicstore.readers.delimited import Layout, read_texts, sniff
from omicstore.readers.recognise import Guess
from omicstore.readers.table import RawTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["read_clinical", "recognise"]

ID = "patient.bcr_patient_barcode"

#: Canonical column to the ends of the file's names, the preferred one first.
CLINICAL: dict[str, tuple[str, ...]] = {
    "sex": ("patient.gender",),
    "age_years": (
        "patient.age_at_initial_pathologic_diagnosis",
        "patient.primary_pathology.age_at_initial_pathologic_diagnosis",
    ),
    "age_days": ("patient.days_before_birth",),
    "race": ("patient.race", "patient.race_list.race", "patient.clinical_cqcf.race", "patient.biospecimen_cqcf.race"),
    "ethnicity": ("patient.ethnicity", "patient.clinical_cqcf.ethnicity", "patient.biospecimen_cqcf.ethnicity"),
    "stage": ("patient.stage_event.pathologic_stage", "patient.stage_event.clinical_stage"),
    "grade": ("patient.neoplasm_histologic_grade", "patient.primary_pathology.neoplasm_histologic_grade"),
    "histology": (
        "patient.histological_type",
        "patient.primary_pathology.histological_type",
        "patient.clinical_cqcf.histological_type",
        "patient.biospecimen_cqcf.histological_type",
    ),
    "diagnosis_year": (
        "patient.year_of_initial_pathologic_diagnosis",
        "patient.primary_pathology.year_of_initial_pathologic_diagnosis",
    ),
}

#: Follow-up stands in the patient's own columns and again in each follow-up form.
_FOLLOW_UP = re.compile(
    r"^patient\.(?:follow_ups\.follow_up(?:-\d+)?\.|clinical_cqcf\.)?"
    r"(?P<what>days_to_death|days_to_last_followup|days_to_last_known_alive|vital_status)$"
)


def read_clinical(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read clinical columns, and overall survival from the latest follow-up.

    A patient is dead if any form says so or gives days to death. The time is that of death, else the latest that any
    form gives for the last contact.

    Raises
    ------
    SourceError
        If the file has no patient barcodes, in neither orientation.
    """
    del sampling  # every programme on Firehose has barcodes
    layout = sniff(source.path)
    if ID in layout.header and parse_barcode(layout.header[-1]) is None:
        names: Sequence[str] = layout.header
        read: Callable[[Sequence[str]], TextTable] = lambda wanted: TextTable.read(layout, wanted, source.missing)  # noqa: E731
    else:
        names, read = _turned(source, layout)
    forms = {name: match["what"] for name in names if (match := _FOLLOW_UP.match(name))}
    wanted = [ID, *(n for own in CLINICAL.values() for n in own), *forms, *source.labels.values()]
    table = read(wanted)
    table = TextTable(layout, table.frame.filter(pl.col(ID).is_not_null()))
    state, time = _follow_up(forms)
    columns = canonical(table, CLINICAL, pl.col(ID).str.to_uppercase())
    columns = columns.with_columns(table.frame.select(state.alias("vital_status")))
    size = (table.frame.height, len(names))
    clinical = RawTable("clinical", source, frame=columns, rows_in=size[0], columns_in=size[1])
    event = pl.when(state == "dead").then(1).when(state == "alive").then(0)
    outcome = outcome_table(source, table, {"OS": (time, event)}, [pl.col(ID).str.to_uppercase().alias("raw_id")])
    outcome.columns_in = size[1]
    labels = label_table(source, table, pl.col(ID).str.to_uppercase())
    return [clinical, outcome] if labels is None else [clinical, outcome, labels]


def _follow_up(forms: dict[str, str]) -> tuple[pl.Expr, pl.Expr]:
    """Return vital status (``dead``, ``alive``) and the time of death or of the last contact, in days."""

    def of(*kinds: str) -> list[str]:
        return [name for name, kind in forms.items() if kind in kinds]

    def latest(names: list[str]) -> pl.Expr:
        return pl.max_horizontal([number(pl.col(n)) for n in names]) if names else pl.lit(None, dtype=pl.Float64)

    death = latest(of("days_to_death"))
    contact = latest(of("days_to_last_followup", "days_to_last_known_alive"))
    states = [pl.col(name).str.to_lowercase() for name in of("vital_status")] or [pl.lit(None, dtype=pl.String)]
    dead = pl.any_horizontal([s.is_in(["dead", "deceased"]).fill_null(value=False) for s in states])
    alive = pl.any_horizontal([s.is_in(["alive", "living"]).fill_null(value=False) for s in states])
    died = dead | death.is_not_null()
    state = pl.when(died).then(pl.lit("dead")).when(alive).then(pl.lit("alive"))
    return state, pl.when(died).then(death).otherwise(contact)


def _turned(source: Source, layout: Layout) -> tuple[list[str], Callable[[Sequence[str]], TextTable]]:
    """Take the header for the first row, since in Firehose's own orientation it is one."""
    whole = Layout(layout.path, layout.delimiter, layout.header, layout.rows, 0, layout.crlf)
    text = read_texts(whole)
    names = [name or "" for name in text.to_series(0).to_list()]
    if ID not in names:
        raise SourceError(
            source.path,
            f"there is no column and no row {ID!r}",
            expected="a merged clinical table of Firehose",
            run="mend path or format in the study file",
        )
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        first.setdefault(name, position)

    def read(wanted: Sequence[str]) -> TextTable:
        there = [name for name in dict.fromkeys(wanted) if name in first]
        frame = text[[first[name] for name in there]].drop("0").transpose(column_names=there)
        layout_of_rows = Layout(layout.path, layout.delimiter, names)
        return TextTable(layout_of_rows, frame.with_columns(present(pl.all(), source.missing)))

    return names, read


def recognise(head: Head) -> Guess | None:
    """Tell a merged clinical table by its dotted names, in the header or, as Firehose has it, down the first column."""
    for names in (head.header, head.ids):
        dotted = sum(name.startswith(("patient.", "admin.")) for name in names)
        if dotted > 0.8 * len(names) and dotted > 3:
            codes = {code.upper() for code in head.column("admin.disease_code")}
            cohort = cohort_of_disease(codes.pop()) if len(codes) == 1 else None
            return Guess("firehose-clinical", cohort=cohort, specific=10)
    return None
