"""Writing text, delimited tables and matrices so that the same content gives the same bytes."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["write_bytes", "write_matrix", "write_table"]


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file, compressed if its name ends in ``.gz``, with neither clock nor name in the gzip header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, compresslevel=5, mtime=0) if path.suffix == ".gz" else content)
    return path


def write_table(path: Path, frame: pl.DataFrame, *, null: str = "") -> Path:
    """Write a table; the separator is a comma for ``.csv`` and a tab for everything else.

    Parameters
    ----------
    path
        Where; compressed if it ends in ``.gz``.
    frame
        The table; column names may be empty but not repeated.
    null
        What stands for a missing value or an empty text.
    """
    separator = "," if ".csv" in path.suffixes else "\t"
    buffer = io.BytesIO()
    # polars writes an empty text as "", which no upstream file has.
    bare = frame.with_columns(pl.col(pl.String).replace("", None))
    bare.write_csv(buffer, separator=separator, null_value=null)
    return write_bytes(path, buffer.getvalue())


def write_matrix(
    path: Path,
    corner: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: NDArray[np.float64],
    *,
    decimals: int = 4,
    null: str = "NA",
) -> Path:
    """Write a matrix of numbers with a header line and an id column.

    Parameters
    ----------
    path
        Where; a comma separates the cells of a ``.csv``, a tab those of others; compressed if it ends in ``.gz``.
    corner
        The first header cell.
    rows, columns
        The ids; rows may repeat.
    values
        (len(rows), len(columns)); NaN is written as `null`.
    decimals
        Digits after the point.
    """
    separator = "," if ".csv" in path.suffixes else "\t"
    body = pl.from_numpy(np.asarray(values, dtype=np.float64), schema=list(columns), orient="row")
    frame = body.fill_nan(None).insert_column(0, pl.Series(corner, list(rows), dtype=pl.String))
    buffer = io.BytesIO()
    frame.write_csv(buffer, separator=separator, null_value=null, float_precision=decimals)
    content = buffer.getvalue()
    # polars quotes an empty header cell; pandas, which wrote the files that have one, does not.
    return write_bytes(path, content if corner else content.removeprefix(b'""'))
