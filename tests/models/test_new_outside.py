"""What lies outside the training data is told, and what lies within is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.new.outside import FEWEST, Distance, fit_distance

FEATURES = 150


def people(n: int, seed: int, *, world: int = 0) -> NDArray[np.float32]:
    """Draw samples whose features follow a few programmes, as transformed expression does."""
    loadings = np.random.default_rng(world).normal(0, 1, (6, FEATURES))
    rng = np.random.default_rng([world, seed])
    values = rng.normal(size=(n, 6)) @ loadings + rng.normal(0, 1, (n, FEATURES))
    return (values / np.sqrt((loadings**2).sum(axis=0) + 1)).astype(np.float32)


@pytest.fixture(scope="module")
def distance() -> Distance:
    found = fit_distance(people(300, 1), [f"p{i}" for i in range(300)], people(100, 2))
    assert found is not None
    return found


def test_distance_is_that_of_the_covariance_over_what_is_observed(distance: Distance) -> None:
    row = people(1, 5)
    row[0, ::3] = np.nan
    seen = ~np.isnan(row[0])
    w = distance.loadings[seen].astype(np.float64)
    rest = (row[0] - distance.mean)[seen].astype(np.float64)
    covariance = w @ w.T + distance.noise * np.eye(int(seen.sum()))
    assert distance.of(row)[0] == pytest.approx(rest @ np.linalg.solve(covariance, rest) / seen.sum(), rel=1e-6)


def test_people_like_those_trained_on_are_rarely_flagged(distance: Distance) -> None:
    flagged = distance.is_outside(distance.of(people(3000, 7)))
    assert flagged.mean() < 0.03
    share = distance.share_as_far(distance.of(people(3000, 8)))
    # Nearly uniform: the held-out people are like new ones.
    assert 0.4 < np.median(share) < 0.65


def test_foreign_samples_are_flagged(distance: Distance) -> None:
    own = people(50, 9)
    shuffled = np.random.default_rng(0).permuted(own, axis=1)
    for foreign in (shuffled, people(50, 9, world=1), own + 3):
        assert distance.is_outside(distance.of(foreign)).mean() > 0.95


def test_a_group_that_moved_a_little_is_noticed(distance: Distance) -> None:
    own = people(40, 12)
    assert distance.shifted(distance.of(own)) is None
    noisier = own + np.random.default_rng(2).normal(0, 0.15, own.shape).astype(np.float32)
    moved = distance.of(noisier)
    assert distance.is_outside(moved).mean() < 0.9
    share = distance.shifted(moved)
    assert share is not None
    assert 0.75 <= share <= 1
    assert distance.shifted(moved[:4]) is None


def test_missing_features_make_nobody_foreign(distance: Distance) -> None:
    own = people(500, 10)
    own[:, np.random.default_rng(1).random(FEATURES) < 0.4] = np.nan
    assert distance.is_outside(distance.of(own)).mean() < 0.05
    own[:] = np.nan
    assert np.isnan(distance.of(own)).all()
    assert not distance.is_outside(distance.of(own)).any()


def test_patients_stay_together_and_few_rows_give_nothing() -> None:
    values = people(60, 11)
    twice = np.concatenate([values, values])
    alone = fit_distance(values, [f"p{i}" for i in range(60)], values[:0])
    copies = fit_distance(twice, [f"p{i}" for i in range(60)] * 2, values[:0])
    assert alone is not None
    assert copies is not None
    # A copy in the fit would make its own row look near.
    assert np.median(copies.held_out) > 0.9 * np.median(alone.held_out)
    assert fit_distance(values[: FEWEST - 1], [f"p{i}" for i in range(FEWEST - 1)], values) is None
    assert fit_distance(values[:0], [], values) is None


def test_with_few_held_out_people_only_the_farthest_is_outside() -> None:
    few = Distance(np.zeros(1, np.float32), np.zeros((1, 1), np.float32), 1.0, np.arange(1, 10, dtype=np.float32))
    assert few.is_outside(np.array([9.0, 9.5])).tolist() == [False, True]
