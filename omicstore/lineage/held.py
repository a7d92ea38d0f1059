"""The links within a store: release, matrices and tables, source files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import StoreError, UsageError
from omicstore.lineage.node import Node
from omicstore.store.reader import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FOLLOWED", "release_node"]

#: The catalogue tables that are followed to their sources; the others follow from the matrices.
FOLLOWED = ("patients", "outcomes", "labels")


def release_node(
    store: Store,
    release: str,
    cohorts: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    tables: Sequence[str] = (),
) -> Node:
    """Return a release with what something was made from: matrices and tables, each with its source files.

    Parameters
    ----------
    store
        The store, of any release.
    release
        The id that was named.
    cohorts, modalities
        Whose matrices; all where None.
    tables
        Names of catalogue tables.
    """
    facts: dict[str, Any] = {"release": release, "store": str(store.root)}
    names = [n.name for n in store.registry.names if n.release == release]
    retracted = store.registry.retraction("release", release)
    broken = retracted.sentence if retracted else ""
    try:
        at = store if store.release == release else Store(store.files, release)
    except (StoreError, UsageError):
        broken = f"the store holds {store.release[:12]} now, and {release[:12]} was not released"
        return Node("release", release[:12], facts=facts, broken=broken)
    own = [c for c in at.cohorts if cohorts is None or c in cohorts]
    wanted = [m for m in at.modalities if modalities is None or m in modalities]
    parents = [_matrix(at, c, m) for c in own for m in wanted if _holds(at, c, m)]
    parents += [_table(at, name, own) for name in tables]
    says = (*(["simulated data"] if at.simulated else []), *([f"released as {', '.join(names)}"] if names else []))
    facts |= {"names": names, "dataset": at.dataset, "simulated": at.simulated}
    return Node("release", release[:12], says, facts, broken, tuple(parents))


def _holds(store: Store, cohort: str, modality: str) -> bool:
    other = {"report": "reports", "patches": "patches"}.get(modality)
    return cohort in store.body[other] if other else modality in store.body["matrices"][cohort]


def _table(store: Store, name: str, cohorts: Sequence[str]) -> Node:
    """Return a catalogue table with the source files that rows of these cohorts came from."""
    own = pl.col("cohort").is_in(list(cohorts))
    rows, found = store.table(name).filter(own), store.table("provenance").filter(own)
    if "source" in rows.columns:  # of outcomes and labels: the names of files
        found = found.filter(pl.col("name").is_in(rows["source"].drop_nulls().unique().implode()))
    elif name == "patients":
        found = found.filter(pl.col("modality") == "clinical")
    path = store.body["tables"][name]
    facts = {"path": path, "hash": store.body["files"][path]["hash"], "rows": rows.height, "cohorts": list(cohorts)}
    return Node("table", name, (f"{rows.height:,} rows",), facts, "", _sources(store, found))


def _matrix(store: Store, cohort: str, modality: str) -> Node:
    own = pl.col("cohort").eq(cohort) & pl.col("modality").eq(modality)
    sources = _sources(store, store.table("provenance").filter(own & (pl.col("profiles_kept") > 0)))
    entry = store.body["matrices"].get(cohort, {}).get(modality)
    if entry is None:  # reports and patches
        return Node("table", f"{cohort} {modality}", (), {"cohort": cohort, "modality": modality}, "", sources)
    kept = ("values", "hash", "n_profiles", "n_features", "unit", "upstream_fit", "platform")
    facts = {"cohort": cohort, "modality": modality, **{name: entry[name] for name in kept if name in entry}}
    says = (f"{entry['n_profiles']:,} samples x {entry['n_features']:,} features", f"in {entry['unit']}")
    return Node("matrix", f"{cohort} {modality}", says, facts, "", sources)


def _sources(store: Store, rows: pl.DataFrame) -> tuple[Node, ...]:
    by_file = rows.sort("name", "source_id", "cohort").unique("source_id", keep="first", maintain_order=True)
    return tuple(_source(store, row) for row in by_file.iter_rows(named=True))


def _source(store: Store, row: dict[str, Any]) -> Node:
    facts = {
        name: row[name]
        for name in ("path", "sha256", "bytes", "reader", "unit_in", "unit", "upstream_fit", "licence")
        if row[name] is not None
    }
    facts |= {
        "rows_in": row["rows_in"],
        "profiles_kept": row["profiles_kept"],
        "drops": json.loads(row["drops"] or "{}"),
    }
    turned = f", {row['unit_in']} to {row['unit']}" if row["unit"] and row["unit_in"] != row["unit"] else ""
    says = (f"sha256 {row['sha256'][:12]}", f"{row['bytes']:,} bytes", f"read as {row['reader']}{turned}")
    inside = row["path"] is not None and not Path(row["path"]).is_absolute()
    return Node("source", row["path"] if inside else row["name"], says, facts, _changed(store, row))


def _changed(store: Store, row: dict[str, Any]) -> str:
    """Say whether a source lies where it lay and has another size; a file that is not here breaks nothing."""
    if store.files.local is None or row["path"] is None or "://" in row["path"]:
        return ""
    path = Path(row["path"])
    path = path if path.is_absolute() else store.files.local.absolute().parent.parent / path
    if path.is_file() and path.stat().st_size != row["bytes"]:
        return f"{row['path']} has {path.stat().st_size:,} bytes now: it was changed after the store was built"
    return ""
