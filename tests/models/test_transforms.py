from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.transforms import TransformState, fit_pipeline, fit_state, load_state
from models.transforms.steps import column_quantiles
from omicstore.errors import LeakageError, UnknownNameError

FEATURES = [f"g{i}" for i in range(6)]
matrices = hnp.arrays(
    np.float32, (9, 6), elements=st.one_of(st.floats(0, 1000, width=32), st.just(float("nan"))), fill=st.nothing()
)


def fitted(values: np.ndarray, transform: str = "default", unit: str = "tpm") -> TransformState:
    names = [f"s{i}" for i in range(len(values))]
    return fit_state(
        transform,
        {"rna": values},
        {"rna": FEATURES},
        {"rna": unit},
        sample_ids=names,
        split="s",
        manifest_hash="h",
        fold=0,
    )


@given(matrices, st.floats(0, 1, exclude_min=True))
@settings(deadline=None, max_examples=60)
def test_quantiles_are_numpys(values: np.ndarray, q: float) -> None:
    some = ~np.isnan(values).all(axis=0)
    expected = np.nanquantile(values[:, some].astype(np.float64), q, axis=0)
    np.testing.assert_allclose(column_quantiles(values, (q,))[0, some], expected, rtol=1e-5, atol=1e-4)


@given(matrices, matrices)
@settings(deadline=None, max_examples=40)
def test_state_does_not_know_the_test_rows(values: np.ndarray, other: np.ndarray) -> None:
    # The split decides which rows the fit is given; whatever the others hold, the state is the same.
    train = slice(0, 6)
    both = np.concatenate([values[train], other])
    assert fitted(values[train]).describe() == fitted(both[train]).describe()
    before = fitted(values[train]).describe()
    state = fitted(values[train])
    state.apply("rna", other, FEATURES)
    assert state.describe() == before


@given(st.integers(0, 8), st.integers(0, 5), st.floats(1, 900, width=32))
@settings(deadline=None, max_examples=40)
def test_state_changes_with_one_training_value(row: int, column: int, value: float) -> None:
    values = np.random.default_rng(0).gamma(2, 10, size=(9, 6)).astype(np.float32)
    changed = values.copy()
    changed[row, column] += np.float32(value)
    assert fitted(values).describe() != fitted(changed).describe()


@pytest.mark.parametrize("transform", ["default", "paper"])
def test_default_gives_z_scores_and_paper_does_not(transform: str) -> None:
    values = np.random.default_rng(1).gamma(2, 10, size=(400, 6)).astype(np.float32)
    out = fitted(values, transform).apply("rna", values, FEATURES)
    if transform == "default":
        np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)
    else:
        assert (out >= 0).all()
        assert 0.4 < (out == 0).mean() < 0.7


def test_published_order_loses_half_of_a_normal() -> None:
    # models.md 0.1: the variance of log1p(max(z, 0)) of a standard normal is 0.1225.
    values = np.random.default_rng(2).normal(size=(40_000, 6)).astype(np.float32)
    out = fitted(values, "paper", "zscore").apply("rna", values, FEATURES)
    assert out.var() == pytest.approx(0.1225, abs=0.004)


def test_log1p_only_where_the_unit_is_linear() -> None:
    values = np.random.default_rng(3).uniform(0.1, 0.9, size=(50, 6)).astype(np.float32)
    assert [s.name for s in fitted(values, unit="beta").pipelines["rna"].steps] == ["winsorize", "zscore"]
    assert [s.name for s in fitted(values, unit="tpm").pipelines["rna"].steps] == ["log1p", "winsorize", "zscore"]


def test_useless_features_are_left_out_and_counted() -> None:
    values = np.random.default_rng(4).gamma(2, 10, size=(50, 6)).astype(np.float32)
    values[:, 1] = 5.0
    values[:, 2] = np.nan
    values[:, 3] = 1e6 + np.random.default_rng(5).normal(size=50) * 1e-2
    pipeline = fit_pipeline("default", values, FEATURES, "zscore")
    assert pipeline.features == ("g0", "g4", "g5")
    assert pipeline.dropped == {"near_constant": 2, "never_observed": 1}


def test_missing_stays_missing_and_columns_are_found_by_name() -> None:
    values = np.random.default_rng(6).gamma(2, 10, size=(50, 6)).astype(np.float32)
    values[0, 0] = np.nan
    state = fitted(values)
    out = state.apply("rna", values, FEATURES)
    assert np.isnan(out[0, 0])
    assert np.isnan(out).sum() == 1
    turned = state.apply("rna", values[:, ::-1], FEATURES[::-1])
    np.testing.assert_array_equal(out, turned)
    fewer = state.apply("rna", values[:, 1:], FEATURES[1:])
    assert np.isnan(fewer[:, 0]).all()
    np.testing.assert_array_equal(fewer[:, 1:], out[:, 1:])
    with pytest.raises(UnknownNameError):
        state.apply("prot", values, FEATURES)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(7).gamma(2, 10, size=(50, 6)).astype(np.float32)
    whole = fitted(values).describe()
    monkeypatch.setattr("models.transforms.pipeline.BLOCK", 4)
    assert fitted(values).describe() == whole


@pytest.mark.parametrize("transform", ["default", "paper"])
def test_saved_state_is_the_same_state(tmp_path: Path, transform: str) -> None:
    values = np.random.default_rng(8).gamma(2, 10, size=(50, 6)).astype(np.float32)
    state = fitted(values, transform)
    path = state.save(tmp_path)
    again = load_state(path)
    assert path == tmp_path / "0" / f"{transform}.json"
    assert again.describe() == state.describe()
    np.testing.assert_array_equal(again.apply("rna", values, FEATURES), state.apply("rna", values, FEATURES))
    first = path.read_bytes(), path.with_suffix(".safetensors").read_bytes()
    state.save(tmp_path)
    assert first == (path.read_bytes(), path.with_suffix(".safetensors").read_bytes())


def test_changed_arrays_are_refused(tmp_path: Path) -> None:
    path = fitted(np.random.default_rng(9).gamma(2, 10, size=(50, 6)).astype(np.float32)).save(tmp_path)
    beside = path.with_suffix(".safetensors")
    beside.write_bytes(beside.read_bytes()[:-1] + b"\x00")
    with pytest.raises(LeakageError, match="is not the file"):
        load_state(path)
