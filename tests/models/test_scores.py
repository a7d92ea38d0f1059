"""Scores are those of the libraries they name, and say where they cannot judge."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw
from sksurv.util import Surv

from models.evaluate.censoring import Censoring
from models.evaluate.concordance import harrell
from models.evaluate.curves import LEAST_FOLLOWED, antolini, weighting_horizon
from models.evaluate.resampled import resampled_scores

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it calls torch.jit.script as it is imported
    from torchsurv.metrics.cindex import ConcordanceIndex

PYCOX = json.loads((Path(__file__).parent / "pycox_golden.json").read_text(encoding="utf-8"))

Survival = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def followed(draw: st.DrawFn, *, ties: bool = True) -> Survival:
    """Times, events and risks with ties."""
    n = draw(st.integers(6, 50))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    time = rng.integers(1, 30, n).astype(float) if ties else rng.permutation(n) + 1.0
    event = (rng.random(n) < 0.6).astype(float)
    return time, event, rng.integers(0, 8, n).astype(float)


def uno(train: tuple[np.ndarray, np.ndarray], time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
    return float(Censoring(*train, time, event).uno(risk, np.ones((1, len(time))))[0])


def test_auroc_is_sklearns_and_leaves_out_classes_without_rows() -> None:
    rng = np.random.default_rng(0)
    truth, probabilities = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)
    theirs = roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    more = np.column_stack([probabilities * 0.9, np.full(60, 0.1)])
    for shares in (probabilities, more):
        assert resampled_scores(truth, shares, np.ones((1, 60)))["auroc"][0] == pytest.approx(theirs)
    assert np.isnan(resampled_scores(np.zeros(3, dtype=int), probabilities[:3], np.ones((1, 3)))["auroc"][0])


@given(followed())
@settings(max_examples=40, deadline=None)
def test_uno_is_scikit_survivals_with_the_horizon_as_tau(rows: Survival) -> None:
    time, event, risk = rows
    assume(event.any())
    end = weighting_horizon(time, event, time)
    assume((time[event == 1] < end).any())
    outcome = Surv.from_arrays(event == 1, time)
    try:
        theirs = concordance_index_ipcw(outcome, outcome, risk, tau=end)[0]
    except ZeroDivisionError:
        theirs = np.nan
    assert uno((time, event), time, event, risk) == pytest.approx(theirs, nan_ok=True)


def test_uno_without_censoring_is_harrell_and_without_events_is_nothing() -> None:
    rng = np.random.default_rng(0)
    time, risk, event = rng.permutation(30) + 1.0, rng.normal(size=30), np.ones(30)
    plain = harrell(time, event, risk, np.ones((1, 30)))[0]
    # The horizon is the longest time, so that the last event does not count; nobody could be compared with it.
    assert uno((time, event), time, event, risk) == pytest.approx(plain)
    assert np.isnan(uno((time, event), time, np.zeros(30), risk))


@given(followed(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_antolini_of_one_curve_shifted_is_harrell(rows: Survival, seed: int) -> None:
    time, event, risk = rows
    survival = np.exp(-np.exp(risk - 5)[:, None] * time[None, :] / 30)
    assume(all(len(np.unique(survival[:, j])) == len(np.unique(risk)) for j in range(len(time))))
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(time))).astype(float)
    np.testing.assert_allclose(antolini(time, event, survival, weights), harrell(time, event, risk, weights))


@given(followed(ties=False), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_antolini_is_torchsurvs(rows: Survival, seed: int) -> None:
    time, event, _ = rows
    assume((event[np.argsort(time)][:-1] == 1).any())
    # torchsurv compares in float32: survival must not be so low that all of it is one number.
    hazard = np.random.default_rng(seed).exponential(0.05, size=(len(time), int(time.max())))
    survival = np.exp(-hazard.cumsum(axis=1))[:, (time - 1).astype(int)]
    theirs = ConcordanceIndex()(1 - torch.from_numpy(survival), torch.from_numpy(event == 1), torch.from_numpy(time))
    assert antolini(time, event, survival, np.ones((1, len(time))))[0] == pytest.approx(theirs.item(), abs=1e-6)


def test_antolini_is_pycox() -> None:
    time, event = np.array(PYCOX["time"]), np.array(PYCOX["event"])
    alive = np.exp(-np.logaddexp(0, np.array(PYCOX["logits"])).cumsum(axis=1))
    survival = np.stack([np.interp(time, PYCOX["cuts"], curve) for curve in alive])
    assert antolini(time, event, survival, np.ones((1, len(time))))[0] == pytest.approx(PYCOX["antolini"], abs=1e-9)


def test_antolini_counts_a_draw_as_half_and_needs_a_pair() -> None:
    time, event, same = np.array([1.0, 2.0]), np.array([1.0, 0.0]), np.full((2, 2), 0.5)
    assert antolini(time, event, same, np.ones((1, 2))).tolist() == [0.5]
    assert np.isnan(antolini(time, np.zeros(2), same, np.ones((1, 2)))[0])


@given(followed())
@settings(max_examples=40, deadline=None)
def test_harrell_is_scikit_survivals(rows: Survival) -> None:
    time, event, risk = rows
    assume((time[event == 1] < time.max()).any())
    theirs = concordance_index_censored(event == 1, time, risk)[0]
    assert harrell(time, event, risk, np.ones((1, len(time))))[0] == pytest.approx(theirs)


def test_brier_is_the_mean_of_scikit_survivals_curve_up_to_the_horizon() -> None:
    rng = np.random.default_rng(4)
    time, event = rng.exponential(300, 120) + 1, (rng.random(120) < 0.6).astype(float)
    train_time, train_event = rng.exponential(300, 200) + 1, (rng.random(200) < 0.6).astype(float)
    scale = Censoring(train_time, train_event, time, event)
    times, end = scale.times, scale.horizon
    assert end == weighting_horizon(train_time, train_event, time)
    survival = np.exp(-0.6 * times / 300)[None, :].repeat(120, axis=0)
    found = scale.brier(survival).mean()
    # Cutting off at the horizon changes no score before it; where no cut is needed scikit-survival gives the same.
    cut = Surv.from_arrays((event == 1) & (time < end), np.minimum(time, end))
    _, curve = brier_score(Surv.from_arrays(train_event == 1, train_time), cut, survival, times)
    assert found == pytest.approx(np.trapezoid(curve, times) / (times[-1] - times[0]))
    coin = scale.brier(np.full((120, len(times)), 0.5)).mean()
    assert coin == pytest.approx(0.25, abs=0.05)
    assert found < coin


def test_there_is_no_time_for_the_brier_score_outside_the_follow_up() -> None:
    time, event = np.arange(1.0, 21.0), np.tile([1.0, 0.0], 10)
    beyond = Censoring(time, event, time + 100, event)
    assert not len(beyond.times)
    assert np.isnan(beyond.uno(time, np.ones((1, 20)))[0])
    inside = Censoring(time, event, time, event)
    assert inside.times[0] == 1
    assert inside.times[-1] < inside.horizon


def test_weights_stay_below_their_bound() -> None:
    time, event = np.arange(1.0, 101.0), np.arange(1.0, 101.0) == 100
    assert weighting_horizon(time, event, np.array([1e6])) == pytest.approx(100 * (1 - LEAST_FOLLOWED), abs=1)
    assert weighting_horizon(time, event, np.array([5.0])) == 5


def test_weights_are_made_of_the_training_rows_alone() -> None:
    rng = np.random.default_rng(1)
    time, event, risk = rng.permutation(40) / 4 + 1.0, (rng.random(40) < 0.7).astype(float), rng.normal(size=40)
    train = [(rng.permutation(40) + 1.0, (rng.random(40) < p).astype(float)) for p in (0.4, 0.95)]
    assert len({weighting_horizon(*t, time) for t in train}) == 1
    first, second = (uno(t, time, event, risk) for t in train)
    assert first != second


def test_a_model_that_knows_the_truth_is_better_in_every_score() -> None:
    rng = np.random.default_rng(8)
    rate = np.exp(rng.normal(size=400))
    happens, leaves = rng.exponential(300 / rate), rng.exponential(500, 400)
    time, event = np.minimum(happens, leaves) + 1, (happens <= leaves).astype(float)
    train, test = (time[:200], event[:200]), (time[200:], event[200:])
    scale, ones = Censoring(*train, *test), np.ones((1, 200))

    def scores(rates: np.ndarray) -> dict[str, float]:
        alive = np.exp(-rates[:, None] * test[0] / 300)
        found = {"harrell": harrell(*test, rates, ones), "antolini": antolini(*test, alive, ones)}
        found |= {"uno": scale.uno(rates, ones), "ibs": scale.brier(np.exp(-rates[:, None] * scale.times / 300))}
        return {name: float(values.mean()) for name, values in found.items()}

    known, blind = scores(rate[200:]), scores(rng.permutation(rate[200:]))
    assert known["ibs"] < blind["ibs"]
    assert all(known[c] > 0.65 > 0.58 > blind[c] for c in ("harrell", "uno", "antolini"))
    assert known["antolini"] == pytest.approx(known["harrell"])
