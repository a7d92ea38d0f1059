"""Several rows of one gene, where the values are calls: the one farthest from 0 stays."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from omicstore.harmonize.axis import aggregate, make_axis
from omicstore.units import parse_unit

CALLS = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, float("nan")])


def one(cells: list[float]) -> float:
    """The rule, for one gene and sample."""
    observed = [c for c in cells if not np.isnan(c)]
    return max(observed, key=lambda c: (abs(c), c)) if observed else float("nan")


@given(
    arrays(np.float32, st.tuples(st.integers(1, 5), st.just(6)), elements=CALLS),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_the_farthest_from_zero_stays(values: np.ndarray, genes: list[int]) -> None:
    pairs = pl.DataFrame({"feature_id": [f"g{g}" for g in genes], "column": range(6)})
    axis = make_axis(pairs, "extreme")
    out = aggregate(values, np.arange(len(values)), axis, parse_unit("gistic"), 0)
    expected = [
        [one([float(row[c]) for c in range(6) if f"g{genes[c]}" == gene]) for gene in axis.frame["feature_id"]]
        for row in values
    ]
    np.testing.assert_array_equal(out, np.array(expected, np.float32))


def test_units_say_what_becomes_of_several_rows() -> None:
    said = {unit: parse_unit(unit).base.several for unit in ("tpm", "beta", "log2_ratio", "gistic", "mutated")}
    assert said == {"tpm": "sum", "beta": "mean", "log2_ratio": "mean", "gistic": "extreme", "mutated": "extreme"}
