"""Prototypes of a slide."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from omicstore.errors import UsageError
from omicstore.slides import prototypes
from omicstore.slides.prototypes import MOST, sampled

patches = arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(-40, 40).map(float))


@settings(deadline=None, max_examples=50)
@given(patches, st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_patches_does_not_matter(rows: np.ndarray, k: int, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    one, other = prototypes(rows, k), prototypes(rows[order], k)
    np.testing.assert_array_equal(one.means, other.means)
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.variances, other.variances)


@settings(deadline=None, max_examples=50)
@given(patches, st.integers(1, 5))
def test_means_lie_within_the_data_and_weights_add_up(rows: np.ndarray, k: int) -> None:
    found = prototypes(rows, k)
    held = min(k, len(np.unique(rows, axis=0)))
    assert found.means.shape == found.variances.shape == (k, rows.shape[1])
    assert np.isfinite(found.means[:held]).all()
    assert np.isnan(found.means[held:]).all()
    assert (found.means[:held] >= rows.min(axis=0) - 1e-4).all()
    assert (found.means[:held] <= rows.max(axis=0) + 1e-4).all()
    assert (found.variances[:held] > 0).all()
    np.testing.assert_allclose(found.weights.sum(), 1, atol=1e-5)
    assert (np.diff(found.weights) <= 1e-6).all()
    # The mixture's mean is the mean of the patches, as EM has it.
    np.testing.assert_allclose(found.weights[:held] @ found.means[:held], rows.mean(axis=0), atol=1e-2)


@settings(deadline=None, max_examples=50)
@given(patches)
def test_one_prototype_is_the_mean(rows: np.ndarray) -> None:
    found = prototypes(rows, 1)
    np.testing.assert_allclose(found.means[0], rows.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.variances[0], rows.var(axis=0), atol=1e-3)


def test_clusters_that_lie_apart_are_found() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    rows = np.concatenate([c + rng.normal(0, 0.5, (n, 2)) for c, n in zip(centres, (300, 200, 100), strict=True)])
    found = prototypes(rows, 3)
    np.testing.assert_allclose(found.means, centres, atol=0.15)
    np.testing.assert_allclose(found.weights, [1 / 2, 1 / 3, 1 / 6], atol=0.01)
    np.testing.assert_allclose(found.variances, 0.25, atol=0.08)


def test_a_big_slide_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[sampled.__module__], "MOST", 100)
    rows = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    one = prototypes(rows, 2, seed=1)
    assert (one.means == prototypes(rows[::-1], 2, seed=1).means).all()
    few = sampled(np.array_split(rows, 7), seed=1)
    assert few.shape == (100, 2)
    np.testing.assert_array_equal(few, sampled([rows], seed=1))
    assert {tuple(r) for r in few} <= {tuple(r) for r in rows}
    assert not np.array_equal(few, sampled([rows], seed=2))


def test_a_sample_of_few_patches_is_all_of_them() -> None:
    rows = np.arange(20.0).reshape(10, 2)
    np.testing.assert_array_equal(sampled(np.array_split(rows, 3)), rows)
    assert MOST > 1000


@pytest.mark.parametrize("rows", [np.empty((0, 3)), np.ones(3), np.array([[np.nan]])])
def test_what_is_no_slide_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(UsageError, match="patches of shape"):
        prototypes(rows, 2)
    with pytest.raises(UsageError, match="0 prototypes"):
        prototypes(np.ones((2, 2)), 0)
