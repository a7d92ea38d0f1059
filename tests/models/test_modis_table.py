from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.modis.config import make_config
from models.modis.judge import baselines, class_measures, classes_said, modis_measures
from models.modis.module import MODIS
from models.modis.settings import SETTINGS, Setting
from models.modis.study import make_study
from models.modis.table import Finished, Job, jobs_of, make_table, run_job
from omicstore.simulate.intersim import ClusteredOmics, draw_clusters
from omicstore.simulate.intersim_moments import simulated_moments

MOMENTS = simulated_moments(0, genes=20, cpgs=40, proteins=24)
NAMED = {setting.name: setting for setting in SETTINGS}
SMALL = {"hidden": 16, "wide_hidden": 16, "latent": 4, "adversary": 16, "batch_size": 64, "max_epochs": 2}


def drawn(n: int = 900, delta: float = 2.0) -> ClusteredOmics:
    return draw_clusters(MOMENTS, n, delta=delta, seed=1)


@pytest.mark.parametrize("name", NAMED)
def test_rows_that_train_are_unpaired_and_test_rows_complete(name: str) -> None:
    setting = NAMED[name]
    study = make_study(drawn(), setting, batch_size=50, seed=3)
    train, val, test = (study.parts[p] for p in ("train", "val", "test"))
    assert (train.present.sum(dim=1) == 1).all()
    assert (val.present.sum(dim=1) == 1).all()
    assert test.present.all()
    ids = [set(part.sample_id) for part in (train, val, test)]
    assert len(set.union(*ids)) == sum(map(len, ids))
    assert test.targets.label.tolist() == study.truth["test"].tolist()
    known = train.targets.label >= 0
    assert train.targets.label[known].tolist() == study.truth["train"][known.numpy()].tolist()
    always = np.isin(study.truth["train"], [c for c, m in setting.scarce if m is None])
    assert known.numpy()[always].all()
    assert abs(int(known.sum()) - round(setting.labels * len(train))) <= always.sum()
    for label, modality in setting.scarce:
        for i in range(3) if modality is None else [modality]:
            of = study.truth["train"] == label
            assert int((train.present[:, i].numpy() & of).sum()) == min(setting.rows, 42)


def test_the_scale_is_learned_on_training_rows_alone() -> None:
    plain = drawn()
    study = make_study(plain, NAMED["labels 100%"], batch_size=50, seed=3)
    for m in plain.values:
        own = study.parts["train"].values[m][study.parts["train"].has(m)]
        assert own.min(dim=0).values.abs().max() == 0
        torch.testing.assert_close(own.max(dim=0).values, torch.ones(own.shape[1]))
    held_out = [int(s[1:]) for part in ("val", "test") for s in study.parts[part].sample_id]
    other = drawn()
    for values in other.values.values():
        values[held_out] *= 7
    again = make_study(other, NAMED["labels 100%"], batch_size=50, seed=3)
    for m in plain.values:
        has = study.parts["train"].has(m)
        assert torch.equal(again.parts["train"].values[m][has], study.parts["train"].values[m][has])


def test_baselines_are_what_they_say() -> None:
    study = make_study(drawn(), NAMED["labels 100%"], batch_size=50, seed=3)
    found = baselines(study, seed=0)
    train, test = study.parts["train"], study.parts["test"]
    own = train.values["rna"][train.has("rna")].numpy()
    label = study.truth["train"][train.has("rna").numpy()]
    centre = np.stack([own[label == c].mean(axis=0) for c in range(5)])
    error = np.square(test.values["rna"].numpy() - centre[study.truth["test"]]).mean()
    assert found["class mean"]["mse_prot_rna"] == pytest.approx(error, rel=1e-5)
    assert found["class mean"]["mse_rna_rna"] < found["train mean"]["mse_rna_rna"]
    assert found["logistic"]["accuracy"] > 0.95
    assert set(found["pca"]) == {f"mse_{m}_{m}" for m in ("meth", "rna", "prot")}
    assert "logistic" not in baselines(make_study(drawn(), NAMED["labels 0%"], batch_size=50, seed=3), seed=0)


def test_simple_methods_read_the_labelled_rows_alone_and_know_how_common_classes_are() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], [40, 20, 20])
    values = rng.normal(size=(80, 10)) + 4 * np.eye(10)[label]
    said = classes_said(values, label, values, seed=0)
    assert set(said.pop("majority class")) == {0}
    assert all((own == label).mean() > 0.95 for own in said.values())
    label[60:] = -1
    half = classes_said(values, label, values, seed=0)
    # Of the 60 rows only the principal components read the others.
    known = classes_said(values[:60], label[:60], values, seed=0)
    for method in ("logistic", "random forest", "kNN5"):
        np.testing.assert_array_equal(half[method], known[method])
        assert set(half[method]) == {0, 1}
    one = classes_said(values, np.where(np.arange(80) == 3, 0, -1), values, seed=0)
    assert all((own == 0).all() for own in one.values())


