from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.files import hash_array
from models.transforms import TransformState, fit_pipeline, fit_state, load_state
from models.transforms.steps import PIPELINES, Step, column_quantiles
from omicstore.errors import LeakageError, UnknownNameError, UsageError
from omicstore.store.splitfile import row_hash

FEATURES = [f"g{i}" for i in range(6)]
#: 0 has two bit patterns and is one number.
numbers = st.floats(0, 1000, width=32).map(abs)
matrices = hnp.arrays(np.float32, (9, 6), elements=st.one_of(numbers, st.just(float("nan"))), fill=st.nothing())


def fitted(
    values: np.ndarray, transform: str = "default", unit: str = "tpm", ids: list[str] | None = None
) -> TransformState:
    names = ids or [f"s{i}" for i in range(len(values))]
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


def content(state: TransformState) -> dict[str, bytes]:
    """Return the bytes of a state's two files."""
    with tempfile.TemporaryDirectory() as folder:
        path = state.save(Path(folder))
        return {p.name: p.read_bytes() for p in path.parent.iterdir()}


@pytest.mark.parametrize("transform", PIPELINES)
@given(values=matrices, row=st.integers(0, 8), column=st.integers(0, 5), new=st.one_of(numbers, st.just(float("nan"))))
@settings(deadline=None, max_examples=60)
def test_one_number_of_one_training_row_changes_the_state(
    transform: str, values: np.ndarray, row: int, column: int, new: float
) -> None:
    changed = values.copy()
    changed[row, column] = new
    same = np.array_equal(values, changed, equal_nan=True)
    assert (content(fitted(values, transform)) == content(fitted(changed, transform))) is same


@pytest.mark.parametrize("transform", PIPELINES)
@given(values=matrices, data=st.data())
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_rows_changes_no_byte(transform: str, values: np.ndarray, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(9)))
    names = [f"s{i}" for i in range(9)]
    twins = [*names[:7], "s6", "s6"]  # as where two cohorts share a sample
    for ids in (names, twins):
        turned = fitted(values[order], transform, ids=[ids[i] for i in order])
        assert content(turned) == content(fitted(values, transform, ids=ids))


@pytest.mark.parametrize("transform", PIPELINES)
@given(values=matrices, other=matrices)
@settings(deadline=None, max_examples=20)
def test_transforming_other_rows_changes_no_byte(transform: str, values: np.ndarray, other: np.ndarray) -> None:
    state = fitted(values, transform)
    before = content(state)
    state.apply("rna", other, FEATURES)
    assert content(state) == before


@pytest.mark.parametrize("step", {type(step): step for steps in PIPELINES.values() for step in steps}.values())
@given(values=matrices, other=matrices)
@settings(deadline=None, max_examples=30)
def test_a_step_learns_from_what_it_is_fitted_on_alone(step: Step, values: np.ndarray, other: np.ndarray) -> None:
    values, other = values[:, ~np.isnan(values).all(axis=0)], other[:, ~np.isnan(values).all(axis=0)]
    kept, learned = values.copy(), step.fit(values)
    alone = {key: array.copy() for key, array in learned.items()}
    one_by_one = [step.apply(other[i : i + 1], learned) for i in range(len(other))]
    together = step.apply(other, learned)
    np.testing.assert_array_equal(np.concatenate(one_by_one), together)
    assert {k: v.tobytes() for k, v in learned.items()} == {k: v.tobytes() for k, v in alone.items()}
    np.testing.assert_array_equal(values, kept)
    again = step.fit(values)
    assert {k: v.tobytes() for k, v in again.items()} == {k: v.tobytes() for k, v in alone.items()}


def test_every_step_that_learns_sees_each_training_row() -> None:
    values = np.random.default_rng(0).gamma(2, 10, size=(9, 6)).astype(np.float32)
    for steps in PIPELINES.values():
        for step in steps:
            # Rows at the edges and in the middle of their column: limits see the former, medians the latter.
            seen = [
                any((step.fit(changed)[k] != v).any() for k, v in step.fit(values).items())
                for changed in (_moved(values, rank) for rank in (0, 4, 8))
            ]
            assert any(seen) is bool(step.fit(values))


def _moved(values: np.ndarray, rank: int) -> np.ndarray:
    changed = values.copy()
    changed[np.argsort(values[:, 0])[rank], 0] += 1
    return changed


def test_a_state_says_which_rows_it_has_seen() -> None:
    values = np.random.default_rng(10).gamma(2, 10, size=(9, 6)).astype(np.float32)
    values[2] = np.nan
    state = fitted(values)
    names = [f"s{i}" for i in range(9)]
    entry = state.describe()["modalities"]["rna"]
    assert state.describe()["fitted_on"] == names
    assert state.fitted_on_row_hash == row_hash(names)
    assert entry["row_hash"] == row_hash([n for n in names if n != "s2"])
    assert entry["n_rows"] == 8
    assert entry["input_hash"] == hash_array(np.delete(values, 2, axis=0))
    assert entry["output_hash"] == hash_array(state.apply("rna", np.delete(values, 2, axis=0), FEATURES))


def test_records_that_are_read_as_they_are() -> None:
    asked = {"split": "s", "manifest_hash": "h", "fold": 0, "sample_ids": ["b", "a"]}
    state = fit_state("default", {}, {}, {}, as_is=["report", "Patches"], **asked)
    assert (state.as_is, state.modalities, state.fitted_on) == (("patches", "report"), (), ("a", "b"))
    with tempfile.TemporaryDirectory() as folder:
        assert load_state(state.save(Path(folder))) == state
    with pytest.raises(UsageError, match="rna is a matrix and is not read as it is"):
        fit_state("default", {}, {}, {}, as_is=["rna"], **asked)


def test_a_state_of_an_older_version_is_refused(tmp_path: Path) -> None:
    path = fitted(np.random.default_rng(9).gamma(2, 10, size=(50, 6)).astype(np.float32)).save(tmp_path)
    body = json.loads(path.read_text())
    del body["fitted_on"]
    path.write_text(json.dumps(body))
    with pytest.raises(LeakageError, match="is of an older version: it lacks fitted_on"):
        load_state(path)


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
