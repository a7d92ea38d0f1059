"""The matrices of a store and their index: hashed again, and held against each other."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.chain.cells import index_cells, table_cells
from omicstore.audit.chain.content import MatrixFile, read_table, table_hash
from omicstore.audit.chain.sketch import Sketch
from omicstore.audit.encoding import column_hash, node_hash
from omicstore.audit.reading import BROKEN

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.chain.storefiles import StoreFiles

__all__ = ["check_matrices"]


def check_matrices(files: StoreFiles, body: dict[str, Any]) -> None:
    """Check every matrix, every axis, and every index of a store.

    Parameters
    ----------
    files
        The store's files, and where to say what is wrong.
    body
        What ``store.json`` says.
    """
    for modality in sorted({m for own in body["matrices"].values() for m in own} | set(body["index"])):
        held = {cohort: own[modality] for cohort, own in sorted(body["matrices"].items()) if modality in own}
        axes = {cohort: _axis(files, f"{modality} of {cohort}", entry) for cohort, entry in held.items()}
        turned = body["index"].get(modality)
        if turned is None:
            files.say(f"store.json names no index of {modality}")
            continue
        union = _union(files, modality, turned, list(axes.values()))
        _Values(files, modality, held, axes).check(turned, union)


def _frame(files: StoreFiles, what: str, path: str, known: pl.DataFrame | None, whose: str) -> pl.DataFrame | None:
    """Check a table of features and return it; None where it cannot be read."""
    read: list[pl.DataFrame] = []

    def hashed(place: Path) -> tuple[int, str]:
        read.append(read_table(place))
        return read[0].height, table_hash(read[0], "features")

    def cells(_: Path) -> list[str]:
        return [] if known is None else table_cells(read[0], known, "features", whose)

    return read[0] if files.check(what, path, hashed, cells) else None


def _axis(files: StoreFiles, what: str, entry: dict[str, Any]) -> pl.DataFrame | None:
    """Check a matrix's axis and what store.json says of the matrix; return the axis."""
    facts = {name: entry[name] for name in ("unit", "upstream_fit", "platform")}
    values, features = (files.stated(entry[name]) for name in ("values", "features"))
    if node_hash("matrix", {**facts, "values": values, "features": features}) != entry["hash"]:
        said = ", ".join(f"{name} {value}" for name, value in facts.items())
        files.say(f"{what}: its hash in store.json is not that of its numbers, its features and {said}")
    axis = _frame(files, f"the features of {what}", entry["features"], None, "")
    if axis is not None and column_hash(axis["feature_id"]) != entry["axis"]:
        files.say(f"the features of {what}: store.json states another axis")
    return axis


def _union(
    files: StoreFiles, modality: str, turned: dict[str, Any], axes: list[pl.DataFrame | None]
) -> pl.DataFrame | None:
    """Check the union of the axes against the axes, and return it."""
    what = f"the index of {modality}"
    there = [axis for axis in axes if axis is not None]
    derived = None
    if there and len(there) == len(axes):
        joined = pl.concat(there, how="diagonal").unique("feature_id", keep="first", maintain_order=True)
        derived = joined.sort("feature_id")
    found = _frame(files, what, turned["features"], derived, "the matrices")
    if found is not None and derived is not None and table_hash(derived, "features") != table_hash(found, "features"):
        cells = table_cells(found, derived, "features", "the matrices")
        files.offenders += [f"{what}: {cell}" for cell in cells if f"{what}: {cell}" not in files.offenders]
    return found


