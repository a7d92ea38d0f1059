"""Scores under weights, against scikit-learn, scikit-survival and lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import BreslowFlemingHarringtonFitter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    adjusted_rand_score,
    f1_score,
    matthews_corrcoef,
    normalized_mutual_info_score,
    recall_score,
    roc_auc_score,
)
from sksurv.metrics import concordance_index_ipcw, integrated_brier_score
from sksurv.util import Surv

from models.baselines.classes import Forest, Frequencies, Logistic, Neighbours
from models.baselines.hazards import RidgeCox, SurvivalForest, breslow, steps
from models.evaluate.censoring import Censoring
from models.evaluate.concordance import harrell
from models.evaluate.resampled import agreement, areas, resampled_scores

seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_weighted_scores_of_classes_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 30))
    truth = np.concatenate([[0, 1], rng.integers(0, 3, n - 2)])
    given = rng.dirichlet(np.ones(3), n).round(2)
    given[:, 2] = 1 - given[:, :2].sum(axis=1)
    drawn = rng.integers(0, 3, n).astype(float)
    drawn[:2] = 1
    every = np.stack([np.ones(n), drawn])
    found = resampled_scores(truth, given, every)
    for i, weights in enumerate(every):
        rows = weights > 0  # scikit-learn counts a class that is there with weight 0
        true, called, kept = truth[rows], given.argmax(axis=1)[rows], {"sample_weight": weights[rows]}
        assert found["accuracy"][i] == pytest.approx(accuracy_score(true, called, **kept))
        assert found["macro_f1"][i] == pytest.approx(f1_score(true, called, average="macro", **kept))
        assert found["weighted_f1"][i] == pytest.approx(f1_score(true, called, average="weighted", **kept))
        recall = recall_score(true, called, labels=np.unique(true), average="macro", zero_division=0, **kept)
        assert found["balanced_accuracy"][i] == pytest.approx(recall)
        if len(np.union1d(true, called)) > 1:
            assert found["mcc"][i] == pytest.approx(matthews_corrcoef(true, called, **kept), abs=1e-9)
        there = [c for c in range(3) if 0 < (true == c).sum() < len(true)]
        area = {c: roc_auc_score(true == c, given[rows, c], **kept) for c in there}
        assert found["auroc"][i] == pytest.approx(np.mean(list(area.values())))
        assert areas(truth == 0, given[:, 0], weights[None])[0] == pytest.approx(area[0])


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_agreement_is_scikit_learns_and_a_row_drawn_twice_is_no_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label, cluster = rng.integers(0, 3, 25), rng.integers(0, 4, 25)
    found = agreement(label, cluster, np.stack([np.ones(25), np.full(25, 2.0)]))
    assert found["nmi"] == pytest.approx([normalized_mutual_info_score(label, cluster)] * 2, abs=1e-9)
    assert found["ari"] == pytest.approx([adjusted_rand_score(label, cluster)] * 2, abs=1e-9)


def followed(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    time, end = rng.exponential(500, n).round() + 1, rng.exponential(700, n).round() + 1
    return np.minimum(time, end), (time <= end).astype(float)


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_unos_c_and_the_brier_score_are_scikit_survivals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fit, (time, event) = followed(rng, 80), followed(rng, 30)
    risk = rng.normal(size=30).round(1)
    scale = Censoring(*fit, time, event)
    ones = np.ones((1, 30))
    # What is known at the horizon: nothing before it changes, and later times scikit-survival refuses.
    known = Surv.from_arrays((event == 1) & (time < scale.horizon), np.minimum(time, scale.horizon))
    train = Surv.from_arrays(fit[1] == 1, fit[0])
    theirs = concordance_index_ipcw(train, known, risk)[0] if known["event"].any() else np.nan
    assert scale.uno(risk, ones)[0] == pytest.approx(theirs, nan_ok=True)
    survival = np.exp(-np.exp(risk)[:, None] * scale.times / 500)
    assert scale.brier(survival).mean() == pytest.approx(
        integrated_brier_score(train, known, survival, scale.times), rel=1e-9
    )


def test_a_patient_who_is_not_drawn_does_not_count_in_unos_c() -> None:
    rng = np.random.default_rng(3)
    fit, (time, event) = followed(rng, 80), followed(rng, 30)
    risk, drawn = rng.normal(size=30), np.arange(30) < 20
    whole = Censoring(*fit, time, event)
    other = np.where(drawn, risk, 99.0)
    for times in (1.0, 2.0):
        weights = np.where(drawn, times, 0.0)[None]
        assert whole.uno(other, weights) == pytest.approx(whole.uno(risk, drawn[None].astype(float)))


def test_curves_of_a_cox_model_have_breslows_baseline() -> None:
    rng = np.random.default_rng(0)
    time, event = followed(rng, 60)
    at = np.array([0.0, *np.quantile(time, [0.2, 0.5, 0.9])])
    found = breslow(np.zeros(60), time, event, np.zeros(2), at)
    known = BreslowFlemingHarringtonFitter().fit(time, event).survival_function_at_times(at).to_numpy()
    assert found[0] == pytest.approx(known, abs=0.02)  # the one adds hazards, the other d over n of ties
    assert found[0, 0] == 1
    assert (found[0] == found[1]).all()
    higher = breslow(np.zeros(60), time, event, np.ones(1), at)
    assert (higher[0, 1:] < found[0, 1:]).all()
    assert steps(np.array([1.0, 2.0]), np.array([0.5, 0.2]), np.array([0.5, 1.0, 3.0]), 1.0).tolist() == [1.0, 0.5, 0.2]


def test_ridge_cox_and_the_forest_find_who_dies_first_and_ignore_the_scale() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(200, 30))
    time = (rng.exponential(300, 200) * np.exp(-1.5 * inputs[:, 0])).round() + 1
    event = np.ones(200)
    train, val = ((inputs[i], time[i], event[i]) for i in (slice(0, 100), slice(100, 140)))
    new, ones = slice(140, 200), np.ones((1, 60))
    model = RidgeCox(train, val)
    assert harrell(time[new], event[new], model.predict(inputs[new]), ones)[0] > 0.7
    large = RidgeCox((train[0] * 50, *train[1:]), (val[0] * 50, *val[1:]))
    assert large.penalty == model.penalty
    assert large.predict(inputs[new] * 50) == pytest.approx(model.predict(inputs[new]), abs=1e-6)
    forest = SurvivalForest(*train, seed=0)
    assert harrell(time[new], event[new], forest.predict(inputs[new]), ones)[0] > 0.6
    curves = forest.survival(inputs[new], np.array([0.0, 100.0, 1000.0]))
    assert (np.diff(curves, axis=1) <= 0).all()
    assert (curves[:, 0] == 1).all()
    assert (SurvivalForest(*train, seed=0).predict(inputs[new]) == forest.predict(inputs[new])).all()


def test_logistic_on_all_axes_is_logistic_on_the_inputs() -> None:
    rng = np.random.default_rng(2)
    inputs, label = rng.normal(size=(80, 5)), rng.integers(0, 3, 80)
    model = Logistic(inputs[:50], label[:50], inputs[50:70], label[50:70], 3)
    centred = (inputs - inputs[:50].mean(axis=0)) * model.scale
    plain = LogisticRegression(C=model.strength, max_iter=5000).fit(centred[:50], label[:50])
    assert model.predict(inputs[70:]) == pytest.approx(plain.predict_proba(centred[70:]), abs=1e-3)


def test_the_unlabelled_are_not_fitted_on_and_a_class_nobody_has_gets_nothing() -> None:
    rng = np.random.default_rng(4)
    inputs, label = rng.normal(size=(30, 4)), np.arange(30) % 2
    label[20:] = -1
    for make in (
        lambda x, y: Logistic(x, y, x[:5], y[:5], 3),
        lambda x, y: Neighbours(x, y, 3),
        lambda x, y: Forest(x, y, 3, seed=0),
        lambda x, y: Frequencies(y, 3),
    ):
        whole, few = make(inputs, label), make(inputs[:20], label[:20])
        assert whole.predict(inputs) == pytest.approx(few.predict(inputs))
        assert (whole.predict(inputs)[:, 2] == 0).all()
        assert whole.predict(inputs).sum(axis=1) == pytest.approx(1)
