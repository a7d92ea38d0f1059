from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.aro.config import PRESETS, AROConfig, make_config
from models.aro.module import ARO
from models.aro.training import Arrays, Training, run
from models.batch import MultiOmicsBatch
from models.components.losses import observed_huber
from models.components.masking import drop_modalities
from models.module import CAPABILITIES
from omicstore.errors import UnknownNameError, UsageError

AXES = {"rna": 7, "prot": 4}


def batch(n: int = 10) -> MultiOmicsBatch:
    rng = np.random.default_rng(0)
    arrays = {"rna": rng.normal(size=(n, 7)), "prot": rng.normal(size=(n, 4))}
    arrays["prot"][: n // 2] = np.nan
    return MultiOmicsBatch.from_arrays(arrays, [str(i) for i in range(n)], [str(i) for i in range(n)])


def test_count_is_the_published_one() -> None:
    with torch.device("meta"):
        model = ARO({"rna": 50_455, "prot": 20_573, "metab": 66}, PRESETS["paper"])
    assert sum(model.axes.values()) == 71_094
    assert model.n_parameters == 303_863_222


def test_step_at_full_width_on_meta() -> None:
    with torch.device("meta"):
        model = ARO({"rna": 50_455, "prot": 20_639}, PRESETS["default"])
        n = 2
        values = {m: torch.empty(n, f) for m, f in model.axes.items()}
        whole = MultiOmicsBatch(
            values,
            {m: torch.empty(n, f, dtype=torch.bool) for m, f in model.axes.items()},
            torch.empty(n, 2, dtype=torch.bool),
            batch(2).targets,
            ("a", "b"),
            ("a", "b"),
        )
        model.loss(whole).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_capabilities_are_known() -> None:
    assert ARO.capabilities <= CAPABILITIES


def test_paper_output_is_never_negative_and_default_is_linear() -> None:
    torch.manual_seed(0)
    model = ARO(AXES, make_config("paper", {"hidden": 8})).eval()
    assert all((v >= 0).all() for v in model.reconstruct(batch(), list(AXES)).values())
    model = ARO(AXES, make_config("default", {"hidden": 8})).eval()
    assert any((v < 0).any() for v in model.reconstruct(batch(), list(AXES)).values())


def test_embedding_of_one_modality_is_nan_where_absent() -> None:
    torch.manual_seed(0)
    model = ARO(AXES, make_config("small", {"hidden": 8})).eval()
    embedding = model.encode(batch())
    assert embedding.z.shape == (10, 8)
    assert torch.isnan(embedding.per_modality["prot"][:5]).all()
    assert torch.equal(embedding.per_modality["rna"][:5], embedding.z[:5])
    ids, array = model.export_embeddings([batch()])
    assert ids == [str(i) for i in range(10)]
    np.testing.assert_array_equal(array, embedding.z.detach().numpy())


def test_huber_is_torchs_over_observed_entries() -> None:
    rows = batch()
    guess = {m: torch.zeros_like(v) for m, v in rows.values.items()}
    flat = torch.cat([rows.values[m][rows.target_mask(m)] for m in AXES])
    expected = torch.nn.functional.huber_loss(torch.zeros_like(flat), flat)
    torch.testing.assert_close(observed_huber(guess, rows, balance="entries"), expected)
    each = [
        torch.nn.functional.huber_loss(torch.zeros(int(rows.target_mask(m).sum())), rows.values[m][rows.target_mask(m)])
        for m in AXES
    ]
    torch.testing.assert_close(observed_huber(guess, rows, balance="modalities"), torch.stack(each).mean())
    nothing = rows.hide(AXES)
    assert observed_huber(guess, nothing, balance="modalities") == 0


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_masking_leaves_something_and_invents_nothing(probability: float) -> None:
    torch.manual_seed(0)
    present = torch.rand(500, 3) < 0.6
    keep = drop_modalities(present, probability)
    assert not (keep & ~present).any()
    assert torch.equal(keep.any(dim=1), present.any(dim=1))
    if probability == 0:
        assert torch.equal(keep, present)
    if probability == 1:
        assert (keep.sum(dim=1) == present.any(dim=1)).all()


def test_masking_is_even_over_modalities() -> None:
    torch.manual_seed(0)
    keep = drop_modalities(torch.ones(20_000, 2, dtype=torch.bool), 0.5)
    assert keep.float().mean(dim=0).tolist() == pytest.approx([0.625, 0.625], abs=0.02)


def test_val_loss_is_the_same_each_time() -> None:
    torch.manual_seed(0)
    model = ARO(AXES, make_config("small", {"hidden": 8})).eval()
    assert model.loss(batch()) == model.loss(batch())
    model.train()
    assert model.loss(batch()) != model.loss(batch())


def test_settings_are_checked() -> None:
    assert make_config("paper", {}) == PRESETS["paper"]
    assert (PRESETS["paper"].decoder_dropout, PRESETS["paper"].schedule) == (0, "plateau")
    assert make_config("default", {"dropout": 0}) == AROConfig()
    with pytest.raises(UnknownNameError, match="unknown preset of aro 'smal'"):
        make_config("smal", {})
    with pytest.raises(UnknownNameError, match="unknown setting of aro 'hiden'"):
        make_config("small", {"hiden": 3})
    with pytest.raises(UsageError, match=r"train\.config\.hidden is '3'"):
        make_config("small", {"hidden": "3"})


def test_the_cosine_rises_falls_to_0_and_asks_for_no_val_loss() -> None:
    config = make_config("small", {"hidden": 8, "max_epochs": 20})
    found = ARO(AXES, config).configure_optimizers()
    optimizer, schedule = found["optimizer"], found["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(config.max_epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    top = int(np.argmax(rates))
    assert 0 < top <= 4
    assert 0.8 * config.lr < rates[top] <= config.lr
    assert all(np.diff(rates[: top + 1]) > 0)
    assert all(np.diff(rates[top:]) < 0)
    assert rates[-1] < 0.02 * config.lr
    assert "monitor" not in found["lr_scheduler"]


def test_dropout_before_the_output_leaves_the_embedding_whole() -> None:
    torch.manual_seed(0)
    model = ARO(AXES, make_config("small", {"hidden": 64, "input_dropout": 0.0})).train()
    assert torch.equal(model.encode(batch()).z, model.encode(batch()).z)
    first, second = (model.reconstruct(batch(), ["rna"])["rna"] for _ in range(2))
    assert not torch.equal(first, second)


def test_what_is_read_together_is_averaged_in_the_first_layer_unless_as_published() -> None:
    torch.manual_seed(0)
    rows = batch().take(range(5, 10))
    for average in (True, False):
        model = ARO(AXES, make_config("small", {"hidden": 8, "average": average})).eval()
        first = model.encoder[0]
        alone = [first(model._inputs(rows, rows.only([m]).present)) for m in AXES]
        together = first(model._inputs(rows, rows.present))
        expected = (alone[0] + alone[1]) / 2 if average else alone[0] + alone[1] - first.bias
        torch.testing.assert_close(together, expected)
    assert not PRESETS["paper"].average


def linear_rows(n: int, seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    weights = {m: np.random.default_rng(f).normal(size=(2, f)) for m, f in AXES.items()}
    return {m: (hidden @ w + 0.3 * rng.normal(size=(n, w.shape[1]))).astype(np.float32) for m, w in weights.items()}


def asked(**other: Any) -> Training:
    rows = linear_rows(40, 2)
    shown = {"rna": rows["rna"], "prot": np.full_like(rows["prot"], np.nan)}
    config = make_config("small", {"hidden": 64, "max_epochs": 25, "batch_size": 16, "lr": 1e-2})
    return replace(Training(linear_rows(8, 0), linear_rows(120, 1), config, 0, True, ((shown, "prot"),)), **other)


def test_a_refit_reads_val_rows_and_keeps_the_epochs_that_val_chose() -> None:
    once, again = run(asked(refit=False)), run(asked())
    assert once.epochs == again.epochs
    truth = linear_rows(40, 2)["prot"]
    error = [float(np.square(one.guesses[0] - truth).mean()) for one in (once, again)]
    assert error[1] < error[0] < float(np.square(truth).mean())
    np.testing.assert_array_equal(again.guesses[0], run(asked()).guesses[0])


def test_without_a_refit_val_values_decide_nothing_but_the_epoch() -> None:
    config = make_config("small", {"hidden": 8, "max_epochs": 1})
    one, other = (run(asked(config=config, val=linear_rows(80, seed), refit=False)) for seed in (1, 5))
    np.testing.assert_array_equal(one.guesses[0], other.guesses[0])
