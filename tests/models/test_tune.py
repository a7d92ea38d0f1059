"""Heads trained through ``train.tune``: what they learn, from which rows, and how they are sealed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from model_runs import content, edited, run_train
from safetensors import safe_open
from safetensors.torch import save_file
from store_factory import make_cohort

import omicstore
from models.batch import MultiOmicsBatch
from models.checkpoint import load_checkpoint
from models.datamodule import CohortDataModule
from models.files import write_json
from models.tune.saved import Tuned, heads_of, load_tuned
from omicstore.audit import audit
from omicstore.errors import LeakageError, UnknownNameError, UsageError
from omicstore.files import canonical_json, sha256_of
from omicstore.splits import SplitSpec, make
from omicstore.store.splitfile import body_hash, row_hash
from omicstore.store.writer import assemble

HEADS: dict[str, dict[str, Any]] = {
    "kind": {"task": "kind", "head": "class"},
    "noise": {"task": "noise", "head": "class"},
    "cox": {"task": "OS", "head": "cox"},
    "logistic_hazard": {"task": "OS", "head": "discrete", "config": {"n_bins": 8}},
    "mahmood_nll": {"task": "OS", "head": "discrete", "config": {"convention": "mahmood_nll", "alpha": 0.2}},
    "chance": {"task": "PFI", "head": "cox"},
    "kind_tuned": {"task": "kind", "head": "class", "how": "finetune", "config": {"max_epochs": 15}},
    "cox_tuned": {"task": "OS", "head": "cox", "how": "finetune", "config": {"max_epochs": 15, "select": "c_index"}},
    "few": {"task": "DSS", "head": "cox"},
    "rare": {"task": "rare", "head": "class"},
}
PARAMS: dict[str, Any] = {
    "study": {"dataset": "tiny"},
    "split": {"name": "default", "strategy": "grouped_kfold", "k": 4, "seed": 1, "cohorts": ["AAA"]},
    "train": {
        "model": "aro",
        "preset": "small",
        "modalities": ["rna", "prot"],
        "seed": 17,
        "config": {"hidden": 32, "max_epochs": 15},
        "tune": HEADS,
    },
    "evaluate": {"impute": None, "survival": {"endpoint": "OS"}, "bootstrap": 10},
}


def _write_study(root: Path) -> None:
    """A hidden number moves genes and proteins, decides the kind and hastens death; the rest is noise."""
    rng = np.random.default_rng(5)
    data = make_cohort("AAA", seed=3, n_patients=160, modalities=("rna", "prot"), missing=0.15)
    patients = data.tables["patients"]["patient_id"].to_list()
    hidden = dict(zip(patients, rng.normal(size=len(patients)), strict=True))
    for modality, part in data.parts.items():
        own = np.array([hidden.get("-".join(s.split("-")[:3]), 0.0) for s in part.rows["sample_id"]])
        part.values[:, :10] = own[:, None] * (1 if modality == "prot" else -1) + rng.normal(0, 0.3, (len(own), 10))
        if modality == "rna":
            part.values[:, :10] = np.exp(part.values[:, :10] + 2)
    moved = np.array([hidden[p] for p in patients])
    tasks = {
        "kind": np.where(moved > 0, "high", "low"),
        "noise": rng.permutation(np.where(moved > 0, "high", "low")),
        "rare": np.where(np.arange(len(moved)) < 3, "rare", "usual"),
    }
    data.tables["labels"] = pl.concat(
        pl.DataFrame({"patient_id": patients, "cohort": "AAA", "task": task, "label": names, "source": "tiny"})
        .with_row_index()
        .filter(pl.col("index") % 10 != 7)  # some are unlabelled
        .drop("index")
        for task, names in tasks.items()
    )
    outcomes = data.tables["outcomes"]
    os = outcomes.filter(pl.col("endpoint") == "OS").with_columns(
        time_days=(1000 * np.exp(-0.9 * moved) * rng.uniform(0.5, 1.5, len(moved))).round(1)
    )
    pfi = outcomes.filter(pl.col("endpoint") == "PFI")
    dss = os.with_columns(endpoint=pl.lit("DSS"), event=pl.lit(0, dtype=pl.Int64))
    data.tables["outcomes"] = pl.concat([os.head(-8), pfi, dss])  # some are not followed
    data.write(root / "data" / "store", "AAA")
    assemble(root / "data" / "store", ["AAA"], dataset="tiny", simulated=True)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False), encoding="utf-8")
    with omicstore.open(root / "data" / "store") as store:
        make(store, SplitSpec.from_params(PARAMS["split"]), root / "splits" / "default")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bare") / "study"
    root.mkdir()
    _write_study(root)
    return root


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def tuned(bare: Path, said: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a model and its heads; only for reading."""
    from models.train import train

    root = tmp_path_factory.mktemp("tuned") / "study"
    shutil.copytree(bare, root)
    with omicstore.open(root / "data" / "store") as store:
        train(root, store, say=said.append)
    return root


