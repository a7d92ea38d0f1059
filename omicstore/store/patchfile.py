"""The patches of one slide as Parquet, written and hashed some at a time: a slide never sits in memory whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from omicstore.errors import StoreError
from omicstore.store.catalog import PATCHES
from omicstore.store.hashing import column_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from omicstore.schema import Table

__all__ = ["ROWS_PER_GROUP", "WrittenSlide", "slide_hash", "write_slides"]

#: Patches of one row group: with 1,536 numbers each, 6 MB.
ROWS_PER_GROUP = 1024

_STREAMED = ("features", "tile")


@dataclass(frozen=True, slots=True)
class WrittenSlide:
    """A slide's file, the encoder and the length of its vectors (None if there are none), patches, content hash."""

    name: str
    encoder: str
    width: int | None
    rows: int
    hash: str


def write_slides(frames: Iterable[pl.DataFrame], folder: Path, cohort: str) -> Iterator[WrittenSlide]:
    """Write the patches of one slide and encoder after the other.

    Parameters
    ----------
    frames
        Patches, as `omicstore.store.catalog.PATCHES`; those of a slide and encoder come in one run, in order of
        `patch`, in as many frames as the giver likes. Where frames end does not change the files.
    folder
        Where to write; made if it is not there.
    cohort
        Its name, for messages.

    Yields
    ------
    WrittenSlide
        When a slide is on disk.

    Raises
    ------
    StoreError
        If a slide comes twice, a frame holds two, or its features are no finite vectors of one length.
    """
    writer: _SlideWriter | None = None
    names: set[str] = set()
    for frame in frames:
        key = _key(frame, cohort)
        if writer is None or key != writer.key:
            if writer is not None:
                yield writer.close()
            name = f"{key[0]}.{key[1].replace('/', '--')}.parquet"
            if name in names:
                raise _twice(name, cohort)
            names.add(name)
            folder.mkdir(parents=True, exist_ok=True)
            writer = _SlideWriter(folder / name, key, PATCHES.of(frame), cohort)
        writer.write(frame)
    if writer is not None:
        yield writer.close()


def slide_hash(path: Path, table: Table) -> str:
    """Return `omicstore.store.hashing.table_hash` of a slide's file, read a row group at a time."""
    with pq.ParquetFile(path) as file:
        rows, names = file.metadata.num_rows, file.schema_arrow.names
        small = pl.DataFrame(pl.from_arrow(file.read([n for n in names if n not in _STREAMED])))
        hashes = {name: column_hash(small[name]) for name in small.columns}
        present = np.packbits(np.ones(rows, bool)).data
        if "features" in names:
            digest = hashlib.sha256(f"float4[{file.schema_arrow.field('features').type.list_size}][{rows}]".encode())
            digest.update(present)
            for part in _parts(file, "features"):
                digest.update(part.to_numpy().astype("<f4", copy=False).tobytes())
            hashes["features"] = digest.hexdigest()
        if "tile" in names:
            digest = hashlib.sha256(f"bytes[{rows}]".encode())
            digest.update(present)
            for part in _parts(file, "tile"):
                digest.update(part.bin.size().to_numpy().astype("<i8").data)
            for part in _parts(file, "tile"):
                digest.update(b"".join(part.to_list()))
            hashes["tile"] = digest.hexdigest()
    return node_hash(f"table {table.name}", {name: hashes[name] for name in table.columns})


class _SlideWriter:
    def __init__(self, path: Path, key: tuple[str, str], table: Table, cohort: str) -> None:
        self.path, self.key, self.table, self._cohort = path, key, table, cohort
        self._last, self._rows = -1, 0
        self._held: list[pl.DataFrame] = []
        self._writer: Any = None

    def write(self, frame: pl.DataFrame) -> None:
        where = f"slide {self.key[0]} of {self._cohort}"
        if PATCHES.of(frame).columns != self.table.columns:
            raise StoreError(f"{where} changes its columns or the length of its vectors", expected="one encoder")
        frame = self.table.conform(frame)
        if frame["patch"][0] <= self._last or frame["patch"].n_unique() != frame.height:
            raise _twice(self.path.name, self._cohort)
        for name in _STREAMED:
            if name in frame.columns and frame[name].null_count():
                raise StoreError(f"{where}: a patch has no {name}", expected="one for each patch")
        if "features" in frame.columns:
            bad = ~np.isfinite(frame["features"].to_numpy()).all(axis=1)
            if bad.any():
                raise StoreError(
                    f"{where}: the features of patch {frame['patch'][int(bad.argmax())]} are not finite",
                    expected="finite numbers",
                    run="make the features of this slide again",
                )
        self._last = frame["patch"][-1]
        self._held.append(frame)
        while sum(f.height for f in self._held) >= ROWS_PER_GROUP:
            self._flush()

    def close(self) -> WrittenSlide:
        if self._held:
            self._flush()
        self._writer.close()
        dtype = self.table.columns.get("features")
        width = None if dtype is None else int(dtype.size)
        return WrittenSlide(self.path.name, self.key[1], width, self._rows, slide_hash(self.path, self.table))

    def _flush(self) -> None:
        held = pl.concat(self._held)
        group, rest = held[:ROWS_PER_GROUP], held[ROWS_PER_GROUP:]
        self._held = [rest] if rest.height else []
        table = group.to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="lz4", use_dictionary=False)
        self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        self._rows += group.height


def _parts(file: pq.ParquetFile, column: str) -> Iterator[pl.Series]:
    for i in range(file.num_row_groups):
        yield pl.DataFrame(pl.from_arrow(file.read_row_group(i, [column])))[column]


def _key(frame: pl.DataFrame, cohort: str) -> tuple[str, str]:
    if frame.is_empty() or frame["slide_id"].n_unique() != 1 or frame["encoder"].n_unique() != 1:
        raise StoreError(
            f"a patch table of {cohort} does not hold one slide and one encoder",
            expected="a table per slide and encoder",
        )
    return str(frame["slide_id"][0]), str(frame["encoder"][0])


def _twice(name: str, cohort: str) -> StoreError:
    return StoreError(f"slide {name} of {cohort} came twice", expected="one table per slide and encoder")
