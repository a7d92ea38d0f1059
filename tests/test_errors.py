"""A mistyped name is told from what it was meant to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.errors import mistyped, nearest

GENES = ["TP53", "TPM3P5", "UTP3", "TP53RK", "EGFR", "VEGFR2", "EGF", "BRCA1", "BRAT1", "PRAC1", "HLA-A", "GLCE"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("TP35", "TP53"), ("EGFFR", "EGFR"), ("BRAC1", "BRCA1"), ("hlaa", "HLA-A"), ("TP5", "TP53"), ("PT53", "TP53")],
)
def test_one_slip(name: str, meant: str) -> None:
    assert mistyped(name, GENES)[0] == nearest(name, GENES)[0] == meant


@pytest.mark.parametrize("name", ["glucose", "1234567", "C00031", "935F1F78-4048-4844-81F0-1E56842A73B1", ""])
def test_what_is_no_slip_is_like_nothing(name: str) -> None:
    assert mistyped(name, GENES) == []


@given(st.text("ABC123-", min_size=2, max_size=12), st.data())
def test_any_slip_is_found(name: str, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(name) - 2))
    letter = data.draw(st.sampled_from("ABC123-"))
    slips = [
        name[:i] + name[i + 1 :],
        name[:i] + letter + name[i:],
        name[:i] + letter + name[i + 1 :],
        name[:i] + name[i + 1] + name[i] + name[i + 2 :],
    ]
    assert all(mistyped(slip, ["zzz", name]) == [name] for slip in slips)
