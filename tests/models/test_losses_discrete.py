"""Both conventions of survival in bins: where the bins lie, what the losses are, how a curve is read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.components.discrete import interpolate, logistic_hazard_loss, mahmood_nll_loss, survival_curve
from models.components.time_bins import N_BINS, TimeBins
from omicstore.errors import UsageError

#: What pycox 0.3.0 gives; the file says how.
PYCOX = json.loads((Path(__file__).parent / "pycox_golden.json").read_text(encoding="utf-8"))

TIME, EVENT, LOGITS = (torch.tensor(PYCOX[k]) for k in ("time", "event", "logits"))
IDS = [f"s{i:02d}" for i in range(len(TIME))]
KNOWN = torch.ones(len(TIME), dtype=torch.bool)

Binned = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def fit(convention: str, n_bins: int | None = None) -> TimeBins:
    return TimeBins.fit(convention, TIME.numpy(), EVENT.numpy(), IDS, n_bins=n_bins)


@st.composite
def binned(draw: st.DrawFn) -> Binned:
    n, bins = draw(st.integers(1, 12)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits, index, event = rng.normal(0, 2, (n, bins)), rng.integers(0, bins, n), rng.random(n) < 0.5
    return torch.from_numpy(logits), torch.from_numpy(index), torch.from_numpy(event)


def test_logistic_hazard_is_pycox() -> None:
    bins = fit("logistic_hazard", 6)
    edges = torch.tensor(bins.edges)
    assert list(bins.edges) == PYCOX["cuts"]
    index, seen = bins.assign(TIME, EVENT, edges)
    assert (index.tolist(), seen.float().tolist()) == (PYCOX["index"], PYCOX["seen"])
    later, censored = bins.assign(torch.tensor(PYCOX["new_time"]), torch.tensor(PYCOX["new_event"]), edges)
    assert (later.tolist(), censored.float().tolist()) == (PYCOX["new_index"], PYCOX["new_seen"])
    assert logistic_hazard_loss(LOGITS, index, seen, KNOWN).item() == pytest.approx(PYCOX["loss"], rel=1e-6)
    each = [logistic_hazard_loss(LOGITS, index, seen, torch.arange(len(TIME)) == i).item() for i in range(len(TIME))]
    assert each == pytest.approx(PYCOX["loss_each"], rel=1e-5)
    curves = interpolate(edges, survival_curve(LOGITS[:3]), torch.tensor(PYCOX["interpolated_times"]))
    np.testing.assert_allclose(curves.numpy(), PYCOX["interpolated"], atol=1e-6)


def test_mahmood_bins_are_pandas_quantiles_of_the_events() -> None:
    bins = fit("mahmood_nll", 4)
    time = TIME.numpy().astype(float)
    _, inner = pd.qcut(time[EVENT.numpy() == 1], q=4, retbins=True, labels=False)
    inner[0], inner[-1] = time.min() - 1e-6, time.max() + 1e-6
    theirs = pd.cut(time, bins=inner, labels=False, right=False, include_lowest=True)
    index, seen = bins.assign(TIME, EVENT, torch.tensor(bins.edges))
    assert index.tolist() == theirs.tolist()
    assert seen.tolist() == (EVENT == 1).tolist()
    assert (bins.edges[0], bins.edges[-1]) == (TIME.min().item(), TIME.max().item())
    outside, _ = bins.assign(torch.tensor([0.0, 1e6]), torch.ones(2), torch.tensor(bins.edges))
    assert outside.tolist() == [0, 3]


@given(binned(), st.floats(0, 0.9))
@settings(max_examples=40, deadline=None)
def test_the_losses_are_their_formulas(batch: Binned, alpha: float) -> None:
    logits, index, event = batch
    hazard = torch.sigmoid(logits).tolist()
    summed, weighted = 0.0, 0.0
    for h, y, died in zip(hazard, index.tolist(), event.tolist(), strict=True):
        before = math.prod(1 - p for p in h[:y])
        own = h[y] if died else 1 - h[y]
        summed -= math.log(before) + math.log(own)
        weighted -= (math.log(before) + math.log(own)) * (1 if died else 1 - alpha)
    known = torch.ones(len(index), dtype=torch.bool)
    assert logistic_hazard_loss(logits, index, event, known).item() == pytest.approx(summed / len(index))
    found = mahmood_nll_loss(logits, index, event, known, alpha=alpha, eps=1e-300).item()
    assert found == pytest.approx(weighted / len(index), abs=1e-9)


@given(binned())
@settings(max_examples=20, deadline=None)
def test_unknown_rows_are_never_read(batch: Binned) -> None:
    logits, index, event = batch
    known = torch.ones(len(index), dtype=torch.bool)
    more = torch.cat([logits, torch.full((2, logits.shape[1]), 3.0, dtype=logits.dtype)]).requires_grad_()
    rows = torch.cat([index, index[:1].repeat(2)]), torch.cat([event, event[:1].repeat(2)])
    for loss in (logistic_hazard_loss, lambda *a: mahmood_nll_loss(*a, alpha=0.5)):
        mixed = loss(more, *rows, torch.cat([known, torch.zeros(2, dtype=torch.bool)]))
        assert mixed.item() == pytest.approx(loss(logits, index, event, known).item())
        (gradient,) = torch.autograd.grad(mixed, more)
        assert (gradient[-2:] == 0).all()
        assert gradient.isfinite().all()
        assert loss(more, *rows, torch.zeros(len(more), dtype=torch.bool)).item() == 0


def test_gradients_are_right_and_stay_finite_far_out() -> None:
    index, event = torch.tensor([0, 2, 3]), torch.tensor([True, False, True])
    known = torch.ones(3, dtype=torch.bool)
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    far = (logits.detach().float() * 1e4).requires_grad_()
    for loss in (logistic_hazard_loss, lambda *a: mahmood_nll_loss(*a, alpha=0.3)):
        assert torch.autograd.gradcheck(lambda x, f=loss: f(x, index, event, known), (logits,))
        (gradient,) = torch.autograd.grad(loss(far, index, event, known), far)
        assert gradient.isfinite().all()


def test_bins_do_not_depend_on_the_order_and_say_what_they_saw() -> None:
    for convention in N_BINS:
        bins = fit(convention, 4)
        order = np.random.default_rng(0).permutation(len(IDS))
        again = TimeBins.fit(convention, TIME.numpy()[order], EVENT.numpy()[order], [IDS[i] for i in order], n_bins=4)
        assert again == bins
        assert again.hash == bins.hash
        assert TimeBins.from_json(bins.to_json()) == bins
        other = EVENT.numpy().copy()
        other[3] = 1 - other[3]
        assert TimeBins.fit(convention, TIME.numpy(), other, IDS, n_bins=4).hash != bins.hash


def test_rows_without_follow_up_are_not_among_those_seen() -> None:
    time, event = TIME.numpy().copy(), EVENT.numpy().copy()
    time[0], event[1] = np.nan, np.nan
    bins = TimeBins.fit("logistic_hazard", time, event, IDS, n_bins=5)
    assert bins == TimeBins.fit("logistic_hazard", time[2:], event[2:], IDS[2:], n_bins=5)
    assert bins.fitted_on == tuple(IDS[2:])


def test_changed_bins_are_refused() -> None:
    bins = fit("logistic_hazard", 6)
    with pytest.raises(UsageError, match="time bins are not what they were written as"):
        TimeBins.from_json(bins.to_json().replace("20.0", "21.0"))


@pytest.mark.parametrize(
    ("time", "event", "n_bins", "message"),
    [
        ([1.0, 2.0], [0.0, 0.0], 2, "0 events in 2 followed rows"),
        ([-1.0, 2.0], [1.0, 1.0], 2, "shortest time -1 days"),
        ([np.nan, 2.0], [1.0, np.nan], 2, "0 events in 0 followed rows"),
        ([1.0, 1.0, 1.0, 2.0], [1.0, 1.0, 1.0, 0.0], 4, "4 bins of 3 events' times do not all differ"),
        ([1.0, 2.0], [1.0, 1.0], 1, "1 bins"),
    ],
)
def test_what_cannot_be_binned(time: list[float], event: list[float], n_bins: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TimeBins.fit("mahmood_nll", np.array(time), np.array(event), list("abcd")[: len(time)], n_bins=n_bins)


def test_the_longest_time_lies_in_the_last_bin_though_batches_are_float32() -> None:
    time = np.array([0.1, 7.7, 1234.567891])
    bins = TimeBins.fit("logistic_hazard", time, np.ones(3), list("abc"), n_bins=3)
    index, seen = bins.assign(torch.from_numpy(time.astype(np.float32)), torch.ones(3), torch.tensor(bins.edges))
    assert index[-1] == 2
    assert seen.all()
