"""Statistics of rows, samples, features and matrices against plain numpy, whatever the block."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from validation import profiles
from validation.expression import expressed_sex
from validation.profiles import describe_features, describe_matrix, describe_rows, describe_samples

MATRICES = arrays(
    np.float32,
    st.tuples(st.integers(1, 7), st.integers(1, 9)),
    elements=st.one_of(st.just(np.nan), st.just(0.0), st.floats(-1000, 1000, width=32)),
)


@given(MATRICES)
@settings(max_examples=60, deadline=None)
def test_rows_agree_with_numpy(x: np.ndarray) -> None:
    found = describe_rows(x, (-1.0, 1.0))
    wide = x.astype(np.float64)
    n = (~np.isnan(wide)).sum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of rows without values
        expected = {
            "n": n,
            "missing": np.isnan(wide).mean(axis=1),
            "min": np.nanmin(wide, axis=1),
            "max": np.nanmax(wide, axis=1),
            "mean": np.nanmean(wide, axis=1),
            "sd": np.where(n > 1, np.nanstd(wide, axis=1, ddof=1), np.nan),
            "median_abs": np.nanmedian(np.abs(wide), axis=1),
            "zeros": np.where(n > 0, (wide == 0).sum(axis=1) / np.maximum(n, 1), np.nan),
            "n_outside": (np.abs(wide) > 1 + 1e-6).sum(axis=1),
            "n_fractions": (~np.isnan(wide) & (wide != np.round(wide))).sum(axis=1),
            "n_infinite": np.zeros(len(x)),
            "range": np.where(n > 1, np.nanmax(wide, axis=1) - np.nanmin(wide, axis=1), np.nan),
        }
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        assert_allclose(found[name], column, rtol=1e-5, atol=1e-5, err_msg=name)


@given(MATRICES, st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_blocks_do_not_matter(x: np.ndarray, block: int) -> None:
    whole = describe_samples(x, "beta"), describe_features(x, "beta")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "_BLOCK", block)
        assert describe_samples(x, "beta").equals(whole[0])
        assert describe_features(x, "beta").equals(whole[1])
    assert describe_features(x, "beta").equals(describe_samples(np.ascontiguousarray(x.T), "beta"))


@given(MATRICES)
@settings(max_examples=40, deadline=None)
def test_matrix_from_its_samples(x: np.ndarray) -> None:
    found = describe_matrix(describe_samples(x, None))
    seen = x[~np.isnan(x)].astype(np.float64)
    assert found["observed"] == len(seen)
    assert_allclose(found["missing"], np.isnan(x).mean())
    if len(seen):
        assert_allclose([found["min"], found["max"]], [seen.min(), seen.max()])
        assert_allclose(found["mean"], seen.mean(), rtol=1e-5, atol=1e-4)
    if len(seen) > 1:
        assert_allclose(found["sd"], seen.std(ddof=1), rtol=1e-4, atol=1e-3)


def test_large_offset_does_not_spoil_the_sd() -> None:
    x = (1e5 + np.random.default_rng(0).normal(size=(1, 4000))).astype(np.float32)
    assert_allclose(describe_rows(x, (None, None))["sd"], x.astype(np.float64).std(axis=1, ddof=1), rtol=1e-4)


def test_float32_rounding_is_not_outside() -> None:
    x = np.array([[0.0, np.nextafter(np.float32(1), np.float32(2))]], np.float32)
    assert describe_rows(x, (0.0, 1.0))["n_outside"].tolist() == [0]


class TestExpressedSex:
    SYMBOLS = pl.DataFrame({"symbol": ["XIST", "RPS4Y1", "DDX3Y", "ACTB", None]})

    def call(self, *values: float, unit: str = "tpm", symbols: pl.DataFrame = SYMBOLS) -> list[str | None]:
        return expressed_sex(np.array([values], np.float32), symbols, unit)["expressed"].to_list()

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ((40, 0, 0.1, 4, 4), "female"),
            ((0, 30, 20, 4, 4), "male"),
            ((0, 0, 0, 4, 4), None),
            ((40, 30, 30, 4, 4), None),
            ((np.nan, 30, 20, 4, 4), "male"),
        ],
    )
    def test_calls(self, values: tuple[float, ...], expected: str | None) -> None:
        assert self.call(*values) == [expected]

    def test_scale_does_not_matter(self) -> None:
        assert self.call(8000, 0, 20, 800, 800, unit="rsem_normalized") == ["female"]

    def test_nothing_is_said_of_other_units_or_genes(self) -> None:
        assert self.call(3, -1, -1, 0, 0, unit="zscore") == []
        assert self.call(40, 0, 0, 4, 4, symbols=pl.DataFrame({"symbol": ["A", "B", "C", "D", None]})) == []
