"""Choosing samples by a SQL expression over patients and profiles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import UnknownNameError, UsageError
from omicstore.schema import PATIENTS, PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.store.reader import Store

__all__ = ["COLUMNS", "matching_samples"]

_SAMPLE = ("cohort", "sample_id", "patient_id", "sample_type", "sample_type_code", "site")
_PATIENT = tuple(c for c in PATIENTS.columns if c not in _SAMPLE)
_PROFILE = tuple(c for c in PROFILES.columns if c not in (*_SAMPLE, *_PATIENT, "chosen"))
#: What an expression can ask for, by the table it comes from.
COLUMNS: dict[str, tuple[str, ...]] = {"samples": _SAMPLE, "patients": _PATIENT, "profiles": _PROFILE}

_KINDS = {"VARCHAR": "text", "STRING": "text", "DOUBLE": "a number", "BIGINT": "a whole number"}
_NO_COLUMN = re.compile(r'[Rr]eferenced column "([^"]+)" not found')


def matching_samples(store: Store, samples: pl.DataFrame, modalities: Sequence[str], where: str) -> pl.DataFrame:
    """Return those of `samples` for which the expression is true.

    A sample has one row per chosen profile of the asked modalities, each with the patient's columns; it is taken if
    the expression is true for any of them.

    Raises
    ------
    UnknownNameError
        If the expression names a column that is none of `COLUMNS`.
    UsageError
        If it is not one SQL expression.
    """
    profiles = store.table("profiles").filter(pl.col("chosen") & pl.col("modality").is_in(list(modalities)))
    rows = (
        samples.select(_SAMPLE)
        .with_row_index("sample_row")
        .join(
            store.table("patients").select("cohort", "patient_id", *_PATIENT), on=["cohort", "patient_id"], how="left"
        )
        .join(profiles.select("cohort", "sample_id", *_PROFILE), on=["cohort", "sample_id"], how="left")
    )
    kept = _evaluate(rows, where)
    return samples[kept]


def _evaluate(rows: pl.DataFrame, where: str) -> list[int]:
    import duckdb

    with duckdb.connect(":memory:") as con:
        con.register("sample_rows", rows.to_arrow())
        for setting in ("enable_external_access=false", "python_enable_replacements=false", "lock_configuration=true"):
            con.execute(f"SET {setting}")
        # The line feed ends a comment in the expression, so that it cannot swallow the bracket.
        query = f"SELECT DISTINCT sample_row FROM sample_rows WHERE ({where}\n) ORDER BY sample_row"
        try:
            # With the bracket and without it, so that the expression cannot close it and go on.
            if any(len(con.extract_statements(text)) != 1 for text in (query, f"SELECT {where}\n")):
                raise UsageError(f"--where {where!r} is more than one expression", expected="one SQL expression")
            kind = con.execute(f"SELECT ({where}\n) FROM sample_rows LIMIT 0").description[0][1]
            if str(kind) != "BOOLEAN":
                raise UsageError(
                    f"--where {where!r} gives {_KINDS.get(str(kind), str(kind).lower())}",
                    expected="a condition, which is true or false of each sample, such as age_years < 60",
                    run="omicstore columns lists the columns and their values",
                )
            return [int(row) for (row,) in con.execute(query).fetchall()]
        except duckdb.Error as error:
            message = str(error)
            if found := _NO_COLUMN.search(message):
                columns = [c for names in COLUMNS.values() for c in names]
                known = [c for c in columns if found[1].lower() in c.split("_")] or columns
                raise UnknownNameError(
                    "column in --where",
                    found[1],
                    known,
                    run="omicstore columns lists them; if it is a value, write it in single quotes",
                ) from None
            raise UsageError(
                f"--where {where!r} cannot be evaluated: {message.splitlines()[0].rstrip('!')}",
                expected="a SQL expression over the columns of patients and profiles",
                run="omicstore columns lists them",
            ) from None
