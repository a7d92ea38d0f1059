"""What the files of a store hold, as hashes over the content, a block at a time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from omicstore.audit.encoding import column_hash, node_hash, one_nan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["KEYS", "MatrixFile", "hashed_columns", "read_table", "samples_hash", "slide_hash", "table_hash"]

#: The columns that order each table.
KEYS: dict[str, tuple[str, ...]] = {
    "patients": ("cohort", "patient_id"),
    "outcomes": ("cohort", "patient_id", "endpoint"),
    "labels": ("cohort", "patient_id", "sample_id", "task", "source"),
    "profiles": ("cohort", "modality", "sample_id", "profile_id"),
    "provenance": ("cohort", "modality", "source_id", "name"),
    "features": ("feature_id",),
    "reports": ("patient_id", "profile_id"),
}

#: Columns that are no part of a release: where a file lay, and last digits of matrix products.
_UNHASHED = {
    "profiles": ("nearest_profile", "nearest_r"),
    "provenance": ("path",),
    "reports": ("embeddings",),
}


def read_table(path: Path) -> pl.DataFrame:
    """Read a Parquet file whole; raises one of `omicstore.audit.reading.BROKEN` where it cannot be."""
    return pl.read_parquet(path, hive_partitioning=False, glob=False)


def hashed_columns(frame: pl.DataFrame, table: str) -> list[str]:
    """Return the columns of a table that are part of a release."""
    return [name for name in frame.columns if name not in _UNHASHED.get(table, ())]


def table_hash(frame: pl.DataFrame, table: str) -> str:
    """Return the content hash of a table: of each column, rows in the order of the key, then of the other columns."""
    own = frame.select(hashed_columns(frame, table))
    key = KEYS[table]
    ordered = own.sort([*key, *(name for name in own.columns if name not in key)], nulls_last=True)
    return node_hash(f"table {table}", {name: column_hash(ordered[name]) for name in ordered.columns})


def samples_hash(frame: pl.DataFrame) -> str:
    """Return the hash of the table that joins samples to rows."""
    return node_hash("samples", {name: column_hash(frame[name]) for name in frame.columns})


def slide_hash(path: Path) -> tuple[int, str]:
    """Return how many patches a slide has and their content hash, read a row group at a time."""
    with pq.ParquetFile(path) as file:
        names, n = file.schema_arrow.names, file.metadata.num_rows
        small = pl.DataFrame(pl.from_arrow(file.read([name for name in names if name not in ("features", "tile")])))
        hashes = {name: column_hash(small[name]) for name in small.columns}
        everywhere = np.packbits(np.ones(n, dtype=bool)).tobytes()
        if "features" in names:
            width = file.schema_arrow.field("features").type.list_size
            digest = hashlib.sha256(f"float4[{width}][{n}]".encode() + everywhere)
            for block in _groups(file, "features"):
                digest.update(one_nan(block.flatten().to_numpy(zero_copy_only=False)).tobytes())
            hashes["features"] = digest.hexdigest()
        if "tile" in names:
            digest = hashlib.sha256(f"bytes[{n}]".encode() + everywhere)
            for block in _groups(file, "tile"):
                digest.update(np.array([len(tile) for tile in block.to_pylist()], dtype="<i8").tobytes())
            for block in _groups(file, "tile"):
                digest.update(b"".join(block.to_pylist()))
            hashes["tile"] = digest.hexdigest()
    return n, node_hash("table patches", hashes)


def _groups(file: Any, column: str) -> Iterator[Any]:
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, [column]).column(column).combine_chunks()


class MatrixFile:
    """A matrix, or an index, in a file: text columns and a vector of float32 per row, read some rows at a time.

    Attributes
    ----------
    n_rows, width
        Its shape.
    """

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self.n_rows = int(self._file.metadata.num_rows)
        self.width = int(self._file.schema_arrow.field("values").type.list_size)

    def texts(self, column: str) -> pl.Series:
        """Return a text column."""
        return pl.DataFrame(pl.from_arrow(self._file.read([column])))[column]

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint32]]]:
        """Yield the first row of a block and its (n, width) numbers as bits, every NaN as one."""
        start = 0
        for block in _groups(self._file, "values"):
            bits = self._bits(block)
            yield start, bits
            start += len(bits)

    def rows(self, wanted: list[int]) -> NDArray[np.uint32]:
        """Return (len(wanted), width) bits of some rows."""
        out = np.empty((len(wanted), self.width), np.uint32)
        for start, bits in self.blocks():
            for i, row in enumerate(wanted):
                if start <= row < start + len(bits):
                    out[i] = bits[row - start]
        return out

    def content_hash(self, values: str) -> str:
        """Return the hash of a matrix: of its text columns and of its numbers, which is `values`."""
        texts = {name: column_hash(self.texts(name)) for name in ("sample_id", "profile_id")}
        return node_hash("values", {**texts, "values": values})

    def _bits(self, block: Any) -> NDArray[np.uint32]:
        numbers = np.asarray(block.flatten().to_numpy(zero_copy_only=False), np.float32)
        return one_nan(numbers.reshape(-1, self.width))
