"""The first rows of files in columns (Parquet, Arrow), as if they were delimited text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.readers.delimited import Layout

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["COLUMN_FORMATS", "column_layout"]

#: Rows that are looked at.
_ROWS = 12

COLUMN_FORMATS = {"parquet": pl.read_parquet, "arrow": pl.read_ipc}


def column_layout(path: Path, form: str) -> Layout | None:
    """Return header and first rows of a file of format `form`; None if it is none of `COLUMN_FORMATS`, or damaged."""
    if form not in COLUMN_FORMATS or path.is_dir():
        return None
    try:
        frame = COLUMN_FORMATS[form](path, n_rows=_ROWS)
    except (pl.exceptions.PolarsError, OSError):
        return None
    plain = frame.select(pl.exclude(pl.List, pl.Array, pl.Struct, pl.Binary))
    rows = plain.select(pl.all().cast(pl.String).fill_null("")).rows()
    return Layout(path, ",", plain.columns, [list(row) for row in rows]) if plain.width else None
