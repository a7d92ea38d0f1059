"""The survival table, training through `models.train.fit`, and the registry, on a tiny study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from lifelines import CoxPHFitter

from models.checkpoint import load_checkpoint, save_checkpoint
from models.datamodule import CohortDataModule
from models.files import write_json
from models.imputmae.config import FineTuneConfig, make_config
from models.imputmae.fold import _Tuned
from models.imputmae.module import ImpuTMAE
from models.imputmae.rivals import component_risks, with_clinic
from models.imputmae.table import Protocol, survival_table
from models.imputmae.views import View, pretrain, tune
from models.registry import get_model
from models.train import fit
from omicstore.files import sha256_of

if TYPE_CHECKING:
    from omicstore.store.reader import Store

TINY = {"hidden": 16, "layers": 1, "mlp": 32, "decoder_hidden": 16, "patch": 8, "max_epochs": 2, "warm_up": 1}
PROTOCOL = Protocol(
    ("rna", "prot"),
    make_config("small", TINY | {"max_epochs": 1}),
    FineTuneConfig(n_bins=5, max_epochs=1),
    components=5,
    bootstrap=20,
)


def data_of(study: Path, store: Store) -> CohortDataModule:
    return CohortDataModule(store, study / "splits/default", 0, modalities=["rna", "prot"], endpoint="OS", seed=3)


@pytest.mark.parametrize("transform", ["default", "sample_rank", "upper_quartile"])
def test_same_seed_same_bytes(study: Path, store: Store, tmp_path: Path, transform: str) -> None:
    """Trained twice and saved, the weights have the same bytes; another seed gives others. They load again."""
    spec = get_model("imputmae")
    config = spec.make_config("small", TINY | {"transform": transform})
    written = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        data = CohortDataModule(
            store, study / "splits/default", 0, modalities=["rna", "prot"], transform=transform, seed=3
        )
        axes = data.axes
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = spec.build(axes, config)
        best = fit(module, data, config, devices=1, seed=seed, advance=lambda: None)
        folder = tmp_path / name
        write_json(folder / "history.json", best.history)
        sidecar = {
            "model": "imputmae", "preset": "small", "modalities": ["rna", "prot"], "release": store.release,
            "split": {"name": "default", "manifest_hash": data.state.manifest_hash, "fold": 0},
            "selection": {"part": "val", "metric": "loss", "value": best.loss, "epoch": best.epoch},
            "history": {"path": "history.json", "sha256": sha256_of(folder / "history.json")},
        }  # fmt: skip
        save_checkpoint(folder, weights=best.weights, state=data.state, config=config, sidecar=sidecar)
        written.append((folder / "weights.safetensors").read_bytes())
    assert written[0] == written[1] != written[2]
    again = load_checkpoint(tmp_path / "a").module
    assert isinstance(again, ImpuTMAE)
    assert again.config == config
    rows = data.part("val")
    module.load_state_dict(again.state_dict())
    assert torch.equal(again.encode(rows).z, module.cpu().eval().encode(rows).z)


def test_the_card_says_what_a_card_must() -> None:
    titles = [section["title"] for section in get_model("imputmae").card()]
    assert titles == ["What it is", "What it is for", "What differs from the publication", "What it cannot do"]


def test_a_view_reads_its_modalities_and_no_others(study: Path, store: Store) -> None:
    data = data_of(study, store)
    view = View(data, ["prot"], 7, with_follow_up=True)
    whole = data.part("train")
    rows = [row for batch in view.train_dataloader() for row in batch.sample_id]
    expected = whole.has("prot") & torch.isfinite(whole.targets.time)
    assert sorted(rows) == sorted(s for s, kept in zip(whole.sample_id, expected.tolist(), strict=True) if kept)
    for batch in view.val_dataloader():
        assert not batch.has("rna").any()
        assert batch.has("prot").all()
        assert len(batch) <= 7


def test_the_table_is_whole_and_the_same_each_time(study: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.imputmae.rivals._TREES", 10)
    said: list[str] = []
    body = survival_table(store, study / "splits/default", PROTOCOL, folds=[1], say=said.append)
    assert body == survival_table(store, study / "splits/default", PROTOCOL, folds=[1], say=said.append)
    rows = {(r["task"], r["method"], r["measure"]): r for r in body["rows"]}
    survival = {method for task, method, _ in rows if task == "overall survival"}
    ours = {f"ImpuTMAE, {n}" for n in ("rna", "prot", "all", "all, rna imputed", "all, prot imputed")}
    rivals = {f"{m}, {n}" for m in ("ridge", "coxnet", "forest") for n in ("rna", "prot", "all")} | {"MOFA2 + Cox"}
    clinic = {"clinical Cox", "clinical + ImpuTMAE", "clinical + ImpuTMAE, best single"}
    assert ours | clinic | {"ridge, all"} <= survival <= ours | clinic | rivals
    for method in survival:
        measured = {measure for task, m, measure in rows if (task, m) == ("overall survival", method)}
        # A Cox model has no curves of its own here; for one whose curves do not cross Antolini's C is Harrell's.
        assert measured == {"c_harrell", "c_uno"} | ({"c_antolini", "ibs"} if method in ours else set())
        row = rows["overall survival", method, "c_harrell"]
        assert 0 <= row["low"] <= row["high"] <= 1
        assert row["each"] == {"fold 1": row["mean"]}
        uno = rows["overall survival", method, "c_uno"]
        assert uno["low"] <= uno["mean"] <= uno["high"]
    data = data_of(study, store)
    part = CohortDataModule(store, study / "splits/default", 1, modalities=data.modalities, endpoint="OS").part("test")
    able = part.present.all(dim=1) & torch.isfinite(part.targets.time)
    able_patients = {p for p, kept in zip(part.patient_id, able.tolist(), strict=True) if kept}
    assert body["folds"][0]["n_judged"] == len(able_patients)
    for modality, other in (("rna", "prot"), ("prot", "rna")):
        translated = {method for task, method, _ in rows if task == f"{other} to {modality}"}
        assert translated == {"ImpuTMAE", "train mean", "ridge"}
        assert rows[f"{other} to {modality}", "train mean", "pearson"]["mean"] == 0
        itself = {method for task, method, _ in rows if task == f"{modality} from itself"}
        assert itself == {f"ImpuTMAE, {modality}", "ImpuTMAE, all", "train mean"}
    for d in body["differences"]:
        one, two = (rows[d["task"], d[key], d["measure"]]["mean"] for key in ("method", "against"))
        assert d["mean"] == pytest.approx(one - two, abs=2e-6)
    pairs = {(d["method"], d["against"]) for d in body["differences"]}
    assert ("clinical + ImpuTMAE", "clinical Cox") in pairs
    assert ("ImpuTMAE", "ridge") in pairs
    # No modality is picked by its test scores.
    assert {("ImpuTMAE, all", f"ImpuTMAE, {m}") for m in ("rna", "prot")} <= pairs
    assert {(f"ImpuTMAE, {n}", "clinical Cox") for n in ("rna", "prot", "all")} <= pairs


def test_a_fold_tuned_with_more_seeds_answers_by_their_mean(study: Path, store: Store) -> None:
    data = data_of(study, store)
    base = pretrain(data, ("rna",), PROTOCOL)
    tuned = [tune(data, ("rna",), base, replace(PROTOCOL, seed=seed)) for seed in (0, 1)]
    rows = data.part("val").only(["rna"])
    rows = rows.take(torch.nonzero(rows.has("rna"))[:, 0])
    one, two, both = (_Tuned(models, rows) for models in ([tuned[0]], [tuned[1]], tuned))
    assert not np.array_equal(one.risk, two.risk)
    np.testing.assert_allclose(both.risk, (one.risk + two.risk) / 2, rtol=1e-6)
    times = np.array([10.0, 500.0])
    np.testing.assert_allclose(both.curves(times), (one.curves(times) + two.curves(times)) / 2, rtol=1e-6)


# -- simpler models


def outcome(n: int, hazard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    time = rng.exponential(np.exp(-hazard)) * 1000 + 1
    return time, (rng.random(n) < 0.7).astype(float)


def test_simpler_models_find_who_dies_first() -> None:
    pytest.importorskip("sksurv")
    from lifelines.utils import concordance_index

    x = np.random.default_rng(0).normal(size=(300, 12)) * np.linspace(3, 1, 12)
    time, event = outcome(300, x[:, 0])
    train, val = ((x[rows], time[rows], event[rows]) for rows in (slice(0, 150), slice(150, 200)))
    risks = component_risks(train, val, x[200:], components=8, seed=0)
    assert set(risks) == {"ridge", "coxnet", "forest"}
    for risk in risks.values():
        assert concordance_index(time[200:], -risk, event[200:]) > 0.75


def test_a_risk_beside_the_clinic_is_a_cox_model_of_both() -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    clinic, risk = rng.normal(size=(2, 80))
    time, event = outcome(80, clinic + 0.5 * risk)
    found = with_clinic(clinic, risk, time, event, (clinic, risk))
    frame = pd.DataFrame({"a": clinic, "b": risk})
    frame = ((frame - frame.mean()) / frame.std(ddof=0)).assign(t=time, e=event)
    expected = CoxPHFitter(penalizer=0.1).fit(frame, "t", "e")
    np.testing.assert_allclose(found, frame[["a", "b"]] @ expected.params_[["a", "b"]], atol=1e-6)
