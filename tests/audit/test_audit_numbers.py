"""One change anywhere in an evaluation is found, and named."""

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
)

from omicstore.audit.bundle import Bundle
from omicstore.audit.chain.judged import left_out
from omicstore.files import sha256_of
from omicstore.store.splitfile import frame_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tamper = Callable[[Path], None]


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
    first = pl.col("squared_error").is_not_null().arg_max()
    better = pl.when(pl.int_range(pl.len()) == first).then(0.0).otherwise("squared_error")
    edit_table(path, better.alias("squared_error"))
    if sealed:
        digest = frame_hash(pl.read_parquet(path))
        edit_json(
            tampered / "reports/evaluation.json", lambda b: b["predictions"].update(hash=digest), "evaluation_hash"
        )
    found = failed(tampered)["evaluation"]
    assert "mse: value is" in found
    assert ("predictions.parquet does not have the hash" in found) is not sealed


@pytest.mark.parametrize(
    ("column", "changed", "found"),
    [
        (
            "probability",
            pl.col("probability").max() + 1.0,
            r"class\.subtype\.embedding\.accuracy: value is \S+, and the",
        ),
        ("label", pl.col("class").max(), r"predictions\.parquet: the class of \S+ is S2, and S[01] in the store"),
    ],
)
def test_a_class_that_was_changed_is_found_under_new_seals(
    tampered: Path, column: str, changed: pl.Expr, found: str
) -> None:
    """The last class of the probe is made certain of every sample, or every sample to be of it."""
    path = tampered / "reports/predictions.parquet"
    last = (pl.col("task") == "class.subtype") & ((pl.col("class") == "S2") | (column == "label"))
    rows = last & ((pl.col("method") == "embedding") | (column == "label"))
    edit_table(path, pl.when(rows).then(changed).otherwise(column).alias(column))
    digest = frame_hash(pl.read_parquet(path))
    edit_json(tampered / "reports/evaluation.json", lambda b: b["predictions"].update(hash=digest), "evaluation_hash")
    assert re.search(found, failed(tampered)["evaluation"])


@pytest.mark.parametrize(("score", "key"), [("macro_f1", "value"), ("auroc", "low"), ("accuracy", "high")])
def test_one_score_of_a_class_is_named(tampered: Path, score: str, key: str) -> None:
    def better(body: dict[str, Any]) -> None:
        body["classes"]["subtype"]["methods"][0][score][key] += 0.01

    edit_json(tampered / "reports/evaluation.json", better, "evaluation_hash")
    assert re.search(
        rf"class\.subtype\.embedding\.{score}: {key} is \S+, and the predictions give ", failed(tampered)["evaluation"]
    )


def test_who_is_left_out_of_the_classes_is_named(tampered: Path) -> None:
    path = tampered / "reports/predictions.parquet"
    frame = pl.read_parquet(path)
    gone = frame.filter(pl.col("task") == "class.subtype")["sample_id"][0]
    frame.filter((pl.col("task") != "class.subtype") | (pl.col("sample_id") != gone)).write_parquet(path)
    assert f"out of class.subtype by embedding: {gone}" in failed(tampered)["evaluation"]


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
