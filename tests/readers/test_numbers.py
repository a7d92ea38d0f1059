"""Text to float32: the fast way agrees with the slow and simple one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.errors import SourceError
from omicstore.readers import numbers
from omicstore.readers.delimited import read_texts, sniff
from omicstore.readers.numbers import read_numbers, to_float

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from omicstore.readers.delimited import Layout

NUMBER = st.one_of(
    st.floats(-(2.0**100), 2.0**100, width=32).map(repr),
    st.integers(-(10**9), 10**9).map(str),
    st.floats(-1e4, 1e4).map("{:.4f}".format),
    st.floats(1e-30, 1e30).map("{:.3e}".format),
)
CELL = st.one_of(
    NUMBER, st.sampled_from(["", "NA", "nan", "NaN", "null", " 1.5", "2.5 ", " ", '"3.5"', '""', "[Not Available]"])
)


def value_of(cell: str) -> float:
    cell = cell.strip().strip('"')
    return math.nan if cell in ("", "NA", "null", "[Not Available]") else float(np.float32(float(cell)))


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    n_columns = draw(st.integers(1, 5))
    return draw(st.lists(st.lists(CELL, min_size=n_columns, max_size=n_columns), min_size=1, max_size=8))


@given(
    tables(), st.sampled_from("\t,;"), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), st.integers(1, 60)
)
@settings(max_examples=80, deadline=None)
def test_agrees_with_python(tmp_path_factory, table, delimiter, end, last_end, turn, chunk) -> None:
    path = tmp_path_factory.mktemp("numbers") / "m"
    lines = [["id", *(f"c{i}" for i in range(len(table[0])))], *([f"r{i}", *row] for i, row in enumerate(table))]
    path.write_text(end.join(delimiter.join(line) for line in lines) + (end if last_end else ""), newline="")
    expected = np.array([[value_of(cell) for cell in row] for row in table], np.float32)
    layout = sniff(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "CHUNK", chunk)
        found = read_numbers(layout, 1, turn=turn)
    assert found.values.dtype == np.float32
    assert found.values.flags.c_contiguous
    np.testing.assert_array_equal(found.values, expected.T if turn else expected)
    assert found.texts == [[f"r{i}" for i in range(len(table))]]
    assert found.lines == list(range(2, 2 + len(table)))
    slow = to_float(layout, read_texts(layout, range(1, len(lines[0]))))
    np.testing.assert_array_equal(slow.to_numpy(), expected)


def test_blank_lines_and_quoted_texts(write: Callable[[str, str], Path]) -> None:
    text = 'gene,about,TCGA-XX-A001,TCGA-XX-A002\n\n"A,1","say ""x""",1,2\n\nB,,3,4\n'
    layout = sniff(write("a.csv", text))
    found = read_numbers(layout, 2)
    assert found.texts == [["A,1", "B"], ['say "x"', ""]]
    assert found.lines == [3, 5]
    np.testing.assert_array_equal(found.values, [[1, 2], [3, 4]])


def test_r_leaves_out_the_first_header_cell(write: Callable[[str, str], Path]) -> None:
    layout = sniff(write("a.tsv", '"S1"\t"S2"\n"A"\t1\t2\n'))
    assert layout.header == ["", "S1", "S2"]
    np.testing.assert_array_equal(read_numbers(layout, 1).values, [[1, 2]])


def test_kept_columns_come_in_the_order_asked_for(write: Callable[[str, str], Path]) -> None:
    layout = sniff(write("a.tsv", "id\ta\tb\tc\nx\t1\t2\t3\n"))
    np.testing.assert_array_equal(read_numbers(layout, 1, [3, 1]).values, [[3, 1]])


def test_tokens_of_the_study_file(write: Callable[[str, str], Path]) -> None:
    layout = sniff(write("a.tsv", "id\ta\tb\tc\nx\t-9\tnone seen\t1.01E-12\ny\t-9.5\tNA\t1.2e-08\n"))
    found = read_numbers(layout, 1, missing=["-9", "none seen", "1e-12"])
    np.testing.assert_array_equal(
        found.values, np.array([[np.nan, np.nan, np.nan], [-9.5, np.nan, 1.2e-08]], np.float32)
    )
    assert found.n_sentinels == 2
    slow = to_float(layout, read_texts(layout, [1, 2, 3]), ["-9", "none seen", "1e-12"])
    np.testing.assert_array_equal(slow.to_numpy(), found.values)


