from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx.experimental import _config as fx_config

from models.batch import MultiOmicsBatch, Targets
from models.imputmae.config import FINE_TUNE, PRESETS, ImpuTMAEConfig, make_config
from models.imputmae.masking import hide_tokens, n_visible
from models.imputmae.module import ImpuTMAE
from models.imputmae.tokens import FeatureLayout, ImageLayout, Layout, VectorLayout, positions
from models.imputmae.vit import blocks
from models.module import CAPABILITIES
from omicstore.errors import UnknownNameError, UsageError

AXES = {"rna": 37, "meth": 22}
TINY = make_config("small", {"hidden": 16, "layers": 1, "mlp": 32, "decoder_hidden": 16, "patch": 8, "dropout": 0.0})


def batch(n: int = 10, seed: int = 0) -> MultiOmicsBatch:
    rng = np.random.default_rng(seed)
    arrays = {m: rng.normal(size=(n, f)) for m, f in AXES.items()}
    arrays["meth"][: n // 2] = np.nan
    arrays["rna"][-1] = np.nan
    arrays["rna"][0, 3] = np.nan
    names = [str(i) for i in range(n)]
    return MultiOmicsBatch.from_arrays(arrays, names, names)


def model(config: ImpuTMAEConfig = TINY, **more: int) -> ImpuTMAE:
    torch.manual_seed(0)
    return ImpuTMAE(AXES | more, config).eval()


def garbage(rows: MultiOmicsBatch, what: float) -> MultiOmicsBatch:
    """Fill every slot that nothing was observed in."""
    full = {m: torch.where(rows.target_mask(m), v, what) for m, v in rows.values.items()}
    return replace(rows, values=full)


# -- sizes


def n_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_layers_have_the_published_size() -> None:
    with torch.device("meta"):
        small, large = blocks(256, 6, 4, 1024, 0.1), blocks(768, 6, 12, 3072, 0.1)
    assert [n_parameters(layer) for layer in small.layers] == [789_760] * 6
    assert [n_parameters(layer) for layer in large.layers] == [7_087_872] * 6
    assert n_parameters(small.layers) == 4_738_560
    assert n_parameters(large.layers) == 42_527_232


@pytest.mark.parametrize(("preset", "layers"), [("paper", 4_738_560), ("paper-large", 42_527_232)])
def test_presets_have_the_published_size(preset: str, layers: int) -> None:
    config = PRESETS[preset]
    with torch.device("meta"):
        own = ImpuTMAE({"rna": 16_304, "meth": 25_978}, config)
    d, e, p = config.hidden, config.decoder_hidden, 512
    assert {m: layout.n_tokens for m, layout in own.layouts.items()} == {"rna": 32, "meth": 51}
    encoder = layers + 2 * d + (p * d + d) + d  # the layers, a norm, the patches, the class token
    assert {m: n_parameters(part) for m, part in own.encoders.items()} == {"rna": encoder, "meth": encoder}
    decoder_layer = 4 * e * e + 2 * e * config.decoder_mlp + 9 * e + config.decoder_mlp
    heads = 2 * (e * p + p)
    tokens = 3 * e  # one mask token, two modalities
    assert own.decoder.blocks.num_layers == config.decoder_layers
    decoder = config.decoder_layers * decoder_layer + 2 * e + (d * e + e) + heads + tokens
    assert n_parameters(own.decoder) == decoder
    assert own.n_parameters == 2 * encoder + decoder


@pytest.mark.parametrize("preset", ["paper", "paper-large", "default"])
def test_step_at_full_width_on_meta(preset: str) -> None:
    axes, n = {"rna": 16_304, "meth": 25_978}, 2
    # On the meta device nobody knows which rows have a modality: all do.
    with torch.device("meta"), fx_config.patch(meta_nonzero_assume_all_nonzero=True):
        own = ImpuTMAE(axes, PRESETS[preset])
        whole = MultiOmicsBatch(
            {m: torch.empty(n, f) for m, f in axes.items()},
            {m: torch.empty(n, f, dtype=torch.bool) for m, f in axes.items()},
            torch.empty(n, 2, dtype=torch.bool),
            Targets.empty(n),
            ("a", "b"),
            ("a", "b"),
        )
        own.loss(whole).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in own.parameters())


