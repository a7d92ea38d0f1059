from __future__ import annotations

import numpy as np
import pytest
from lifelines.utils import concordance_index
from scipy.stats import pearsonr
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score

from models.baselines.prediction import RIDGE_ALPHAS, PCAReconstruction, Ridge, TrainMean
from models.baselines.rowspace import RowSpace
from models.evaluate.bootstrap import estimate, patient_weights
from models.evaluate.concordance import cohort_concordance, harrell
from models.evaluate.metrics import feature_pearson, prediction_metrics

RNG = np.random.default_rng(0)


def test_metrics_are_those_of_scipy_and_sklearn() -> None:
    truth, guess = RNG.normal(size=(30, 700)), RNG.normal(size=(30, 700))
    found = {k: v[0] for k, v in prediction_metrics(truth, guess, np.ones((1, 30))).items()}
    assert found["mse"] == pytest.approx(((truth - guess) ** 2).mean())
    assert found["r2"] == pytest.approx(r2_score(truth, guess, multioutput="variance_weighted"))
    each = [pearsonr(truth[:, j], guess[:, j]).statistic for j in range(700)]
    assert found["pearson"] == pytest.approx(np.mean(each))
    np.testing.assert_allclose(feature_pearson(truth, guess), each, atol=1e-12)


def test_weights_stand_for_repeated_rows_and_missing_entries_are_skipped() -> None:
    truth, guess = RNG.normal(size=(8, 5)), RNG.normal(size=(8, 5))
    truth[2, 3] = np.nan
    weights = np.array([[2, 0, 1, 1, 3, 0, 1, 1]], dtype=float)
    rows = np.repeat(np.arange(8), weights[0].astype(int))
    weighted = prediction_metrics(truth, guess, weights)
    plain = prediction_metrics(truth[rows], guess[rows], np.ones((1, len(rows))))
    assert weighted["mse"][0] == pytest.approx(plain["mse"][0])
    assert weighted["pearson"][0] == pytest.approx(plain["pearson"][0])
    mean = np.nanmean(truth, axis=0)
    errors, spread = np.nansum((truth[rows] - guess[rows]) ** 2, axis=0), np.nansum((truth[rows] - mean) ** 2, axis=0)
    assert weighted["r2"][0] == pytest.approx(1 - errors.sum() / spread.sum())


def test_constant_prediction_has_no_correlation_and_constant_truth_is_left_out() -> None:
    truth = RNG.normal(size=(10, 2))
    truth[:, 1] = 3.0
    found = prediction_metrics(truth, np.tile(truth.mean(axis=0), (10, 1)), np.ones((1, 10)))
    assert found["pearson"][0] == 0
    assert found["r2"][0] == pytest.approx(0)


def test_bootstrap_covers_the_mean_about_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(200):
        draws = np.random.default_rng(seed).normal(size=60)
        weights = patient_weights([str(i) for i in range(60)], 300, seed)
        interval = estimate((weights @ draws) / weights.sum(axis=1))
        inside += interval["low"] <= 0 <= interval["high"]
    assert 180 <= inside <= 199


def test_patients_are_drawn_whole() -> None:
    weights = patient_weights(["a", "a", "b", "c"], 50, seed=1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[1:, [0, 2, 3]].sum(axis=1) == 3).all()


@pytest.mark.parametrize("seed", range(5))
def test_harrell_is_lifelines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 15, 60).astype(float), rng.integers(0, 2, 60).astype(float)
    risk = rng.integers(0, 10, 60).astype(float)
    # lifelines counts two events at one time as a pair; such pairs say nothing of the order, so they are taken out.
    time = np.where(event == 1, time + rng.permutation(60) / 100, time)
    assert harrell(time, event, risk, np.ones((1, 60)))[0] == pytest.approx(concordance_index(time, -risk, event))


def test_concordance_within_cohorts_ignores_pairs_between_them() -> None:
    time, event = np.array([1.0, 2, 3, 4]), np.ones(4)
    risk, cohorts = np.array([2.0, 1, 9, 8]), ["a", "a", "b", "b"]
    weights = np.ones((1, 4))
    assert cohort_concordance(time, event, risk, cohorts, weights)[0] == 1
    assert harrell(time, event, risk, weights)[0] < 0.5
    alone = cohort_concordance(time, np.array([1.0, 1, 0, 0]), risk, cohorts, weights)
    assert alone[0] == 1
    assert np.isnan(cohort_concordance(time, np.zeros(4), risk, cohorts, weights)[0])


def test_ridge_is_sklearns_on_the_matrix_itself() -> None:
    x, noise = RNG.normal(size=(40, 90)), RNG.normal(size=(40, 3))
    y = x[:, :3] * 2 + noise
    expected = RidgeCV(alphas=[a * 90 for a in RIDGE_ALPHAS], alpha_per_target=True).fit(x, y)
    new = RNG.normal(size=(7, 90))
    np.testing.assert_allclose(Ridge(x, y).predict(new), expected.predict(new), atol=1e-8)
    one = Ridge(x, y[:, :1])
    assert one.predict(new).shape == (7, 1)


def test_train_mean_ignores_what_is_missing() -> None:
    targets = np.array([[1.0, np.nan], [3.0, np.nan]])
    np.testing.assert_array_equal(TrainMean(targets).predict(np.zeros((2, 9))), [[2, 0], [2, 0]])


@pytest.mark.parametrize("shape", [(12, 30), (30, 12)])
def test_principal_axes(shape: tuple[int, int]) -> None:
    values = RNG.normal(size=shape)
    space = RowSpace.fit(values)
    np.testing.assert_allclose(space.axes.T @ space.axes, np.eye(space.axes.shape[1]), atol=1e-9)
    variances = space.scores(values).var(axis=0)
    assert (np.diff(variances) <= 1e-9).all()
    np.testing.assert_allclose(space.rebuild(values, 999), values, atol=1e-9)
    assert PCAReconstruction(values, 5).rank == 5
    assert PCAReconstruction(values, 999).rank == space.axes.shape[1]