@pytest.fixture
def own(tuned: Path, tmp_path: Path) -> Path:
    shutil.copytree(tuned, tmp_path / "study")
    return tmp_path / "study"


def heads(root: Path, model: str = "aro") -> dict[str, Tuned]:
    folder = root / "artifacts" / model
    return load_tuned(folder, load_checkpoint(folder))


def part(root: Path, name: str, **targets: str) -> MultiOmicsBatch:
    checkpoint = load_checkpoint(root / "artifacts" / "aro")
    with omicstore.open(root / "data" / "store") as store:
        split = root / "splits" / "default"
        return CohortDataModule(
            store, split, 0, modalities=["rna", "prot"], state=checkpoint.state, reader="test", **targets
        ).part(name)


def balanced(probabilities: np.ndarray, label: torch.Tensor) -> float:
    guess, truth = probabilities.argmax(axis=1), label.numpy()
    return float(np.mean([(guess[truth == c] == c).mean() for c in (0, 1)]))


@pytest.mark.parametrize("name", ["kind", "kind_tuned"])
def test_a_class_head_learns_what_can_be_learned(tuned: Path, name: str) -> None:
    test = part(tuned, "test", label="kind")
    head = heads(tuned)[name]
    assert head.classes == ("high", "low")
    found = head.class_probabilities(test)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert balanced(found, test.targets.label) > 0.8


def test_labels_that_say_nothing_teach_nothing(tuned: Path) -> None:
    test = part(tuned, "test", label="noise")
    assert balanced(heads(tuned)["noise"].class_probabilities(test), test.targets.label) < 0.7
    assert heads(tuned)["chance"].sidecar["score"]["value"] < 0.75


@pytest.mark.parametrize("name", ["cox", "logistic_hazard", "mahmood_nll", "cox_tuned"])
def test_a_survival_head_learns_who_dies_first(tuned: Path, name: str) -> None:
    from lifelines.utils import concordance_index

    test = part(tuned, "test", endpoint="OS")
    known = torch.isfinite(test.targets.time).numpy()
    head = heads(tuned)[name]
    risk = head.risk(test)
    assert risk.dtype == np.float64
    time, event = test.targets.time.numpy(), test.targets.event.numpy()
    assert concordance_index(time[known], -risk[known], event[known]) > 0.7
    if head.head == "discrete":
        curve = head.survival_at(test, [0.0, 300.0, 1e9])
        assert curve.shape == (len(test), 3)
        assert (np.diff(curve, axis=1) <= 0).all()
        assert (curve[:, 0] > 0.85).all()


def test_a_head_answers_only_what_it_is_for(tuned: Path) -> None:
    rows, found = part(tuned, "val"), heads(tuned)
    with pytest.raises(UsageError, match="the head cox is of kind cox and gives no class probabilities"):
        found["cox"].class_probabilities(rows)
    with pytest.raises(UsageError, match="the head kind is of kind class and gives no risks"):
        found["kind"].risk(rows)
    with pytest.raises(UsageError, match="gives no survival curves. Expected head discrete"):
        found["cox"].survival_at(rows, [1.0])