def test_what_is_finished_is_not_run_again(tmp_path: Path) -> None:
    job = Job(NAMED["labels 5%"], 2.0, 0, 300, None, "table", SMALL)
    kept = Finished(tmp_path / "new" / "kept.jsonl")
    assert kept.get(job) is None
    kept.add(job, {"modis": {"accuracy": 0.5}})
    with kept.path.open("a") as file:
        file.write('{"job": "half a li')
    again = Finished(kept.path)
    assert again.get(job) == {"modis": {"accuracy": 0.5}}
    assert again.get(replace(job, seed=1)) is None
    again.add(replace(job, seed=1), {"modis": {"accuracy": 0.25}})
    assert Finished(kept.path).get(replace(job, seed=1)) == {"modis": {"accuracy": 0.25}}
    done: list[int] = []
    body = make_table([job], tmp_path / "table.json", again, advance=lambda: done.append(1))
    assert len(done) == 1
    assert [row["mean"] for row in body["rows"]] == [0.5]


def test_measures_of_classes() -> None:
    truth = np.array([0, 0, 0, 1])
    measures = class_measures(truth, {"rna": np.array([0, 0, 0, 0]), "prot": truth})
    assert measures["accuracy"] == pytest.approx((0.75 + 1) / 2)
    assert measures["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    # All 0: precision 3/4 and recall 1 of class 0, which is 3 of 4 rows; nothing of class 1.
    assert measures["macro_f1"] == pytest.approx((6 / 7 / 2 + 1) / 2)
    assert measures["weighted_f1"] == pytest.approx((6 / 7 * 3 / 4 + 1) / 2)
    assert measures["jaccard"] == pytest.approx((0.375 + 1) / 2)
    assert measures["recall_class_1"] == 0.5


def test_translations_are_compared_with_what_was_measured() -> None:
    study = make_study(drawn(), NAMED["labels 100%"], batch_size=50, seed=3)
    torch.manual_seed(0)
    model = MODIS({m: v.shape[1] for m, v in study.parts["test"].values.items()}, make_config("small", SMALL)).eval()
    measures = modis_measures(model, study)
    test = study.parts["test"]
    guess = model.reconstruct(test.only(["prot"]), ["meth"])["meth"]
    assert measures["mse_prot_meth"] == pytest.approx(
        torch.nn.functional.mse_loss(guess, test.values["meth"]).item(), rel=1e-5
    )
    assert sum(name.startswith("mse_") for name in measures) == 9


def test_a_job_is_the_same_each_time() -> None:
    job = Job(Setting("half", "", labels=0.5), 2.0, 0, 300, None, "table", SMALL)
    first = run_job(job)
    assert first == run_job(job)
    classes = {"majority class", "logistic", "PCA64 + logistic", "random forest", "kNN5"}
    assert set(first) == {"modis", "class mean", "train mean", "pca", "logistic + class mean"} | classes


def test_the_whole_table_has_every_setting_of_the_paper_and_smaller_shifts() -> None:
    jobs = jobs_of(seeds=range(5))
    assert len(jobs) == len({(j.setting.name, j.delta, j.seed) for j in jobs}) == 110
    assert {j.setting.name for j in jobs if j.delta == 2} == set(NAMED)
    assert {j.delta for j in jobs} == {2.0, 0.5, 0.3}
    assert {j.samples for j in jobs} == {11_500}


@pytest.mark.slow
def test_a_table_keeps_the_value_of_each_seed(tmp_path: Path) -> None:
    jobs = [Job(NAMED["labels 5%"], 2.0, seed, 400, None, "table", SMALL) for seed in (0, 1)]
    done: list[int] = []
    body = make_table(
        jobs, tmp_path / "table.json", Finished(tmp_path / "kept.jsonl"), workers=2, advance=lambda: done.append(1)
    )
    assert len(done) == 2
    assert json.loads((tmp_path / "table.json").read_text()) == body
    row = next(r for r in body["rows"] if r["method"] == "modis" and r["measure"] == "accuracy")
    assert row["mean"] == pytest.approx(np.mean(list(row["seeds"].values())), abs=1e-5)
    assert row["published"].startswith("near-perfect")
    apart = next(r for r in body["rows"] if r["method"] == "modis - logistic" and r["measure"] == "accuracy")
    other = next(r for r in body["rows"] if r["method"] == "logistic" and r["measure"] == "accuracy")
    for seed, value in apart["seeds"].items():
        assert value == pytest.approx(row["seeds"][seed] - other["seeds"][seed], abs=2e-6)
    assert apart["low"] <= apart["mean"] <= apart["high"]


@pytest.mark.slow
def test_with_all_labels_classes_are_told_and_translation_reaches_the_class_mean() -> None:
    found = run_job(Job(NAMED["labels 100%"], 2.0, 0, 11_500, None, "table", {}))
    assert found["modis"]["accuracy"] >= 0.999
    for name, floor in found["class mean"].items():
        assert found["modis"][name] <= 1.02 * floor, name
