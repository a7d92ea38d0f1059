from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from model_runs import content, edited, run_evaluate, run_train

import omicstore
from models.batch import MultiOmicsBatch, Targets
from models.checkpoint import load_checkpoint
from models.datamodule import CohortDataModule
from models.modis.clustering import cauchy_schwarz, cluster_loss, gaussian_kernel
from models.modis.config import PRESETS, MODISConfig, make_config
from models.modis.module import MODIS
from models.module import CAPABILITIES
from models.registry import get_model
from models.transforms.pipeline import fit_pipeline
from omicstore.errors import StudyError, UnknownNameError, UsageError
from omicstore.store.reader import Store

PAPER = {"meth": 367, "rna": 131, "prot": 160}
AXES = {"rna": 7, "prot": 4, "meth": 5}
TINY = {"hidden": 8, "wide_hidden": 8, "latent": 3, "adversary": 8, "n_classes": 3}


def batch(n: int = 12, axes: dict[str, int] = AXES, *, paired: bool = False) -> MultiOmicsBatch:
    """Return rows with one modality each; the first half is labelled."""
    rng = np.random.default_rng(0)
    arrays = {m: rng.normal(size=(n, f)) for m, f in axes.items()}
    if not paired:
        for i, values in enumerate(arrays.values()):
            values[np.arange(n) % len(axes) != i] = np.nan
    targets = Targets.empty(n)
    targets.label[: n // 2] = torch.arange(n // 2) % 3
    ids = [str(i) for i in range(n)]
    return MultiOmicsBatch.from_arrays(arrays, ids, ids, targets)


def tiny(preset: str = "default", **more: object) -> MODIS:
    torch.manual_seed(0)
    return MODIS(AXES, make_config(preset, TINY | more))


def test_counts_are_the_published_ones() -> None:
    with torch.device("meta"):
        model = MODIS(PAPER, PRESETS["paper"])
    own = {m: sum(p.numel() for p in model.autoencoders[m].parameters()) for m in PAPER}
    assert own == {"meth": 1_531_375, "rna": 382_723, "prot": 397_600}
    assert sum(p.numel() for p in model.adversary.parameters()) == 724_744
    assert model.n_parameters == 3_036_442


@pytest.mark.parametrize("preset", ["paper", "default"])
def test_a_step_of_both_sides_at_full_width(preset: str) -> None:
    torch.manual_seed(0)
    model = MODIS(PAPER, PRESETS[preset])
    rows = batch(6, PAPER)
    model.adversary_loss(rows).backward()
    assert all(p.grad is not None for p in model.adversary.parameters())
    assert all(p.grad is None for p in model.autoencoders.parameters())
    model.loss(rows).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_adversary_sees_the_autoencoders_at_rest() -> None:
    model = tiny()
    before = {n: b.clone() for n, b in model.autoencoders.named_buffers()}
    model.adversary_loss(batch())
    assert all(torch.equal(b, before[n]) for n, b in model.autoencoders.named_buffers())
    assert model.training
    assert all(part.training for part in model.autoencoders.modules())


def test_capabilities_and_card() -> None:
    assert MODIS.capabilities == {"missing_modality", "unpaired", "translate"} <= CAPABILITIES
    assert get_model("modis").card()[0]["title"] == "What it is"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_what_a_missing_slot_holds_changes_nothing(preset: str, training: bool) -> None:
    rows, spoilt = batch(), batch()
    for m in AXES:
        spoilt.values[m][~rows.target_mask(m)] = float("nan")
        spoilt.values[m][0] = torch.where(rows.has(m)[0], rows.values[m][0], torch.tensor(1e9))
    found = []
    for each in (rows, spoilt):
        model = tiny(preset).train(training)
        torch.manual_seed(1)
        loss = model.loss(each) + model.adversary_loss(each)
        loss.backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        found.append([loss, model.encode(each).z, *model.reconstruct(each, list(AXES)).values(), *grads])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_latent_of_several_is_the_mean_and_of_none_the_origin() -> None:
    model, rows = tiny().eval(), batch(paired=True)
    embedding = model.encode(rows)
    each = torch.stack(list(embedding.per_modality.values()))
    torch.testing.assert_close(embedding.z, each.mean(dim=0))
    torch.testing.assert_close(model.encode(rows.only(["prot"])).z, embedding.per_modality["prot"])
    assert torch.isnan(model.encode(rows.only(["prot"])).per_modality["rna"]).all()
    assert (model.encode(rows.hide(AXES)).z == 0).all()


def test_any_modality_becomes_any_other_by_its_decoder() -> None:
    model, rows = tiny().eval(), batch(paired=True)
    for source in AXES:
        alone = rows.only([source])
        mu, _ = model._autoencoder(source).encode(rows.values[source])
        for target, guess in model.reconstruct(alone, list(AXES)).items():
            torch.testing.assert_close(guess, model._autoencoder(target).decode(mu))
    chances = model.class_probabilities(rows)
    assert chances.shape == (12, 3)
    torch.testing.assert_close(chances.sum(dim=1), torch.ones(12))


def test_the_paper_draws_a_latent_and_the_default_takes_its_mean() -> None:
    rows = batch()
    model = tiny().eval()
    assert torch.equal(model.encode(rows).z, model.encode(rows).z)
    assert model.loss(rows) == model.loss(rows)
    model = tiny("paper").eval()
    assert not torch.equal(model.encode(rows).z, model.encode(rows).z)


def test_the_published_divergence_grows_with_the_batch_and_the_corrected_one_does_not() -> None:
    rows = batch()
    twice = rows.take([*range(12), *range(12)])
    more = {}
    for kl in ("batch", "sample"):
        found = []
        for each in (rows, twice):
            with_kl, without = (tiny(select="generator", kl=kl, beta=beta).eval().loss(each) for beta in (1.0, 0.0))
            found.append((with_kl - without).item())
        more[kl] = found[1] / found[0]
    assert more == pytest.approx({"batch": 2.0, "sample": 1.0}, rel=1e-4)


def test_labels_count_and_unlabelled_rows_do_not() -> None:
    rows = batch()
    model = tiny().eval()
    other = batch()
    other.targets.label[0] = 2
    assert model.loss(rows) != model.loss(other)
    unlabelled = batch()
    unlabelled.targets.label[:] = -1
    assert torch.isfinite(model.loss(unlabelled))
    assert torch.isfinite(model.adversary_loss(unlabelled))
    # Brier score by hand.
    chances = torch.cat(
        [model.class_probabilities(rows.only([m]))[rows.has(m) & (rows.targets.label >= 0)] for m in AXES]
    )
    label = torch.cat([rows.targets.label[rows.has(m) & (rows.targets.label >= 0)] for m in AXES])
    expected = (chances - torch.nn.functional.one_hot(label, 3)).square().sum(dim=1).reshape(3, -1).mean(dim=1).sum()
    torch.testing.assert_close(model.loss(rows) - model.loss(unlabelled), expected)


def test_a_modality_with_one_row_or_none_is_left_out() -> None:
    model = tiny()
    assert model.loss(batch().take([0])) == 0
    assert torch.isfinite(model.loss(batch().take([0, 1, 3])))
    assert model.adversary_loss(batch().hide(AXES)) == 0


def slow_cluster_loss(hidden: np.ndarray, logits: np.ndarray) -> float:
    """The clustering loss by its definition, one pair at a time."""
    n, k = logits.shape
    assigned = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    squared = np.array([[((a - b) ** 2).sum() for b in hidden] for a in hidden])
    ordered = np.sort(squared.ravel())
    bandwidth = max(0.15 * ordered[(n * n - 1) // 2], 1e-9)
    kernel = np.exp(-squared / (2 * bandwidth))
    sure = np.array([[np.exp(-((a - np.eye(k)[j]) ** 2).sum()) for j in range(k)] for a in assigned])
    total = 0.0
    for columns in (assigned, sure):
        for i in range(k):
            for j in range(i):
                a, b = columns[:, i], columns[:, j]
                under = np.sqrt(max((a @ kernel @ a) * (b @ kernel @ b), 1e-9))
                total += 2 / (k * (k - 1)) * (a @ kernel @ b) / under
    shares = assigned.mean(axis=0)
    return total + float((shares * np.log(shares)).sum())


@pytest.mark.parametrize("n", [2, 9, 16])
def test_cluster_loss_is_its_definition(n: int) -> None:
    rng = np.random.default_rng(n)
    hidden, logits = rng.normal(size=(n, 6)), rng.normal(size=(n, 4))
    found = cluster_loss(torch.tensor(hidden), torch.tensor(logits))
    assert found.item() == pytest.approx(slow_cluster_loss(hidden, logits), rel=1e-4)


def test_good_clusters_cost_less_than_bad_ones() -> None:
    kind = torch.arange(40) % 4
    hidden = 5 * torch.nn.functional.one_hot(kind, 8).float() + 0.1 * torch.rand(
        40, 8, generator=torch.Generator().manual_seed(0)
    )
    right = 10 * torch.nn.functional.one_hot(kind, 4).float()
    wrong = right[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    one = torch.zeros(40, 4)
    one[:, 0] = 10
    costs = [cluster_loss(hidden, logits) for logits in (right, wrong, one)]
    assert costs[0] == min(costs)
    kernel = gaussian_kernel(hidden)
    assert cauchy_schwarz(right.softmax(dim=1), kernel) < 0.1
    assert cauchy_schwarz(torch.full((40, 4), 0.25), kernel) == pytest.approx(1)


def test_equal_hidden_units_give_finite_gradients() -> None:
    hidden, logits = torch.zeros(6, 3, requires_grad=True), torch.zeros(6, 2, requires_grad=True)
    cluster_loss(hidden, logits).backward()
    assert torch.isfinite(hidden.grad).all()
    assert torch.isfinite(logits.grad).all()


def test_settings_are_checked() -> None:
    assert make_config("paper", {}) == PRESETS["paper"]
    assert make_config("default", {"beta": 1}) == MODISConfig(beta=1.0)
    with pytest.raises(UnknownNameError, match="unknown preset of modis 'smal'"):
        make_config("smal", {})
    with pytest.raises(UnknownNameError, match="unknown setting of modis 'hiden'"):
        make_config("small", {"hiden": 3})
    with pytest.raises(UsageError, match=r"train\.config\.hidden is '3'"):
        make_config("small", {"hidden": "3"})


@pytest.fixture
def labelled(study: Path, tmp_path: Path) -> Path:
    """The tiny study, asking for MODIS and its subtypes."""
    root = tmp_path / "study"
    shutil.copytree(study, root)
    edited(root, "train", model="modis", label="subtype", config={"max_epochs": 2, "hidden": 16, "lr": 0.003})
    return root


def test_trained_on_a_store_twice_gives_the_same_bytes_and_loads(labelled: Path) -> None:
    sidecar = run_train(labelled)
    assert sidecar["label"] == {"task": "subtype", "classes": ["S0", "S1", "S2"]}
    first = content(labelled / "artifacts")
    run_train(labelled)
    assert content(labelled / "artifacts") == first
    loaded = load_checkpoint(labelled / "artifacts" / "modis")
    assert loaded.module.config.n_classes == 3
    assert run_evaluate(labelled)["imputation"]


def test_a_model_that_learns_no_labels_says_so(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "study")
    edited(tmp_path / "study", "train", label="subtype")
    with pytest.raises(UsageError, match=r"train\.label is 'subtype', and ARO learns no labels"):
        run_train(tmp_path / "study")


def test_labels_come_from_the_store_and_classes_from_training_rows(study: Path, store: Store) -> None:
    def made(label: str | None) -> CohortDataModule:
        return CohortDataModule(store, study / "splits" / "default", 0, modalities=["rna", "prot"], label=label)

    data = made("subtype")
    known = dict(store.table("labels").filter(pl.col("task") == "subtype").select("patient_id", "label").iter_rows())
    assert data.classes == ("S0", "S1", "S2")
    for part in ("train", "val"):
        rows = data.part(part)
        assert [data.classes[i] for i in rows.targets.label.tolist()] == [known[p] for p in rows.patient_id]
    assert made(None).classes == ()
    assert (made(None).part("val").targets.label == -1).all()
    with pytest.raises(UnknownNameError, match="unknown task of labels 'stage'"):
        made("stage").part("train")


def test_a_label_the_training_rows_lack_is_unknown(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "study")
    split = tmp_path / "study" / "splits" / "default"

    def renamed(name: str, of: set[str]) -> pl.DataFrame:
        labels = original(name)
        if name != "labels":
            return labels
        return labels.with_columns(
            label=pl.when(pl.col("patient_id").is_in(sorted(of))).then(pl.lit("new")).otherwise("label")
        )

    with omicstore.open(tmp_path / "study" / "data" / "store") as store:
        plain = CohortDataModule(store, split, 0, modalities=["rna", "prot"], label="subtype")
        held_out = set(plain.part("val").patient_id)
        data, alone = (CohortDataModule(store, split, 0, modalities=["rna", "prot"], label="subtype") for _ in range(2))
        # The store is seen to be that of the split; only then are its labels changed.
        assert data.manifest.manifest_hash == alone.manifest.manifest_hash
        original = store.table
        store.table = lambda name: renamed(name, held_out)
        assert data.classes == ("S0", "S1", "S2")
        assert (data.part("val").targets.label == -1).all()
        store.table = lambda name: renamed(name, set(plain.part("train").patient_id))
        with pytest.raises(StudyError, match="the training rows have 1 labels of subtype"):
            alone.part("train")


def test_min_max_is_that_of_the_training_rows() -> None:
    values = np.random.default_rng(0).gamma(2, 10, size=(50, 4)).astype(np.float32)
    values[:, 1] = 5.0
    values[3, 2] = np.nan
    fitted = fit_pipeline("minmax", values, list("abcd"), "beta")
    assert fitted.features == ("a", "c", "d")
    assert fitted.dropped == {"near_constant": 1, "never_observed": 0}
    out = fitted.apply(values, list("abcd"))
    np.testing.assert_array_equal(np.nanmin(out, axis=0), 0)
    np.testing.assert_array_equal(np.nanmax(out, axis=0), 1)
    assert np.isnan(out[3, 1])
    assert np.nanmax(fitted.apply(2 * values, list("abcd"))) > 1
    assert [step.name for step in fit_pipeline("minmax", values, list("abcd"), "tpm").steps] == ["log1p", "minmax"]
