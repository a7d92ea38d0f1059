"""Check a split again from its files, and, where the store is at hand, against the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.splits.catalogue import universe
from omicstore.splits.checks import leak_checks
from omicstore.splits.folds import joined_rows
from omicstore.splits.identity import components, identity
from omicstore.splits.results import SHOWN, CheckResult, in_order, offenders, straddling
from omicstore.splits.spec import SplitSpec
from omicstore.splits.strata import patient_strata
from omicstore.splits.strategies import IMPORTED, STRATEGIES
from omicstore.store.splitfile import PARTS, body_hash, frame_hash, row_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.manifest import Manifest
    from omicstore.splits.spec import NotSame

__all__ = ["broken_rows", "verify"]


def verify(manifest: Manifest, catalogue: Catalogue | None = None) -> list[CheckResult]:
    """Check that a split is what it says, and still holds.

    Parameters
    ----------
    manifest
        As `omicstore.splits.manifest.read` returns it, which believes nothing.
    catalogue
        Of the store. Without it, only what the split's own files can show is checked: their hashes, that every sample
        is in one part of a fold and once the test part, and that no person crosses.

    Returns
    -------
    list of CheckResult
        What concerns the files first, then L1 to L13 and the balance: derived again from the catalogue, or without one
        as the manifest has them.
    """
    found = [_hash(manifest), _rows(manifest), _people(manifest)]
    if catalogue is None:
        return [*found, *in_order(manifest.body["checks"])]
    spec = SplitSpec.from_params(manifest.body["params"])
    found += [
        _release(manifest, catalogue, spec),
        _retractions(manifest, catalogue),
        _closed_world(manifest, catalogue, spec),
    ]
    seen = universe(catalogue, spec)
    who = identity(catalogue, seen.samples["patient_id"].to_list(), spec.near_duplicate_r, spec.not_same or ())
    rows = joined_rows(manifest.assignments, seen.samples, patient_strata(catalogue, seen, spec))
    # The groups as the store has them now: a link found since then must not cross the split either.
    regrouped = rows.with_columns(
        group_id=pl.col("patient_id").replace_strict(who.group_of, default=pl.col("patient_id"))
    )
    if spec.not_same:
        found.append(_not_same(who.idle))
    return [*found, *leak_checks(regrouped, seen.samples, who.edges, catalogue, spec)]


def broken_rows(manifest: Manifest) -> Iterator[str]:
    """Yield, as sentences, how the assignments differ from what the manifest says of them."""
    body, rows = manifest.body, manifest.assignments
    if frame_hash(rows) != body["assignments_hash"]:
        yield "assignments.parquet does not have its assignments_hash"
    for entry in body["per_fold"]:
        for part in PARTS:
            ids = rows.filter((pl.col("fold") == entry["fold"]) & (pl.col("part") == part))["sample_id"]
            if row_hash(ids.to_list()) != entry["parts"][part]["row_hash"]:
                yield f"the {part} part of fold {entry['fold']} has not the rows of its hash"
    if frame_hash(manifest.edges) != body["identity"]["edges_hash"]:
        yield "identity.parquet does not have its edges_hash"


def _hash(manifest: Manifest) -> CheckResult:
    stated, found = manifest.body.get("manifest_hash"), body_hash(manifest.body)
    status = "pass" if stated == found else "fail"
    return CheckResult(
        "manifest_hash", "the manifest is as it was made", status, evidence={"stated": stated, "found": found}
    )


def _rows(manifest: Manifest) -> CheckResult:
    k, rows = manifest.k, manifest.assignments
    failed = list(broken_rows(manifest))
    counted = rows.group_by("cohort", "sample_id").agg(
        n=pl.len(),
        folds=pl.col("fold").n_unique(),
        tested=(pl.col("part") == "test").sum(),
        validated=(pl.col("part") == "val").sum(),
    )
    way = STRATEGIES.get(manifest.body["strategy"]["name"])
    if way is not None and way.turns:
        rule, rounds = "in one part of each fold, once in test and once in val", manifest.body["strategy"]["repeats"]
        kept = (pl.col("n") == k) & (pl.col("folds") == k)
        kept &= (pl.col("tested") == rounds) & (pl.col("validated") == rounds)
    elif way is not None and way.name == IMPORTED:
        rule, kept = "in at most one part of each fold", pl.col("n") == pl.col("folds")
    else:
        rule, kept = "in one part of each fold", (pl.col("n") == k) & (pl.col("folds") == k)
    odd = counted.filter(~kept)
    failed += [f"{s} is not {rule}" for s in odd["sample_id"].sort().to_list()]
    if row_hash(rows["sample_id"].to_list()) != manifest.body["cohort"]["sample_ids_hash"]:
        failed.append("the assigned samples are not those of cohort.sample_ids_hash")
    return _outcome("assignments", "every sample is in one part of each fold, as the hashes say", failed)


def _people(manifest: Manifest) -> CheckResult:
    """Derive the groups from the stored edges alone, and look for one that crosses."""
    rows = manifest.assignments
    group_of = components(manifest.edges, rows["patient_id"].to_list())
    derived = rows.with_columns(person=pl.col("patient_id").replace_strict(group_of, return_dtype=pl.String))
    failed = [f"group {g} is in two parts of a fold" for g in straddling(derived, "person")]
    failed += [f"patient {p} is in two parts of a fold" for p in straddling(rows, "patient_id")]
    wrong = derived.filter(pl.col("person") != pl.col("group_id"))["patient_id"].unique().sort().to_list()
    failed += [f"patient {p} is not in its group" for p in wrong]
    if manifest.body["blocks"]["site"] == "preserve":
        failed += [f"site {s} is in two parts of a fold" for s in straddling(rows, "site")]
    return _outcome("people", "no person, and where kept whole no site, is in two parts of a fold", failed)


def _retractions(manifest: Manifest, catalogue: Catalogue) -> CheckResult:
    """Look for what was retracted, before the split was made or since."""
    found = catalogue.retracted({manifest.release, catalogue.release}, manifest.assignments["patient_id"])
    what, evidence = "nothing that was split is retracted", {"retractions": [r.to_json() for r in found]}
    if not found:
        return CheckResult("retractions", what, "pass", evidence=evidence)
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    why = "; ".join(r.sentence for r in found[:SHOWN]) + more
    return CheckResult("retractions", what, "fail", "warning", why, evidence)


def _not_same(idle: tuple[NotSame, ...]) -> CheckResult:
    """Look for struck edges that the store no longer has."""
    failed = [f"{entry.left} and {entry.right} ({entry.reason})" for entry in idle]
    what, why = "every entry of split.not_same strikes an edge out", "no edge of the store joins them"
    return CheckResult(
        "not_same", what, "fail" if failed else "pass", "warning", why if failed else "", offenders(failed)
    )


def _release(manifest: Manifest, catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    """Compare the tables by content: other content is an error, another release with the same one a warning."""
    made = manifest.body["release"]
    now = catalogue.hashes(catalogue.chosen(spec.cohorts))
    changed = sorted(name for name in {*made["tables"], *now} if made["tables"].get(name) != now.get(name))
    evidence: dict[str, Any] = {"made_from": made["id"], "store": catalogue.release, "changed_tables": changed}
    what = "the store is the release that was split"
    if made["id"] == catalogue.release and not changed:
        return CheckResult("release", what, "pass", evidence=evidence)
    matter = set(changed) - {"provenance"}
    why = "run omicstore split make" if matter else "another release, of which no table that the split uses differs"
    return CheckResult("release", what, "fail", "error" if matter else "warning", why, evidence)


def _closed_world(manifest: Manifest, catalogue: Catalogue, spec: SplitSpec) -> CheckResult:
    everything = universe(catalogue, spec)
    # Who is left out on account of the strategy is in the store's samples, or was never in the store.
    usual = {"modalities", "no_sample"}
    by_strategy = [e for e in manifest.body["exclusions"] if e["rule"] not in usual]
    absent = {e["patient_id"] for e in by_strategy if e["sample_id"] is None}
    there = absent & set(catalogue.profiles["patient_id"].to_list())
    held = set(everything.samples.select("cohort", "sample_id").iter_rows())
    held -= {(e["cohort"], e["sample_id"]) for e in by_strategy}
    assigned = set(manifest.assignments.select("cohort", "sample_id").iter_rows())
    failed = [f"{s} of {c} is in the store and in no part" for c, s in sorted(held - assigned)]
    failed += [f"{s} of {c} is assigned and not in the store" for c, s in sorted(assigned - held)]
    failed += [f"{p} is excluded as not in the store, and is in it" for p in sorted(there)]
    stated = {(e["cohort"], e["patient_id"], e["sample_id"]) for e in manifest.body["exclusions"] if e["rule"] in usual}
    out = set(everything.exclusions.select("cohort", "patient_id", "sample_id").iter_rows())
    failed += [
        f"{sample or patient} of {c} is excluded in one of manifest and store"
        for c, patient, sample in sorted(stated ^ out, key=str)
    ]
    return _outcome("closed_world", "the cohort is what is assigned plus what is excluded", failed)


def _outcome(name: str, what: str, failed: list[str]) -> CheckResult:
    return CheckResult(name, what, "fail" if failed else "pass", "error", "", offenders(failed))
