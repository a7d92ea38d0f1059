"""A hostile reading: every way to a number from leaked data ends in an error that says what to run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from model_runs import edited, run_evaluate, run_train
from safetensors.numpy import load_file, save_file

import omicstore
from models.checkpoint import load_checkpoint
from models.datamodule import CohortDataModule
from models.files import write_json
from models.report.html import write_report
from models.transforms.state import fit_state
from omicstore.cli import main
from omicstore.errors import LeakageError, OmicstoreError, SplitError
from omicstore.files import sha256_of
from omicstore.splits import SplitSpec, load, make
from omicstore.store.splitfile import body_hash, frame_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.transforms.state import TransformState
    from omicstore.store.reader import Store

SPLIT = SplitSpec(strategy="grouped_kfold", k=4, seed=1, cohorts=("AAA", "BBB"))


def made(store: Store, study: Path, **more: Any) -> CohortDataModule:
    more = {"cohorts": ["AAA", "BBB"], "fold": 0, **more}
    return CohortDataModule(store, study / "splits/default", more.pop("fold"), modalities=["rna", "prot"], **more)


def forged(root: Path, **changes: Any) -> None:
    """Change the sidecar and seal it again."""
    path = root / "artifacts/aro/sidecar.json"
    body = json.loads(path.read_text()) | changes
    write_json(path, body | {"sidecar_hash": body_hash(body, "sidecar_hash")})


def split_again(root: Path, **changes: Any) -> None:
    with omicstore.open(root / "data/store") as store:
        make(store, replace(SPLIT, **changes), root / "splits/default")


def reseal(folder: Path, rows: pl.DataFrame, **more: Any) -> None:
    """Write other rows, with a manifest whose hashes fit them."""
    from omicstore.splits import row_hash

    body = json.loads((folder / "manifest.json").read_text()) | more
    body["assignments_hash"] = frame_hash(rows)
    for entry in body["per_fold"]:
        for part, held in entry["parts"].items():
            chosen = rows.filter((pl.col("fold") == entry["fold"]) & (pl.col("part") == part))
            held["row_hash"] = row_hash(chosen["sample_id"])
    rows.write_parquet(folder / "assignments.parquet")
    write_json(folder / "manifest.json", body | {"manifest_hash": body_hash(body)})


def fitted_on_all(store: Store, honest: TransformState) -> TransformState:
    """Fit on every row and claim the training rows."""
    rows = store.query(["AAA", "BBB"], ["rna", "prot"])
    cheat = fit_state(
        "default",
        rows.to_numpy(),
        {m: rows.features(m)["feature_id"].to_list() for m in ("rna", "prot")},
        {m: p.unit for m, p in honest.pipelines.items()},
        sample_ids=rows.samples["sample_id"].to_list(),
        split=honest.split,
        manifest_hash=honest.manifest_hash,
        fold=honest.fold,
    )
    return replace(cheat, fitted_on_row_hash=honest.fitted_on_row_hash)


def test_unsplit_data_is_not_trained_on(copied: Path) -> None:
    shutil.rmtree(copied / "splits")
    with pytest.raises(SplitError, match="nothing is trained on unsplit data"):
        run_train(copied)
    with pytest.raises(SplitError, match=r"manifest\.json does not exist.*omicstore split make"):
        run_evaluate(copied)


def test_cohorts_that_the_split_does_not_cover_are_not_trained_on(copied: Path) -> None:
    split_again(copied, cohorts=("AAA",))
    with pytest.raises(SplitError, match="the split default does not cover BBB. Expected some of AAA"):
        run_train(copied)
    edited(copied, "train", cohorts=[])
    assert run_train(copied)["cohorts"] == ["AAA"]


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fold": 1}, "the fitted state is one of fold 1"),
        ({"manifest_hash": "f" * 64}, "the fitted state is one of manifest_hash ffffffffffff"),
        ({"part": "all"}, "the fitted state is one of part all"),
        ({"fitted_on_row_hash": "f" * 64}, "the fitted state has seen other rows than the training rows of fold 0"),
    ],
)
def test_a_state_of_other_rows_is_refused(
    store: Store, study: Path, part: str, changes: dict[str, Any], message: str
) -> None:
    state = replace(made(store, study).state, **changes)
    with pytest.raises(LeakageError, match=message):
        made(store, study, state=state).part(part)


def test_a_state_that_claims_the_training_rows_but_saw_others_is_refused(store: Store, study: Path) -> None:
    honest = made(store, study).state
    cheat = fitted_on_all(store, honest)
    assert cheat.fitted_on_row_hash == honest.fitted_on_row_hash
    for part in ("train", "val", "test"):
        with pytest.raises(
            LeakageError, match=r"is not what the training rows of fold 0 of default give: it holds other"
        ):
            made(store, study, state=cheat).part(part)
    made(store, study, state=honest).part("test")


def test_a_state_fitted_elsewhere_is_refused_with_all_hashes_forged(copied: Path) -> None:
    folder = copied / "artifacts/aro"
    with omicstore.open(copied / "data/store") as store:
        cheat = fitted_on_all(store, load_checkpoint(folder).state)
    path = cheat.save(folder / "state")
    sidecar = json.loads((folder / "sidecar.json").read_text())
    forged(copied, states=[sidecar["states"][0] | {"sha256": sha256_of(path)}])
    with pytest.raises(LeakageError, match="is not what the training rows of fold 0 of default give"):
        run_evaluate(copied)


def test_a_changed_sidecar_is_refused(copied: Path) -> None:
    path = copied / "artifacts/aro/sidecar.json"
    for change in ({"release": "0" * 64}, {"seed": 4}, {"selection": {"part": "test"}}):
        body = json.loads(path.read_text())
        path.write_text(json.dumps(body | change))
        for step in (run_evaluate, write_report):
            with pytest.raises(LeakageError, match=r"sidecar\.json was changed after it was written"):
                step(copied)
        path.write_text(json.dumps(body))
    path.write_text("{")
    with pytest.raises(LeakageError, match=r"is no sidecar of omicstore\.model/1"):
        run_evaluate(copied)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"release": "0" * 64}, "its weights and its sidecar disagree"),
        ({"selection": {"part": "test"}}, "was chosen on the test part. Expected val"),
        (
            {"split": {"name": "default", "manifest_hash": "0" * 64, "fold": 0}},
            "the split of its state and its sidecar disagree",
        ),
        ({"axes": {"rna": {"hash": "0"}, "prot": {"hash": "0"}}}, "the features of its state and its sidecar disagree"),
    ],
)
def test_a_sidecar_sealed_again_does_not_fit_the_rest(copied: Path, changes: dict[str, Any], message: str) -> None:
    forged(copied, **changes)
    with pytest.raises(LeakageError, match=message):
        run_evaluate(copied)


def test_changed_weights_are_refused(copied: Path) -> None:
    path = copied / "artifacts/aro/weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(OmicstoreError, match="is not the file that its sidecar describes"):
        load_checkpoint(copied / "artifacts/aro")


def test_weights_that_name_no_rows_are_refused(copied: Path) -> None:
    path = copied / "artifacts/aro/weights.safetensors"
    save_file(load_file(path), path)
    forged(copied, weights={"path": path.name, "sha256": sha256_of(path)})
    with pytest.raises(LeakageError, match="its weights and its sidecar disagree"):
        run_evaluate(copied)


def test_weights_of_another_fold_are_refused(copied: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(copied, other)
    edited(other, "train", fold=1, config={"hidden": 96, "max_epochs": 1})
    run_train(other)
    path = copied / "artifacts/aro/weights.safetensors"
    shutil.copy(other / "artifacts/aro/weights.safetensors", path)
    forged(copied, weights={"path": path.name, "sha256": sha256_of(path)})
    with pytest.raises(LeakageError, match="its weights and its sidecar disagree"):
        run_evaluate(copied)


def test_after_the_store_was_built_again_nothing_is_judged(
    copied: Path, write_study: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = load(copied / "splits/default").assignments["sample_id"][0]
    kept = {p: p.read_bytes() for p in (copied / "splits/default").rglob("*") if p.is_file()}
    write_study(copied, triple={old})
    for path, content in kept.items():
        path.write_bytes(content)
    monkeypatch.chdir(copied)
    for command, words in (
        ("evaluate", ["the model was trained on release", "dvc repro, or omicstore split make and omicstore train"]),
        ("train", ["the split default was made on release", "omicstore split make (or dvc repro)"]),
    ):
        monkeypatch.setattr("sys.argv", ["omicstore", command])
        with pytest.raises(SystemExit) as left:
            main()
        said = " ".join(capsys.readouterr().err.split())
        assert left.value.code == 1
        assert all(word in said for word in words), said


def test_a_model_of_another_release_is_refused_when_copied_over(
    copied: Path, tmp_path: Path, write_study: Callable[..., None]
) -> None:
    other = tmp_path / "other"
    write_study(other, triple={load(copied / "splits/default").assignments["sample_id"][0]})
    shutil.copytree(copied / "artifacts", other / "artifacts")
    with pytest.raises(LeakageError, match="the model was trained on release"):
        run_evaluate(other)


def test_a_split_made_again_is_refused(copied: Path) -> None:
    split_again(copied, seed=2)
    with pytest.raises(LeakageError, match=r"the split default was made again .* since the model was trained"):
        run_evaluate(copied)
    with pytest.raises(OmicstoreError, match=r"the split default was made again since the model was trained"):
        write_report(copied)


def test_a_split_that_a_patient_crosses_is_not_trained_on(copied: Path) -> None:
    folder = copied / "splits/default"
    rows = load(folder).assignments
    tested = rows.filter((pl.col("fold") == 0) & (pl.col("part") == "test"))["sample_id"][0]
    moved = rows.with_columns(
        part=pl.when((pl.col("sample_id") == tested) & (pl.col("fold") == 0)).then(pl.lit("train")).otherwise("part")
    )
    reseal(folder, moved)
    with pytest.raises(SplitError, match=r"assignments every sample is in one part of each fold.*once in test"):
        run_train(copied)


def test_a_split_that_forgets_who_is_one_person_is_not_trained_on(copied: Path) -> None:
    folder = copied / "splits/default"
    manifest = load(folder)
    rows = manifest.assignments
    twins = rows.filter((pl.col("fold") == 0) & (pl.col("group_id") != pl.col("patient_id")))["patient_id"]
    assert len(twins), "the tiny study has people who are joined"
    parts = rows.filter(pl.col("patient_id") == twins[0]).sort("fold")["part"].to_list()
    home = parts.index("test")
    elsewhere = ((home + 1 - pl.col("fold")) % 4).replace_strict({0: "test", 1: "val", 2: "train", 3: "train"})
    rows = rows.with_columns(
        part=pl.when(pl.col("patient_id") == twins[0]).then(elsewhere).otherwise("part"), group_id="patient_id"
    )
    edges = manifest.edges.filter(~pl.col("kind").is_in(["same_content", "near_duplicate"]))
    edges.write_parquet(folder / "identity.parquet")
    identity = manifest.body["identity"] | {"edges_hash": frame_hash(edges)}
    reseal(folder, rows, identity=identity)
    with pytest.raises(SplitError, match="L8 near-duplicate profiles of different patients on both sides: fail"):
        run_train(copied)


def test_opening_the_test_part_is_logged_with_what_read_it(copied: Path) -> None:
    log = copied / "splits/default/test_reads.jsonl"
    log.unlink()
    run_train(copied)
    assert not log.exists()
    run_evaluate(copied)
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    weights = sha256_of(copied / "artifacts/aro/weights.safetensors")
    assert line["reader"] == f"omicstore evaluate: aro, weights {weights[:12]}"
    assert line["fold"] == 0
    with omicstore.open(copied / "data/store") as store:
        made(store, copied).part("test")
    assert json.loads(log.read_text().splitlines()[-1])["reader"] == "CohortDataModule"


def test_nothing_that_is_fitted_or_chosen_sees_the_test_rows(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fit of the evaluation is called with numbers that the test rows do not enter."""
    from models.baselines import prediction, survival
    from models.baselines.rowspace import RowSpace
    from models.evaluate import survival as probe

    fits: list[tuple[str, list[Any]]] = []

    def watched(owner: Any, name: str) -> None:
        true = getattr(owner, name)

        def seen(*args: Any, **kwargs: Any) -> Any:
            fits.append((name, [a for a in args if isinstance(a, np.ndarray)]))
            return true(*args, **kwargs)

        monkeypatch.setattr(owner, name, seen)

    watched(prediction.TrainMean, "__init__")
    watched(prediction.Ridge, "__init__")
    watched(prediction.PCAReconstruction, "__init__")
    watched(probe, "cox_risk")
    watched(RowSpace, "fit")
    watched(survival.ClinicalCovariates, "fit")
    run_evaluate(copied)
    with omicstore.open(copied / "data/store") as store:
        data = made(store, copied)
        n = {part: len(data.part(part)) for part in ("train", "val", "test")}
    assert {name for name, _ in fits} == {"__init__", "cox_risk", "fit"}
    for name, arrays in fits:
        most = n["train"] + (n["val"] if name == "cox_risk" else 0)
        # The last array of a Cox fit is the rows to judge.
        assert all(len(a) <= most for a in (arrays[:-1] if name == "cox_risk" else arrays)), name
