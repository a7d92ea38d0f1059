"""The chain from a number to the files it was measured in, and where it breaks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import omicstore
from omicstore.cli import app
from omicstore.errors import UnknownNameError
from omicstore.files import canonical_json, sha256_of
from omicstore.lineage import Node, lineage
from omicstore.releases import release, retract
from omicstore.splits import SplitSpec, make
from omicstore.store.splitfile import body_hash

RUN = CliRunner()
DATE = "2026-01-01T00:00:00Z"


def sealed(body: dict, seal: str) -> bytes:
    return canonical_json(body | {seal: body_hash(body, seal)})


@pytest.fixture
def study(tmp_path: Path, tiny_store: Path) -> Path:
    """A study whose split, model and evaluation are as their writers leave them."""
    root = tmp_path / "study"
    shutil.copytree(tiny_store, root / "data" / "store")
    (root / "params.yaml").write_text("study: {}\n")
    with omicstore.open(root / "data" / "store") as store:
        spec = SplitSpec(name="cv", k=3, strategy="grouped_kfold", cohorts=("AAA", "BBB"), endpoint="OS")
        split = make(store, spec, root / "splits" / "cv")
        held = store.release
    folder = root / "artifacts" / "toy"
    (folder / "state").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "state" / "t.json").write_text("{}")
    sidecar = {
        "model": "toy", "preset": "tiny", "seed": 1, "modalities": ["rna"], "cohorts": ["AAA"], "sample_type": "primary",
        "release": held, "n_train": 9, "selection": {"epoch": 3, "metric": "loss", "part": "val", "value": 0.5},
        "split": {"name": "cv", "fold": 0, "manifest_hash": split.manifest_hash},
        "states": [{"path": "state/t.json", "sha256": sha256_of(folder / "state" / "t.json"), "transform": "t",
                    "part": "train", "fitted_on_row_hash": "0" * 64}],
        "weights": {"path": "weights.safetensors", "sha256": sha256_of(folder / "weights.safetensors")},
    }  # fmt: skip
    (folder / "sidecar.json").write_bytes(sealed(sidecar, "sidecar_hash"))
    trained = {"model": "toy", "split": sidecar["split"], "sidecar_hash": body_hash(sidecar, "sidecar_hash")}
    (root / "reports").mkdir()
    evaluation = {"part": "test", "n_test": 3, "trained": trained}
    (root / "reports" / "evaluation.json").write_bytes(sealed(evaluation, "evaluation_hash"))
    metrics = {"survival.OS.toy.c": 0.7, "survival.OS.toy.c_low": 0.6, "survival.OS.toy.c_high": 0.8, "val_loss": 0.5}
    (root / "reports" / "metrics.json").write_bytes(canonical_json(metrics))
    return root


def follow(study: Path, target: str) -> Node:
    with omicstore.open(study / "data" / "store") as store:
        return lineage(target, store, study)


def broken(node: Node) -> list[str]:
    return [f"{n.kind} {n.name}: {n.broken}" for n in node.walk() if n.broken]


def test_from_a_metric_to_the_files(study: Path) -> None:
    chain = follow(study, "survival.OS.toy.c")
    assert chain.says == ("0.7 [0.6, 0.8]",)
    assert broken(chain) == []
    kinds = [node.kind for node in chain.walk()]
    assert kinds[:3] == ["metric", "evaluation", "model"]
    (model,) = (node for node in chain.walk() if node.kind == "model")
    assert "epoch 4 by loss on val" in model.says, "counted from 1, as training and the report do"
    matrices = {node.name for node in chain.walk() if node.kind == "matrix"}
    assert matrices == {"AAA rna"}, "of the model's own cohorts and modalities alone"
    assert {node.name for node in chain.walk() if node.kind == "table"} == {"patients", "outcomes"}
    sources = [node for node in chain.walk() if node.kind == "source"]
    assert sources
    assert all(len(node.facts["sha256"]) == 64 for node in sources)


@pytest.mark.parametrize("target", ["toy", "artifacts/toy", "artifacts/toy/sidecar.json"])
def test_a_model_by_name_or_path(study: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    assert follow(study, target).kind == "model"


@pytest.mark.parametrize(
    ("target", "kind", "held"),
    [
        ("bbb/RNA", "release", {"BBB rna"}),
        ("cohort=BBB/modality=rna", "release", {"BBB rna"}),
        ("outcomes", "release", {"outcomes"}),
        ("cv", "split", {"patients", "outcomes"}),
        ("current", "release", {"patients", "AAA rna", "CCC rna"}),
    ],
)
def test_what_a_word_may_mean(study: Path, target: str, kind: str, held: set[str]) -> None:
    chain = follow(study, target)
    assert chain.kind == kind
    assert held <= {node.name for node in chain.walk()}


def test_an_older_release_is_read_as_it_was(study: Path, store_factory) -> None:
    root = study / "data" / "store"
    with omicstore.open(root) as store:
        release(store, "v1", date=DATE)
    store_factory.make_store(root, seed=5)
    chain = follow(study, "survival.OS.toy.c")
    held = next(node for node in chain.walk() if node.kind == "release")
    assert held.says[-1] == "released as v1"
    assert not held.broken
    with omicstore.open(root) as store:
        retract(store, "v1", reason="wrong", date=DATE)
    assert broken(follow(study, "toy")) == [f"release {held.name}: release v1 is retracted: wrong"]


def test_a_store_that_went_on_without_a_release(study: Path, store_factory) -> None:
    store_factory.make_store(study / "data" / "store", seed=5)
    (said,) = broken(follow(study, "toy"))
    assert "was not released" in said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("artifacts/toy/weights.safetensors", "weights.safetensors is not the file that the sidecar describes"),
        ("artifacts/toy/state/t.json", "t.json is not the one that was saved"),
        ("artifacts/toy/sidecar.json", "sidecar.json was changed after it was written"),
        ("splits/cv/manifest.json", "manifest.json was changed after it was written"),
        ("reports/evaluation.json", "reports/evaluation.json was changed after it was written"),
    ],
)
def test_a_changed_link_is_named(study: Path, path: str, said: str) -> None:
    file = study / path
    if file.suffix == ".json" and "state" not in path:
        file.write_bytes(canonical_json(json.loads(file.read_bytes()) | {"note": "x"}))
    else:
        file.write_bytes(file.read_bytes() + b" ")
    (found,) = broken(follow(study, "val_loss"))
    assert said in found


@pytest.mark.parametrize(
    ("path", "said"),
    [("artifacts/toy", "artifacts/toy is not there"), ("splits/cv", "cv is not there"),
     ("artifacts/toy/weights.safetensors", "is not there"), ("artifacts/toy/state/t.json", "is not there")],
)  # fmt: skip
def test_an_absent_link_is_named(study: Path, path: str, said: str) -> None:
    gone = study / path
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    (found,) = broken(follow(study, "val_loss"))
    assert said in found


def test_a_mistyped_metric_is_answered_with_the_nearest(study: Path) -> None:
    with pytest.raises(UnknownNameError, match="Expected one of survival.OS.toy.c, "):
        follow(study, "survival.OS.tyo.c")


def test_the_command(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    done = RUN.invoke(app, ["lineage", "survival.OS.toy.c"], prog_name="omicstore")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "metric survival.OS.toy.c  0.7 [0.6, 0.8]"
    assert any("source" in line and "sha256" in line for line in lines)
    body = json.loads(RUN.invoke(app, ["lineage", "toy", "--json"], prog_name="omicstore").stdout)
    assert (body["kind"], body["broken"]) == ("model", None)
    (study / "artifacts" / "toy" / "weights.safetensors").unlink()
    done = RUN.invoke(app, ["lineage", "toy"], prog_name="omicstore")
    assert done.exit_code == 3
    assert "warning: model toy: " in done.stderr


def test_the_links_themselves_are_not_dimmed(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    head = RUN.invoke(app, ["lineage", "survival.OS.toy.c"], color=True).stdout.splitlines()[0]
    assert head == "\x1b[2mmetric\x1b[0m\x1b[1m survival.OS.toy.c\x1b[0m  0.7 [0.6, 0.8]"


def test_an_export_leads_to_what_it_was_asked_of(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    out = str(tmp_path / "out")
    asked = ["export", "--cohort", "AAA", "--modalities", "rna", "--format", "parquet", "--out", out, "-q"]
    assert RUN.invoke(app, asked, prog_name="omicstore").exit_code in (0, 3)
    chain = follow(study, out)
    assert chain.kind == "export"
    assert {node.name for node in chain.walk() if node.kind == "matrix"} == {"AAA rna"}
    assert follow(study, f"{out}/rna.parquet").name == "rna.parquet"
