"""Writing a store: one cohort at a time; `assemble` then joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from omicstore.errors import StoreError
from omicstore.files import TEMPORARY, canonical_json, staged, write_bytes
from omicstore.progress import task
from omicstore.schema import FEATURES, FORMAT, REPORTS, TABLES
from omicstore.store import layout
from omicstore.store.assemble import assemble
from omicstore.store.check import refuse_broken
from omicstore.store.files import commit_folder, tell_full_disk, write_table
from omicstore.store.hashing import column_hash, in_key_order, node_hash, table_hash, values_hash
from omicstore.store.lease import sweep
from omicstore.store.lock import write_locks
from omicstore.store.matrixfile import MatrixWriter
from omicstore.store.patchfile import write_slides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from omicstore.diskmatrix import Rows

__all__ = ["MatrixPart", "assemble", "write_cohort"]

#: Row groups that are written at a time.
GROUPS = 16


class MatrixPart(Protocol):
    """What a matrix brings to the store; `omicstore.harmonize.assay.Matrix` is one.

    Attributes
    ----------
    modality, unit, upstream_fit, platform
        What it holds; `unit` is the unit of the values as they are.
    values
        (n, F) float32, NaN where missing.
    rows
        n rows: sample_id, profile_id, as `omicstore.schema.matrix_rows` names them.
    features
        F rows, as `omicstore.schema.FEATURES`.
    """

    modality: str
    unit: str
    upstream_fit: str
    platform: str | None
    values: Rows
    rows: pl.DataFrame
    features: pl.DataFrame


def write_cohort(
    root: Path,
    cohort: str,
    *,
    matrices: Iterable[MatrixPart],
    tables: Mapping[str, pl.DataFrame] | Callable[[], Mapping[str, pl.DataFrame]],
    reports: pl.DataFrame | Callable[[], pl.DataFrame | None] | None = None,
    patches: Iterable[pl.DataFrame] | Callable[[], Iterable[pl.DataFrame] | None] | None = None,
) -> dict[str, Any]:
    """Write one cohort's folder; no other cohort and no release changes.

    Parameters
    ----------
    root
        The store's folder; made where there is none.
    cohort
        The cohort's name.
    matrices
        Its matrices, at most one per modality; consumed one after the other.
    tables
        Catalogue tables by name (`omicstore.schema.TABLES`), or what makes them once the matrices are consumed.
    reports
        Report texts, as `omicstore.schema.REPORTS`, or what makes them.
    patches
        Patch features, as `omicstore.store.patchfile.write_slides` takes them, or what makes them.

    Returns
    -------
    dict
        The body of the cohort's ``cohort.json``: files, hashes, units and sizes.

    Raises
    ------
    StoreError
        If a matrix is empty, infinite, not sorted out by sample, or the disk is full. What was there stays.
    LockedError
        If another process is writing this cohort.
    """
    cohort = cohort.upper()
    folder = layout.cohort_folder(cohort)
    with tell_full_disk(root), write_locks(root, [folder]):
        sweep(root, [folder])
        body = _CohortWriter(root, cohort)
        for part in matrices:
            body.matrix(part)
        body.tables(tables() if callable(tables) else tables)
        body.reports(reports() if callable(reports) else reports)
        body.patches(patches() if callable(patches) else patches)
        write_bytes(root / layout.cohort_json(cohort), canonical_json(body.body))
        return body.body


class _CohortWriter:
    """Collects what ``cohort.json`` says while the files are written."""

    def __init__(self, root: Path, cohort: str) -> None:
        self.root, self.cohort = root, cohort
        self.body: dict[str, Any] = {
            "format": FORMAT,
            "cohort": cohort,
            "matrices": {},
            "tables": {},
            "reports": None,
            "patches": None,
            "files": {},
        }

    def matrix(self, part: MatrixPart) -> None:
        where = f"the {part.modality} matrix of {self.cohort}"
        if part.modality in self.body["matrices"]:
            raise StoreError(f"{where} came twice", expected="one matrix per modality and cohort")
        refuse_broken(part, where)
        order = part.rows["sample_id"].arg_sort().to_numpy()
        rows = part.rows[order]
        values = part.values if np.array_equal(order, np.arange(len(order))) else part.values[order]
        features = FEATURES.conform(part.features)
        hashes = {name: column_hash(rows[name]) for name in ("sample_id", "profile_id")} | {
            "values": values_hash(values)
        }
        features_hash, content = table_hash(features, FEATURES), node_hash("values", hashes)
        facts = {"unit": part.unit, "upstream_fit": part.upstream_fit, "platform": part.platform}
        values_path = layout.values_file(self.cohort, part.modality, content)
        with (
            staged(self.root / values_path) as beside,
            MatrixWriter(beside, ["sample_id", "profile_id"], features.height) as out,
            task(f"writing {part.modality} of {self.cohort}", rows.height, "profiles") as advance,
        ):
            step = GROUPS * out.rows_per_group
            for start in range(0, rows.height, step):
                some = rows[start : start + step]
                keys = {name: some[name].to_list() for name in ("sample_id", "profile_id")}
                out.write(keys, values[start : start + step])
                advance(some.height)
        features_path = layout.features_file(self.cohort, part.modality, features_hash)
        write_table(self.root / features_path, features)
        self._file(values_path, rows.height, content)
        self._file(features_path, features.height, features_hash)
        self.body["matrices"][part.modality] = {
            **facts,
            "values": values_path,
            "features": features_path,
            "n_profiles": rows.height,
            "n_features": features.height,
            "axis": column_hash(features["feature_id"]),
            "hash": node_hash("matrix", {**facts, "values": content, "features": features_hash}),
        }

    def tables(self, tables: Mapping[str, pl.DataFrame]) -> None:
        for name, table in TABLES.items():
            frame = tables.get(name)
            frame = in_key_order(table.conform(pl.DataFrame() if frame is None else frame), table)
            digest = table_hash(frame, table)
            self.body["tables"][name] = self._table(layout.cohort_table(self.cohort, name, digest), frame, digest)

    def reports(self, reports: pl.DataFrame | None) -> None:
        if reports is None or reports.is_empty():
            return
        frame = in_key_order(REPORTS.conform(reports), REPORTS)
        digest = table_hash(frame, REPORTS)
        path = self._table(layout.reports_file(self.cohort, digest), frame, digest)
        self.body["reports"] = {"path": path, "n_profiles": frame.height, "hash": digest}

    def patches(self, patches: Iterable[pl.DataFrame] | None) -> None:
        if patches is None:
            return
        beside = self.root / layout.cohort_folder(self.cohort) / f"{TEMPORARY}patches"
        slides = {slide.name: slide for slide in write_slides(patches, beside, self.cohort)}
        if not slides:
            return
        digest = node_hash("patches", {name: slide.hash for name, slide in slides.items()})
        folder = layout.patches_folder(self.cohort, digest)
        commit_folder(beside, self.root / folder)
        for name, slide in sorted(slides.items()):
            self._file(f"{folder}/{name}", slide.rows, slide.hash)
        widths = {slide.encoder: slide.width for slide in slides.values()}
        self.body["patches"] = {"path": folder, "n_slides": len(slides), "encoders": widths, "hash": digest}

    def _table(self, path: str, frame: pl.DataFrame, digest: str) -> str:
        write_table(self.root / path, frame)
        self._file(path, frame.height, digest)
        return path

    def _file(self, path: str, rows: int, digest: str) -> None:
        self.body["files"][path] = {"rows": rows, "hash": digest}
