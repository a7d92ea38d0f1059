"""One change anywhere in a split is found, and named."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from chain_study import (
    edit_json,
    edit_table,
    failed,
    judged,
    seal_assignments,
    seal_edges,
)

import omicstore
from omicstore.audit import audit
from omicstore.files import canonical_json
from omicstore.splits import SplitSpec, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tamper = Callable[[Path], None]


def moved(root: Path, part: str = "train", to: str = "test") -> str:
    """Put one sample of fold 1 into another part, and return which."""
    path = root / "splits/default/assignments.parquet"
    rows = pl.read_parquet(path)
    sample = rows.filter((pl.col("fold") == 1) & (pl.col("part") == part))["sample_id"].sort()[4]
    here = (pl.col("sample_id") == sample) & (pl.col("fold") == 1)
    edit_table(path, part=pl.when(here).then(pl.lit(to)).otherwise("part"))
    return str(sample)


@pytest.mark.parametrize("sealed", ["no", "table", "rows"])
def test_one_assignment_is_named(tampered: Path, sealed: str) -> None:
    sample = moved(tampered)
    if sealed != "no":
        seal_assignments(tampered / "splits/default", rows=sealed == "rows")
    found = failed(tampered)["split"]
    if sealed == "rows":
        assert re.search(rf"{sample} of \w+ is 2 times in test and 1 times in val, and once by the strategy", found)
    else:
        assert f"{sample} of fold 1 is in test, and the manifest has it in train" in found


@pytest.mark.parametrize("column", ["patient_id", "group_id", "site"])
def test_one_cell_of_the_assignments_is_named(tampered: Path, column: str) -> None:
    path = tampered / "splits/default/assignments.parquet"
    sample = pl.read_parquet(path)["sample_id"][7]
    edit_table(path, pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("Z9")).otherwise(column).alias(column))
    assert f"{sample} of fold 0: {column} is 'Z9', and " in failed(tampered)["split"]


def test_a_row_that_was_taken_out_and_one_that_was_doubled_are_named(tampered: Path) -> None:
    path = tampered / "splits/default/assignments.parquet"
    rows = pl.read_parquet(path)
    pl.concat([rows[:5], rows[6:], rows[20:21]]).write_parquet(path)
    found = failed(tampered)["split"]
    gone, twice = rows["sample_id"][5], rows["sample_id"][20]
    assert f"{gone} is missing from the {rows['part'][5]} part of fold 0" in found
    assert f"{twice} of AAA is 2 times in fold 0" in found


def test_a_sample_that_is_in_no_part_is_named(tampered: Path) -> None:
    path = tampered / "splits/default/assignments.parquet"
    rows = pl.read_parquet(path)
    sample = rows["sample_id"][5]
    rows.filter(pl.col("sample_id") != sample).write_parquet(path)
    seal_assignments(tampered / "splits/default", rows=True)
    assert f"{sample} of AAA is in the store, in no part, and not excluded" in failed(tampered)["split"]


@pytest.mark.parametrize(
    ("edit", "sealed", "named"),
    [
        (lambda b: b["strategy"].update(seed=2), False, "manifest.json does not have its manifest_hash"),
        (lambda b: b["release"].update(id="0" * 64), True, "the split was made from release 000000000000"),
        (lambda b: b["release"]["tables"].update(patients="0"), True, "the table patients of the store is not the one"),
        (lambda b: b["per_fold"][0]["parts"]["val"].update(n_samples=1), True, "the manifest says n_samples 1 of the val part"),
        (lambda b: b["cohort"].update(sample_ids_hash="0"), True, "cohort.sample_ids_hash"),
    ],
)  # fmt: skip
def test_one_word_of_the_manifest_is_found(
    tampered: Path, edit: Callable[[Any], None], sealed: bool, named: str
) -> None:
    edit_json(tampered / "splits/default/manifest.json", edit, "manifest_hash" if sealed else None)
    assert named in failed(tampered)["split"]


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("modalities", "and the store has its prot, rna"),
        ("no_sample", "and the store has samples of the patient"),
        ("no_site", "which a split by grouped_kfold does not have"),
        ("outer_test", "which such a split does not have"),
        ("too hard", "which such a split does not have"),
    ],
)
def test_who_is_left_out_for_a_reason_that_is_not_true_is_named(tampered: Path, rule: str, named: str) -> None:
    folder = tampered / "splits/default"
    rows = pl.read_parquet(folder / "assignments.parquet")
    one = rows.filter((pl.col("fold") == 0) & (pl.col("part") == "test")).row(2, named=True)
    rows.filter(pl.col("patient_id") != one["patient_id"]).write_parquet(folder / "assignments.parquet")
    seal_assignments(folder, rows=True)
    gone = rows.filter(pl.col("patient_id") == one["patient_id"]).unique("sample_id").sort("sample_id")
    left_out = [
        {**{key: row[key] for key in ("cohort", "patient_id", "sample_id")}, "rule": rule, "reason": "so they say"}
        for row in gone.iter_rows(named=True)
    ]
    edit_json(folder / "manifest.json", lambda body: body["exclusions"].extend(left_out), "manifest_hash")
    found = failed(tampered)["split"]
    assert f"{one['sample_id']} of {one['cohort']} is excluded by the rule {rule!r}, {named}" in found


@pytest.mark.parametrize(
    ("count", "where"),
    [
        ("n_events", "the test part of fold 0"),
        ("n_with_outcome", "the test part of fold 0"),
        ("n_groups", "the test part of fold 0"),
        ("n_with", "the cohort"),
    ],
)
def test_what_a_manifest_counts_is_counted_again(endpointed: Path, count: str, where: str) -> None:
    def edit(body: dict[str, Any]) -> None:
        (body["cohort"]["outcome"] if where == "the cohort" else body["per_fold"][0]["parts"]["test"])[count] += 1

    path = endpointed / "manifest.json"
    body = json.loads(path.read_bytes())
    edit_json(path, edit, "manifest_hash")
    assert re.search(
        rf"the manifest says {count} \d+ of {where}, and there are \d+",
        audit(endpointed, checks=["split"])["split"].found,
    )
    path.write_bytes(canonical_json(body))
    assert audit(endpointed, checks=["split"])["split"].status == "pass"


@pytest.fixture
def endpointed(tampered: Path) -> Path:
    """A split with an endpoint and with inner folds."""
    asked = {"name": "os", "strategy": "grouped_kfold", "k": 3, "seed": 1, "endpoint": "OS", "nested": 3}
    with omicstore.open(tampered / "data/store") as store:
        make(store, SplitSpec.from_params(asked), tampered / "splits/os")
    return tampered / "splits/os"


def test_an_inner_split_holds_nobody_whom_the_outer_one_tests(endpointed: Path) -> None:
    inner = endpointed / "inner/1"
    assert audit(inner, checks=["split"])["split"].status == "pass"
    outer = pl.read_parquet(endpointed / "assignments.parquet")
    tested = outer.filter((pl.col("fold") == 1) & (pl.col("part") == "test"))
    rows = pl.read_parquet(inner / "assignments.parquet")
    one = tested.row(0, named=True)
    patient = one["patient_id"]
    put = tested.filter(pl.col("patient_id") == patient)
    added = pl.concat([put.with_columns(fold=pl.lit(f, pl.Int64), part=pl.lit("train")) for f in range(3)])
    pl.concat([rows, added.select(rows.columns)]).write_parquet(inner / "assignments.parquet")
    seal_assignments(inner, rows=True)
    edit_json(
        inner / "manifest.json",
        lambda b: b.update(exclusions=[e for e in b["exclusions"] if e["patient_id"] != patient]),
        "manifest_hash",
    )
    found = audit(inner, checks=["split"])["split"].found
    assert f"{patient} is in this inner split, and is, or is linked to who is, tested in fold 1 of os" in found


def test_an_inner_split_of_an_outer_one_that_was_made_again_is_told(endpointed: Path) -> None:
    edit_json(endpointed / "manifest.json", lambda body: body["strategy"].update(seed=9), "manifest_hash")
    assert "this inner split was made of the split" in audit(endpointed / "inner/0", checks=["split"])["split"].found


@pytest.mark.parametrize("sealed", [False, True])
def test_an_edge_that_was_taken_out_or_put_in_is_named(tampered: Path, sealed: bool) -> None:
    folder = tampered / "splits/default"
    edges = pl.read_parquet(folder / "identity.parquet")
    gone = edges.filter(pl.col("kind") == "sample").row(3, named=True)
    other = edges.filter(pl.col("kind") == "sample").row(9, named=True)
    kept = edges.filter(~((pl.col("kind") == "sample") & (pl.col("right") == gone["right"])))
    put = pl.DataFrame([{**gone, "right": other["right"]}], schema=edges.schema)
    pl.concat([kept, put]).write_parquet(folder / "identity.parquet")
    if sealed:
        seal_edges(folder)
    found = failed(tampered)
    assert f"the edge {gone['left']} - {gone['right']} is missing from identity.parquet" in found["people"]
    assert f"the edge {gone['left']} - {other['right']} of identity.parquet is not in the sample map" in found["people"]
    assert ("edges_hash" in found.get("split", "")) is not sealed


def joined(folder: Path, struck: str | None) -> tuple[str, str]:
    """Join a training and a test patient of fold 0 by an alias, and return both."""
    rows = pl.read_parquet(folder / "assignments.parquet").filter(pl.col("fold") == 0)
    one, other = (rows.filter(pl.col("part") == part)["patient_id"].sort()[0] for part in ("train", "test"))
    edges = pl.read_parquet(folder / "identity.parquet")
    edge = {"kind": "alias", "left": f"patient:{one}", "right": f"patient:{other}", "evidence": "aliases"}
    if struck is not None:
        edge["struck"] = struck
        edges = edges.with_columns(struck=pl.lit(None, pl.String))
    more = pl.DataFrame([edge]).select(pl.col(c).cast(t) for c, t in edges.schema.items() if c in edge)
    pl.concat([edges, more], how="diagonal").write_parquet(folder / "identity.parquet")
    seal_edges(folder)
    return str(one), str(other)


def test_a_person_on_both_sides_is_named(tampered: Path) -> None:
    one, other = joined(tampered / "splits/default", None)
    found = failed(tampered)["people"]
    assert f"the person {min(one, other)} is in test and train of fold 0" in found
    assert (
        f"patient {max(one, other)} is in the group {max(one, other)}, and by the edges in {min(one, other)}" in found
    )


def test_an_edge_that_was_struck_out_joins_nobody(tampered: Path) -> None:
    joined(tampered / "splits/default", "another person of the same name")
    assert judged(tampered)["people"].status == "pass"
    assert judged(tampered)["people"].evidence["struck"] == 1


def test_a_site_that_should_be_whole_is_named(tampered: Path) -> None:
    edit_json(tampered / "splits/default/manifest.json", lambda b: b["blocks"].update(site="preserve"), "manifest_hash")
    assert "the site A1 is in test and train and val of fold 0" in failed(tampered)["people"]
