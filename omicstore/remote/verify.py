"""Whether a file of a store holds what ``store.json`` says: its content is hashed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from omicstore.errors import StoreError
from omicstore.schema import FEATURES, REPORTS, TABLES
from omicstore.store.catalog import PATCHES
from omicstore.store.filesystem import LocalRoot
from omicstore.store.hashing import column_hash, node_hash, table_hash, values_hash
from omicstore.store.index import index_holds
from omicstore.store.matrixfile import MatrixFile, MatrixRows
from omicstore.store.patchfile import slide_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Checker"]

#: What reading a broken Parquet file raises; Polars' panic is no `Exception`.
_BROKEN = (
    OSError, EOFError, ValueError, KeyError, TypeError, IndexError, StoreError, pa.ArrowException,
    pl.exceptions.PolarsError, pl.exceptions.PanicException,
)  # fmt: skip


class Checker:
    """Hashes the content of files of one release.

    Parameters
    ----------
    body
        What its ``store.json`` says.
    folder
        The store on this machine; an index is compared with the matrices that lie there.
    """

    def __init__(self, body: Mapping[str, Any], folder: Path) -> None:
        self._body, self._folder = body, folder
        self._tables = {path: TABLES[name] for name, path in body["tables"].items()}
        self._tables |= dict.fromkeys(body["reports"].values(), REPORTS)
        self._tables |= {entry["features"]: FEATURES for entry in body["index"].values()}
        matrices = [entry for held in body["matrices"].values() for entry in held.values()]
        self._tables |= {entry["features"]: FEATURES for entry in matrices}
        self._values = {entry["values"] for entry in matrices}
        self.indexes = {entry["path"]: modality for modality, entry in body["index"].items()}

    def holds(self, path: str, file: Path) -> bool:
        """Return whether `file` holds what the release has under `path`.

        An index has no hash of its own: it holds if it says the same as the matrices, which must be here.
        """
        entry = self._body["files"][path]
        try:
            if path in self.indexes:
                return index_holds(LocalRoot(self._folder), self._body, self.indexes[path], file)
            return bool(self._hash(path, file) == entry["hash"])
        except _BROKEN:
            return False

    def beneath(self, path: str) -> set[str]:
        """Return the files that an index is compared with."""
        modality = self.indexes[path]
        held = [held[modality] for held in self._body["matrices"].values() if modality in held]
        axes = {entry["features"] for entry in held}
        return {self._body["index"][modality]["features"], *axes, *(entry["values"] for entry in held)}

    def _hash(self, path: str, file: Path) -> str:
        if path in self._values:
            return _matrix_hash(file)
        if path in self._tables:
            return table_hash(_table(file), self._tables[path])
        if path == self._body["samples"]:
            samples = _table(file)
            return node_hash("samples", {name: column_hash(samples[name]) for name in samples.columns})
        import pyarrow.parquet as pq

        schema = pl.DataFrame(pl.from_arrow(pq.read_schema(file).empty_table()))
        return slide_hash(file, PATCHES.of(schema))


def _table(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file, hive_partitioning=False, glob=False)


def _matrix_hash(file: Path) -> str:
    matrix = MatrixFile(LocalRoot(file.parent), file.name)
    try:
        keys = pl.DataFrame(pl.from_arrow(matrix.keys(["sample_id", "profile_id"])))
        hashes = {name: column_hash(keys[name]) for name in keys.columns}
        return node_hash("values", {**hashes, "values": values_hash(MatrixRows(matrix))})
    finally:
        matrix.close()
