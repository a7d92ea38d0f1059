"""The index: a modality's numbers turned, one row per feature over all cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.files import staged
from omicstore.progress import task
from omicstore.schema import FEATURES
from omicstore.store import layout
from omicstore.store.axes import axis_positions
from omicstore.store.files import write_table
from omicstore.store.filesystem import LocalRoot
from omicstore.store.hashing import node_hash, table_hash
from omicstore.store.matrixfile import MatrixFile, MatrixRows, MatrixWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["index_holds", "union_features", "write_index"]

#: The numbers are turned in blocks of features of this size, whatever the size of the whole.
_BLOCK_BYTES = 128 << 20


def write_index(root: LocalRoot, body: dict[str, Any], modality: str) -> None:
    """Write a modality's index and union axis, and enter them in `body`.

    Columns of the index are the rows of the matrices, cohort after cohort in the order of their names. It is made from
    the matrices alone and named by their hashes, so one that is there already is right.

    Parameters
    ----------
    root
        The store.
    body
        What ``store.json`` will say.
    modality
        A modality of kind ``matrix``.
    """
    held = _held(body, modality)
    features = union_features(root, held)
    features_path = layout.index_features_file(modality, features_hash := table_hash(features, FEATURES))
    write_table(root.folder / features_path, features)
    digest = node_hash(f"index {modality}", {cohort: entry["hash"] for cohort, entry in held.items()})
    path = layout.index_file(modality, digest)
    if not (root.folder / path).is_file():
        with staged(root.folder / path) as beside:
            _Turner(root, held, features).write(beside, modality)
    body["files"][path] = {"rows": features.height, "hash": digest}
    body["files"][features_path] = {"rows": features.height, "hash": features_hash}
    body["index"][modality] = {
        "path": path,
        "features": features_path,
        "hash": digest,
        "n_profiles": sum(entry["n_profiles"] for entry in held.values()),
        "n_features": features.height,
    }


def union_features(root: LocalRoot, held: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Return the features of any cohort, sorted; what is said of one is what the first cohort says that has it."""
    paths = list(dict.fromkeys(entry["features"] for entry in held.values()))
    frames = [root.table(path) for path in paths]
    return pl.concat(frames, how="diagonal").unique("feature_id", keep="first", maintain_order=True).sort("feature_id")


def index_holds(root: LocalRoot, body: Mapping[str, Any], modality: str, file: Path) -> bool:
    """Return whether an index says the same as the matrices it was made from, which are read for it.

    Parameters
    ----------
    root
        The store, with the matrices of the modality and its union axis.
    body
        What ``store.json`` says.
    modality
        A modality of kind ``matrix``.
    file
        The index.

    Raises
    ------
    StoreError
        If one of the files is absent or broken.
    """
    features = root.table(body["index"][modality]["features"])
    turner = _Turner(root, _held(body, modality), features)
    index = MatrixFile(LocalRoot(file.parent), file.name)
    try:
        keys = pl.DataFrame(pl.from_arrow(index.keys(["feature_id", "symbol"])))
        if (index.n_rows, index.width) != (features.height, turner.n_profiles) or not keys.equals(
            features.select(keys.columns)
        ):
            return False
        rows = MatrixRows(index)
        return all(
            np.array_equal(rows[start : start + len(block)], block, equal_nan=True)
            for start, block in turner.blocks(max(1, _BLOCK_BYTES // (4 * turner.n_profiles)))
        )
    finally:
        index.close()
        turner.close()


def _held(body: Mapping[str, Any], modality: str) -> dict[str, Any]:
    """Return the modality's matrices by cohort, in the order of their columns in the index."""
    return {c: body["matrices"][c][modality] for c in body["cohorts"] if modality in body["matrices"][c]}


class _Turner:
    def __init__(self, root: LocalRoot, held: Mapping[str, Mapping[str, Any]], features: pl.DataFrame) -> None:
        self._features = features
        self._files = [MatrixFile(root, entry["values"]) for entry in held.values()]
        by_axis: dict[str, NDArray[np.int64]] = {}
        for entry in held.values():
            if entry["axis"] not in by_axis:
                axis = root.table(entry["features"], ["feature_id"])["feature_id"]
                by_axis[entry["axis"]] = axis_positions(axis, features["feature_id"])
        self._positions = [by_axis[entry["axis"]] for entry in held.values()]

        self.n_profiles = sum(file.n_rows for file in self._files)

    def write(self, path: Any, modality: str) -> None:
        n = self._features.height
        with (
            MatrixWriter(path, ["feature_id", "symbol"], self.n_profiles) as out,
            task(f"indexing {modality}", n, "features") as advance,
        ):
            step = max(1, _BLOCK_BYTES // (4 * self.n_profiles * out.rows_per_group)) * out.rows_per_group
            for start, block in self.blocks(step):
                part = self._features[start : start + step]
                keys = {name: part[name].to_list() for name in ("feature_id", "symbol")}
                out.write(keys, block)
                advance(part.height)
        self.close()

    def blocks(self, step: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the index `step` features at a time, each with the number of its first."""
        for start in range(0, self._features.height, step):
            stop = min(start + step, self._features.height)
            yield start, self._block(start, stop, self.n_profiles)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _block(self, start: int, stop: int, n_profiles: int) -> NDArray[np.float32]:
        """Return features `start` to `stop` of all profiles, NaN where a cohort lacks the feature."""
        block = np.full((stop - start, n_profiles), np.nan, np.float32)
        first = 0
        for file, positions in zip(self._files, self._positions, strict=True):
            low, high = np.searchsorted(positions, [start, stop])
            if low < high:
                values = np.empty((file.n_rows, high - low), np.float32)
                file.read(np.arange(file.n_rows), values, columns=(int(low), int(high)))
                block[positions[low:high] - start, first : first + file.n_rows] = values.T
            first += file.n_rows
        return block
