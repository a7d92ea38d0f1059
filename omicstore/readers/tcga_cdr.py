"""The TCGA Clinical Data Resource (Liu and others 2018, Cell 173:400-416): curated outcomes and clinical columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.clinical import TextTable, canonical, number, outcome_table
from omicstore.readers.delimited import sniff
from omicstore.readers.recognise import Guess
from omicstore.readers.table import RawTable
from omicstore.sources import ENDPOINTS

if TYPE_CHECKING:
    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["read_outcomes", "recognise"]

ID, COHORT = "bcr_patient_barcode", "type"

CLINICAL: dict[str, tuple[str, ...]] = {
    "sex": ("gender",),
    "age_years": ("age_at_initial_pathologic_diagnosis",),
    "race": ("race",),
    "stage": ("ajcc_pathologic_tumor_stage", "clinical_stage"),
    "grade": ("histological_grade",),
    "histology": ("histological_type",),
    "diagnosis_year": ("initial_pathologic_dx_year",),
    "vital_status": ("vital_status",),
}


def read_outcomes(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read outcomes (OS, DSS, PFI, DFI, in days) and clinical columns.

    Both frames have a column ``cohort``, from the file's ``type``. Outcomes of redacted cases are left out and counted;
    times of 0 are kept.

    Raises
    ------
    SourceError
        If a column that makes the file a CDR table is absent.
    """
    del sampling  # the table is of TCGA, whose ids are barcodes
    layout = sniff(source.path)
    needed = [ID, COHORT, *(name for e in ENDPOINTS for name in (e, f"{e}.time"))]
    absent = [name for name in needed if name not in layout.header]
    if absent:
        raise SourceError(
            source.path,
            f"there is no column {', '.join(absent[:4])}",
            line=1,
            expected=f"the columns {ID}, {COHORT}, OS, OS.time, ... of the TCGA Clinical Data Resource",
            run="mend path or format in the study file",
        )
    wanted = [*needed, "Redaction", *(name for names in CLINICAL.values() for name in names)]
    table = TextTable.read(layout, wanted, source.missing)
    cohort = pl.col(COHORT).str.to_uppercase().alias("cohort")
    clinical = canonical(table, CLINICAL, pl.col(ID)).with_columns(table.frame.select(cohort))
    redacted = table.frame.select(_redacted(table)).to_series()
    live = TextTable(layout, table.frame.filter(~redacted))
    endpoints = {e: (number(pl.col(f"{e}.time")), number(pl.col(e))) for e in ENDPOINTS}
    outcome = outcome_table(source, live, endpoints, [pl.col(ID).alias("raw_id"), cohort])
    outcome.rows_in = table.frame.height
    outcome.drops.add("redacted", table.frame.filter(redacted).get_column(ID).to_list())
    rows_in, columns_in = table.frame.height, len(layout.header)
    return [RawTable("clinical", source, frame=clinical, rows_in=rows_in, columns_in=columns_in), outcome]


def _redacted(table: TextTable) -> pl.Expr:
    if "Redaction" not in table:
        return pl.repeat(value=False, n=table.frame.height, dtype=pl.Boolean)
    return pl.col("Redaction").str.to_lowercase().eq("redacted").fill_null(value=False)


def recognise(head: Head) -> Guess | None:
    """Tell the table by its columns."""
    if {ID, COHORT, *ENDPOINTS, *(f"{e}.time" for e in ENDPOINTS)} <= set(head.header):
        return Guess("tcga-cdr", specific=10)
    return None
