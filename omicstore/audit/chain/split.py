"""The split: its hashes, its rows against the store, and who is whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.chain.assignments import changed_assignments
from omicstore.audit.chain.content import KEYS, hashed_columns
from omicstore.audit.chain.counts import counts
from omicstore.audit.chain.exclusions import outer_split, untrue_exclusions
from omicstore.audit.chain.persons import groups, lost_edges, valid_edges
from omicstore.audit.encoding import body_hash, frame_hash
from omicstore.audit.finding import Finding, failed, not_applicable, result
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.audit.bundle import Bundle

_SPLIT = "the split is what its manifest says"
_PEOPLE = "no person, and where kept whole no site, is in two parts of a fold"
_FILES = ("manifest.json", "assignments.parquet", "identity.parquet")


def split(bundle: Bundle) -> Finding:
    """Check the hashes of a split, and that the store's cohort is what is assigned plus what is excluded."""
    if bundle.split is None:
        return not_applicable("split", _SPLIT, "the split that the model names is not here")
    said = [f"{bundle.split / name} is absent" for name in _FILES if not (bundle.split / name).is_file()]
    how = "the hashes of the manifest were made again from its files"
    manifest = bundle.manifest
    if manifest is None:
        return failed("split", _SPLIT, said or [f"{bundle.split / 'manifest.json'} cannot be read"], how)
    if body_hash(manifest, "manifest_hash") != manifest.get("manifest_hash"):
        said.append("manifest.json does not have its manifest_hash: it was changed after it was made")
    if bundle.assignments.is_empty():
        said.append("assignments.parquet has no rows, or not the columns of one")
    else:
        said += changed_assignments(bundle) + list(outer_split(bundle))
    if bundle.edges is None:
        said.append("identity.parquet cannot be read")
    elif frame_hash(bundle.edges) != at(manifest, "identity", "edges_hash"):
        said += _edges_changed(bundle, bundle.edges)
    profiles = bundle.table("profiles")
    if bundle.store is not None:
        how += "; and its rows were held against the samples of the store"
        said += _release(bundle)
    if profiles is not None:
        said += [*_tables(bundle), *_open_world(bundle, profiles), *untrue_exclusions(bundle, profiles)]
    said += counts(bundle)  # last, as what is wrong with one row changes counts as well
    return result(
        "split", _SPLIT, list(dict.fromkeys(said)), how,
        manifest_hash=manifest.get("manifest_hash"), assigned=bundle.assignments["sample_id"].n_unique(),
    )  # fmt: skip


def people(bundle: Bundle) -> Finding:
    """Make the groups again from the stored edges alone, and look for one in two parts of a fold."""
    edges, rows = bundle.edges, bundle.rows
    if bundle.split is None or edges is None or rows.is_empty():
        return not_applicable("people", _PEOPLE, "the split's assignments or its identity graph are not here")
    if missing := {"kind", "left", "right"} - set(edges.columns):
        return failed("people", _PEOPLE, [f"identity.parquet has no column {min(missing)}"], "by its edges")
    valid = valid_edges(edges)
    patients = rows["patient_id"].unique().to_list()
    who = groups(valid.select("left", "right").iter_rows(), bundle.assignments["patient_id"].unique().to_list())
    judged = rows.with_columns(person=pl.col("patient_id").replace_strict(who, return_dtype=pl.String))
    said = [f"the person {name} is in {parts} of fold {fold}" for name, fold, parts in _crossing(judged, "person")]
    said += [
        f"patient {name} is in {parts} of fold {fold}"
        for name, fold, parts in _crossing(judged, "patient_id")
        if not any(name in sentence for sentence in said)
    ]
    wrong = judged.filter(pl.col("person") != pl.col("group_id")).unique("patient_id").sort("patient_id")
    said += [
        f"patient {patient} is in the group {stated}, and by the edges in {person}"
        for patient, stated, person in wrong.select("patient_id", "group_id", "person").iter_rows()
    ]
    if at(bundle.manifest, "blocks", "site") == "preserve":
        known = rows.filter(pl.col("site").is_not_null())
        said += [f"the site {name} is in {parts} of fold {fold}" for name, fold, parts in _crossing(known, "site")]
    profiles = bundle.table("profiles")
    how = "people were joined again by the edges of identity.parquet"
    if profiles is not None:
        said += lost_edges(edges, profiles, bundle.assignments["patient_id"].unique().to_list())
        how += ", and these were held against the sample map of the store"
    return result(
        "people", _PEOPLE, said, how,
        folds=bundle.folds, patients=len(patients), people=len({who[p] for p in patients}),
        struck=len(edges) - len(valid),
    )  # fmt: skip


