"""Tuned heads on new patients: what they say, how it is calibrated, and what it rests on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from lifelines import NelsonAalenFitter
from model_runs import content, run_train
from store_factory import make_cohort

from models.checkpoint import load_checkpoint
from models.files import write_json
from models.new.heads import read_head_calibration
from models.new.kaplan import baseline_hazard, group_of, observed_survival
from models.tune.saved import load_tuned
from omicstore.cli import main
from omicstore.errors import LeakageError
from omicstore.splits import SplitSpec, make
from omicstore.store.splitfile import body_hash
from omicstore.store.writer import assemble

import omicstore  # isort: skip

PARAMS: dict[str, Any] = {
    "study": {"dataset": "tiny"},
    "split": {"name": "default", "strategy": "grouped_kfold", "k": 4, "seed": 1, "cohorts": ["AAA"]},
    "train": {
        "model": "aro",
        "preset": "small",
        "modalities": ["rna", "prot"],
        "seed": 17,
        "config": {"hidden": 32, "max_epochs": 10},
        "tune": {
            "kind": {"task": "kind", "head": "class", "config": {"max_epochs": 60}},
            "death": {"task": "OS", "head": "cox", "config": {"max_epochs": 60}},
            "curve": {"task": "OS", "head": "discrete", "config": {"n_bins": 6, "max_epochs": 60}},
        },
    },
}


def run(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hidden number moves genes and proteins, decides the kind and hastens death."""
    root = tmp_path_factory.mktemp("heads") / "study"
    root.mkdir()
    rng = np.random.default_rng(5)
    data = make_cohort("AAA", seed=3, n_patients=200, modalities=("rna", "prot"), missing=0.05)
    patients = data.tables["patients"]["patient_id"].to_list()
    moved = rng.normal(size=len(patients))
    hidden = dict(zip(patients, moved, strict=True))
    for modality, part in data.parts.items():
        own = np.array([hidden.get("-".join(s.split("-")[:3]), 0.0) for s in part.rows["sample_id"]])
        part.values[:, :10] = own[:, None] + rng.normal(0, 0.3, (len(own), 10))
        if modality == "rna":
            part.values[:, :10] = np.exp(part.values[:, :10] + 2)
    kind = np.where(moved + rng.normal(0, 0.3, len(moved)) > 0, "high", "low")
    data.tables["labels"] = pl.DataFrame(
        {"patient_id": patients, "cohort": "AAA", "task": "kind", "label": kind, "source": "tiny"}
    )
    outcomes = data.tables["outcomes"].filter(pl.col("endpoint") == "OS")
    assert outcomes["patient_id"].to_list() == patients
    days = 900 * np.exp(-moved) * rng.exponential(size=len(moved))
    data.tables["outcomes"] = outcomes.with_columns(
        time_days=np.minimum(days, 2500.0).round(1), event=pl.Series((days < 2500).astype(int))
    )
    data.write(root / "data" / "store", "AAA")
    assemble(root / "data" / "store", ["AAA"], dataset="tiny", simulated=True)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False), encoding="utf-8")
    with omicstore.open(root / "data" / "store") as store:
        make(store, SplitSpec.from_params(PARAMS["split"]), root / "splits" / "default")
    run_train(root)
    return root


def predicted(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, pl.DataFrame]:
    monkeypatch.chdir(study)
    assert run("predict", "--part", "test", *words, "--out", str(out)) in (0, 3)
    return {p.stem: pl.read_parquet(p) for p in out.glob("*.parquet")}


