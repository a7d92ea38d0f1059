"""Scores are those of the libraries they name, refuse what they cannot judge, and do not depend on the order of rows."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw
from sksurv.util import Surv

from models.evaluate.concordance import harrell
from models.evaluate.curves import LEAST_FOLLOWED, antolini, integrated_brier, uno, weighting_horizon
from models.evaluate.scores import CLASS_SCORES, auroc, class_scores
from models.evaluate.survival_scores import SURVIVAL_SCORES, survival_scores
from omicstore.errors import UsageError

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


@st.composite
def classified(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n, c = draw(st.integers(4, 40)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(-1, c, n), rng.dirichlet(np.ones(c), n)


@given(classified())
@settings(max_examples=40, deadline=None)
def test_class_scores_leave_out_the_unlabelled_and_follow_no_order(rows: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = rows
    assume((truth >= 0).any())
    found = class_scores(truth, probabilities)
    assert set(found) == set(CLASS_SCORES)
    keep = np.flatnonzero(truth >= 0)[::-1]
    assert class_scores(truth[keep], probabilities[keep]) == pytest.approx(found, nan_ok=True)
    # Beyond this scikit-learn warns, and says the same.
    if set(probabilities[keep].argmax(axis=1)) <= set(truth[keep]) and len(set(truth[keep])) > 1:
        mean_recall = balanced_accuracy_score(truth[keep], probabilities[keep].argmax(axis=1))
        assert found["balanced_accuracy"] == pytest.approx(mean_recall)


def test_auroc_is_sklearns_and_leaves_out_classes_without_rows() -> None:
    rng = np.random.default_rng(0)
    truth, probabilities = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)
    theirs = roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert auroc(truth, probabilities) == pytest.approx(theirs)
    more = np.column_stack([probabilities * 0.9, np.full(60, 0.1)])
    assert auroc(truth, more) == pytest.approx(theirs)
    assert np.isnan(auroc(np.zeros(3, dtype=int), probabilities[:3]))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (np.array([0, 1, 1]), r"hard labels, int64 of shape \(3,\)"),
        (np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), r"hard labels, float64 of shape \(3, 2\)"),
        (np.array([[True, False], [False, True], [False, True]]), "hard labels, bool"),
        (np.array([[1.5, -3.0], [0.2, 0.1], [0.4, 0.6]]), "rows of probabilities that sum to -1.5 to 1"),
    ],
)
def test_auroc_refuses_what_are_no_probabilities(given_: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        auroc(np.array([0, 1, 1]), given_)


def test_no_labelled_row_is_said() -> None:
    with pytest.raises(UsageError, match="no row is labelled"):
        class_scores(np.array([-1, -1]), np.full((2, 2), 0.5))


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
    assert uno(time, event, time, event, risk, end) == pytest.approx(theirs, nan_ok=True)


def test_uno_without_censoring_is_harrell_and_without_events_is_nothing() -> None:
    rng = np.random.default_rng(0)
    time, risk, event = rng.permutation(30) + 1.0, rng.normal(size=30), np.ones(30)
    plain = harrell(time, event, risk, np.ones((1, 30)))[0]
    # The horizon is the longest time, so that the last event does not count; nobody could be compared with it.
    assert uno(time, event, time, event, risk, weighting_horizon(time, event, time)) == pytest.approx(plain)
    assert np.isnan(uno(time, event, time, np.zeros(30), risk, 20.0))


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
    end = weighting_horizon(train_time, train_event, time)
    times = np.linspace(time.min(), end * 0.9, 40)
    survival = np.exp(-0.6 * times / 300)[None, :].repeat(120, axis=0)
    found = integrated_brier(train_time, train_event, time, event, survival, times)
    short = time < min(end, train_time.max())
    train = Surv.from_arrays(train_event == 1, train_time)
    # Cutting off at the horizon changes no score before it; where no cut is needed scikit-survival gives the same.
    cut = Surv.from_arrays((event == 1) & short, np.minimum(time, end))
    _, curve = brier_score(train, cut, survival, times)
    assert found == pytest.approx(np.trapezoid(curve, times) / (times[-1] - times[0]))
    coin = integrated_brier(train_time, train_event, time, event, np.full((120, 40), 0.5), times)
    assert coin == pytest.approx(0.25, abs=0.05)
    assert found < coin


def test_brier_outside_the_follow_up_is_refused() -> None:
    time, event = np.arange(1.0, 21.0), np.tile([1.0, 0.0], 10)
    end = weighting_horizon(time, event, time)
    for times in (np.array([0.5, 2.0]), np.array([2.0, end]), np.array([2.0])):
        with pytest.raises(UsageError, match="choose times within the follow-up"):
            integrated_brier(time, event, time, event, np.full((20, len(times)), 0.5), times)


def test_weights_stay_below_their_bound() -> None:
    time, event = np.arange(1.0, 101.0), np.arange(1.0, 101.0) == 100
    assert weighting_horizon(time, event, np.array([1e6])) == pytest.approx(100 * (1 - LEAST_FOLLOWED), abs=1)
    assert weighting_horizon(time, event, np.array([5.0])) == 5


def test_weights_are_made_of_the_training_rows_alone() -> None:
    rng = np.random.default_rng(1)
    time, event, risk = rng.permutation(40) + 1.0, (rng.random(40) < 0.7).astype(float), rng.normal(size=40)
    train = [(rng.permutation(40) + 1.0, (rng.random(40) < p).astype(float)) for p in (0.4, 0.95)]
    end = min(weighting_horizon(*t, time) for t in train)
    first, second = (uno(*t, time, event, risk, end) for t in train)
    assert first != second


def test_a_model_that_knows_the_truth_is_better_in_every_score() -> None:
    rng = np.random.default_rng(8)
    rate = np.exp(rng.normal(size=400))
    happens, leaves = rng.exponential(300 / rate), rng.exponential(500, 400)
    time, event = np.minimum(happens, leaves) + 1, (happens <= leaves).astype(float)
    train, test = (time[:200], event[:200]), (time[200:], event[200:])
    known = survival_scores(train, test, rate[200:], lambda at: np.exp(-rate[200:, None] * at / 300))
    shuffled = rng.permutation(rate[200:])
    blind = survival_scores(train, test, shuffled, lambda at: np.exp(-shuffled[:, None] * at / 300))
    assert set(known) == {*SURVIVAL_SCORES, "horizon"}
    assert known["ibs"] < blind["ibs"]
    assert all(known[c] > 0.65 > 0.58 > blind[c] for c in ("c_harrell", "c_uno", "c_antolini"))
    assert known["c_antolini"] == pytest.approx(known["c_harrell"])
    assert set(survival_scores(train, test, rate[200:])) == {"c_harrell", "c_uno", "horizon"}