# -- tokens

LAYOUTS: list[Layout] = [
    VectorLayout(37, 8),
    VectorLayout(37, 8, shared=False),
    ImageLayout(side=32, patch=16),
    ImageLayout(side=32, patch=16, tiles=3),
    FeatureLayout(vectors=4, width=6),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_token_is_of_its_own_numbers_and_they_of_it(layout: Layout) -> None:
    torch.manual_seed(0)
    embed, read_out = layout.embed(12), layout.read_out(12)
    values = torch.randn(2, layout.n_features)
    before = embed(values)
    assert before.shape == (2, layout.n_tokens, 12)
    assert read_out(before).shape == values.shape
    for token in range(layout.n_tokens):
        one = torch.zeros(1, layout.n_tokens, dtype=torch.bool)
        one[0, token] = True
        own = layout.spread(one)
        assert own.any()
        assert torch.equal(layout.seen(own), one)
        moved = embed(values + own) != before
        assert torch.equal(moved.any(dim=2), one.expand(2, -1))
        written = read_out(before + one[:, :, None]) != read_out(before)
        assert not (written & ~own).any()
        assert written.any()
    every = sum(layout.spread(torch.eye(layout.n_tokens)[i : i + 1]) for i in range(layout.n_tokens))
    assert (every == 1).all()


def test_rows_that_hide_a_modality_show_their_others_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    own, rows = model(replace(TINY, mask=0.5)), batch()
    read, said = own._read, []
    monkeypatch.setattr(own, "_read", lambda b, visible, share: said.append(visible) or read(b, visible, share))
    own.loss(rows)
    seen, both = own.seen(rows), rows.present.all(dim=1)
    assert len(said) == 3  # all that is there, then each modality hidden in turn
    for hidden, other, visible in (("rna", "meth", said[1]), ("meth", "rna", said[2])):
        assert not visible[hidden][both].any()
        assert torch.equal(visible[other][both], seen[other][both])
    for m, visible in said[0].items():
        assert (visible.sum(dim=1) == seen[m].sum(dim=1) // 2).all()


def test_positions_are_sines_and_cosines() -> None:
    where = positions(5, 8).numpy()
    rate = 10_000.0 ** (-np.arange(0, 8, 2) / 8)
    expected = np.concatenate([np.sin(np.arange(5)[:, None] * rate), np.cos(np.arange(5)[:, None] * rate)], axis=1)
    np.testing.assert_allclose(where, expected, atol=1e-6)


def test_slides_are_read_where_a_batch_has_them() -> None:
    """Squares of an image, and feature vectors, beside genes."""
    layouts = {"image": ImageLayout(side=32, patch=16), "slide": FeatureLayout(vectors=4, width=6)}
    axes = {"rna": 37} | {m: layout.n_features for m, layout in layouts.items()}
    rng = np.random.default_rng(0)
    names = ["a", "b", "c"]
    rows = MultiOmicsBatch.from_arrays({m: rng.normal(size=(3, f)) for m, f in axes.items()}, names, names)
    torch.manual_seed(0)
    own = ImpuTMAE(axes, TINY, layouts)
    own.loss(rows).backward()
    assert all(p.grad is not None for p in own.parameters())
    guess = own.eval().reconstruct(rows.only(["rna"]), ["image", "slide"])
    assert {m: g.shape[1] for m, g in guess.items()} == {"image": 3 * 32 * 32, "slide": 24}


# -- masks


@pytest.mark.parametrize(("n", "share", "stay"), [(51, 0.5, 25), (32, 0.5, 16), (64, 0.75, 16), (10, 0.0, 10)])
def test_masks_hide_their_share_evenly(n: int, share: float, stay: int) -> None:
    torch.manual_seed(0)
    assert n_visible(n, share) == stay
    visible = hide_tokens(torch.ones(4000, n, dtype=torch.bool), share, None)
    assert (visible.sum(dim=1) == stay).all()
    assert visible.float().mean(dim=0).tolist() == pytest.approx([stay / n] * n, abs=0.04)


def test_masks_share_out_what_was_seen() -> None:
    torch.manual_seed(0)
    seen = torch.rand(500, 12) < 0.6
    visible = hide_tokens(seen, 0.5, None)
    assert not (visible & ~seen).any()
    assert torch.equal(visible.sum(dim=1), seen.sum(dim=1) // 2)


def test_what_a_step_hides_is_not_read() -> None:
    """The prediction of a masked patch does not move with what lies in it; with a visible one it does."""
    own, rows = model(), batch()
    seen = own.seen(rows)
    visible = {m: hide_tokens(s, 0.5, torch.Generator().manual_seed(1)) for m, s in seen.items()}
    before = own.decoder(own._read(rows, visible, 0.5))
    hidden = {m: own.layouts[m].spread(seen[m] & ~visible[m]) for m in AXES}
    moved = replace(rows, values={m: torch.where(hidden[m], 1e6, v) for m, v in rows.values.items()})
    after = own.decoder(own._read(moved, visible, 0.5))
    assert all(torch.equal(before[m], after[m]) for m in AXES)
    moved = replace(rows, values={m: torch.where(hidden[m], v, v + 1) for m, v in rows.values.items()})
    assert any((before[m] != g).any() for m, g in own.decoder(own._read(moved, visible, 0.5)).items())


# -- what is missing


def test_nothing_is_read_where_nothing_was_measured() -> None:
    own, rows = model(), batch()
    for filled in (garbage(rows, 1e30), garbage(rows, float("nan"))):
        assert torch.equal(own.encode(filled).z, own.encode(rows).z)
        for m, guess in own.reconstruct(filled, list(AXES)).items():
            assert torch.equal(guess, own.reconstruct(rows, list(AXES))[m])
        assert torch.equal(own.loss(filled), own.loss(rows))
        own.zero_grad()
        own.loss(filled).backward()
        assert all(torch.isfinite(p.grad).all() for p in own.parameters())


def test_the_encoder_of_a_missing_modality_is_not_run() -> None:
    own, rows = model(), batch()
    ran: dict[str, list[int]] = {m: [] for m in AXES}
    for m, encoder in own.encoders.items():
        encoder.blocks.register_forward_pre_hook(lambda _, args, m=m: ran[m].append(len(args[0])))
    own._read(rows, own.seen(rows))
    assert ran == {"rna": [9], "meth": [5]}
    own._read(rows.only(["rna"]), own.seen(rows.only(["rna"])))
    assert ran == {"rna": [9, 9], "meth": [5]}


def test_a_missing_modality_is_out_of_the_loss() -> None:
    """The val loss of rows without methylation is that of genes alone, and no methylation head gets a gradient."""
    own = model(replace(TINY, mask_modality=0.0))
    rows = batch().take([0, 1, 2, 3, 4])
    own.loss(rows).backward()
    assert all(p.grad is None or not p.grad.any() for p in own.decoder.heads["meth"].parameters())
    assert all(p.grad is None for p in own.encoders["meth"].parameters())
    assert any(p.grad.any() for p in own.decoder.heads["rna"].parameters())


def test_only_hidden_and_observed_values_are_scored() -> None:
    own, rows = model(replace(TINY, mask_modality=0.0)), batch()
    generator = torch.Generator().manual_seed(0)
    seen, errors = own.seen(rows), []
    visible = {m: hide_tokens(s, 0.5, generator) for m, s in seen.items()}
    for m, guess in own.decoder(own._read(rows, visible, 0.5)).items():
        assert guess.shape == rows.values[m].shape  # what fills up the last patch is no output at all
        scored = own.layouts[m].spread(seen[m] & ~visible[m]) & rows.target_mask(m)
        errors.append(((guess - rows.values[m])[scored] ** 2).mean())
    torch.testing.assert_close(own.loss(rows), torch.stack(errors).mean())


def test_padding_of_the_last_patch_is_nothing() -> None:
    layout = VectorLayout(10, 8)
    assert layout.seen(torch.zeros(1, 10, dtype=torch.bool)).tolist() == [[False, False]]
    only_first = torch.arange(10)[None] < 8
    assert layout.seen(only_first).tolist() == [[True, False]]
    assert layout.padded(torch.ones(1, 10))[0, 10:].tolist() == [0.0] * 6


def test_rows_do_not_depend_on_each_other() -> None:
    own, rows = model(), batch()
    whole = own.reconstruct(rows, ["meth"])["meth"]
    alone = torch.cat([own.reconstruct(rows.take([i]), ["meth"])["meth"] for i in range(len(rows))])
    torch.testing.assert_close(whole, alone, rtol=1e-4, atol=1e-5)


def test_completing_keeps_what_was_measured() -> None:
    own, rows = model(), batch()
    whole = own.complete(rows)
    assert whole.present.all()
    for m in AXES:
        torch.testing.assert_close(whole.values[m][rows.has(m)], rows.values[m][rows.has(m)], equal_nan=True)
        assert torch.equal(whole.observed[m][rows.has(m)], rows.observed[m][rows.has(m)])
        assert torch.isfinite(whole.values[m][~rows.has(m)]).all()
        assert whole.observed[m][~rows.has(m)].all()


def test_embedding_of_one_modality_is_nan_where_absent() -> None:
    own, rows = model(), batch()
    found = own.encode(rows)
    assert found.z.shape == (10, 2 * TINY.hidden)
    assert torch.isnan(found.per_modality["meth"][:5]).all()
    torch.testing.assert_close(found.per_modality["rna"][:5], found.z[:5])


def test_a_present_patch_is_given_back_without_being_read() -> None:
    own, rows = model(), batch(6)
    before = own.reconstruct(rows, ["rna"])["rna"]
    first = torch.arange(AXES["rna"]) < TINY.patch
    moved = replace(rows, values=rows.values | {"rna": torch.where(first, 1e6, rows.values["rna"])})
    after = own.reconstruct(moved, ["rna"])["rna"]
    assert torch.equal(before[:, first], after[:, first])
    assert (before[:-1, ~first] != after[:-1, ~first]).any()


# -- learning


def test_it_learns_more_than_the_training_mean() -> None:
    """Two factors behind both modalities: hidden patches and a hidden modality are known from the rest."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(64, 2))
    names = [str(i) for i in range(64)]
    arrays = {m: factors @ rng.normal(size=(2, f)) + 0.1 * rng.normal(size=(64, f)) for m, f in AXES.items()}
    arrays = {m: (a - a.mean(axis=0)) / a.std(axis=0) for m, a in arrays.items()}
    rows = MultiOmicsBatch.from_arrays(arrays, names, names)
    own = model().train()
    optimizer = torch.optim.AdamW(own.parameters(), lr=5e-3)
    for _ in range(100):
        optimizer.zero_grad()
        own.loss(rows).backward()
        optimizer.step()
    own.eval()
    with torch.no_grad():
        own_error = {m: ((g - rows.values[m]) ** 2).mean().item() for m, g in own.reconstruct(rows, list(AXES)).items()}
        cross = own.reconstruct(rows.only(["rna"]), ["meth"])["meth"]
    assert max(own_error.values()) < 0.5  # the mean has 1
    assert ((cross - rows.values["meth"]) ** 2).mean().item() < 0.5


def test_half_precision_gives_about_the_same_loss() -> None:
    own, rows = model(), batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = own.loss(rows)
        half.backward()
        assert torch.isfinite(own.reconstruct(rows, ["meth"])["meth"]).all()
    torch.testing.assert_close(half.float(), own.loss(rows), rtol=0.05, atol=0.0)
    assert all(torch.isfinite(p.grad).all() for p in own.parameters())


def test_val_loss_is_the_same_each_time() -> None:
    own = model()
    assert own.loss(batch()) == own.loss(batch())
    own.train()
    assert own.loss(batch()) != own.loss(batch())


# -- settings


def test_capabilities_are_known() -> None:
    assert ImpuTMAE.capabilities <= CAPABILITIES


def test_settings_are_checked() -> None:
    assert set(FINE_TUNE) == set(PRESETS)
    assert make_config("paper", {}) == PRESETS["paper"]
    assert make_config("default", {"dropout": 0}).dropout == 0.0
    with pytest.raises(UnknownNameError, match="unknown preset of imputmae 'smal'"):
        make_config("smal", {})
    with pytest.raises(UnknownNameError, match="unknown setting of imputmae 'hiden'"):
        make_config("small", {"hiden": 3})
    with pytest.raises(UsageError, match=r"train\.config\.hidden is '3'"):
        make_config("small", {"hidden": "3"})
