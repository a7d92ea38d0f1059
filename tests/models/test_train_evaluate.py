from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from model_runs import content, edited, run_evaluate, run_train
from safetensors import SafetensorError

from models.files import write_json
from models.report.html import write_report
from omicstore.errors import OmicstoreError
from omicstore.store.splitfile import body_hash


def test_training_again_gives_the_same_bytes_and_reads_no_test_row(trained: Path, copied: Path) -> None:
    before = content(copied / "artifacts")
    log = copied / "splits" / "default" / "test_reads.jsonl"
    log.unlink()
    shutil.rmtree(copied / "artifacts")
    run_train(copied)
    assert content(copied / "artifacts") == before
    assert not log.exists()
    assert set(before) == {
        "aro/calibration.json",
        "aro/calibration.safetensors",
        "aro/card.md",
        "aro/history.json",
        "aro/sidecar.json",
        "aro/state/0/default.json",
        "aro/state/0/default.safetensors",
        "aro/weights.safetensors",
    }
    assert sorted(p.name for p in copied.iterdir()) == ["artifacts", "data", "params.yaml", "reports", "splits"]


def test_evaluating_and_reporting_again_gives_the_same_bytes(copied: Path) -> None:
    before = content(copied / "reports")
    shutil.rmtree(copied / "reports")
    run_evaluate(copied)
    write_report(copied)
    assert content(copied / "reports") == before


def test_another_seed_gives_other_weights(copied: Path) -> None:
    before = (copied / "artifacts/aro/weights.safetensors").read_bytes()
    edited(copied, "train", seed=18)
    run_train(copied)
    assert (copied / "artifacts/aro/weights.safetensors").read_bytes() != before


