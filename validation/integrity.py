"""Whether the files of a release hold what ``store.json`` says: logical hashes, computed again from the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import StoreError
from omicstore.schema import FEATURES, REPORTS, TABLES
from omicstore.store.catalog import PATCHES
from omicstore.store.hashing import column_hash, node_hash, table_hash, values_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from omicstore.store.reader import Store

__all__ = ["UNREADABLE", "Integrity"]

#: What reading a broken or missing file can raise.
UNREADABLE = (OSError, StoreError, pl.exceptions.PolarsError, ValueError)

_BLOCK_BYTES = 64 << 20


class Integrity:
    """Collects one row per file: whether its content is what the release says.

    Parameters
    ----------
    store
        The open store.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._body = store, store.body
        self._rows: list[dict[str, Any]] = []
        self._seen: dict[str, str] = {}

    def table(self) -> pl.DataFrame:
        """Return path, cohort, intact and, where it is not, found."""
        schema = {"path": pl.String, "cohort": pl.String, "intact": pl.Boolean, "found": pl.String}
        return pl.DataFrame(self._rows, schema=schema).sort("path")

    def matrix(self, cohort: str, modality: str, values: NDArray[np.float32], rows: pl.DataFrame) -> None:
        """Compare a matrix and the index made from it."""
        entry = self._body["matrices"][cohort][modality]
        parts = {"values": values_hash(values)}
        parts |= {name: column_hash(rows[name]) for name in ("sample_id", "profile_id")}
        self._compare(entry["values"], cohort, lambda: node_hash("values", parts))
        index = self._body["index"][modality]["path"]
        self._judge(index, cohort, lambda: self._index_differs(cohort, modality, values))

    def axis(self, cohort: str, modality: str, features: pl.DataFrame) -> None:
        """Compare a matrix's feature axis, and its entry in ``store.json``."""
        entry = self._body["matrices"][cohort][modality]
        self._compare(entry["features"], cohort, lambda: table_hash(features, FEATURES))
        facts = {name: entry[name] for name in ("unit", "upstream_fit", "platform")}
        files = {name: self._body["files"][entry[name]]["hash"] for name in ("values", "features")}
        if node_hash("matrix", facts | files) != entry["hash"]:
            self._add("store.json", cohort, f"unit, platform or hashes of {modality} are not those of the release")

    def broken(self, path: str, cohort: str | None, error: Exception) -> None:
        """Record a file that cannot be read."""
        self._add(path, cohort, f"cannot be read: {' '.join(str(error).split())[:200]}")

    def rest(self) -> None:
        """Compare the catalogue, reports, patches and what the index is read with, then the release id."""
        read, body = self._store.files.table, self._body
        for name, path in body["tables"].items():
            self._compare(path, None, lambda path=path, name=name: table_hash(read(path), TABLES[name]))  # type: ignore[misc]
        for cohort, path in body["reports"].items():
            self._compare(path, cohort, lambda path=path: table_hash(read(path), REPORTS))  # type: ignore[misc]
        for modality in body["index"]:
            path = body["index"][modality]["features"]
            self._compare(path, None, lambda path=path: table_hash(read(path), FEATURES))  # type: ignore[misc]
        self._compare(body["samples"], None, self._samples_hash)
        for cohort in body["patches"]:
            for path in self._store.patch_files(cohort):
                self._compare(path, cohort, lambda path=path: _patches_hash(read(path)))  # type: ignore[misc]
        if self._release() != body["release"]:
            self._add("store.json", None, "the release id is not that of the files it names")

    def _samples_hash(self) -> str:
        frame = self._store.files.table(self._body["samples"])
        return node_hash("samples", {name: column_hash(frame[name]) for name in frame.columns})

    def _release(self) -> str:
        body, files = self._body, self._body["files"]
        held = {
            cohort: {
                "matrices": {m: entry["hash"] for m, entry in body["matrices"][cohort].items()},
                "reports": files[body["reports"][cohort]]["hash"] if cohort in body["reports"] else None,
                "patches": body["patches"][cohort]["hash"] if cohort in body["patches"] else None,
            }
            for cohort in body["cohorts"]
        }
        facts = {name: body[name] for name in ("format", "dataset", "simulated")}
        tables = {name: files[path]["hash"] for name, path in body["tables"].items()}
        return node_hash("store", {**facts, "tables": tables, "cohorts": held})

    def _index_differs(self, cohort: str, modality: str, values: NDArray[np.float32]) -> str | None:
        """Return the first feature whose numbers in the index are not those of the matrix, or None."""
        held = [c for c in self._body["matrices"] if modality in self._body["matrices"][c]]
        counts = [self._body["matrices"][c][modality]["n_profiles"] for c in held]
        first = sum(counts[: held.index(cohort)])
        file = self._store.matrix(self._body["index"][modality]["path"])
        positions = self._store.axis(modality, cohort)
        step = max(1, _BLOCK_BYTES // (4 * max(len(values), 1)))
        for start in range(0, len(positions), step):
            at = positions[start : start + step]
            turned = np.empty((len(at), len(values)), np.float32)
            file.read(at, turned, columns=(first, first + len(values)))
            mine = values[:, start : start + step].T
            unlike = ((turned != mine) & ~(np.isnan(turned) & np.isnan(mine))).any(axis=1)
            if unlike.any():
                feature = self._store.union_features(modality)["feature_id"][int(at[int(unlike.argmax())])]
                return f"feature {feature} is not as in the matrix of {cohort}"
        return None

    def _compare(self, path: str, cohort: str | None, hashed: Callable[[], str]) -> None:
        def differs() -> str | None:
            expected, found = self._body["files"][path]["hash"], hashed()
            return None if found == expected else f"content {found[:12]}, expected {expected[:12]}"

        self._judge(path, cohort, differs)

    def _judge(self, path: str, cohort: str | None, differs: Callable[[], str | None]) -> None:
        try:
            self._add(path, cohort, differs())
        except UNREADABLE as error:
            self.broken(path, cohort, error)

    def _add(self, path: str, cohort: str | None, found: str | None) -> None:
        self._rows.append({"path": path, "cohort": cohort, "intact": found is None, "found": found})


def _patches_hash(frame: pl.DataFrame) -> str:
    return table_hash(frame, PATCHES.of(frame))