@pytest.mark.parametrize("name", ["kind", "kind_tuned"])
def test_an_absent_modality_is_not_read_and_each_alone_will_do(tuned: Path, name: str) -> None:
    test, head = part(tuned, "test", label="kind"), heads(tuned)[name]
    filled = {m: torch.where(test.target_mask(m), v, float("nan")) for m, v in test.values.items()}
    np.testing.assert_array_equal(
        head.class_probabilities(replace(test, values=filled)), head.class_probabilities(test)
    )
    for modality in ("rna", "prot"):
        alone = test.only([modality]).take(torch.nonzero(test.has(modality))[:, 0])
        assert balanced(head.class_probabilities(alone), alone.targets.label) > 0.75


def test_the_model_is_the_same_with_and_without_heads(tuned: Path, bare: Path, tmp_path: Path) -> None:
    shutil.copytree(bare, tmp_path / "study")
    edited(tmp_path / "study", "train", tune=None)
    run_train(tmp_path / "study")
    both = (content(root / "artifacts/aro") for root in (tmp_path / "study", tuned))
    without, with_heads = ({n: own for n, own in each.items() if n != "card.md"} for each in both)
    assert without == {name: own for name, own in with_heads.items() if not name.startswith("tuned/")}
    assert heads(tmp_path / "study") == {}
    # A probe's weights are its own; fine-tuning changed a copy, of which the decoder stayed.
    from safetensors.numpy import load_file

    probe, learned = (
        load_file(tuned / f"artifacts/aro/tuned/{name}/weights.safetensors") for name in ("cox", "kind_tuned")
    )
    assert set(probe) == {"scale.mean", "scale.factor", "scale.axes", "head.layers.0.weight", "head.layers.0.bias"}
    assert {name.split(".")[2] for name in learned if name.startswith("body.")} == {"encoder"}
    before = load_file(tuned / "artifacts/aro/weights.safetensors")
    assert not np.array_equal(learned["body.base.encoder.0.weight"], before["encoder.0.weight"])


def test_training_again_gives_the_same_bytes_and_reads_no_test_row(tuned: Path, bare: Path, tmp_path: Path) -> None:
    shutil.copytree(bare, tmp_path / "study")
    run_train(tmp_path / "study")
    assert content(tmp_path / "study/artifacts") == content(tuned / "artifacts")
    assert not (tmp_path / "study/splits/default/test_reads.jsonl").exists()


def test_only_training_rows_with_a_target_teach(tuned: Path) -> None:
    for name, head in heads(tuned).items():
        targets = {"label": head.task} if head.head == "class" else {"endpoint": head.task}
        for own in ("train", "val"):
            rows = part(tuned, own, **targets)
            known = rows.targets.label >= 0 if head.head == "class" else torch.isfinite(rows.targets.time)
            assert head.sidecar["rows"][own] == sorted(np.array(rows.sample_id)[known.numpy()].tolist()), name
        if head.head == "discrete":
            assert head.sidecar["bins"]["fitted_on"] == head.sidecar["rows"]["train"]


def test_every_head_is_said_with_its_rows_and_beside_a_guess(tuned: Path, said: list[str]) -> None:
    lines = {line.split()[1]: line for line in said if line.startswith("head ")}
    assert list(lines) == list(HEADS)
    rows = heads(tuned)["kind"].sidecar["counts"]["train"]["rows"]
    assert lines["kind"].startswith(f"head kind (class on kind, probe): {rows} training rows, 2 classes; best epoch ")
    assert lines["kind"].endswith("on the val rows that chose it (majority class 0.500)")
    assert "(chance 0.500)" in lines["cox"]
    entry = json.loads((tuned / "artifacts/aro/tuned/heads.json").read_text())["heads"]
    assert heads_of(tuned / "artifacts/aro") == entry
    for name, reason in {
        "few": "0 of 79 train rows had an event of DSS; 12 are needed",
        "rare": "of the 72 labelled training rows, 1 of the classes of rare have 5 or more; two are needed",
    }.items():
        assert lines[name] == f"head {name} was not trained: {entry[name]['not_trained']}"
        assert entry[name]["not_trained"] == reason
        assert name not in heads(tuned)


