"""One change anywhere in a fitted state or a trained model is found, and named."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from chain_study import (
    edit_json,
    edit_statistic,
    failed,
    judged,
    seal_state,
)

from omicstore.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tamper = Callable[[Path], None]


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
