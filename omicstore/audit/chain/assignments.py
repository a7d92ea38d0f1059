"""The rows of a split, held against the hashes of its manifest; what was changed is found by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.encoding import frame_hash, row_hash
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

__all__ = ["changed_assignments"]

PARTS = ("train", "val", "test")

#: Strategies in which the folds take turns: each sample is tested once, and is val once, in every round.
_TURNS = ("site_preserved_kfold", "grouped_kfold", "random")


def changed_assignments(bundle: Bundle) -> list[str]:
    """Return, as sentences, how assignments.parquet differs from what the manifest says of it.

    The hash of a part says that its rows are others, not which. So each sample of the fold is put back, or taken out,
    until the hashes fit: one changed assignment is named.
    """
    manifest, rows = bundle.manifest or {}, bundle.assignments
    said: list[str] = []
    for entry in at(manifest, "per_fold") or []:
        own = rows.filter(pl.col("fold") == entry["fold"])
        found = {part: set(own.filter(pl.col("part") == part)["sample_id"].to_list()) for part in PARTS}
        stated = {part: str(at(entry, "parts", part, "row_hash")) for part in PARTS}
        wrong = [part for part in PARTS if row_hash(found[part]) != stated[part]]
        if wrong:
            others = set(rows["sample_id"].unique().to_list())
            said += _what_changed(int(entry["fold"]), found, stated, wrong, others)
    said += _odd_rows(rows)
    said += _turns(manifest, rows)
    whole = frame_hash(rows) == manifest.get("assignments_hash")
    if not whole and not said:
        said += _by_catalogue(bundle) or ["assignments.parquet does not have its assignments_hash"]
    ids = rows["sample_id"].unique().to_list()
    if row_hash(ids) != at(manifest, "cohort", "sample_ids_hash") and not said:
        said.append("the assigned samples are not those of the manifest's cohort.sample_ids_hash")
    return said


def _what_changed(
    fold: int, found: dict[str, set[str]], stated: dict[str, str], wrong: list[str], everyone: set[str]
) -> list[str]:
    """Return which sample was moved, added or removed in a fold, where it is one."""
    if len(wrong) == 2:
        for here, there in (wrong, wrong[::-1]):
            for sample in sorted(found[here]):
                if row_hash(found[here] - {sample}) == stated[here]:
                    moved = row_hash(found[there] | {sample}) == stated[there]
                    where = f"{sample} of fold {fold} is in {here}"
                    return [f"{where}, and the manifest has it in {there}" if moved else f"{where} and should not be"]
    if len(wrong) == 1:
        part = wrong[0]
        for sample in sorted(found[part]):
            if row_hash(found[part] - {sample}) == stated[part]:
                return [f"{sample} is in the {part} part of fold {fold}, and not by the manifest"]
        for sample in sorted(everyone - found[part]):
            if row_hash(found[part] | {sample}) == stated[part]:
                return [f"{sample} is missing from the {part} part of fold {fold}"]
    return [f"the {part} part of fold {fold} has other rows than its hash in the manifest" for part in wrong]


def _odd_rows(rows: pl.DataFrame) -> list[str]:
    """Return samples that are twice in a fold, and parts that are none."""
    twice = rows.group_by("cohort", "sample_id", "fold").len().filter(pl.col("len") > 1).sort("fold", "sample_id")
    said = [f"{sample} of {cohort} is {n} times in fold {fold}" for cohort, sample, fold, n in twice.iter_rows()]
    none = rows.filter(~pl.col("part").is_in(PARTS)).sort("fold", "sample_id")
    return said + [
        f"{sample} of fold {fold} is in part {part!r}, which there is not"
        for sample, fold, part in none.select("sample_id", "fold", "part").iter_rows()
    ]


def _turns(manifest: dict[str, Any], rows: pl.DataFrame) -> list[str]:
    """Return samples that are not tested once, and val once, in every round, where the strategy's folds take turns."""
    if at(manifest, "strategy", "name") not in _TURNS:
        return []
    rounds = at(manifest, "strategy", "repeats") or 1
    counted = rows.group_by("cohort", "sample_id").agg(
        test=(pl.col("part") == "test").sum(), val=(pl.col("part") == "val").sum()
    )
    odd = counted.filter((pl.col("test") != rounds) | (pl.col("val") != rounds)).sort("cohort", "sample_id")
    often = {1: "once"}.get(rounds, f"{rounds} times")
    return [
        f"{sample} of {cohort} is {test} times in test and {val} times in val, and {often} by the strategy"
        for cohort, sample, test, val in odd.iter_rows()
    ]


def _by_catalogue(bundle: Bundle) -> list[str]:
    """Return rows whose patient, site or group is another than in the other folds, or than in the store."""
    rows, profiles = bundle.assignments, bundle.table("profiles")
    said = []
    for column in ("patient_id", "site", "group_id"):
        usual = rows.group_by("cohort", "sample_id").agg(usual=pl.col(column).mode().sort().first())
        if column == "patient_id" and profiles is not None:
            usual = profiles.group_by("cohort", "sample_id").agg(usual=pl.col("patient_id").min())
        odd = rows.join(usual, on=["cohort", "sample_id"]).filter(pl.col(column).ne_missing(pl.col("usual")))
        said += [
            f"{sample} of fold {fold}: {column} is {found!r}, and {true!r} elsewhere"
            for sample, fold, found, true in odd.sort("fold", "sample_id")
            .select("sample_id", "fold", column, "usual")
            .iter_rows()
        ]
    return said