def test_the_epoch_is_the_best_of_val(tuned: Path) -> None:
    for name, head in heads(tuned).items():
        history = json.loads((tuned / f"artifacts/aro/tuned/{name}/history.json").read_text())
        best = min(history, key=lambda row: (row["val"], row["epoch"]))
        assert head.sidecar["selection"] | {"metric": ""} == {
            "part": "val", "metric": "", "epoch": best["epoch"], "value": best["val"],
        }  # fmt: skip
    chosen = heads(tuned)["cox_tuned"].sidecar
    assert chosen["selection"]["metric"] == "1 - harrell_c"
    assert chosen["score"]["value"] == pytest.approx(1 - chosen["selection"]["value"], abs=1e-6)


def _resealed(path: Path, key: str = "sidecar_hash", **changes: Any) -> str:
    body = json.loads(path.read_text()) | changes
    seal = body_hash(body, key)
    write_json(path, body | {key: seal})
    return seal


def _exchange(root: Path, how: str) -> None:
    folder = root / "artifacts/aro/tuned"
    listed = json.loads((folder / "heads.json").read_text())["heads"]
    if how == "weights":
        shutil.copy(folder / "noise/weights.safetensors", folder / "kind/weights.safetensors")
    elif how == "sidecar":
        shutil.copy(folder / "noise/sidecar.json", folder / "kind/sidecar.json")
    elif how == "edited":
        path = folder / "kind/sidecar.json"
        path.write_text(path.read_text().replace('"seed": 17', '"seed": 18'))
    elif how == "history":
        path = folder / "kind/history.json"
        path.write_text(path.read_text().replace('"epoch": 0', '"epoch": 900'))
    elif how == "left out":
        shutil.rmtree(folder / "kind")
    elif how == "rows":
        rows = json.loads((folder / "logistic_hazard/sidecar.json").read_text())["rows"]
        seal = _resealed(folder / "logistic_hazard/sidecar.json", rows=rows | {"train": rows["train"][1:]})
        listed["logistic_hazard"]["sidecar_hash"] = seal
        _resealed(folder / "heads.json", "heads_hash", heads=listed)
    elif how == "base":
        _resealed(folder / "heads.json", "heads_hash", base="0" * 64)
    else:
        (folder / "heads.json").unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("weights", "is not the file that its sidecar describes"),
        ("sidecar", "is not the one that heads.json names"),
        ("edited", "was changed after it was written"),
        ("history", "is not the record of losses"),
        ("left out", "heads.json names .*, and there are"),
        ("rows", "were fitted on other rows than its training rows"),
        ("base", "sit on the model 000000000000"),
        ("no heads.json", "heads.json is absent"),
    ],
)
def test_what_was_exchanged_or_edited_is_refused(own: Path, how: str, message: str) -> None:
    _exchange(own, how)
    with pytest.raises(LeakageError, match=message):
        heads(own)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("weights", "tuned/kind: weights.safetensors is absent, or does not have the sha256"),
        ("sidecar", "tuned/kind: the sidecar is not the one that heads.json names"),
        ("edited", "tuned/kind: the sidecar does not have its sidecar_hash"),
        ("history", "tuned/kind: history.json is absent, or does not have the sha256"),
        ("left out", "tuned/heads.json names chance, cox, cox_tuned, kind, kind_tuned"),
        ("rows", "tuned/logistic_hazard: its bins of time were fitted on other rows than those that taught it"),
        ("base", "tuned/heads.json names the model 000000000000, and this is another"),
        ("no heads.json", "heads.json is absent, and there are the heads chance, cox"),
    ],
)
def test_the_audit_finds_it_too(own: Path, how: str, message: str) -> None:
    target = own / "artifacts" / "aro"
    assert audit(target, checks=["checkpoint"])["checkpoint"].status == "pass"
    _exchange(own, how)
    found = audit(target, checks=["checkpoint"])["checkpoint"]
    assert (found.status, found.severity) == ("fail", "error")
    assert message in str(found.to_json())


