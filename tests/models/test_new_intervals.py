"""Intervals and the way back to the unit of the data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.new.classes import fit_class_sets
from models.new.conformal import LEVELS, half_widths, pairs, rows_needed, views
from models.new.inverse import can_undo, limits, to_unit
from models.transforms.pipeline import fit_pipeline


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-50, 50) | st.just(math.nan), min_size=1, max_size=40), st.sampled_from([0.5, *LEVELS]))
def test_half_width_is_the_smallest_that_holds_enough(column: list[float], level: float) -> None:
    rows = np.array(column, dtype=np.float64)[:, None]
    known = sorted(abs(x) for x in column if not math.isnan(x))
    needed = math.ceil((len(known) + 1) * level - 1e-9)
    expected = known[needed - 1] if needed <= len(known) else math.inf
    assert half_widths(rows, level)[0] == np.float32(expected)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", [25, 60])
def test_a_new_value_is_covered_as_often_as_promised(level: float, n: int) -> None:
    # Any law and any model will do: here heavy tails whose spread and middle differ by feature.
    rng = np.random.default_rng([n, int(100 * level)])
    features = 4000
    spread, bias = rng.uniform(0.1, 5, features), rng.normal(0, 1, features)
    draw = spread * rng.standard_t(3, (n + 1, features)) + bias
    covered = np.abs(draw[-1]) <= half_widths(draw[:-1], level)
    exact = math.ceil((n + 1) * level - 1e-9) / (n + 1)
    assert level <= exact < level + 1 / (n + 1) + 1e-9
    assert covered.mean() == pytest.approx(exact, abs=4 * math.sqrt(0.25 / features))


def test_sets_of_classes_hold_the_true_one_as_often_as_promised() -> None:
    rng = np.random.default_rng(8)
    held = []
    for _ in range(200):
        logits = rng.normal(0, 1.5, (61, 4))
        truth = np.array([rng.choice(4, p=np.exp(row) / np.exp(row).sum()) for row in logits])
        shares = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)  # too sure of itself
        truth[0] = -1
        sets = fit_class_sets(shares[:60], truth[:60])
        assert sets is not None
        assert sets.n_val == 59
        held.append(sets.members(shares[60:])[0, truth[60]])
    assert np.mean(held) == pytest.approx(0.9, abs=0.07)
    assert fit_class_sets(shares, np.full(61, -1)) is None
    few = fit_class_sets(shares[:5], truth[1:6])
    assert few is not None
    assert few.members(shares).all()


def test_too_few_rows_give_no_bound() -> None:
    for level in LEVELS:
        n = rows_needed(level)
        assert np.isfinite(half_widths(np.ones((n, 1)), level)).all()
        assert np.isinf(half_widths(np.ones((n - 1, 1)), level)).all()
    assert np.isinf(half_widths(np.empty((0, 3)), 0.9)).all()


def test_every_set_is_calibrated_where_they_are_few() -> None:
    names = ["a", "b", "c"]
    assert len(views(names)) == 7
    assert (("a", "c"), "b") in pairs(names)
    assert all(target not in sources for sources, target in pairs(names))
    many = [str(i) for i in range(6)]
    assert sorted({len(view) for view in views(many)}) == [1, 5, 6]
    assert {target for _, target in pairs(many)} == set(many)


@pytest.mark.parametrize("unit", ["tpm", "beta", "log2_ratio"])
def test_the_transform_is_undone_within_its_limits(unit: str) -> None:
    rng = np.random.default_rng(3)
    raw = {
        "tpm": rng.lognormal(3, 1.5, (80, 7)),
        "beta": rng.beta(2, 2, (80, 7)),
        "log2_ratio": rng.normal(size=(80, 7)),
    }
    values = raw[unit].astype(np.float32)
    values[3, 2] = np.nan
    names = [f"g{i}" for i in range(7)]
    fitted = fit_pipeline("default", values, names, unit)
    low, high = limits(fitted)
    assert (low < high).all()
    back = to_unit(fitted, fitted.apply(values, names))
    np.testing.assert_allclose(back, np.clip(values, low, high), rtol=2e-4, atol=1e-4)
    assert np.isnan(back[3, 2])


def test_a_range_is_undone_without_limits() -> None:
    rng = np.random.default_rng(6)
    values = rng.lognormal(2, 1, (50, 3)).astype(np.float32)
    names = ["a", "b", "c"]
    fitted = fit_pipeline("minmax", values, names, "tpm")
    np.testing.assert_allclose(to_unit(fitted, fitted.apply(2 * values, names)), 2 * values, rtol=1e-4)
    low, high = limits(fitted)
    assert (low == 0).all()
    assert np.isinf(high).all()
    assert can_undo(fitted)
    assert not can_undo(fit_pipeline("sample_rank", values, names, "tpm"))


def test_what_was_published_loses_all_below_the_mean() -> None:
    rng = np.random.default_rng(4)
    values = rng.lognormal(2, 1, (90, 3)).astype(np.float32)
    names = ["a", "b", "c"]
    fitted = fit_pipeline("paper", values, names, "tpm")
    back = to_unit(fitted, fitted.apply(values, names))
    low, high = limits(fitted)
    mean = next(p["mean"] for p in fitted.params if "mean" in p)
    np.testing.assert_allclose(low, mean, rtol=1e-6)
    np.testing.assert_allclose(back, np.clip(values, low, high), rtol=1e-3)
