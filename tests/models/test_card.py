"""A card says what sealed files hold, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from model_runs import edited, run_train

from models.card.evaluated import evaluated_card, write_evaluated_card
from models.card.model import model_card, write_card
from models.evaluate.conclusions import span
from models.files import write_json
from omicstore.audit import audit
from omicstore.errors import LeakageError, OmicstoreError


def card(root: Path) -> str:
    return (root / "artifacts/aro/card.md").read_text(encoding="utf-8")


def test_training_leaves_a_card_of_what_was_trained(trained: Path) -> None:
    text = card(trained)
    folder = trained / "artifacts/aro"
    sidecar = json.loads((folder / "sidecar.json").read_text())
    state = json.loads((folder / sidecar["states"][0]["path"]).read_text())
    assert text == model_card(folder)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == "omicstore"
    assert {"aro", "rna", "prot", "simulated-data"} <= set(front["tags"])
    assert "model-index" not in front  # nothing was judged
    for fact in (
        "Trained on simulated data",
        "omicstore evaluate",
        sidecar["weights"]["sha256"],
        sidecar["sidecar_hash"],
        f"Epoch {sidecar['selection']['epoch'] + 1} was chosen by the lowest loss on val",
        "hidden 96",
    ):
        assert fact in text, fact
    assert re.search(rf"\| training samples +\| +{sidecar['n_train']} \|", text)
    for name, said in state["modalities"].items():
        assert re.search(rf"\| {name} +\| +{said['n_rows']} \| +{said['n_features']} \| +{said['unit']} \|", text)
    assert max(map(len, text.splitlines())) <= 120
    assert "Not judged yet" in text


def test_the_seals_do_not_mind_the_card(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(trained, root)
    before = {f.id: f.status for f in audit(root / "artifacts/aro").findings}
    (root / "artifacts/aro/card.md").write_text("# Mine\n")
    assert {f.id: f.status for f in audit(root / "artifacts/aro").findings} == before
    write_card(root / "artifacts/aro")
    assert card(root) == card(trained)


@pytest.mark.parametrize("name", ["calibration.json", "sidecar.json", "state"])
def test_a_card_is_not_made_of_files_that_were_changed(copied: Path, name: str) -> None:
    folder = copied / "artifacts/aro"
    path = next((folder / "state").rglob("*.json")) if name == "state" else folder / name
    body = json.loads(path.read_text())
    body["fold"] = 3
    write_json(path, body)
    with pytest.raises(LeakageError):
        model_card(folder)


def test_what_was_judged_is_in_the_card_of_the_evaluation(trained: Path) -> None:
    text = (trained / "reports/card.md").read_text(encoding="utf-8")
    assert text == evaluated_card(trained / "reports", trained / "artifacts/aro")
    body = json.loads((trained / "reports/evaluation.json").read_text())
    front = yaml.safe_load(text.split("---\n")[1])
    imputation = front["model-index"][0]["results"][0]
    own = next(row for row in body["imputation"]["methods"] if row["method"] == "aro")
    assert imputation["task"]["name"] == "imputation of prot from rna"
    assert {m["name"]: m["value"] for m in imputation["metrics"]} == {
        "Pearson r": own["pearson"]["value"],
        "R2": own["r2"]["value"],
        "MSE": own["mse"]["value"],
    }
    flat = " ".join(text.split())
    for sentence in body["conclusions"]:
        assert sentence in flat
    assert "| ridge" in text
    for row in body["imputation"]["methods"]:
        assert span(row["pearson"]).replace("−", "-") in text
    assert "Not judged yet" not in text


def test_an_evaluation_of_another_model_or_edited_is_no_ground_for_a_card(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(trained, root)
    path = root / "reports/evaluation.json"
    body = json.loads(path.read_text())
    write_json(path, body | {"n_test": body["n_test"] + 1})
    with pytest.raises(LeakageError, match="changed after the evaluation"):
        write_evaluated_card(root / "reports", root / "artifacts/aro")
    write_json(path, body)
    edited(root, "train", seed=18, config={"hidden": 96, "max_epochs": 2})
    run_train(root)
    with pytest.raises(LeakageError, match="about another model"):
        write_evaluated_card(root / "reports", root / "artifacts/aro")


def test_no_model_no_card(tmp_path: Path) -> None:
    with pytest.raises(OmicstoreError, match="holds no trained model"):
        write_card(tmp_path)