class _Values:
    """The numbers of one modality."""

    def __init__(
        self, files: StoreFiles, modality: str, held: dict[str, dict[str, Any]], axes: dict[str, pl.DataFrame | None]
    ) -> None:
        self._files, self._modality, self._held = files, modality, held
        self._axes = {c: None if axis is None else axis["feature_id"].to_list() for c, axis in axes.items()}
        self._open: dict[str, MatrixFile | BaseException] = {c: self._opened(e["values"]) for c, e in held.items()}

    def check(self, turned: dict[str, Any], union: pl.DataFrame | None) -> None:
        """Hash every matrix, and compare all with the index, of which store.json says `turned`."""
        what = f"the index of {self._modality}"
        index = self._opened(turned["path"])
        stated = node_hash(f"index {self._modality}", {cohort: entry["hash"] for cohort, entry in self._held.items()})
        self._files.check(what, turned["path"], lambda _: (_there(index).n_rows, stated))
        names = [] if union is None else union["feature_id"].to_list()
        sketch = self._sketch(index, names, what)
        hashed = {cohort: self._hashed(cohort, names, sketch) for cohort in self._held}
        cells: dict[str, list[str]] = {cohort: [] for cohort in self._held}
        if sketch is not None and isinstance(index, MatrixFile):
            for start, bits in index.blocks():
                sketch.index(start, bits)
            profiles, features = (place.tolist() for place in sketch.places())
            sources = [(c, _there(self._open[c]), self._axes[c] or []) for c in self._held]
            for cohort, cell in index_cells(sources, index, names, profiles, features):
                cells[cohort].append(cell)
        for cohort, entry in self._held.items():
            own = f"{self._modality} of {cohort}"
            changed = len(self._files.offenders)
            self._files.check(own, entry["values"], partial(_given, hashed[cohort]), partial(_named, cells[cohort]))
            if len(self._files.offenders) == changed:
                self._files.offenders += [f"{what}, {cohort}: {cell}" for cell in cells[cohort]]

    def _opened(self, path: str) -> MatrixFile | BaseException:
        try:
            return MatrixFile(self._files.folder / path)
        except BROKEN as error:
            return error

    def _sketch(self, index: MatrixFile | BaseException, names: list[str], what: str) -> Sketch | None:
        """Return what index and matrices are compared with; None, said, where their shapes do not fit."""
        if not isinstance(index, MatrixFile) or not names:
            return None
        total = 0
        for cohort, file in self._open.items():
            axis = self._axes[cohort]
            if not isinstance(file, MatrixFile) or axis is None or file.width != len(axis):
                return None
            total += file.n_rows
        if (index.n_rows, index.width) != (len(names), total) or index.texts("feature_id").to_list() != names:
            shapes = f"{index.n_rows} features x {index.width} profiles, and the matrices have {len(names)} x {total}"
            self._files.say(f"{what} is {shapes}, or its features are others")
            return None
        return Sketch(total, len(names))

    def _hashed(self, cohort: str, names: list[str], sketch: Sketch | None) -> tuple[int, str] | BaseException:
        """Return rows and content hash of a matrix, or why there are none; adds its numbers to the sketch."""
        file, axis = self._open[cohort], self._axes[cohort]
        if not isinstance(file, MatrixFile):
            return file
        try:
            if axis is not None and file.width != len(axis):
                raise ValueError(f"it has {file.width} columns for {len(axis)} features")
            place = {name: i for i, name in enumerate(names)}
            columns = np.array([place[name] for name in axis or []] if sketch is not None else [], np.int64)
            before = sum(_there(self._open[c]).n_rows for c in self._held if c < cohort) if sketch is not None else 0
            digest = hashlib.sha256(f"float32[{file.n_rows},{file.width}]".encode())
            for start, bits in file.blocks():
                digest.update(bits.tobytes())
                self._files.n_cells += bits.size
                if sketch is not None:
                    sketch.matrix(before + start, bits, columns)
            return file.n_rows, file.content_hash(digest.hexdigest())
        except BROKEN as error:
            return error


def _there(file: MatrixFile | BaseException) -> MatrixFile:
    if isinstance(file, MatrixFile):
        return file
    raise file


def _given(found: tuple[int, str] | BaseException, _: Path) -> tuple[int, str]:
    if isinstance(found, BaseException):
        raise found
    return found


def _named(cells: list[str], _: Path) -> list[str]:
    return cells
