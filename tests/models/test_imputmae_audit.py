"""The audit fits again the transforms that work within a sample, and finds what was written instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

import omicstore
from models.train import train
from omicstore.audit import audit

TINY = {"hidden": 16, "layers": 1, "mlp": 32, "decoder_hidden": 16, "patch": 8, "max_epochs": 1}


def train_with(study: Path, root: Path, transform: str) -> Path:
    shutil.copytree(study, root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["train"] |= {"model": "imputmae", "preset": "small", "config": TINY | {"transform": transform}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with omicstore.open(root / "data" / "store") as store:
        train(root, store, say=lambda _: None)
    return root / "artifacts" / "imputmae"


@pytest.mark.parametrize("transform", ["sample_rank", "upper_quartile"])
def test_the_audit_fits_sample_steps_again(study: Path, tmp_path: Path, transform: str) -> None:
    folder = train_with(study, tmp_path / "study", transform)
    found = audit(folder, checks=["state", "L1", "L4"])
    assert {f.id: (f.status, f.found) for f in found.findings if f.status == "fail"} == {}
    assert found["state"].status == "pass"
    path = folder / "state" / "0" / f"{transform}.json"
    body = json.loads(path.read_text())
    whole = json.dumps(body)
    body["modalities"]["rna"]["features"].pop()
    path.write_text(json.dumps(body))
    assert "rna: " in audit(folder, checks=["state"])["state"].found
    body = json.loads(whole)
    body["modalities"]["rna"]["parameters"] = ["zscore"]
    path.write_text(json.dumps(body))
    assert f"went through ['zscore'], and {transform} is" in audit(folder, checks=["state"])["state"].found
