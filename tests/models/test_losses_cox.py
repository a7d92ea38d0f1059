"""The Cox loss is Efron's partial likelihood, whatever the rows' order and whatever lies in rows without follow-up."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from models.components.cox import cox_loss, followed

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it calls torch.jit.script as it is imported
    from torchsurv.loss.cox import neg_partial_log_likelihood

NAN = float("nan")

Followed = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@st.composite
def cohorts(draw: st.DrawFn) -> Followed:
    """Log-risks, times with ties, events; at least one event."""
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    time, event = rng.integers(1, draw(st.integers(2, 40)), n), rng.random(n) < draw(st.floats(0.2, 1.0))
    assume(event.any())
    return (
        torch.from_numpy(rng.normal(0, 2, n)),
        torch.from_numpy(time.astype(np.float32)),
        torch.from_numpy(event.astype(np.float32)),
    )


def by_definition(risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> float:
    total = 0.0
    for at in torch.unique(time[event == 1]):
        tied = (time == at) & (event == 1)
        there, own, m = risk[time >= at].exp().sum(), risk[tied].exp().sum(), int(tied.sum())
        total += sum(float((there - r / m * own).log()) for r in range(m)) - float(risk[tied].sum())
    return total / float(event.sum())


@given(cohorts())
@settings(max_examples=60, deadline=None)
def test_it_is_efrons_definition(cohort: Followed) -> None:
    assert cox_loss(*cohort).item() == pytest.approx(by_definition(*cohort), rel=1e-9, abs=1e-9)


@given(cohorts())
@settings(max_examples=60, deadline=None)
def test_it_is_torchsurvs_where_events_share_a_time(cohort: Followed) -> None:
    risk, time, event = cohort
    # Without ties among the events torchsurv leaves some of those censored at an event's time out of the risk set.
    assume(len(torch.unique(time[event == 1])) < int(event.sum()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = neg_partial_log_likelihood(risk.float(), event.bool(), time, ties_method="efron", reduction="sum")
    assert cox_loss(risk.float(), time, event).item() * event.sum().item() == pytest.approx(theirs.item(), rel=1e-4)


def test_lifelines_estimate_is_its_minimum_and_has_its_value() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(80, 3))
    time, event = np.ceil(rng.exponential(np.exp(-x[:, 0])) * 10), (rng.random(80) < 0.6).astype(float)
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(time=time, event=event)
    fitted = CoxPHFitter().fit(frame, "time", "event")
    beta = torch.tensor(fitted.params_.to_numpy(), requires_grad=True)
    loss = cox_loss(torch.from_numpy(x) @ beta, torch.from_numpy(time), torch.from_numpy(event))
    loss.backward()
    assert -loss.item() * event.sum() == pytest.approx(fitted.log_likelihood_, rel=1e-9)
    assert beta.grad is not None
    assert beta.grad.abs().max() < 1e-5


@given(cohorts(), st.floats(-1e3, 1e3), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_neither_a_constant_nor_the_order_of_the_rows_changes_it(cohort: Followed, constant: float, random) -> None:
    risk, time, event = cohort
    order = list(range(len(risk)))
    random.shuffle(order)
    found = cox_loss(risk, time, event).item()
    assert cox_loss(risk + constant, time, event).item() == pytest.approx(found, rel=1e-7, abs=1e-9)
    assert cox_loss(risk[order], time[order], event[order]).item() == pytest.approx(found, rel=1e-9, abs=1e-12)


@given(cohorts(), st.sampled_from([(NAN, 1.0), (5.0, NAN), (NAN, NAN), (float("inf"), 1.0)]))
@settings(max_examples=30, deadline=None)
def test_rows_without_follow_up_are_not_there(cohort: Followed, unknown: tuple[float, float]) -> None:
    risk, time, event = cohort
    alone = risk.clone().requires_grad_()
    cox_loss(alone, time, event).backward()
    more = torch.cat([torch.tensor([1e30, NAN], dtype=risk.dtype), risk]).requires_grad_()
    found = cox_loss(
        more,
        torch.cat([torch.tensor([unknown[0]] * 2), time]),
        torch.cat([torch.tensor([unknown[1]] * 2), event]),
    )
    found.backward()
    assert found.item() == pytest.approx(cox_loss(risk, time, event).item())
    assert more.grad is not None
    torch.testing.assert_close(more.grad[2:], alone.grad)
    assert (more.grad[:2] == 0).all()


def test_gradients_are_right_and_stay_finite_far_out() -> None:
    rng = np.random.default_rng(1)
    time = torch.from_numpy(rng.integers(1, 6, 20).astype(np.float32))
    event = torch.from_numpy((rng.random(20) < 0.6).astype(np.float32))
    risk = torch.from_numpy(rng.normal(size=20)).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: cox_loss(r, time, event), (risk,))
    far = (risk.detach().float() * 1000).requires_grad_()
    loss = cox_loss(far, time, event)
    loss.backward()
    assert loss.isfinite()
    assert far.grad is not None
    assert far.grad.isfinite().all()
    assert far.grad.sum().abs() < 1e-4


@pytest.mark.parametrize("event", [0.0, NAN])
def test_without_an_event_there_is_nothing_to_learn(event: float) -> None:
    risk = torch.randn(4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = cox_loss(risk, torch.arange(4.0), torch.full((4,), event))
    loss.backward()
    assert loss.item() == 0
    assert risk.grad is not None
    assert (risk.grad == 0).all()


def test_half_precision_is_summed_in_float32_and_meta_tensors_pass() -> None:
    risk, time, event = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([1.0, 2.0, 2.0]), torch.ones(3)
    assert cox_loss(risk.bfloat16(), time, event).dtype == torch.float32
    assert cox_loss(risk.bfloat16(), time, event).item() == pytest.approx(cox_loss(risk, time, event).item())
    assert cox_loss(risk.to("meta"), time.to("meta"), event.to("meta")).shape == ()


def test_follow_up_needs_both() -> None:
    assert followed(torch.tensor([1.0, NAN, 1.0]), torch.tensor([0.0, 1.0, NAN])).tolist() == [True, False, False]
