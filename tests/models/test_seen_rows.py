"""What is fitted sees the training rows and no others: numbers of held-out rows are changed, and nothing learned moves."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_runs import run_evaluate, run_train
from safetensors.numpy import load_file
from store_factory import make_cohort

import omicstore
from models.transforms import fit_state
from models.transforms.steps import PIPELINES
from omicstore.files import canonical_json
from omicstore.splits import load
from omicstore.store.splitfile import body_hash, frame_hash
from omicstore.store.writer import assemble

if TYPE_CHECKING:
    from collections.abc import Callable

MODALITIES = ("rna", "prot")


def state_of(root: Path, transform: str, cell: tuple[str, str, int, float] | None = None) -> dict[str, bytes]:
    """Write a store, in it one number changed, seal the same split for it, and return the files of its fitted state.

    Parameters
    ----------
    cell
        Modality, part of the row, which of the numbers of that part, and what it is changed to.
    """
    shutil.rmtree(root, ignore_errors=True)
    data = make_cohort("AAA", seed=5, n_patients=12, n_features=5, modalities=MODALITIES, n_normals=0, missing=0.1)
    patients = sorted(p.rsplit("-", 1)[0] for p in set().union(*(d.rows["sample_id"] for d in data.parts.values())))
    parts = {patient: ("train", "train", "val", "test")[i % 4] for i, patient in enumerate(patients)}
    if cell is not None:
        modality, part, which, new = cell
        values = data.parts[modality].values
        own = [i for i, s in enumerate(data.parts[modality].rows["sample_id"]) if parts[s.rsplit("-", 1)[0]] == part]
        row, column = divmod(which % (len(own) * values.shape[1]), values.shape[1])
        values[own[row], column] = new
    data.write(root / "store", "AAA")
    assemble(root / "store", ["AAA"], dataset="tiny", simulated=True)
    with omicstore.open(root / "store") as store:
        samples = store.samples().select("sample_id", "patient_id", "cohort", "site", group_id="patient_id")
        rows = samples.with_columns(fold=pl.lit(0, pl.Int64), part=pl.col("patient_id").replace_strict(parts))
        body = {"name": "cv", "release": {"id": store.release}, "assignments_hash": frame_hash(rows)}
        (root / "cv").mkdir()
        rows.write_parquet(root / "cv/assignments.parquet")
        (root / "cv/manifest.json").write_bytes(canonical_json(body | {"manifest_hash": body_hash(body)}))
        train = store.query(modalities=MODALITIES, split=root / "cv", fold=0, part="train")
        # The manifest names the release, which is another one with every number: it is held still here.
        state = fit_state(
            transform,
            train.to_numpy(),
            {m: train.features(m)["feature_id"].to_list() for m in MODALITIES},
            {m: train.units[m]["AAA"] for m in MODALITIES},
            sample_ids=train.samples["sample_id"].to_list(),
            split="cv",
            manifest_hash="h",
            fold=0,
        )
    path = state.save(root / "state")
    return {p.name: p.read_bytes() for p in path.parent.iterdir()}


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Per transform the files of the state when no number is changed."""
    return {transform: state_of(tmp_path_factory.mktemp("unchanged"), transform) for transform in PIPELINES}


@pytest.mark.parametrize("part", ["train", "val", "test"])
@given(
    transform=st.sampled_from(list(PIPELINES)),
    modality=st.sampled_from(MODALITIES),
    which=st.integers(0, 10_000),
    new=st.one_of(st.floats(1001, 2000, width=32), st.just(float("nan"))),
)
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_state_changes_with_training_numbers_and_no_others(
    tmp_path: Path,
    unchanged: dict[str, dict[str, bytes]],
    part: str,
    transform: str,
    modality: str,
    which: int,
    new: float,
) -> None:
    changed = state_of(tmp_path / "changed", transform, (modality, part, which, new))
    if part == "train" and np.isnan(new) and changed == unchanged[transform]:
        # It was missing before: another number in its place does show.
        changed = state_of(tmp_path / "changed", transform, (modality, part, which, 7.25))
    assert (changed != unchanged[transform]) is (part == "train")


