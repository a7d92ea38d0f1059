"""What differs between two releases: by hashes first, so that equal parts are not read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.releases.matrices import diff_matrix
from omicstore.releases.tables import diff_tables
from omicstore.schema import REPORTS, TABLES

if TYPE_CHECKING:
    from omicstore.store.reader import Store

__all__ = ["diff"]

#: What a source file is known by: its id follows from its content, so it cannot tell a changed file from a new one.
_SOURCE = ("cohort", "modality", "name")
#: So many examples of each kind of change.
EXAMPLES = 5


def diff(old: Store, new: Store) -> dict[str, Any]:
    """Return what changed from one open release to another.

    Parameters
    ----------
    old, new
        The two, open; of one store or of two.

    Returns
    -------
    dict
        As JSON holds it: ``same``; ``cohorts`` (added, removed); ``samples`` per cohort with changes (n_added,
        n_removed, examples); ``matrices`` (cohort, modality, change, and what `diff_matrix` found); ``tables`` (the
        catalogue's that differ, see `diff_tables`); ``sources`` (files: added, removed, changed with their old and new
        sha256); ``reports`` and ``patches`` per cohort.
    """
    same = old.release == new.release
    found: dict[str, Any] = {
        "old": _who(old), "new": _who(new), "same": same,
        "cohorts": {
            "added": sorted(set(new.cohorts) - set(old.cohorts)),
            "removed": sorted(set(old.cohorts) - set(new.cohorts)),
        },
        "samples": {}, "matrices": [], "tables": {}, "sources": {"added": [], "removed": [], "changed": []},
        "reports": {}, "patches": {},
    }  # fmt: skip
    if same:
        return found
    found["samples"] = _samples(old, new)
    found["matrices"] = _matrices(old, new)
    for name, table in TABLES.items():
        if _hash(old, old.body["tables"][name]) != _hash(new, new.body["tables"][name]):
            before, after = (_by_name(store, name) for store in (old, new))
            if name == "provenance":
                found["sources"] = _sources(before, after)
                table = replace(table, key=_SOURCE)
            if (changed := diff_tables(before, after, table, EXAMPLES)) is not None:
                found["tables"][name] = changed
    found["reports"] = _reports(old, new)
    found["patches"] = _patches(old, new)
    return found


def _who(store: Store) -> dict[str, Any]:
    names = [named.name for named in store.registry.names if named.release == store.release]
    return {"release": store.release, "names": names, "dataset": store.dataset, "simulated": store.simulated}


def _hash(store: Store, path: str | None) -> str | None:
    return None if path is None else str(store.body["files"][path]["hash"])


def _samples(old: Store, new: Store) -> dict[str, Any]:
    if old.body["samples"] == new.body["samples"]:
        return {}
    before, after = (s.samples().select("cohort", "sample_id") for s in (old, new))
    found: dict[str, Any] = {}
    for what, rows in (("added", after.join(before, on=["cohort", "sample_id"], how="anti")),
                       ("removed", before.join(after, on=["cohort", "sample_id"], how="anti"))):  # fmt: skip
        for (cohort,), own in rows.sort("cohort", "sample_id").group_by(["cohort"], maintain_order=True):
            entry = found.setdefault(str(cohort), {"n_added": 0, "added": [], "n_removed": 0, "removed": []})
            entry[f"n_{what}"], entry[what] = own.height, own["sample_id"].head(EXAMPLES).to_list()
    return dict(sorted(found.items()))


def _matrices(old: Store, new: Store) -> list[dict[str, Any]]:
    before, after = (
        {(c, m): entry for c, held in s.body["matrices"].items() for m, entry in held.items()} for s in (old, new)
    )
    found: list[dict[str, Any]] = []
    for cohort, modality in sorted({*before, *after}):
        was, now = before.get((cohort, modality)), after.get((cohort, modality))
        where = {"cohort": cohort, "modality": modality}
        if was is None or now is None:
            held = was or now or {}
            facts = {name: held[name] for name in ("unit", "n_profiles", "n_features")}
            found.append({**where, "change": "added" if was is None else "removed", **facts})
        elif was["hash"] != now["hash"]:
            found.append({**where, "change": "changed", **diff_matrix(old, new, was, now, EXAMPLES)})
    return found


def _by_name(store: Store, name: str) -> pl.DataFrame:
    """Return a catalogue table in which a source file is called by its name."""
    frame = store.table(name)
    if "source_id" not in frame.columns:
        return frame
    if name == "provenance":
        return frame.drop("source_id")
    names = dict(store.table("provenance").select("source_id", "name").sort("source_id", "name").iter_rows())
    return frame.with_columns(pl.col("source_id").replace(names))


def _sources(old: pl.DataFrame, new: pl.DataFrame) -> dict[str, Any]:
    """Return the source files by what became of them; of several with one name, the first is held against the first."""
    before, after = (
        f.sort(_SOURCE, nulls_last=True).select(*_SOURCE, "sha256", number=pl.int_range(pl.len()).over(_SOURCE))
        for f in (old, new)
    )
    keys = [*_SOURCE, "number"]
    both = before.join(after, on=keys, how="inner", nulls_equal=True, suffix="_new")
    changed = both.filter(pl.col("sha256").ne_missing(pl.col("sha256_new"))).rename(
        {"sha256": "old", "sha256_new": "new"}
    )
    return {
        what: rows.sort(keys, nulls_last=True).drop("number").to_dicts()
        for what, rows in (
            ("added", after.join(before, on=keys, how="anti", nulls_equal=True)),
            ("removed", before.join(after, on=keys, how="anti", nulls_equal=True)),
            ("changed", changed),
        )
    }


def _reports(old: Store, new: Store) -> dict[str, Any]:
    """Return per cohort how many reports changed and whose; a text itself is not shown, since it may name somebody."""
    found = {}
    for cohort in sorted({*old.body["reports"], *new.body["reports"]}):
        paths = [s.body["reports"].get(cohort) for s in (old, new)]
        if _hash(old, paths[0]) != _hash(new, paths[1]):
            before, after = (
                REPORTS.conform(pl.DataFrame() if path is None else s.read_table(path))
                for s, path in zip((old, new), paths, strict=True)
            )
            found[cohort] = diff_tables(before, after, REPORTS, EXAMPLES, values=False)
    return {cohort: changed for cohort, changed in found.items() if changed is not None}


def _patches(old: Store, new: Store) -> dict[str, Any]:
    """Return per cohort which slides' patch features were added, removed or changed."""
    found: dict[str, Any] = {}
    for cohort in sorted({*old.body["patches"], *new.body["patches"]}):
        before, after = (
            {path.rpartition("/")[2]: s.body["files"][path]["hash"] for path in s.patch_files(cohort)}
            if cohort in s.body["patches"]
            else {}
            for s in (old, new)
        )
        sets = {
            "added": sorted(set(after) - set(before)), "removed": sorted(set(before) - set(after)),
            "changed": sorted(name for name in set(before) & set(after) if before[name] != after[name]),
        }  # fmt: skip
        if any(sets.values()):
            found[cohort] = {f"n_{what}": len(names) for what, names in sets.items()}
            found[cohort] |= {what: names[:EXAMPLES] for what, names in sets.items()}
    return found
