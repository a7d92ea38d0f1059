"""What all readers of clinical tables share: missing tokens, canonical columns, labels and outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from omicstore.readers.delimited import Layout, read_texts
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omicstore.sources import Source

__all__ = ["MISSING_TEXT", "TextTable", "canonical", "fixation", "label_table", "outcome_table"]

#: What stands for a missing entry in TCGA's clinical tables, in lower case; brackets around a word always do.
MISSING_TEXT = frozenset(
    ["na", "n/a", "#n/a", "nan", "null", "none", "not available", "not applicable", "not reported", "unknown",
     "not evaluated", "--", "'--", "."]
)  # fmt: skip

_BRACKETED = r"^\[[^\]]*\]$"

_DEAD = ("dead", "deceased", "1", "true")
_ALIVE = ("alive", "living", "0", "false")
_FEMALE, _MALE = ("female", "f", "woman"), ("male", "m", "man")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of strings with one row per patient, sample or slide; null where a missing token stood.

    Attributes
    ----------
    layout
        Of the file.
    frame
        Its columns, by name; columns of the same name count as the first.
    """

    layout: Layout
    frame: pl.DataFrame

    @classmethod
    def read(cls, layout: Layout, columns: Sequence[str] | None = None, missing: Sequence[str] = ()) -> TextTable:
        """Read named columns; all where absent. Names that the header lacks are left out."""
        first: dict[str, int] = {}
        for position, name in enumerate(layout.header):
            first.setdefault(name, position)
        wanted = {n: first[n] for n in (columns if columns is not None else first) if n in first}
        raw = read_texts(layout, list(wanted.values()))
        frame = raw.select(pl.col(str(i)).alias(name) for name, i in wanted.items())
        return cls(layout, frame.with_columns(present(pl.all(), missing)))

    def __contains__(self, name: object) -> bool:
        return name in self.frame.columns

    def first_of(self, names: Sequence[str]) -> pl.Expr:
        """Return the first entry that is there among columns, in the order of `names`."""
        there = [name for name in names if name in self.frame.columns]
        return pl.coalesce(there) if there else pl.lit(None, dtype=pl.String)


def present(column: pl.Expr, missing: Sequence[str] = ()) -> pl.Expr:
    """Return a column of strings with null for what stands for a missing entry."""
    tokens = sorted(MISSING_TEXT | {token.lower() for token in missing})
    gone = column.str.to_lowercase().is_in(tokens) | column.str.contains(_BRACKETED)
    return pl.when(~gone).then(column)


def canonical(table: TextTable, names: Mapping[str, Sequence[str]], raw_id: pl.Expr) -> pl.DataFrame:
    """Return raw_id and the canonical clinical columns that a table has.

    Parameters
    ----------
    table
        The table.
    names
        Canonical column (sex, age_years, race, ethnicity, stage, grade, histology, diagnosis_year, vital_status) to
        the table's own names for it, the preferred one first. ``age_days`` is turned to years.
    raw_id
        The id.
    """
    columns = [raw_id.alias("raw_id")]
    have = {key: own for key, own in names.items() if any(n in table for n in own)}
    for key, own in have.items():
        text = table.first_of(own)
        if key == "age_days":
            days = number(text) / 365.25
            columns = [c for c in columns if c.meta.output_name() != "age_years"]
            years = number(table.first_of(names.get("age_years", ())))
            columns.append(pl.coalesce(years, days).round(2).alias("age_years"))
        else:
            columns.append(_TIDY[key](text).alias(key) if key in _TIDY else text.alias(key))
    return table.frame.select(columns)


def fixation(table: TextTable, names: Sequence[str], raw_id: pl.Expr) -> pl.DataFrame | None:
    """Return raw_id and ``ffpe``, where the table says whether its samples were fixed in formalin; or None."""
    told = table.frame.select(raw_id.alias("raw_id"), table.first_of(names).alias("ffpe")).drop_nulls()
    return told if told.height else None


