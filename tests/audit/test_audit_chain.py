"""One change anywhere between the store's numbers and the metric is found, and named."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from chain_study import (
    edit_cell,
    edit_json,
    edit_statistic,
    edit_table,
    flip,
    seal_assignments,
    seal_edges,
    seal_state,
    store_body,
    stored,
)

import omicstore
from omicstore.audit import audit
from omicstore.audit.bundle import Bundle
from omicstore.audit.chain.judged import left_out
from omicstore.audit.run import CHAIN
from omicstore.files import canonical_json, sha256_of
from omicstore.splits import SplitSpec, make
from omicstore.store.hashing import release_hash
from omicstore.store.splitfile import frame_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tamper = Callable[[Path], None]


def judged(root: Path) -> dict[str, Any]:
    """Return the findings of the chain, by id."""
    return {f.id: f for f in audit(root / "artifacts" / "aro", checks=CHAIN).findings}


def failed(root: Path) -> dict[str, str]:
    """Return what the links of the chain found."""
    return {name: f.found for name, f in judged(root).items() if f.status == "fail"}


def test_an_untouched_study_passes(chained: Path) -> None:
    found = judged(chained)
    assert {name: f.status for name, f in found.items()} == dict.fromkeys(CHAIN, "pass"), failed(chained)
    assert found["release"].evidence["found"] == store_body(chained)["release"]
    assert found["release"].evidence["files"] == len(store_body(chained)["files"])
    assert found["state"].evidence["statistics"] > 40
    assert found["evaluation"].evidence["derived"] > 20


def test_a_split_is_audited_in_all_its_folds(chained: Path) -> None:
    found = audit(chained / "splits" / "default", checks=CHAIN)
    assert {f.id: f.status for f in found.findings} == {
        "release": "pass", "split": "pass", "people": "pass", "retractions": "pass",
        "state": "not_applicable", "checkpoint": "not_applicable", "evaluation": "not_applicable",
    }  # fmt: skip
    assert found.about["folds"] == [0, 1, 2]


# -- the release


def of_rna(root: Path, what: str = "values") -> Path:
    return stored(root, "matrices", "AAA", "rna", what)


def first(root: Path, what: str) -> str:
    """Return the first sample, or the fourth feature, of the rna matrix of AAA."""
    if what == "sample":
        return str(pl.read_parquet(of_rna(root), hive_partitioning=False)["sample_id"][0])
    return str(pl.read_parquet(of_rna(root, "features"), hive_partitioning=False)["feature_id"][3])


def reseal_store(root: Path) -> None:
    edit_json(root / "data/store/store.json", lambda body: body.update(release=release_hash(body)))


def state_another_hash(root: Path, path: Path) -> None:
    """Let store.json state of a file whatever an audit says that it holds."""
    from omicstore.audit.chain.content import MatrixFile, table_hash
    from omicstore.audit.encoding import node_hash

    name = path.relative_to(root / "data/store").as_posix()

    def edit(body: dict[str, Any]) -> None:
        if "/values-" in name:
            import hashlib

            file = MatrixFile(path)
            digest = hashlib.sha256(f"float32[{file.n_rows},{file.width}]".encode())
            for _, bits in file.blocks():
                digest.update(bits.tobytes())
            body["files"][name]["hash"] = file.content_hash(digest.hexdigest())
            entry = body["matrices"]["AAA"]["rna"]
            facts = {key: entry[key] for key in ("unit", "upstream_fit", "platform")}
            hashes = {key: body["files"][entry[key]]["hash"] for key in ("values", "features")}
            entry["hash"] = node_hash("matrix", {**facts, **hashes})
        else:
            table = name.split("/")[-1].split("-")[0]
            body["files"][name]["hash"] = table_hash(pl.read_parquet(path, hive_partitioning=False), table)

    edit_json(root / "data/store/store.json", edit)


@pytest.mark.parametrize("sealed", ["no", "file", "release"])
def test_one_cell_of_a_matrix_is_named(tampered: Path, sealed: str) -> None:
    sample, feature = first(tampered, "sample"), first(tampered, "feature")
    edit_cell(of_rna(tampered), 0, 3, 77.25)
    if sealed != "no":
        state_another_hash(tampered, of_rna(tampered))
    if sealed == "release":
        reseal_store(tampered)
    found = failed(tampered)["release"]
    assert re.search(
        rf"rna.* AAA: sample {sample}, feature {feature} is 77\.25 in the matrix and \S+ in the index", found
    )
    if sealed == "file":
        assert "and what it names gives" in found


def test_one_cell_of_the_index_is_named(tampered: Path) -> None:
    sample = first(tampered, "sample")
    feature = pl.read_parquet(stored(tampered, "index", "rna", "path"), hive_partitioning=False)["feature_id"][5]
    edit_cell(stored(tampered, "index", "rna", "path"), 5, 0, -1.5)
    assert f"the index of rna, AAA: sample {sample}, feature {feature} is" in failed(tampered)["release"]


def test_a_number_where_a_cohort_lacks_the_feature_is_named(tampered: Path) -> None:
    # The union begins with features that AAA alone has: the index holds NaN for BBB there.
    index = stored(tampered, "index", "rna", "path")
    width = len(pl.read_parquet(index, hive_partitioning=False)["values"][0])
    edit_cell(index, 0, width - 1, 2.0)
    assert "is nan in the matrix and 2.0 in the index" in failed(tampered)["release"]


@pytest.mark.parametrize(
    ("table", "change", "named"),
    [
        ("patients", pl.when(pl.int_range(pl.len()) == 2).then(17.0).otherwise("age_years").alias("age_years"), "age_years is 17.0"),
        ("outcomes", pl.when(pl.int_range(pl.len()) == 2).then(1.5).otherwise("time_days").alias("time_days"), "time_days is 1.5"),
        ("labels", pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("S9")).otherwise("label").alias("label"), "label is 'S9'"),
        ("profiles", pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("P9")).otherwise("plate").alias("plate"), "plate is 'P9'"),
        ("provenance", pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("x")).otherwise("unit").alias("unit"), "unit is 'x'"),
    ],
)  # fmt: skip
def test_one_cell_of_the_catalogue_is_named(tampered: Path, table: str, change: pl.Expr, named: str) -> None:
    path = stored(tampered, "tables", table)
    edit_table(path, change)
    found = failed(tampered)["release"]
    assert f"the table {table}: " in found
    assert f"{named}, and" in found
    shutil.rmtree(tampered / "data/store/cohort=AAA/catalog")
    found = failed(tampered)["release"]
    assert f"{path.relative_to(tampered / 'data/store')} does not have the content that store.json states" in found


def test_what_a_release_id_leaves_out_may_differ(tampered: Path) -> None:
    edit_table(stored(tampered, "tables", "provenance"), path=pl.lit("/elsewhere"))
    assert failed(tampered) == {}


def test_one_word_of_a_report_and_one_number_of_a_slide_are_found(tampered: Path) -> None:
    edit_table(stored(tampered, "reports", "AAA"), text=pl.col("text").str.replace("Report", "report", n=1))
    slide = next(path for path in store_body(tampered)["files"] if "/patches-" in path)
    edit_table(tampered / "data/store" / slide, x=pl.col("x") + (pl.int_range(pl.len()) == 0).cast(pl.Int64))
    found = failed(tampered)["release"]
    assert "the reports of AAA: " in found
    assert f"slide {slide.split('/')[-1].split('.')[0]}: {slide} does not have the content" in found


def test_the_table_of_samples_is_held_against_the_matrices(tampered: Path) -> None:
    path = stored(tampered, "samples")
    swapped = pl.when(pl.col("row_rna") == 0).then(1).when(pl.col("row_rna") == 1).then(0).otherwise("row_rna")
    edit_table(path, swapped.cast(pl.Int32).alias("row_rna"))
    assert "its rna row is 1, and in the matrix 0" in failed(tampered)["release"]
    # No release id covers it: sealed again, it is found all the same.
    from omicstore.audit.chain.content import samples_hash

    digest = samples_hash(pl.read_parquet(path))
    name = path.relative_to(tampered / "data/store").as_posix()
    edit_json(tampered / "data/store/store.json", lambda body: body["files"][name].update(hash=digest))
    assert "its rna row is 1, and in the matrix 0" in failed(tampered)["release"]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda b: b["matrices"]["AAA"]["rna"].update(unit="counts"), "rna of AAA: its hash in store.json is not that of"),
        (lambda b: b.update(simulated=False), "and what it names gives"),
        (lambda b: b["cohorts"].remove("BBB"), "and what it names gives"),
        (lambda b: b["files"].update({"extra.parquet": {"rows": 1, "hash": "0"}}), "extra.parquet, which is no part of anything"),
        (lambda b: b["matrices"]["AAA"]["prot"].update(axis="0"), "the features of prot of AAA: store.json states another axis"),
        (lambda b: b["index"].pop("rna"), "store.json names no index of rna"),
        (lambda b: b.pop("reports"), "store.json lacks what every store has"),
    ],
)  # fmt: skip
def test_one_word_of_store_json_is_found(tampered: Path, edit: Callable[[Any], None], named: str) -> None:
    edit_json(tampered / "data/store/store.json", edit)
    assert named in failed(tampered)["release"]


def test_a_feature_that_is_called_otherwise_is_named(tampered: Path) -> None:
    edit_table(of_rna(tampered, "features"), symbol=pl.col("symbol").str.replace("GENE5", "GENE55"))
    assert "the features of rna of AAA" in failed(tampered)["release"]
    index = stored(tampered, "index", "prot", "features")
    edit_table(index, symbol=pl.col("symbol").str.replace("GENE5", "GENE55"))
    assert "the index of prot: AB005: symbol is 'GENE55', and 'GENE5' in the matrices" in failed(tampered)["release"]


def test_every_file_of_the_store_is_missed_and_named(chained: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    for path in store_body(chained)["files"]:
        shutil.copytree(chained / "data/store", store)
        (store / path).unlink()
        found = audit(chained / "splits/default", store, ["release"])["release"].found
        shutil.rmtree(store)
        assert f"{path} is absent" in found


@pytest.mark.parametrize("at", [0.2, 0.5])
def test_a_flipped_byte_of_the_store_is_found_where_it_changes_anything(
    chained: Path, tmp_path: Path, at: float
) -> None:
    store = tmp_path / "store"
    shutil.copytree(chained / "data/store", store)
    missed = []
    for path in store_body(chained)["files"]:
        flip(store / path, at)
        if audit(chained / "splits/default", store, ["release"])["release"].status == "pass":
            same = pl.read_parquet(store / path, hive_partitioning=False)
            true = pl.read_parquet(chained / "data/store" / path, hive_partitioning=False)
            missed += [] if same.equals(true) else [path]
        shutil.copy(chained / "data/store" / path, store / path)
    assert missed == []


# -- the split


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


# -- state and checkpoint


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(("key", "step"), [("rna/2/mean", "zscore mean"), ("prot/0/high", "winsorize high")])
def test_one_statistic_is_named(tampered: Path, key: str, step: str, sealed: bool) -> None:
    edit_statistic(tampered, key, 2, 0.01)
    if sealed:
        seal_state(tampered)
    body = json.loads((tampered / "artifacts/aro/state/0/default.json").read_bytes())
    modality = key.split("/")[0]
    feature = body["modalities"][modality]["features"][2]
    found = failed(tampered)
    assert f"default.json, {modality}: {step} of {feature} is " in found["state"]
    assert ("arrays_sha256" in found["state"]) is not sealed
    if sealed:
        assert "checkpoint" not in found  # every hash fits: only the numbers tell


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda b: b["fitted_on"].pop(), "the samples of fitted_on do not have its fitted_on_row_hash"),
        (lambda b: b.update(part="all"), "states part all, expected train"),
        (lambda b: b.update(fold=1), "states fold 1, expected 0"),
        (lambda b: b["modalities"]["rna"]["features"].pop(), "the features of rna do not have their feature_axis_hash"),
        (lambda b: b["modalities"]["rna"].update(parameters=["zscore"]), "rna went through ['zscore']"),
        (lambda b: b["modalities"]["prot"].update(output_hash="0"), "prot: output_hash is not that of"),
        (lambda b: b["modalities"]["rna"].update(input_hash="0"), "rna: input_hash is not that of"),
        (lambda b: b["modalities"]["rna"].update(n_rows=3), "rna: n_rows is not that of"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sealed", [False, True])
def test_one_word_of_the_state_is_found(tampered: Path, edit: Callable[[Any], None], named: str, sealed: bool) -> None:
    edit_json(tampered / "artifacts/aro/state/0/default.json", edit)
    if sealed:
        seal_state(tampered)
    found = failed(tampered)
    assert named in found["state"]
    assert ("checkpoint" in found) is (not sealed or "feature_axis_hash" in named)


def test_a_transform_that_nobody_knows_is_no_pass(tampered: Path) -> None:
    folder = tampered / "artifacts/aro"

    def rename(body: dict[str, Any]) -> None:
        body["transform"] = "mine"
        for entry in body["modalities"].values():
            entry["parameters"] = [f"my_{step}" for step in entry["parameters"]]

    edit_statistic(tampered, "rna/2/mean", 0, 5.0)
    edit_json(folder / "state/0/default.json", rename)
    seal_state(tampered)
    edit_json(folder / "sidecar.json", lambda body: body["states"][0].update(transform="mine"), "sidecar_hash")
    found = judged(tampered)["state"]
    assert (found.status, found.severity) == ("fail", "warning")
    assert "default.json, rna: its numbers were not fitted again" in found.found


def test_a_model_that_names_no_state_is_told(tampered: Path) -> None:
    edit_json(tampered / "artifacts/aro/sidecar.json", lambda body: body.update(states=[]), "sidecar_hash")
    assert failed(tampered)["state"] == "sidecar.json names no fitted state, and the model reads rna, prot"


def test_rows_that_do_not_train_are_named(tampered: Path) -> None:
    """A state fitted on one test sample more, all hashes made again."""
    from omicstore.store.splitfile import row_hash

    rows = pl.read_parquet(tampered / "splits/default/assignments.parquet").filter(pl.col("fold") == 0)
    extra = rows.filter((pl.col("part") == "test") & pl.col("sample_id").str.ends_with("-01"))["sample_id"][0]
    folder = tampered / "artifacts/aro"

    def more(body: dict[str, Any]) -> None:
        body["fitted_on"] = sorted([*body["fitted_on"], extra])
        body["fitted_on_row_hash"] = row_hash(body["fitted_on"])

    edit_json(folder / "state/0/default.json", more)
    found = json.loads((folder / "state/0/default.json").read_bytes())["fitted_on_row_hash"]
    edit_json(folder / "sidecar.json", lambda b: b["states"][0].update(fitted_on_row_hash=found))
    seal_state(tampered)
    assert f"{extra} is among the rows of default.json, and does not train in its fold" in failed(tampered)["state"]
    assert "was trained on fitted_on_row_hash" in failed(tampered)["checkpoint"]


@pytest.mark.parametrize("sealed", [False, True])
def test_one_weight_is_named(tampered: Path, sealed: bool) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    path = tampered / "artifacts/aro/weights.safetensors"
    with safe_open(path, framework="numpy") as opened:
        seal = opened.metadata()
    weights = load_file(path)
    name = sorted(weights)[1]
    weights[name].reshape(-1)[0] += 1e-3
    save_file(weights, path, metadata=seal)
    if sealed:
        sidecar = tampered / "artifacts/aro/sidecar.json"
        edit_json(sidecar, lambda b: b["weights"].update(sha256=sha256_of(path)), "sidecar_hash")
    assert f"weights.safetensors: the tensor {name} is not the one that was trained" in failed(tampered)["checkpoint"]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda b: b["selection"].update(part="test"), "the model was chosen on the test part, expected val"),
        (lambda b: b["selection"].update(value=0.0), "has the val loss"),
        (lambda b: b["split"].update(manifest_hash="0" * 64), "the model was trained on the split 000000000000"),
        (lambda b: b.update(release="0" * 64), "the model names the release 000000000000"),
        (lambda b: b.update(n_train=7), "the sidecar counts 7 train samples"),
        (lambda b: b["axes"]["rna"].update(hash="0"), "the rna features of the sidecar are not those of default.json"),
        (lambda b: b["split"].update(fold=1), "says that it was trained on fold 0, the sidecar 1"),
    ],
)  # fmt: skip
def test_one_word_of_the_sidecar_is_found(tampered: Path, edit: Callable[[Any], None], named: str) -> None:
    edit_json(tampered / "artifacts/aro/sidecar.json", edit)
    assert "sidecar.json does not have its sidecar_hash" in failed(tampered)["checkpoint"]
    edit_json(tampered / "artifacts/aro/sidecar.json", lambda _: None, "sidecar_hash")
    found = failed(tampered)
    assert named in found["checkpoint"]
    assert "evaluation.json is of a model whose sidecar_hash is another" in found["evaluation"]


def test_one_loss_is_found(tampered: Path) -> None:
    edit_json(tampered / "artifacts/aro/history.json", lambda b: b[0].update(train=0.5))
    assert "history.json is absent, or does not have the sha256" in failed(tampered)["checkpoint"]


@pytest.mark.parametrize(("kept", "severity"), [(True, "warning"), (False, "error")])
def test_a_model_that_does_not_seal_its_losses_is_told(tampered: Path, kept: bool, severity: str) -> None:
    if not kept:
        (tampered / "artifacts/aro/history.json").unlink()
    edit_json(tampered / "artifacts/aro/sidecar.json", lambda body: body.pop("history"), "sidecar_hash")
    found = judged(tampered)["checkpoint"]
    assert (found.status, found.severity) == ("fail", severity)
    assert re.search(r"sidecar\.json states no sha256 of", found.found)


# -- the numbers


@pytest.mark.parametrize("sealed", [False, True])
def test_one_metric_is_named(tampered: Path, sealed: bool) -> None:
    path = tampered / "reports/metrics.json"
    edit_json(path, lambda b: b.update({"reconstruct.rna.aro.mse": 0.1}))
    if sealed:
        digest = sha256_of(path)
        edit_json(
            tampered / "reports/evaluation.json",
            lambda b: b["files"].update({"metrics.json": digest}),
            "evaluation_hash",
        )
    found = failed(tampered)["evaluation"]
    assert "metrics.json says reconstruct.rna.aro.mse 0.1, and evaluation.json " in found
    assert ("metrics.json is absent, or does not have the sha256" in found) is not sealed


def table_of(body: dict[str, Any], name: str) -> dict[str, Any]:
    return body["survival"] if name == "survival" else body["reconstruction"][name]


@pytest.mark.parametrize(
    ("table", "metric", "key"),
    [
        ("rna", "mse", "value"),
        ("prot", "r2", "low"),
        ("survival", "c", "value"),
        ("survival", "c_within_cohorts", "high"),
    ],
)
def test_one_number_of_the_evaluation_is_named(tampered: Path, table: str, metric: str, key: str) -> None:
    def better(body: dict[str, Any]) -> None:
        table_of(body, table)["methods"][0][metric][key] += 0.01

    edit_json(tampered / "reports/evaluation.json", better, "evaluation_hash")
    assert re.search(rf"\.{metric}: {key} is \S+, and the predictions give ", failed(tampered)["evaluation"])


def test_a_difference_is_derived_too(tampered: Path) -> None:
    def better(body: dict[str, Any]) -> None:
        body["reconstruction"]["rna"]["differences"][0]["r2"]["value"] += 0.5

    edit_json(tampered / "reports/evaluation.json", better, "evaluation_hash")
    assert "reconstruct.rna, difference from train_mean, r2: value is" in failed(tampered)["evaluation"]


def test_a_correlation_is_derived_from_the_features(tampered: Path) -> None:
    def better(body: dict[str, Any]) -> None:
        body["imputation"]["methods"][0]["pearson"]["value"] += 0.01

    edit_json(tampered / "reports/evaluation.json", better, "evaluation_hash")
    assert re.search(
        r"pearson of aro is \S+, and the features of imputation\.json give", failed(tampered)["evaluation"]
    )


@pytest.mark.parametrize("sealed", [False, True])
def test_one_prediction_is_found(tampered: Path, sealed: bool) -> None:
    path = tampered / "reports/predictions.parquet"
    better = pl.when(pl.int_range(pl.len()) == 0).then(0.0).otherwise("squared_error")
    edit_table(path, better.alias("squared_error"))
    if sealed:
        digest = frame_hash(pl.read_parquet(path))
        edit_json(
            tampered / "reports/evaluation.json", lambda b: b["predictions"].update(hash=digest), "evaluation_hash"
        )
    found = failed(tampered)["evaluation"]
    assert "mse: value is" in found
    assert ("predictions.parquet does not have the hash" in found) is not sealed


def test_follow_up_that_is_not_the_stores_is_named(tampered: Path) -> None:
    path = tampered / "reports/predictions.parquet"
    timed = pl.read_parquet(path).filter(pl.col("time_days").is_not_null())["patient_id"][0]
    longer = pl.when(pl.col("patient_id") == timed).then(pl.col("time_days") + 500).otherwise("time_days")
    edit_table(path, longer.alias("time_days"))
    assert f"predictions.parquet: time_days of {timed} is" in failed(tampered)["evaluation"]


def test_the_opening_that_an_evaluation_cites_must_be_in_the_log(tampered: Path) -> None:
    log = tampered / "splits/default/test_reads.jsonl"
    log.write_text(log.read_text(encoding="utf-8").replace("omicstore evaluate", "nobody"), encoding="utf-8")
    assert "line 1 of test_reads.jsonl is not the opening that evaluation.json cites" in failed(tampered)["evaluation"]


def test_an_evaluation_that_cites_no_opening_is_told(tampered: Path) -> None:
    edit_json(tampered / "reports/evaluation.json", lambda body: body["test"].pop("opening"), "evaluation_hash")
    assert failed(tampered)["evaluation"] == "evaluation.json cites no opening of the test part in the log"


def test_an_evaluation_without_its_seal_is_no_pass(tampered: Path) -> None:
    edit_json(tampered / "reports/evaluation.json", lambda body: body.pop("evaluation_hash"))
    found = judged(tampered)["evaluation"]
    assert (found.status, found.severity) == ("fail", "warning")
    assert "evaluation.json has no evaluation_hash" in found.found


@pytest.mark.parametrize("task", ["reconstruct.rna", "impute.rna_to_prot", "survival.OS"])
def test_who_was_taken_out_of_the_predictions_is_named(tampered: Path, task: str) -> None:
    path = tampered / "reports/predictions.parquet"
    rows = pl.read_parquet(path)
    key = "patient_id" if task.startswith("survival") else "sample_id"
    here = rows.filter((pl.col("task") == task) & (pl.col("method") != "train_mean"))
    method, one = here["method"][0], here[key][0]
    gone = (pl.col("task") == task) & (pl.col("method") == method) & (pl.col(key) == one)
    rows.filter(~gone).write_parquet(path)
    body = json.loads((tampered / "reports/evaluation.json").read_bytes())
    said = left_out(Bundle(tampered / "artifacts/aro"), body, pl.read_parquet(path), path.name)
    n = here.filter(pl.col("method") == method)[key].n_unique()
    assert said == [f"predictions.parquet leaves 1 of {n} out of {task} by {method}: {one}"]


# -- retractions


def log_event(root: Path, **event: Any) -> None:
    for folder in (root / "releases", root / "data/store/releases"):
        with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")


def test_what_was_retracted_and_not_taken_back_is_a_warning(tampered: Path) -> None:
    release = store_body(tampered)["release"]
    thing = {"kind": "release", "release": release, "name": "v1", "date": "2026-11-21"}
    log_event(tampered, event="retract", reason="rna was in log2.", replaced_by="v2", **thing)
    finding = judged(tampered)["retractions"]
    assert (finding.status, finding.severity) == ("fail", "warning")
    assert finding.found == "release v1 is retracted: rna was in log2; use v2 instead"
    log_event(tampered, event="restore", reason="it was not", **thing)
    assert judged(tampered)["retractions"].status == "pass"


def test_a_retracted_patient_counts_where_it_is_assigned(tampered: Path) -> None:
    event = {"event": "retract", "kind": "patient", "reason": "withdrew consent", "replaced_by": None, "date": ""}
    log_event(tampered, **event, patient="NOBODY", name="NOBODY")
    assert judged(tampered)["retractions"].status == "pass"
    patient = pl.read_parquet(tampered / "splits/default/assignments.parquet")["patient_id"][0]
    log_event(tampered, **event, patient=patient, name=patient)
    assert judged(tampered)["retractions"].found == f"patient {patient} is retracted: withdrew consent"


def test_a_line_of_the_log_that_says_nothing_is_an_error(tampered: Path) -> None:
    log_event(tampered, event="retract", kind="release")
    finding = judged(tampered)["retractions"]
    assert (finding.severity, finding.found) == (
        "error",
        "line 2 of releases/log.jsonl is not what omicstore writes there",
    )


@pytest.mark.parametrize("place", ["releases", "data/store/releases"])
def test_a_retraction_cannot_be_cut_off_or_changed_in_one_log(tampered: Path, place: str) -> None:
    release = store_body(tampered)["release"]
    thing = {"kind": "release", "release": release, "name": "v1", "date": "", "replaced_by": None}
    log_event(tampered, event="retract", reason="wrong", **thing)
    log = tampered / place / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines()
    log.write_text(f"{lines[0]}\n", encoding="utf-8")
    assert judged(tampered)["retractions"].found == "release v1 is retracted: wrong"
    log.write_text(f"{lines[0]}\n{lines[1].replace(release, '0' * 64)}\n", encoding="utf-8")
    assert "line 2 of releases/log.jsonl is another in the study than in the store" in failed(tampered)["retractions"]


def test_a_retraction_that_the_split_knows_and_the_log_does_not_is_told(tampered: Path) -> None:
    known = {"kind": "patient", "patient": "P1", "name": "P1", "reason": "withdrew consent", "replaced_by": None}
    edit_json(tampered / "splits/default/manifest.json", lambda b: b["release"]["retractions"].append(known))
    assert failed(tampered)["retractions"] == "the split says that patient P1 is retracted, and the log does not"


# -- files that are not what they should be

JSON = (
    "data/store/store.json", "splits/default/manifest.json", "artifacts/aro/sidecar.json", "artifacts/aro/history.json",
    "artifacts/aro/state/0/default.json", "reports/evaluation.json", "reports/metrics.json",
)  # fmt: skip
BINARY = (
    "splits/default/assignments.parquet", "splits/default/identity.parquet", "artifacts/aro/weights.safetensors",
    "artifacts/aro/state/0/default.safetensors", "reports/predictions.parquet",
)  # fmt: skip


@pytest.mark.parametrize("path", [*JSON, *BINARY])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": [1]}', b"PAR1 \xff\xfe PAR1"])
def test_an_odd_file_is_a_finding_that_names_it(tampered: Path, path: str, content: bytes) -> None:
    (tampered / path).write_bytes(content)
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    found = failed(tampered)
    assert any(stem in sentence for sentence in found.values()), found


@pytest.mark.parametrize("path", [*JSON, *BINARY])
def test_a_flipped_byte_is_found_and_the_file_named(tampered: Path, path: str) -> None:
    flip(tampered / path, 0.4)
    found = failed(tampered)
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    assert any(stem in sentence for sentence in found.values()), found


@pytest.mark.parametrize("path", ["splits/default/assignments.parquet", "artifacts/aro/weights.safetensors"])
def test_an_absent_file_is_named(tampered: Path, path: str) -> None:
    (tampered / path).unlink()
    assert any(f"{path.rsplit('/', 1)[-1]} is absent" in sentence for sentence in failed(tampered).values())


def test_a_model_alone_is_checked_as_far_as_it_goes(tampered: Path, tmp_path: Path) -> None:
    shutil.copytree(tampered / "artifacts/aro", tmp_path / "alone")
    found = {f.id: f.status for f in audit(tmp_path / "alone", checks=CHAIN).findings}
    assert found == dict.fromkeys(CHAIN, "not_applicable") | {"checkpoint": "pass"}
    shutil.rmtree(tampered / "splits/default")
    assert "the split default that the model names is not in" in failed(tampered)["checkpoint"]


def test_without_a_store_the_rest_of_the_chain_is_checked(tampered: Path) -> None:
    shutil.rmtree(tampered / "data")
    found = judged(tampered)
    assert {name for name, f in found.items() if f.status == "fail"} == set()
    assert found["release"].status == "not_applicable"
    assert found["state"].status == "not_applicable"  # hashes that fit say nothing of what was fitted on what
    assert found["state"].how.startswith("there is no store of this release here to fit on; files, features and rows")
    edit_statistic(tampered, "rna/2/mean", 0, 5.0)
    assert "does not have the arrays_sha256" in failed(tampered)["state"]


def test_another_release_in_the_store_is_told(tampered: Path) -> None:
    """The store moved on; what is audited names a release that is kept in releases/."""
    edit_json(tampered / "data/store/store.json", lambda b: b.update(dataset="moved on"))
    reseal_store(tampered)
    assert judged(tampered)["release"].status == "pass"
    shutil.rmtree(tampered / "releases")
    shutil.rmtree(tampered / "data/store/releases")
    assert re.search("the store holds release [0-9a-f]{12}, and what is audited names", failed(tampered)["release"])