@pytest.mark.parametrize("text", ["id\ta\nx\t1\ny\n", 'id\ta\n"x"\t1\n"y"\n', "id\ta\nx\t1\n\ty\t\n"])
def test_a_line_without_its_only_number_is_too_short(write: Callable[[str, str], Path], text: str) -> None:
    with pytest.raises(SourceError, match="line [34]: the line has [13] cells?. Expected 2"):
        read_numbers(sniff(write("a.tsv", text)), 1)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_line_that_ends_within_its_texts_is_too_short(write: Callable[[str, str], Path], quote: str) -> None:
    layout = sniff(write("a.tsv", f"id\tname\ta\n{quote}x{quote}\ty\t1\nz\t\n"))
    with pytest.raises(SourceError, match="line 3: the line has 2 cells. Expected 3"):
        read_numbers(layout, 2)


def test_infinite_numbers_may_be_called_missing(write: Callable[[str, str], Path]) -> None:
    layout = sniff(write("a.tsv", "id\ta\tb\nx\tinf\t-inf\ny\t3\t4\n"))
    expected = [[np.nan, np.nan], [3, 4]]
    np.testing.assert_array_equal(read_numbers(layout, 1, missing=["inf", "-inf"]).values, expected)
    np.testing.assert_array_equal(to_float(layout, read_texts(layout, [1, 2]), ["inf", "-inf"]).to_numpy(), expected)


def test_decimals_are_seen_in_every_chunk(write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "CHUNK", 8)
    layout = sniff(write("a.tsv", "id\ta\nx\t1\ny\t2.5\nz\t3.125\n"))
    assert read_numbers(layout, 1).decimals == 3


BAD_CELLS = {
    "word": ("id\ta\tb\nx\t1\t2\ny\t3\tabc\n", "line 3, column 'b': 'abc' is no number"),
    "two dots": ("id\ta\tb\nx\t1.2.3\t2\n\ny\t3\t4\n", "line 2, column 'a': '1.2.3' is no number"),
    "infinite": ("id\ta\tb\nx\t1\t2\n\ny\tinf\t4\n", "line 4, column 'a': 'inf' is infinite"),
    "too large": ("id\ta\tb\nx\t1\t1e39\n", "line 2, column 'b': '1e39' is infinite"),
    "decimal comma": ("id\ta\tb\nx\t1,5\t2,5\ny\t3\t4\n", "line 2, column 'a': '1,5' is no number"),
    "long line": ("id\ta\tb\nx\t1\t2\ny\t3\t4\t5\n", "line 3: the line has 4 cells. Expected 3"),
    "no cell": ("id\ta\tb\nx\t1\t2\ny\n", "line 3: the line has 1 cell. Expected 3"),
    "lengths even out": ("id\ta\tb\nx\t1\ny\t3\t4\t5\n", "line 2: the line has 2 cells. Expected 3"),
}


@pytest.mark.parametrize("kind", sorted(BAD_CELLS))
@pytest.mark.parametrize("fast", [True, False])
def test_place_of_a_bad_cell(write: Callable[[str, str], Path], kind: str, fast: bool) -> None:
    text, message = BAD_CELLS[kind]
    layout = sniff(write("a.tsv", text))
    with pytest.raises(SourceError) as caught:
        _read(layout, fast)
    assert str(caught.value).partition(", ")[2].startswith(message)


def _read(layout: Layout, fast: bool) -> None:
    if fast:
        read_numbers(layout, 1)
    else:
        to_float(layout, read_texts(layout, [1, 2]))


def test_line_of_a_bad_cell_after_a_quoted_line_feed(write: Callable[[str, str], Path]) -> None:
    layout = sniff(write("a.csv", 'id,a,note\nx,1,"two\nlines"\n\ny,oops,"one"\n'))
    with pytest.raises(SourceError, match="line 5, column 'a': 'oops' is no number"):
        to_float(layout, read_texts(layout, [1]))
