"""Any delimited table with a row per patient or sample and an id column.

The one format whose unknown columns are kept, under their own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.readers.clinical import TextTable, canonical, fixation, label_table, outcome_table
from omicstore.readers.delimited import matches, sniff
from omicstore.readers.followup import follow_up
from omicstore.readers.table import RawTable

if TYPE_CHECKING:
    from omicstore.readers.delimited import Layout
    from omicstore.sources import Sampling, Source

__all__ = ["read_layout", "read_table", "tables_of"]

#: Canonical column to what a table may call it, in lower case, the preferred one first.
CLINICAL: dict[str, tuple[str, ...]] = {
    "sex": ("sex", "gender"),
    "age_years": (
        "age_years",
        "age",
        "age_at_initial_pathologic_diagnosis",
        "age_at_diagnosis",
        "age_at_index",
        "years_to_birth",
    ),
    "race": ("race",),
    "ethnicity": ("ethnicity",),
    "stage": ("stage", "ajcc_pathologic_stage", "ajcc_pathologic_tumor_stage", "pathologic_stage", "tumor_stage"),
    "grade": ("grade", "histological_grade", "histologic_grade", "tumor_grade", "neoplasm_histologic_grade"),
    "histology": ("histology", "histological_type", "primary_diagnosis"),
    "diagnosis_year": ("diagnosis_year", "year_of_diagnosis", "year_of_initial_pathologic_diagnosis"),
    "vital_status": ("vital_status",),
}


def read_table(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a clinical table, its labels, and its outcomes (see `omicstore.readers.followup`).

    A column that a canonical one is made of is kept under its own name too where the canonical one loses something:
    an age of ``40-60`` is no number.
    """
    del sampling  # ids are harmonised later
    return read_layout(source, sniff(source.path))


def read_layout(source: Source, layout: Layout) -> list[RawTable]:
    """Read a clinical table whose first lines are known."""
    table = TextTable.read(layout, None, source.missing)
    return tables_of(
        source, table, layout.header[layout.index(source.id)] if source.id is not None else layout.header[0]
    )


def tables_of(source: Source, table: TextTable, at: str) -> list[RawTable]:
    """Return what a table says whose column `at` holds the ids."""
    by_lower: dict[str, str] = {}
    for name in table.frame.columns:
        by_lower.setdefault(name.lower(), name)
    known = {key: [by_lower[n] for n in names if n in by_lower] for key, names in CLINICAL.items()}
    known = {key: own[:1] for key, own in known.items() if own and own[0] != at}
    frame = canonical(table, known, pl.col(at))
    used = {own[0] for key, own in known.items() if _whole(table, frame, key, own[0])}
    rest = [n for n in table.frame.columns if n != at and n and n not in used]
    dropped = matches(rest, source.drop) if source.drop else set()
    if source.select:
        dropped |= set(rest) - matches(rest, source.select)
    extra = table.frame.select(n for n in rest if n not in dropped)
    clash = {n: f"{n} (source)" for n in extra.columns if n in frame.columns}
    frame = frame.hstack(extra.rename(clash)).filter(pl.col("raw_id").is_not_null())
    clinical = RawTable(
        "clinical", source, frame=frame, rows_in=table.frame.height, columns_in=len(table.layout.header)
    )
    clinical.profile_info = fixation(table, [by_lower[n] for n in ("is_ffpe", "ffpe") if n in by_lower], pl.col(at))
    clinical.drops.add("row without an id", [], count=table.frame.height - frame.height)
    clinical.drops.add("dropped by the study file", sorted(dropped))
    found = [clinical]
    if endpoints := follow_up(table, source.outcomes):
        found.append(outcome_table(source, table, endpoints, [pl.col(at).alias("raw_id")]))
    labels = label_table(source, table, pl.col(at))
    return found if labels is None else [*found, labels]


def _whole(table: TextTable, frame: pl.DataFrame, key: str, own: str) -> bool:
    return frame.get_column(key).null_count() == table.frame.get_column(own).null_count()
