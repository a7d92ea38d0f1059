"""Joining written cohorts into one release: the catalogue, the index, and ``store.json`` as the commit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError
from omicstore.files import TEMPORARY, canonical_json, write_bytes
from omicstore.schema import FORMAT, TABLES
from omicstore.store import layout
from omicstore.store.catalog import join_tables, samples_table
from omicstore.store.files import tell_full_disk, write_table
from omicstore.store.filesystem import LocalRoot
from omicstore.store.hashing import column_hash, node_hash, release_hash, table_hash
from omicstore.store.index import write_index
from omicstore.store.lease import sweep
from omicstore.store.lock import write_locks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

__all__ = ["assemble"]


def assemble(root: Path, cohorts: Sequence[str], *, dataset: str, simulated: bool) -> str:
    """Join written cohorts into one release.

    Parameters
    ----------
    root
        The store's folder.
    cohorts
        The cohorts of the release.
    dataset
        The study's name.
    simulated
        Whether the numbers come from a simulator.

    Returns
    -------
    str
        The release id, 64 hexadecimal digits.

    Raises
    ------
    StoreError
        If a cohort has not been written, its parts do not fit each other, or the disk is full. The release that was
        there stays.
    LockedError
        If another process is writing to the store.
    """
    cohorts = sorted(c.upper() for c in cohorts)
    locks = [layout.STORE_JSON, *map(layout.cohort_folder, cohorts)]
    with tell_full_disk(root), write_locks(root, locks):
        sweep(root, [layout.CATALOG, layout.INDEX])
        for cut_off in root.glob(f"{TEMPORARY}*"):  # a commit that did not come to its end
            cut_off.unlink()
        parts = {cohort: _written(root, cohort) for cohort in cohorts}
        place = LocalRoot(root)
        body: dict[str, Any] = {
            "format": FORMAT,
            "dataset": dataset,
            "simulated": simulated,
            "cohorts": cohorts,
            "matrices": {c: part["matrices"] for c, part in parts.items()},
            "reports": {c: part["reports"]["path"] for c, part in parts.items() if part["reports"]},
            "patches": {c: part["patches"] for c, part in parts.items() if part["patches"]},
            "tables": {},
            "index": {},
            "files": {},
        }
        for part in parts.values():
            inner = set(part["tables"].values())
            body["files"] |= {path: entry for path, entry in part["files"].items() if path not in inner}
        frames = join_tables(place, parts)
        for name, frame in frames.items():
            path = layout.table_file(name, digest := table_hash(frame, TABLES[name]))
            body["tables"][name] = _write(root, body, path, frame, digest)
        body["release"] = release_hash(body)
        samples = samples_table(place, body, frames)
        digest = node_hash("samples", {c: column_hash(samples[c]) for c in samples.columns})
        body["samples"] = _write(root, body, layout.samples_file(digest), samples, digest)
        for modality in sorted({m for matrices in body["matrices"].values() for m in matrices}):
            write_index(place, body, modality)
        write_bytes(root / layout.STORE_JSON, canonical_json(body))
        return str(body["release"])


def _written(root: Path, cohort: str) -> dict[str, Any]:
    path = root / layout.cohort_json(cohort)
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StoreError(
            f"cohort {cohort} has not been built", expected=str(path), run=f"omicstore build {cohort}"
        ) from None
    if body["format"] != FORMAT:
        raise StoreError(f"{path} has the format {body['format']!r}", expected=FORMAT, run=f"omicstore build {cohort}")
    return dict(body)


def _write(root: Path, body: dict[str, Any], path: str, frame: pl.DataFrame, digest: str) -> str:
    write_table(root / path, frame)
    body["files"][path] = {"rows": frame.height, "hash": digest}
    return path