def number(text: pl.Expr) -> pl.Expr:
    """Return a column of strings as Float64, null where it is no finite number."""
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def _lower(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase()


def _of_two(
    text: pl.Expr, first: tuple[str, ...], first_name: str, second: tuple[str, ...], second_name: str
) -> pl.Expr:
    low = text.str.to_lowercase()
    return pl.when(low.is_in(first)).then(pl.lit(first_name)).when(low.is_in(second)).then(pl.lit(second_name))


def _sex(text: pl.Expr) -> pl.Expr:
    return _of_two(text, _FEMALE, "female", _MALE, "male")


def _vital(text: pl.Expr) -> pl.Expr:
    return _of_two(text, _DEAD, "dead", _ALIVE, "alive")


def _stage(text: pl.Expr) -> pl.Expr:
    """Write ``stage iia`` as ``Stage IIA`` and leave other scales as they are."""
    staged = text.str.contains(r"(?i)^stage\s")
    return (
        pl.when(staged)
        .then(pl.lit("Stage ") + text.str.replace(r"(?i)^stage\s+", "").str.to_uppercase())
        .otherwise(text)
    )


def _grade(text: pl.Expr) -> pl.Expr:
    """Write ``g3`` as ``G3`` and ``high grade`` as ``High Grade``."""
    short = text.str.contains(r"(?i)^g[0-9xb]$")
    return pl.when(short).then(text.str.to_uppercase()).otherwise(text.str.to_titlecase())


def _year(text: pl.Expr) -> pl.Expr:
    return number(text).cast(pl.Int64, strict=False)


_TIDY = {
    "sex": _sex,
    "age_years": number,
    "race": _lower,
    "ethnicity": _lower,
    "stage": _stage,
    "grade": _grade,
    "diagnosis_year": _year,
    "vital_status": _vital,
}


def label_table(source: Source, table: TextTable, raw_id: pl.Expr) -> RawTable | None:
    """Return the labels that the source names, or None where it names none.

    Raises
    ------
    SourceError
        If a column is not there.
    """
    if not source.labels:
        return None
    drops = Drops()
    parts = []
    for task, column in source.labels.items():
        table.layout.index(column)
        part = table.frame.select(raw_id.alias("raw_id"), pl.lit(task).alias("task"), pl.col(column).alias("label"))
        known = part.filter(pl.col("label").is_not_null() & pl.col("raw_id").is_not_null())
        drops.add(f"no label for {task}", [], count=part.height - known.height)
        parts.append(known.unique(maintain_order=True))
    frame = pl.concat(parts)
    return RawTable(
        "label", source, frame=frame, rows_in=table.frame.height, columns_in=len(table.layout.header), drops=drops
    )


def outcome_table(
    source: Source, table: TextTable, endpoints: Mapping[str, tuple[pl.Expr, pl.Expr]], further: Sequence[pl.Expr]
) -> RawTable:
    """Return outcomes in long form.

    Parameters
    ----------
    source, table
        Where they come from.
    endpoints
        Endpoint to time in days (Float64) and event (1 if it came, 0 if not; a number).
    further
        The column raw_id, and others to keep.

    Returns
    -------
    RawTable
        Rows without time or event, or at a negative time, are left out and counted for each endpoint.
    """
    drops = Drops()
    parts = []
    for endpoint, (time, event) in endpoints.items():
        part = table.frame.select(
            *further,
            pl.lit(endpoint).alias("endpoint"),
            time.cast(pl.Float64).alias("time_days"),
            event.cast(pl.Int8, strict=False).alias("event"),
        )
        known = part.filter(
            pl.col("time_days").is_not_null() & pl.col("event").is_in([0, 1]) & pl.col("raw_id").is_not_null()
        )
        drops.add(f"no {endpoint}", [], count=part.height - known.height)
        before = known.filter(pl.col("time_days") < 0).get_column("raw_id")
        drops.add(f"{endpoint} at a negative time", before.to_list())
        parts.append(known.filter(pl.col("time_days") >= 0).unique(maintain_order=True))
    frame = pl.concat(parts)
    names = ["raw_id", "endpoint", "time_days", "event"]
    frame = frame.select(*names, *(c for c in frame.columns if c not in names))
    return RawTable(
        "outcome", source, frame=frame, rows_in=table.frame.height, columns_in=len(table.layout.header), drops=drops
    )
