from __future__ import annotations

import numpy as np
import pytest
import torch

from models.aro.config import PRESETS, AROConfig, make_config
from models.aro.module import ARO
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
    assert make_config("default", {"dropout": 0}) == AROConfig()
    with pytest.raises(UnknownNameError, match="unknown preset of aro 'smal'"):
        make_config("smal", {})
    with pytest.raises(UnknownNameError, match="unknown setting of aro 'hiden'"):
        make_config("small", {"hiden": 3})
    with pytest.raises(UsageError, match=r"train\.config\.hidden is '3'"):
        make_config("small", {"hidden": "3"})