def test_heads_answer_for_people_they_have_not_seen(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(study, tmp_path / "study")  # a test read is logged
    found = predicted(tmp_path / "study", tmp_path / "o", monkeypatch)
    assert set(found) == {"head.kind", "head.death", "head.curve", "samples"}
    shown = capsys.readouterr().out
    assert "head death: cox on OS, probe" in shown
    assert "death: riskier than" in shown
    assert re.search(r"(high|low) \(\d+%\)", shown)
    with omicstore.open(study / "data" / "store") as store:
        truth = store.table("labels").select("patient_id", "label")
    kinds = found["head.kind"].join(found["samples"], on="sample_id").join(truth, on="patient_id")
    np.testing.assert_allclose(kinds["p_high"] + kinds["p_low"], 1, atol=1e-6)
    held = [label in own.split("+") for label, own in kinds.select("label", "set").iter_rows()]
    assert np.mean(held) > 0.75  # 90% of about fifty, less four deviations
    for name in ("head.death", "head.curve"):
        # Percentiles are among training patients with the same modalities.
        both = found["samples"].filter(pl.col("given") == "rna+prot")["sample_id"].to_list()
        table = found[name].filter(pl.col("sample_id").is_in(both)).sort("risk")
        assert table["percentile"].is_sorted()
        assert set(table["third"]) <= {1, 2, 3}
        for before, after in (("1y", "3y"), ("3y", "5y")):
            assert (table[f"survival_{before}"] >= table[f"survival_{after}"]).all()
        seen = table.drop_nulls(["observed_3y", "observed_3y_low"])
        assert seen.height > 10
        assert (
            (seen["observed_3y_low"] <= seen["observed_3y"]) & (seen["observed_3y"] <= seen["observed_3y_high"])
        ).all()
        # What is said of a group is what the head thinks of it, as far as an interval can tell.
        groups = seen.group_by("third").agg(pl.mean("survival_3y"), pl.first("observed_3y_low", "observed_3y_high"))
        near = (groups["survival_3y"] > groups["observed_3y_low"] - 0.15) & (
            groups["survival_3y"] < groups["observed_3y_high"] + 0.15
        )
        assert near.all(), groups
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert "not of one patient's" in summary["head death"]["interval"]
    assert summary["head kind"]["val"]["metric"] == "balanced_accuracy"


def test_one_head_can_be_named_and_an_unknown_one_is(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study)
    assert run("predict", "--part", "val", "--head", "kind", "--out", str(tmp_path / "o")) in (0, 3)
    assert {p.stem for p in (tmp_path / "o").glob("*.parquet")} == {"head.kind", "samples"}
    assert run("predict", "--part", "val", "--head", "kinds", "--out", str(tmp_path / "p")) == 2
    assert "unknown head of the trained model 'kinds'. Expected one of kind" in capsys.readouterr().err


@pytest.mark.parametrize("sealed", [False, True])
def test_another_calibration_is_refused(study: Path, tmp_path: Path, sealed: bool) -> None:
    folder = tmp_path / "aro"
    shutil.copytree(study / "artifacts/aro", folder)
    seals = {n: h.sidecar["sidecar_hash"] for n, h in load_tuned(folder, load_checkpoint(folder)).items()}
    assert set(read_head_calibration(folder, seals)) == set(PARAMS["train"]["tune"])
    path = folder / "tuned" / "calibration.json"
    body = json.loads(path.read_text())
    body["heads"]["kind"]["sidecar_hash" if sealed else "from"] = "0" * 64 if sealed else {}
    if sealed:
        body["calibration_hash"] = body_hash(body, "calibration_hash")
    write_json(path, body)
    with pytest.raises(LeakageError, match="of other heads"):
        read_head_calibration(folder, seals)


def test_val_and_train_alone_calibrate(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "study", ignore=shutil.ignore_patterns("artifacts"))
    run_train(tmp_path / "study")
    assert content(tmp_path / "study/artifacts") == content(study / "artifacts")
    assert not (tmp_path / "study/splits/default/test_reads.jsonl").exists()


def test_the_interval_of_a_third_holds_its_survival_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    times = np.array([365.25])
    held = []
    for _ in range(200):
        days, left = rng.exponential(500, 60), rng.exponential(1500, 60)
        said = observed_survival(
            np.zeros(60, dtype=np.int64), np.minimum(days, left), (days <= left).astype(float), times
        )[0]
        held.append(said["survival_low"][0] <= np.exp(-365.25 / 500) <= said["survival_high"][0])
    assert 0.83 < np.mean(held) < 0.96


def test_few_people_or_short_follow_up_give_no_survival() -> None:
    days = np.linspace(10, 400, 20)
    said = observed_survival(np.repeat([0, 1], [9, 11]), days, np.ones(20), np.array([100.0, 390.0]))
    assert said[0] == {"n": 9, "survival": [None] * 2, "survival_low": [None] * 2, "survival_high": [None] * 2}
    assert said[1]["survival"][0] == 1.0  # nobody has died by then
    assert said[1]["survival"][1] is None  # one is left
    assert said[2]["n"] == 0


def test_the_hazard_of_everyone_is_nelson_and_aalens_where_risks_are_equal() -> None:
    rng = np.random.default_rng(1)
    days, event = rng.exponential(500, 80), (rng.random(80) < 0.6).astype(float)
    times = np.array([100.0, 365.0, 900.0])
    fitted = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(days, event).predict(times).to_numpy()
    np.testing.assert_allclose(baseline_hazard(np.zeros(80), days, event, times), fitted, rtol=1e-9)
    # Twice the hazard for all is half the baseline.
    np.testing.assert_allclose(baseline_hazard(np.full(80, np.log(2)), days, event, times), fitted / 2, rtol=1e-9)


def test_thirds_are_those_of_the_training_risks() -> None:
    training = np.random.default_rng(2).normal(size=300)
    assert np.bincount(group_of(training, training)).tolist() == [100, 100, 100]