def test_a_full_disk_leaves_the_model_that_was_there(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(copied / "artifacts/aro")
    edited(copied, "train", seed=18)

    def fail(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(OmicstoreError, match=r"artifacts/aro could not be written: I/O error: No space left"):
        run_train(copied)
    assert content(copied / "artifacts/aro") == before
    assert [p.name for p in (copied / "artifacts").iterdir() if p.name.startswith(".tmp")] == []


def test_sidecar_says_what_was_trained_on_what(trained: Path) -> None:
    sidecar = json.loads((trained / "artifacts/aro/sidecar.json").read_text())
    manifest = json.loads((trained / "splits/default/manifest.json").read_text())
    assert sidecar["selection"]["part"] == "val"
    assert sidecar["split"] == {"name": "default", "manifest_hash": manifest["manifest_hash"], "fold": 0}
    assert sidecar["states"][0]["part"] == "train"
    assert sidecar["release"] == json.loads((trained / "data/store/store.json").read_text())["release"]
    assert sidecar["simulated"] is True
    history = json.loads((trained / "artifacts/aro/history.json").read_text())
    best = min(history, key=lambda row: row["val"])
    assert best["epoch"] == sidecar["selection"]["epoch"]
    state = json.loads((trained / "artifacts/aro" / sidecar["states"][0]["path"]).read_text())
    assert {"transform", "code_hash", "manifest_hash", "fold", "part", "fitted_on_row_hash"} <= set(state)


def test_model_learned_and_ridge_stands_beside(trained: Path) -> None:
    body = json.loads((trained / "reports/evaluation.json").read_text())
    rows = {row["method"]: row for row in body["imputation"]["methods"]}
    assert set(rows) == {"aro", "train_mean", "ridge"}
    assert rows["train_mean"]["pearson"]["value"] == 0
    for row in rows.values():
        for metric in ("mse", "r2", "pearson"):
            assert row[metric]["low"] <= row[metric]["value"] <= row[metric]["high"]
    assert rows["aro"]["pearson"]["low"] > 0.2
    assert [d["against"] for d in body["imputation"]["differences"]] == ["train_mean", "ridge"]
    survival = {row["method"]: row for row in body["survival"]["methods"]}
    simple = {"pca", "ridge_rna", "ridge_prot", "forest"}
    assert set(survival) == {"embedding", "clinical", "clinical + embedding"} | simple
    # Random outcomes: nobody orders them.
    assert survival["embedding"]["c"]["low"] < 0.5
    assert body["survival"]["left_out_time_zero"] in (0, 1, 2)


def test_metrics_are_flat_numbers(trained: Path) -> None:
    metrics = json.loads((trained / "reports/metrics.json").read_text())
    assert all(isinstance(v, int | float) for v in metrics.values())
    assert {"impute.rna_to_prot.aro.pearson", "impute.rna_to_prot.ridge.pearson", "survival.OS.embedding.c"} <= set(
        metrics
    )
    for name in ("training", "imputation", "survival"):
        rows = json.loads((trained / f"reports/plots/{name}.json").read_text())
        assert rows
        assert all(set(row) == set(rows[0]) for row in rows)


def test_report_is_one_file_that_needs_nothing_else(trained: Path) -> None:
    html = (trained / "reports/report.html").read_text()
    assert "Simulated data" in html
    assert html.count("<svg") == 5
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", html)
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "<script" not in html
    assert str(trained) not in html


def test_report_says_in_words_what_the_leak_checks_found(copied: Path) -> None:
    assert "L3, tissue source sites on both sides (waived)" in write_report(copied).read_text()
    path = copied / "splits/default/manifest.json"
    body = json.loads(path.read_text())
    body["checks"]["L13"] |= {
        "status": "fail",
        "severity": "warning",
        "why": "this split pools cohorts",
        "evidence": {"offenders": ["prot of AAA", "prot of BBB"], "n_offenders": 2},
    }
    write_json(path, body | {"manifest_hash": body_hash(body)})
    run_train(copied)
    run_evaluate(copied)
    html = write_report(copied).read_text()
    found = "L13, classes or cohorts normalised apart:</strong> prot of AAA; prot of BBB. This split pools cohorts."
    assert found in html
    assert '<td class="warning">warning</td>' in html
    assert 'L5: the epoch or the model chosen on the reported part</td><td class="pass">pass' in html
    assert "-0." not in re.sub(r"<svg.*?</svg>|<style.*?</style>|<code>.*?</code>", "", html, flags=re.DOTALL)


def test_no_outcome_is_said_and_not_an_error(copied: Path) -> None:
    edited(copied, "evaluate", survival="not_applicable", impute=None, classes="not_applicable", drop=False)
    body = run_evaluate(copied)
    assert body["survival"] == {"not_applicable": "no survival endpoint was asked for in params.yaml"}
    assert any(s.startswith("Survival was not judged") for s in body["conclusions"])
    for what in ("Imputation was", "Classes were", "Clusters were", "What a missing modality costs was"):
        assert any(s.startswith(f"{what} not judged") for s in body["conclusions"])
    assert json.loads((copied / "reports/plots/survival.json").read_text()) == []
    assert "Not judged" in write_report(copied).read_text()


@pytest.mark.parametrize(
    ("survival", "reason"),
    [
        ({"endpoint": "DSS"}, "the store holds no follow-up for DSS"),
        ({"endpoint": "OS", "min_events": 500}, "at least 500 and 167 are needed"),
    ],
)
def test_too_little_follow_up_is_not_applicable(copied: Path, survival: dict[str, Any], reason: str) -> None:
    edited(copied, "evaluate", survival=survival)
    assert reason in run_evaluate(copied)["survival"]["not_applicable"]


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("train", {"model": "arro"}, "unknown model 'arro'. Expected one of aro"),
        ("train", {"preset": "smal"}, "unknown preset of aro 'smal'"),
        ("train", {"modalities": ["rna", "port"]}, "unknown modality 'port'"),
        ("train", {"modalities": ["rna", "metab"]}, "no feature of metab varies over the training rows of any cohort"),
        ("train", {"epochs": 3}, "the section train of params.yaml has epochs"),
        ("train", {"config": {"lr": 1e30}}, "no val loss is finite"),
        ("evaluate", {"impute": {"from": "rna", "to": "meth"}}, "unknown modality of the trained model 'meth'"),
        ("evaluate", {"impute": {"from": "rna"}}, "Expected from and to"),
        ("evaluate", {"classes": ["subtipe"]}, "unknown task of labels 'subtipe'"),
    ],
)
def test_mistakes_in_params_are_named(copied: Path, section: str, changes: dict[str, Any], message: str) -> None:
    edited(copied, section, **changes)
    log = copied / "splits" / "default" / "test_reads.jsonl"
    before = log.read_bytes()
    with pytest.raises(OmicstoreError) as caught:
        run_train(copied) if section == "train" else run_evaluate(copied)
    assert message in str(caught.value)
    assert log.read_bytes() == before  # a mistake costs no read of the test part


def test_paper_preset_trains_too(copied: Path) -> None:
    edited(copied, "train", preset="paper", config={"hidden": 16, "max_epochs": 2})
    assert run_train(copied)["preset"] == "paper"
    assert (copied / "artifacts/aro/state/0/paper.json").is_file()
    run_evaluate(copied)