def _crossing(rows: pl.DataFrame, column: str) -> Iterator[tuple[str, int, str]]:
    """Yield who is in several parts of a fold, the fold, and the parts."""
    parts = rows.group_by("fold", column).agg(pl.col("part").unique().sort())
    crossed = parts.filter(pl.col("part").list.len() > 1).sort("fold", column)
    for fold, name, held in crossed.select("fold", column, "part").iter_rows():
        yield str(name), int(fold), " and ".join(held)


def _edges_changed(bundle: Bundle, edges: pl.DataFrame) -> list[str]:
    said = ["identity.parquet does not have its edges_hash"]
    if "kind" in edges.columns:
        stated = at(bundle.manifest, "identity", "edges") or {}
        counted = dict(edges.group_by("kind").len().iter_rows())
        said += [
            f"identity.parquet has {counted.get(kind, 0)} edges of kind {kind}, the manifest says {stated.get(kind, 0)}"
            for kind in sorted({*stated, *counted})
            if stated and counted.get(kind, 0) != stated.get(kind, 0)
        ]
    return said


def _release(bundle: Bundle) -> list[str]:
    made, now = at(bundle.manifest, "release", "id"), at(bundle.current, "release")
    if bundle.body is not None:
        return []
    return [f"the split was made from release {str(made)[:12]}, and the store holds {str(now)[:12]}"]


def _tables(bundle: Bundle) -> list[str]:
    """Return the tables of the catalogue that are not as the manifest says they were."""
    cohorts = at(bundle.manifest, "cohort", "query", "cohorts") or []
    said = []
    for name, stated in sorted((at(bundle.manifest, "release", "tables") or {}).items()):
        frame = bundle.table(name) if name in KEYS else None
        if frame is None:
            continue
        own = frame.filter(pl.col("cohort").is_in(cohorts)).select(hashed_columns(frame, name))
        if frame_hash(own) != stated:
            said.append(f"the table {name} of the store is not the one that the split was made from")
    return said


def _open_world(bundle: Bundle, profiles: pl.DataFrame) -> Iterator[str]:
    """Yield samples that are neither assigned nor excluded, that are both, or that the store does not have."""
    manifest: dict[str, Any] = bundle.manifest or {}
    cohorts = at(manifest, "cohort", "query", "cohorts") or []
    held = set(profiles.filter(pl.col("cohort").is_in(cohorts)).select("cohort", "sample_id").unique().iter_rows())
    assigned = set(bundle.assignments.select("cohort", "sample_id").unique().iter_rows())
    left_out = [(at(e, "cohort"), at(e, "patient_id"), at(e, "sample_id")) for e in manifest.get("exclusions") or []]
    excluded = {(cohort, sample) for cohort, _, sample in left_out if sample is not None}
    for cohort, sample in sorted(held - assigned - excluded):
        yield f"{sample} of {cohort} is in the store, in no part, and not excluded"
    for cohort, sample in sorted(assigned - held):
        yield f"{sample} of {cohort} is assigned, and not in the store"
    for cohort, sample in sorted(assigned & excluded):
        yield f"{sample} of {cohort} is assigned and excluded"
    patients = bundle.table("patients")
    if patients is not None:
        named = {(cohort, patient) for cohort, patient, _ in left_out}
        with_samples = set(profiles.select("cohort", "patient_id").unique().iter_rows())
        own = patients.filter(pl.col("cohort").is_in(cohorts)).select("cohort", "patient_id").unique()
        for cohort, patient in sorted(set(own.iter_rows()) - with_samples - named):
            yield f"patient {patient} of {cohort} is in the store without a sample, and not excluded"
