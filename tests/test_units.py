from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.errors import StudyError, UnknownNameError
from omicstore.units import BASES, parse_unit

F = np.float32


def linear(text: str, values: list[float], decimals: int | None = None) -> np.ndarray:
    return parse_unit(text).to_linear(np.array(values, dtype=F), decimals)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("tpm", "tpm"),
        ("log2(tpm+0.001)", "tpm"),
        (" Log2( FPKM_UQ + 1 ) ", "fpkm_uq"),
        ("log10(intensity)", "intensity"),
        ("m_value", "beta"),
        ("zscore", "zscore"),
    ],
)
def test_stored(text: str, stored: str) -> None:
    assert parse_unit(text).stored == stored


def test_the_code_of_zero_is_zero() -> None:
    # log2(0.001) is -9.96578...; with four decimals that is -9.9658
    out = linear("log2(tpm+0.001)", [-9.9658, -9.9657, -6.5064, 10.0], 4)
    assert out[0] == 0.0
    assert not np.signbit(out[0])
    assert 0 < out[1] < 1e-6
    assert out[2:] == pytest.approx([0.01, 1023.999], rel=1e-3)


def test_the_code_of_zero_in_full_precision() -> None:
    exact = float(np.log2(0.001))
    assert linear("log2(tpm+0.001)", [exact], None)[0] == 0.0
    assert linear("log2(tpm+0.001)", [exact], 15)[0] == 0.0


def test_what_is_below_zero_beyond_precision_stays_negative() -> None:
    assert linear("log2(tpm+0.001)", [-12.0], 4)[0] < 0


@given(st.integers(1, 6), st.sampled_from([0.001, 0.01, 1.0]))
def test_zero_survives_any_rounding(decimals: int, offset: float) -> None:
    written = round(float(np.log2(offset)), decimals)
    assert linear(f"log2(tpm+{offset})", [written], decimals)[0] == 0.0


@given(st.floats(0.1, 1e5), st.sampled_from(["log2", "log10", "ln"]), st.sampled_from([0.0, 0.001, 1.0]))
def test_inverts(value: float, log: str, offset: float) -> None:
    logged = {"log2": np.log2, "log10": np.log10, "ln": np.log}[log](value + offset)
    assert linear(f"{log}(tpm+{offset})", [logged])[0] == pytest.approx(value, rel=1e-4, abs=1e-5)


@given(st.floats(0.001, 0.999))
def test_m_values(beta: float) -> None:
    assert linear("m_value", [np.log2(beta / (1 - beta))])[0] == pytest.approx(beta, rel=1e-4)


def test_extreme_m_values_stay_in_range() -> None:
    out = linear("m_value", [-200.0, 200.0])
    assert out.tolist() == [0.0, 1.0]


def test_nan_stays_and_nothing_is_filled() -> None:
    for text in ("tpm", "log2(tpm+1)", "m_value", "zscore", "log10(intensity)"):
        assert np.isnan(linear(text, [np.nan])[0])


def test_no_negative_zero() -> None:
    assert not np.signbit(linear("zscore", [-0.0])[0])


def test_blocks_do_not_show() -> None:
    values = np.random.default_rng(0).normal(size=(3, 500_000)).astype(F)
    whole = parse_unit("log2(tpm+1)").to_linear(values)
    assert np.array_equal(whole, np.exp2(values) - F(1))


def test_the_source_is_left_alone() -> None:
    values = np.array([1.0, 2.0], dtype=F)
    parse_unit("log2(tpm+1)").to_linear(values)
    assert values.tolist() == [1.0, 2.0]


def test_unknown_base_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown unit 'fpkmuq'. Expected one of fpkm_uq"):
        parse_unit("log2(fpkmuq+1)")


@pytest.mark.parametrize("text", ["log2(tpm", "log2(tpm+)", "log2(tpm+e)", "log2(tpm*2)"])
def test_unreadable(text: str) -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        parse_unit(text)


def test_log_of_what_is_no_amount() -> None:
    with pytest.raises(StudyError, match="takes a logarithm of zscore"):
        parse_unit("log2(zscore+1)")


def test_unknown_logarithm() -> None:
    with pytest.raises(UnknownNameError, match="log3"):
        parse_unit("log3(tpm)")


def test_every_base_parses() -> None:
    assert all(parse_unit(name).base.name == name for name in BASES)
