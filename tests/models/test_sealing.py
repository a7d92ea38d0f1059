"""What an evaluation leaves on disk: numbers derived again from files alone, and every change found."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lifelines.utils import concordance_index
from model_runs import content, edited, run_evaluate

import omicstore
from models.best import KeepBest
from models.checkpoint import load_checkpoint
from models.evaluate.sealing import read_evaluation
from models.files import write_json
from models.report.html import write_report
from omicstore.errors import LeakageError, OmicstoreError
from omicstore.splits import load
from omicstore.store.splitfile import body_hash, frame_hash, row_hash


def evaluation(root: Path) -> dict[str, Any]:
    return json.loads((root / "reports/evaluation.json").read_text())


def predictions(root: Path) -> pl.DataFrame:
    return pl.read_parquet(root / "reports/predictions.parquet")


def tables(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    about = body["imputation"]
    found = {f"reconstruct.{m}": table for m, table in body["reconstruction"].items()}
    found |= {f"translate.{pair}": table for pair, table in body["translation"].items()}
    return found | {f"impute.{'+'.join(about['from'])}_to_{about['to']}": about}


def drawn(patients: list[str], bootstrap: dict[str, Any]) -> np.ndarray:
    """Return the weights of the resamples, written a second time: patients in sorted order, drawn whole."""
    names = sorted(set(patients))
    n = len(names)
    counts = np.random.default_rng(bootstrap["seed"]).multinomial(n, np.full(n, 1 / n), size=bootstrap["resamples"])
    return counts[:, [names.index(p) for p in patients]]


def test_errors_are_derived_again_with_their_intervals(trained: Path) -> None:
    body, rows = evaluation(trained), predictions(trained)
    for task, table in tables(body).items():
        for method in table["methods"]:
            own = rows.filter(task=task, method=method["method"])
            assert own.height == table["n_samples"]
            assert own["patient_id"].n_unique() == table["n_patients"]
            n, error, spread = (own[c].to_numpy() for c in ("n_observed", "squared_error", "squared_deviation"))
            weights = drawn(own["patient_id"].to_list(), body["bootstrap"])
            for metric, value, resampled in (
                ("mse", error.sum() / n.sum(), (weights @ error) / (weights @ n)),
                ("r2", 1 - error.sum() / spread.sum(), 1 - (weights @ error) / (weights @ spread)),
            ):
                low, high = np.percentile(resampled, [2.5, 97.5])
                assert [method[metric][k] for k in ("value", "low", "high")] == pytest.approx(
                    [value, low, high], abs=2e-6
                )


def test_concordance_is_derived_again(trained: Path) -> None:
    body, rows = evaluation(trained), predictions(trained)
    part = body["survival"]
    methods = {row["method"]: row for row in part["methods"]}
    assert {"embedding", "clinical", "clinical + embedding", "pca", "forest"} < set(methods)
    for name, row in methods.items():
        own = rows.filter(task="survival.OS", method=name)
        assert own.height == part["n_test"] == own["patient_id"].n_unique()
        assert own["event"].sum() == part["events_test"]
        time, event, risk = (own[c].to_numpy() for c in ("time_days", "event", "risk"))
        assert len(np.unique(time[event == 1])) == event.sum()  # lifelines counts two events at one time as a pair
        assert row["c"]["value"] == pytest.approx(concordance_index(time, -risk, event), abs=1e-6)
        within, n = [], []
        for cohort in own["cohort"].unique():
            mine = (own["cohort"] == cohort).to_numpy()
            within.append(concordance_index(time[mine], -risk[mine], event[mine]))
            n.append(mine.sum())
        assert row["c_within_cohorts"]["value"] == pytest.approx(np.average(within, weights=n), abs=1e-6)


def test_predictions_are_of_the_test_rows_and_of_the_store(trained: Path) -> None:
    body, rows = evaluation(trained), predictions(trained)
    test = set(load(trained / "splits/default").part(0, "test"))
    assert set(rows["sample_id"]) <= test
    assert body["test"]["n_samples"] == body["n_test"]
    assert body["test"]["row_hash"] == row_hash(rows["sample_id"])  # every test sample is in some task
    assert rows.sort("task", "method", "sample_id", "class").equals(rows)
    with omicstore.open(trained / "data/store") as store:
        known = store.table("outcomes").filter(endpoint="OS")
        cohorts = dict(store.samples().select("sample_id", "cohort").iter_rows())
    joined = rows.filter(task="survival.OS").join(known, on="patient_id", suffix="_store")
    assert joined.height == rows.filter(task="survival.OS").height
    assert (joined["event"] == joined["event_store"]).all()
    np.testing.assert_allclose(joined["time_days"], joined["time_days_store"], rtol=1e-6)
    assert [cohorts[s] for s in rows["sample_id"]] == rows["cohort"].to_list()
    survival = pl.col("task").str.starts_with("survival")
    assert rows.filter(survival)["n_observed"].null_count() == rows.filter(survival).height
    assert rows.filter(~survival)["risk"].null_count() == rows.filter(~survival).height


def test_it_cites_the_line_of_the_log_and_the_rest_of_the_chain(copied: Path) -> None:
    body = evaluation(copied)
    sidecar = json.loads((copied / "artifacts/aro/sidecar.json").read_text())
    assert body["evaluation_hash"] == body_hash(body, "evaluation_hash")
    assert body["trained"]["sidecar_hash"] == sidecar["sidecar_hash"]
    assert {k: body["test"][k] for k in ("manifest_hash", "fold")} == {
        k: sidecar["split"][k] for k in ("manifest_hash", "fold")
    }
    log = copied / "splits/default/test_reads.jsonl"
    cited = log.read_bytes().splitlines()[body["test"]["opening"]["line"] - 1]
    assert hashlib.sha256(cited).hexdigest() == body["test"]["opening"]["hash"]
    line = json.loads(cited)
    assert line["reader"] == f"omicstore evaluate: aro, weights {sidecar['weights']['sha256'][:12]}"
    assert (line["manifest_hash"], line["n_samples"]) == (body["test"]["manifest_hash"], body["n_test"])
    assert body["predictions"] == {
        "path": "predictions.parquet",
        "n_rows": predictions(copied).height,
        "hash": frame_hash(predictions(copied)),
    }
    plots = {f"plots/{name}.json" for name in ("training", "imputation", "survival", "drop")}
    assert set(body["files"]) == {"metrics.json"} | plots


def test_judging_again_is_logged_and_gives_the_same_bytes(copied: Path) -> None:
    log, before = copied / "splits/default/test_reads.jsonl", content(copied / "reports")
    n = len(log.read_bytes().splitlines())
    run_evaluate(copied)
    assert content(copied / "reports") == before
    lines = log.read_bytes().splitlines()
    assert len(lines) == n + 1
    assert json.loads(lines[-1])["previous"] == hashlib.sha256(lines[-2]).hexdigest()


def change_cell(path: Path, column: str) -> None:
    rows = pl.read_parquet(path)
    where = rows[column].is_not_null().arg_true()[3]
    first = pl.int_range(pl.len()) == where
    rows.with_columns(pl.when(first).then(pl.col(column) + 1e-6).otherwise(column).alias(column)).write_parquet(path)


@pytest.mark.parametrize(
    ("change", "file"),
    [
        (lambda r: write_json(r / "evaluation.json", json.loads((r / "evaluation.json").read_text()) | {"n_test": 1}), "evaluation.json"),
        (lambda r: (r / "evaluation.json").write_text("{"), "evaluation.json"),
        (lambda r: change_cell(r / "predictions.parquet", "risk"), "predictions.parquet"),
        (lambda r: change_cell(r / "predictions.parquet", "squared_error"), "predictions.parquet"),
        (lambda r: (r / "predictions.parquet").unlink(), "predictions.parquet"),
        (lambda r: (r / "predictions.parquet").write_bytes(b"PAR1"), "predictions.parquet"),
        (lambda r: (r / "metrics.json").write_text("{}"), "metrics.json"),
        (lambda r: (r / "plots/training.json").unlink(), "training.json"),
    ],
)  # fmt: skip
def test_a_changed_file_is_named_and_not_reported(copied: Path, change: Any, file: str) -> None:
    change(copied / "reports")
    with pytest.raises(LeakageError, match=rf"{file} was changed after the evaluation was written"):
        read_evaluation(copied / "reports")
    with pytest.raises(LeakageError, match=rf"{file} was changed"):
        write_report(copied)


def test_no_evaluation_is_said(tmp_path: Path) -> None:
    with pytest.raises(OmicstoreError, match=r"evaluation\.json is not there.*omicstore evaluate"):
        read_evaluation(tmp_path)


def test_where_nothing_is_judged_there_are_no_predictions_of_it(copied: Path) -> None:
    no = "not_applicable"
    edited(copied, "evaluate", survival=no, impute=None, classes=no, translate=no, drop=no)
    run_evaluate(copied)
    assert predictions(copied)["task"].unique().sort().to_list() == ["reconstruct.prot", "reconstruct.rna"]
    assert read_evaluation(copied / "reports")["predictions"]["n_rows"] == predictions(copied).height


def resealed(folder: Path, **changes: Any) -> None:
    path = folder / "sidecar.json"
    body = json.loads(path.read_text()) | changes
    write_json(path, body | {"sidecar_hash": body_hash(body, "sidecar_hash")})


def test_the_record_of_losses_is_sealed(copied: Path) -> None:
    folder = copied / "artifacts/aro"
    history = json.loads((folder / "history.json").read_text())
    write_json(folder / "history.json", history[:-1])
    with pytest.raises(LeakageError, match=r"history\.json is not the record of losses that the sidecar seals"):
        load_checkpoint(folder)
    (folder / "history.json").unlink()
    with pytest.raises(LeakageError, match=r"history\.json is not the record of losses"):
        run_evaluate(copied)


def test_another_epoch_than_the_losses_choose_is_refused(copied: Path) -> None:
    folder = copied / "artifacts/aro"
    sidecar = json.loads((folder / "sidecar.json").read_text())
    losses = [row["val"] for row in json.loads((folder / "history.json").read_text())]
    assert sidecar["selection"]["epoch"] == int(np.argmin(losses))
    other = 0
    resealed(folder, selection=sidecar["selection"] | {"epoch": other, "value": losses[other]})
    with pytest.raises(LeakageError, match=r"is said to be of epoch 0 .* Expected epoch \d+, which has the lowest one"):
        load_checkpoint(folder)


class _Trainer:
    should_stop = False


class _Module:
    def state_dict(self) -> dict[str, Any]:
        return {}


def test_the_epoch_kept_is_the_first_lowest_of_the_record() -> None:
    best = KeepBest(patience=9, advance=lambda: None)
    losses = [0.5, 0.4000004, 0.4000001, float("nan"), float("inf"), 0.39999951]
    for epoch, val in enumerate(losses):
        trainer: Any = _Trainer()
        trainer.callback_metrics, trainer.current_epoch = {"train/loss": 1.0, "val/loss": val}, epoch
        best.on_train_epoch_end(trainer, _Module())  # type: ignore[arg-type]
    assert [row["val"] for row in best.history] == [0.5, 0.4, 0.4, None, None, 0.4]
    assert (best.epoch, best.loss) == (1, 0.4)
    assert json.loads(json.dumps(best.history, allow_nan=False)) == best.history


def test_the_sidecar_says_all_that_decides(trained: Path) -> None:
    sidecar = json.loads((trained / "artifacts/aro/sidecar.json").read_text())
    assert {
        "states", "release", "split", "config", "environment", "seed", "selection", "history", "row_hash", "axes",
        "cohorts", "sample_type", "modalities", "preset", "weights", "n_parameters", "simulated",
    } <= set(sidecar)  # fmt: skip
    assert sidecar["selection"]["part"] == "val"
    assert {"accelerator", "machine", "python", "torch", "lightning", "numpy", "omicstore"} == set(
        sidecar["environment"]
    )
    (state,) = sidecar["states"]
    held = json.loads((trained / "artifacts/aro" / state["path"]).read_text())
    for key in ("transform", "manifest_hash", "fold", "part", "code_hash", "fitted_on_row_hash"):
        assert state[key] == held[key]
    assert (
        sidecar["history"]["sha256"]
        == hashlib.sha256((trained / "artifacts/aro/history.json").read_bytes()).hexdigest()
    )