@pytest.fixture
def other(study: Path, tmp_path: Path, write_study: Callable[..., None]) -> Path:
    """The study with the genes of all its test samples times three, trained as the first one is."""
    rows = load(study / "splits/default").assignments.filter(fold=0)
    write_study(tmp_path / "other", triple=set(rows.filter(part="test")["sample_id"]))
    changed = load(tmp_path / "other/splits/default").assignments.filter(fold=0)
    assert changed.select("sample_id", "part").equals(rows.select("sample_id", "part"))
    run_train(tmp_path / "other")
    return tmp_path / "other"


def test_neither_model_nor_baselines_move_with_the_test_rows(
    copied: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, losses, state; and all that the evaluation fits is given the same numbers, to the last bit."""
    artifacts = [root / "artifacts/aro" for root in (copied, other)]
    states = [json.loads((a / "state/0/default.json").read_text()) for a in artifacts]
    assert states[0].pop("manifest_hash") != states[1].pop("manifest_hash")  # another release
    assert states[0] == states[1]
    for name in ("history.json", "state/0/default.safetensors"):
        assert (artifacts[0] / name).read_bytes() == (artifacts[1] / name).read_bytes()
    weights = [load_file(a / "weights.safetensors") for a in artifacts]
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])
    seen = [_fits(root, monkeypatch) for root in (copied, other)]
    assert len(seen[0]) > 10
    assert seen[0] == seen[1]
    bodies = [json.loads((root / "reports/evaluation.json").read_text()) for root in (copied, other)]
    assert bodies[0]["reconstruction"]["rna"]["methods"] != bodies[1]["reconstruction"]["rna"]["methods"]


def _fits(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Evaluate, and return of every fit its name and the hash of what it was given to learn from."""
    from models.baselines import prediction, rowspace, survival
    from models.evaluate import survival as probe

    found: list[tuple[str, str]] = []

    def watched(owner: Any, name: str, n_learned: int, title: str) -> None:
        true = getattr(owner, name)

        def seen(*args: Any, **kwargs: Any) -> Any:
            arrays = [a for a in args if isinstance(a, np.ndarray | pl.DataFrame)][:n_learned]
            content = [a.tobytes() if isinstance(a, np.ndarray) else a.write_csv().encode() for a in arrays]
            found.append((title, hashlib.sha256(b"|".join(content)).hexdigest()))
            return true(*args, **kwargs)

        patch.setattr(owner, name, seen)

    with monkeypatch.context() as patch:
        watched(prediction.TrainMean, "__init__", 1, "mean")
        watched(prediction.Ridge, "__init__", 2, "ridge")
        watched(prediction.PCAReconstruction, "__init__", 1, "pca")
        watched(rowspace.RowSpace, "fit", 1, "axes")
        watched(survival.ClinicalCovariates, "fit", 1, "clinical")
        watched(probe, "cox_risk", 3, "cox")  # the fourth array is of the rows to judge
        run_evaluate(root)
    assert {title for title, _ in found} == {"mean", "ridge", "pca", "axes", "clinical", "cox"}
    return found


def test_tables_say_what_was_fitted_on_which_rows(trained: Path) -> None:
    from omicstore.store.splitfile import row_hash

    body = json.loads((trained / "reports/evaluation.json").read_text())
    sidecar = json.loads((trained / "artifacts/aro/sidecar.json").read_text())
    with omicstore.open(trained / "data/store") as store:
        asked = {"cohort": ["AAA", "BBB"], "modalities": list(MODALITIES)}
        held = store.query(**asked).samples
        rows = load(trained / "splits/default")
        parts = {p: held.filter(pl.col("sample_id").is_in(rows.part(0, p))) for p in ("train", "val", "test")}
    ids = {part: frame["sample_id"].to_list() for part, frame in parts.items()}
    assert body["test"]["row_hash"] == row_hash(ids["test"])
    assert sidecar["row_hash"] == {part: row_hash(ids[part]) for part in ("train", "val")}
    for table in body["reconstruction"].values():
        assert table["fitted_on"] == {
            "parts": ["train"],
            "n_samples": len(ids["train"]),
            "row_hash": row_hash(ids["train"]),
        }
    both = parts["train"].filter("has_rna", "has_prot")["sample_id"]
    assert body["imputation"]["fitted_on"]["row_hash"] == row_hash(both)
    survival = body["survival"]
    assert survival["components_fitted_on"]["parts"] == ["train"]
    assert survival["components_fitted_on"]["row_hash"] == row_hash(ids["train"])  # one sample per patient here
    assert survival["fitted_on"]["parts"] == ["train", "val"]
    assert survival["fitted_on"]["n_samples"] == survival["n_fit"]
