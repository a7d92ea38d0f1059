from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from sklearn.linear_model import RidgeCV

import omicstore
from models.aro.config import make_config
from models.aro.simple import reconstructed
from models.aro.table import MASKED, UNMASKED, Protocol, translation_table
from models.baselines.prediction import Forest, PCARegression, TrainMean
from models.batch import MultiOmicsBatch
from models.bench import study as studies
from models.bench.aro_runs import aro_body
from models.bench.folds import folds_by_patient, folds_by_tissue, tissue_folds
from models.bench.registry import TABLES, Asked, Published, Table, get_table
from models.bench.result import differences, rows_of
from models.bench.rivals import GroupMean, Nearest, PartialLeastSquares, rival_guesses
from models.bench.study import study_of
from models.processes import running
from models.registry import MODELS
from omicstore.cli import main
from omicstore.errors import StudyError, UnknownNameError, UsageError

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(5)
ROW = {"task", "method", "measure", "mean", "sd", "low", "high", "each"}
RIVALS = {"train mean", "kNN20", "PLS10", "PCA regression", "random forest", "ridge"}
SMALL = make_config("small", {"hidden": 16, "max_epochs": 2})


def run(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


@pytest.fixture
def aro_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table like those of real studies, on the cohort AAA of the tiny one."""

    def make(asked: Asked) -> dict[str, Any]:
        return aro_body(asked, "AAA", (("rna", "prot"),), {"folds by patient": folds_by_patient}, tissues=False)

    figure = Published("rna to prot, folds by patient", "ridge", "pearson", ".4", "somebody")
    table = Table("ARO on AAA", "aro", "tiny", "95%, patient bootstrap", (figure,), ("Nothing is comparable.",), make)
    monkeypatch.setattr("models.bench.cli.get_table", lambda name: table)
    monkeypatch.setattr("models.bench.run.get_table", lambda name: table)


@pytest.fixture(scope="module")
def found(study: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the table says of two folds and two seeds."""
    root = tmp_path_factory.mktemp("bench") / "study"
    shutil.copytree(study, root)
    protocol = Protocol((("rna", "prot"),), SMALL, cohorts=("AAA",), seeds=(0, 1), unmasked_seeds=(0, 1), bootstrap=40)
    with omicstore.open(root / "data" / "store") as store:
        split = folds_by_patient(root, store, ["AAA"], 4)
        return translation_table(store, split, protocol, folds=(0, 1), say=lambda _: None)


def test_every_method_has_every_measure_and_each_fold_and_seed(found: dict[str, Any]) -> None:
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for row in found["rows"]:
        assert set(row) == ROW
        table.setdefault(row["task"], {})[f"{row['method']}/{row['measure']}"] = row
    assert set(table) == {"rna to prot", "all to rna", "all to prot"}
    methods = {name.split("/")[0] for name in table["rna to prot"]}
    together = {f"{name}, mean of 2 predictions" for name in (MASKED, UNMASKED)}
    assert methods - {"MOFA2"} == RIVALS | {MASKED, UNMASKED, *together}
    assert len(table["rna to prot"]) == 3 * len(methods)
    assert list(table["rna to prot"][f"{MASKED}/mse"]["each"]) == [
        f"fold {f}, seed {s}" for f in (0, 1) for s in (0, 1)
    ]
    assert list(table["rna to prot"]["ridge/mse"]["each"]) == ["fold 0", "fold 1"]
    assert table["rna to prot"]["train mean/pearson"]["mean"] == 0
    assert {name.split("/")[0][:3] for name in table["all to rna"]} == {"tra", "PCA", "ARO"}
    assert [f["fold"] for f in found["folds"]] == [0, 1]
    assert all(1 <= e <= SMALL.max_epochs for f in found["folds"] for own in f["epochs"].values() for e in own)


def test_intervals_lie_around_their_values(found: dict[str, Any]) -> None:
    for row in (*found["rows"], *found["differences"]):
        assert row["low"] - 1e-6 <= row["mean"] <= row["high"] + 1e-6, row
        assert row["mean"] == pytest.approx(np.mean(list(row["each"].values())), abs=1e-5)


def test_differences_are_those_of_the_rows_and_one_rival_is_the_best(found: dict[str, Any]) -> None:
    mean = {(r["task"], r["method"], r["measure"]): r["mean"] for r in found["rows"]}
    for row in found["differences"]:
        assert set(row) == ROW | {"against", "best"}
        own, other = (mean[row["task"], row[name], row["measure"]] for name in ("method", "against"))
        assert row["mean"] == pytest.approx(own - other, abs=3e-6)
    best = {row["against"] for row in found["differences"] if row["best"] and row["task"] == "rna to prot"}
    assert best == {max(RIVALS, key=lambda name: mean["rna to prot", name, "pearson"])}


def test_a_difference_is_paired_by_resample() -> None:
    shared = RNG.normal(size=200)
    own = {"fold 0": {"pearson": np.r_[0.5, 0.5 + shared]}}
    other = {"fold 0": {"pearson": np.r_[0.4, 0.4 + shared]}}
    row = differences({"a to b": {"ARO": own, "ridge": other}}, "ARO")[0]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((0.1, 0.1, 0.1))
    assert rows_of({"a to b": {"ARO": own}})[0]["sd"] is None


def test_rivals_are_those_of_sklearn_and_tissue_helps_where_it_matters() -> None:
    tissue = ["lung", "skin"] * 30
    shift = np.array([[3.0 if t == "lung" else -3.0] for t in tissue])
    inputs, targets = RNG.normal(size=(60, 8)), RNG.normal(size=(60, 4)) + shift
    targets[0, 0] = np.nan
    guesses = rival_guesses((inputs[:50], targets[:50]), inputs[50:], (tissue[:50], tissue[50:]))
    assert set(guesses) - {"MOFA2"} == RIVALS | {"tissue mean", "ridge + tissue"}
    error = {m: float(np.square(g - targets[50:]).mean()) for m, g in guesses.items()}
    assert max(error["tissue mean"], error["ridge + tissue"]) < 2 < min(error["ridge"], error["train mean"])
    np.testing.assert_allclose(guesses["train mean"][0], np.nanmean(targets[:50], axis=0))
    near = np.argsort(np.square(inputs[:50] - inputs[50]).sum(axis=1))[:20]
    filled = np.where(np.isnan(targets[:50]), np.nanmean(targets[:50], axis=0), targets[:50])
    np.testing.assert_allclose(guesses["kNN20"][0], filled[near].mean(axis=0))
    # All components of PLS are least squares.
    free = RidgeCV(alphas=[1e-9]).fit(inputs[:50], filled[:, :1])
    wide = PartialLeastSquares(inputs[:50], np.repeat(filled[:, :1], 8, axis=1)).predict(inputs[50:])
    assert wide.shape == (10, 8)
    assert np.corrcoef(wide[:, 0], free.predict(inputs[50:]).ravel())[0, 1] > 0.9


def test_the_forest_and_pca_learn_what_is_there_and_nothing_else() -> None:
    axes = RNG.normal(size=(3, 40))
    scores = RNG.normal(size=(90, 3))
    inputs = scores @ axes + 0.1 * RNG.normal(size=(90, 40))
    targets = np.hstack([scores @ RNG.normal(size=(3, 4)), RNG.normal(size=(90, 1))])
    targets[0, 0] = np.nan
    for method in (PCARegression(inputs[:60], targets[:60]), Forest(inputs[:60], targets[:60])):
        guess = method.predict(inputs[60:])
        assert guess.shape == (30, 5)
        errors = np.square(guess - targets[60:]).mean(axis=0) / np.nanvar(targets, axis=0)
        assert errors[:4].max() < 0.6
        assert errors[4] > 0.8
    few = PCARegression(inputs[:8, :2], targets[:8]).predict(inputs[60:, :2])
    assert few.shape == (30, 5)


def test_processes_give_what_one_gives_in_the_order_of_the_jobs() -> None:
    jobs = [-3, 1, -2]
    with running(abs, jobs, 2) as found:
        assert list(found) == [3, 1, 2]


def test_the_names_of_methods_do_not_depend_on_the_number_of_rows() -> None:
    def names(n: int) -> set[str]:
        rows = [str(i) for i in range(n)]
        arrays = {"rna": RNG.normal(size=(n, 30)), "prot": RNG.normal(size=(n, 20))}
        batch = MultiOmicsBatch.from_arrays(arrays, rows, rows)
        return set(reconstructed([batch], list(arrays), "prot", batch, width=64, tissues=None))

    assert names(12) == names(13) == {"train mean", "PCA"}


def test_a_preset_is_taken_or_refused(study: Path) -> None:
    asked = Asked(study, None, None, "smal", quick=True, say=lambda _: None)
    with pytest.raises(UnknownNameError, match="unknown preset of aro 'smal'"):
        aro_body(asked, "AAA", (("rna", "prot"),), {}, tissues=False)


def test_a_tissue_never_seen_has_the_mean_of_all() -> None:
    targets = np.array([[1.0], [3.0], [8.0]])
    means = GroupMean(["lung", "lung", None], targets)
    assert means.predict_groups(["skin"]) == pytest.approx(TrainMean(targets).mean[None])
    assert means.predict_groups(["lung"])[0, 0] == pytest.approx((1 + 3 + 4) / 3)
    assert Nearest(targets, targets).predict(targets).shape == (3, 1)


def test_tissues_are_held_out_whole(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with omicstore.open(study / "data" / "store") as store:
        table = store.table

        def tissued(name: str) -> pl.DataFrame:
            known = table(name)
            if name != "patients":
                return known
            names = pl.Series([f"T{i % 7}" for i in range(len(known))])
            return known.with_columns(tissue=names)

        monkeypatch.setattr(store, "table", lambda n: table(n).with_columns(tissue=pl.lit(None, pl.String)))
        with pytest.raises(StudyError, match="are of 0 tissues"):
            folds_by_tissue(tmp_path, store, ["AAA"], 4)
        monkeypatch.setattr(store, "table", tissued)
        folder = folds_by_tissue(tmp_path, store, ["AAA"], 4)
        own = dict(tissued("patients").select("patient_id", "tissue").iter_rows())
    rows = pl.read_parquet(folder / "assignments.parquet")
    for fold in range(4):
        here = rows.filter(pl.col("fold") == fold)
        test = {own[p] for p in here.filter(pl.col("part") == "test")["patient_id"]}
        rest = {own[p] for p in here.filter(pl.col("part") != "test")["patient_id"]}
        assert test
        assert not test & rest


def test_tissues_are_dealt_evenly() -> None:
    sizes = {f"t{i}": int(n) for i, n in enumerate(RNG.integers(1, 60, 24))}
    fold = tissue_folds(sizes, 5)
    filled = [sum(sizes[t] for t in sizes if fold[t] == f) for f in range(5)]
    assert max(filled) - min(filled) <= max(sizes.values())


def test_the_command_writes_the_table(
    study: Path, tmp_path: Path, aro_table: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "study"
    shutil.copytree(study, root)
    monkeypatch.chdir(root)
    assert run("bench", "aro-ccle", "--dry-run") == 0
    assert "would write" in capsys.readouterr().out
    assert run("bench", "aro-ccle", "--quick") == 0
    shown = capsys.readouterr().out
    assert "Quick: not to be quoted." in shown
    assert "Nothing is comparable." in shown
    body = json.loads((root / "reports" / "bench" / "aro-ccle.json").read_text())
    assert body["format"] == "omicstore.bench/1"
    assert body["quick"] is True
    assert body["preset"] == "small"
    assert body["config"]["max_epochs"] == 5
    assert body["refit"] is True
    assert body["simulated"] is True
    assert body["published"][0]["value"] == ".4"
    assert body["comparable"] == ["Nothing is comparable."]
    assert {row["method"] for row in body["rows"]} >= {"train mean", "ridge", MASKED, UNMASKED}
    assert all(set(row) == ROW for row in body["rows"])
    assert (root / "splits" / "bench-patient" / "test_reads.jsonl").is_file()


def test_a_mistyped_table_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", "aro-cle") == 2
    assert "unknown table 'aro-cle'. Expected one of aro-ccle" in capsys.readouterr().err
    with pytest.raises(UnknownNameError):
        get_table("moj")


def test_absent_data_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("bench", "aro-ccle", "--data", "nowhere") == 2
    message = capsys.readouterr().err
    assert message.count("error:") == 1
    assert "the real data is not here: there is no folder nowhere" in message
    (tmp_path / "empty").mkdir()
    assert run("bench", "aro-ccle", "--data", "empty") == 1
    assert "the real data of the study ccle is not here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]


def test_a_study_without_a_store_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="omicstore build"):
        studies.store_of(tmp_path)
    with pytest.raises(StudyError, match="not part of the repository"):
        study_of(tmp_path, "ccle", lambda _: None)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_what_is_comparable(name: str) -> None:
    table = get_table(name)
    assert table.model in MODELS
    assert table.published
    assert all(figure.source and figure.value for figure in table.published)
    assert all(sentence.endswith(".") for sentence in table.comparable)


def test_every_table_is_a_stage() -> None:
    stages = yaml.safe_load((ROOT / "tables" / "dvc.yaml").read_text())["stages"]
    assert set(stages) == set(TABLES)
    for name, stage in stages.items():
        assert stage["cmd"] == f"omicstore bench {name} --data ${{data}} --out {name}.json"
        # Small, and to be read without DVC: Git keeps them.
        assert stage["outs"] == [{f"{name}.json": {"cache": False}}]
    # A DVC project of its own, so that status and repro of the one above leave it alone.
    assert (ROOT / "tables" / ".dvc" / "config").is_file()