@pytest.mark.parametrize("taught", ["train", "val"])
def test_rows_that_may_not_teach_are_named(own: Path, taught: str) -> None:
    test, folder = part(own, "test").sample_id, own / "artifacts/aro/tuned"
    body = json.loads((folder / "cox/sidecar.json").read_text())
    strange = test[0] if taught == "train" else body["rows"]["train"][0]
    rows = body["rows"] | {taught: sorted([*body["rows"][taught], strange])}
    hashes = {name: row_hash(ids) for name, ids in rows.items()}
    with safe_open(folder / "cox/weights.safetensors", framework="pt") as file:
        said, tensors = json.loads(file.metadata()["trained_on"]), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    path = folder / "cox/weights.safetensors"
    save_file(tensors, path, metadata={"trained_on": canonical_json(said | {"row_hash": hashes["train"]}).decode()})
    weights = body["weights"] | {"sha256": sha256_of(path)}
    listed = json.loads((folder / "heads.json").read_text())["heads"]
    seal = _resealed(folder / "cox/sidecar.json", rows=rows, row_hash=hashes, weights=weights)
    listed["cox"]["sidecar_hash"] = seal
    _resealed(folder / "heads.json", "heads_hash", heads=listed)
    found = str(audit(own / "artifacts/aro", checks=["checkpoint"])["checkpoint"].to_json())
    assert f"tuned/cox: 1 of its {taught} rows are not of the {taught} part of fold 0: {strange}" in found
    with pytest.raises(LeakageError, match=f"the {taught} rows of the head in .* such as {strange}"):
        heads(own)


def test_heads_of_another_model_are_refused(own: Path) -> None:
    kept = own / "kept"
    shutil.move(own / "artifacts/aro/tuned", kept)
    edited(own, "train", seed=18, tune={"kind": HEADS["kind"]})
    run_train(own)
    shutil.rmtree(own / "artifacts/aro/tuned")
    shutil.move(kept, own / "artifacts/aro/tuned")
    with pytest.raises(LeakageError, match="the heads in .* sit on the model"):
        heads(own)


def test_a_task_that_there_is_not_is_named_before_anything_is_trained(own: Path) -> None:
    before = content(own / "artifacts")
    edited(own, "train", tune={"kind": {"task": "kimd", "head": "class"}})
    with pytest.raises(UnknownNameError) as caught:
        run_train(own)
    assert str(caught.value) == (
        "unknown task of train.tune.kind 'kimd'. Expected one of kind. To mend it: "
        "set train.tune.kind.task in params.yaml"
    )
    assert content(own / "artifacts") == before


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("modis", {"hidden": 16, "latent": 8, "adversary": 16, "max_epochs": 6, "n_classes": 2}),
        ("imputmae", {"hidden": 16, "layers": 1, "mlp": 16, "decoder_hidden": 16, "patch": 8, "max_epochs": 4}),
    ],
)
def test_heads_go_on_every_model(bare: Path, tmp_path: Path, model: str, config: dict[str, Any]) -> None:
    shutil.copytree(bare, tmp_path / "study")
    few = {"config": {"max_epochs": 3}}
    asked = {
        "kind": HEADS["kind"] | few,
        "kind_tuned": HEADS["kind"] | few | {"how": "finetune"},
        "cox_tuned": HEADS["cox"] | few | {"how": "finetune"},
        "discrete_tuned": {"task": "OS", "head": "discrete", "how": "finetune"} | few,
    }
    label = "kind" if model == "modis" else None  # MODIS has a class head of its own besides
    edited(tmp_path / "study", "train", model=model, label=label, config=config, tune=asked)
    run_train(tmp_path / "study")
    found = heads(tmp_path / "study", model)
    assert set(found) == set(asked)
    rows = MultiOmicsBatch.from_arrays(
        {m: np.zeros((2, n)) for m, n in load_checkpoint(tmp_path / "study/artifacts" / model).module.axes.items()},
        ["a", "b"],
        ["a", "b"],
    )
    assert found["kind"].class_probabilities(rows).shape == (2, 2)
    assert found["discrete_tuned"].survival_at(rows.only(["rna"]), [10.0]).shape == (2, 1)
    if model == "imputmae":  # as its paper has it
        sidecar = found["discrete_tuned"].sidecar
        assert sidecar["selection"]["metric"] == "1 - harrell_c"
        assert len(sidecar["bins"]["edges"]) == 20
        assert not [name for name in sidecar["weights"]["tensors"] if "imputer" in name]
