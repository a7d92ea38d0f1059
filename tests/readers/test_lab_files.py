"""Tables as spreadsheets and laboratories write them: decimal commas, UTF-16, titles, delimiters at the end."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.errors import SourceError
from omicstore.readers import read
from omicstore.readers.delimited import read_texts, sniff
from omicstore.sources import Sampling, Source

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.table import RawTable

LAB = Sampling(origin="id", cohort="LAB", sample_type="primary")
IDS = ["P001", "P002", "P003"]
GENES = ["TP53", "EGFR", "KRAS", "MYC"]
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4) + 0.25


def _lines(delimiter: str, mark: str = ".") -> list[str]:
    rows = [[gene, *(str(v).replace(".", mark) for v in VALUES[:, i])] for i, gene in enumerate(GENES)]
    return [delimiter.join(row) for row in [["gene", *IDS], *rows]]


def _matrix(path: Path) -> RawTable:
    source = Source(path, "matrix", "rna", "LAB", "tpm", orientation="features_in_rows")
    return read(source, LAB)[0]


def _is_whole(raw: RawTable) -> None:
    assert (raw.ids, raw.features) == (IDS, GENES)
    assert raw.values is not None
    np.testing.assert_array_equal(raw.values, VALUES)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "expression.csv"
    path.write_text("\n".join(_lines(delimiter, ",")))
    _is_whole(_matrix(path))
    assert _matrix(path).decimals == 2


def test_thousands_are_no_decimals(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("gene;P001;P002\nTP53;1,234;2,345\nEGFR;12,001;7\n")
    with pytest.raises(SourceError, match="'2,345' is no number"):
        _matrix(path)


def test_a_list_beside_tabs_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "patients.tsv"
    path.write_text("patient\tgleason\tcentre\nP001\t3,4\tA\nP002\t4,4\tB\n")
    assert read_texts(sniff(path))["1"].to_list() == ["3,4", "4,4"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_unicode_text_of_spreadsheets_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "expression.txt"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + "\r\n".join(_lines("\t"))).encode(encoding))
    _is_whole(_matrix(path))


def test_delimiters_at_the_end_of_all_lines_but_the_header_move_no_value(tmp_path: Path) -> None:
    path = tmp_path / "expression.csv"
    header, *rows = _lines(",")
    path.write_text("\n".join([header, *(row + "," for row in rows)]))
    _is_whole(_matrix(path))


def test_comments_above_the_header_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "expression.csv"
    path.write_text("\n".join(["# our cohort, log2", "# 2024", *_lines(",")]))
    _is_whole(_matrix(path))


@pytest.mark.parametrize("title", ["Expression of our cohort", "Expression of our cohort, 2024", "Our cohort,,,"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_title_above_the_header_is_named(tmp_path: Path, title: str, delimiter: str) -> None:
    path = tmp_path / "expression.csv"
    path.write_text("\n".join([title, *_lines(delimiter)]))
    with pytest.raises(SourceError) as caught:
        sniff(path)
    assert str(caught.value).endswith(
        " is no header: the lines below have 4 cells. Expected the names of the columns."
        " To mend it: remove what stands above the header"
    )
    assert ", line 1: " in str(caught.value)


def test_lines_that_end_with_a_carriage_return_alone_are_named(tmp_path: Path) -> None:
    path = tmp_path / "expression.csv"
    path.write_bytes("\r".join(_lines(",")).encode())
    with pytest.raises(SourceError, match="its lines end with CR alone"):
        sniff(path)


def test_negative_times_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text("patient,os_days,os_status\nP001,-5,1\nP002,0,1\nP003,7,0\n")
    outcome = read(Source(path, "clinical-table", None, "LAB"))[1]
    assert outcome.frame is not None
    assert outcome.frame.select("raw_id", "time_days").rows() == [("P002", 0.0), ("P003", 7.0)]
    assert outcome.drops.counts == {"OS at a negative time": 1}


def test_a_column_of_text_among_samples_hides_none_of_them(tmp_path: Path) -> None:
    path = tmp_path / "expression.csv"
    header, *rows = [line.split(",") for line in _lines(",")]
    cells = [[*header[:2], "note", *header[2:]], *([*row[:2], "fine", *row[2:]] for row in rows)]
    path.write_text("\n".join(",".join(row) for row in cells))
    with pytest.raises(SourceError, match="'note' holds text, and samples stand on both sides of it, such as 'P001'"):
        _matrix(path)
    source = Source(path, "matrix", "rna", "LAB", "tpm", orientation="features_in_rows", drop=("note",))
    _is_whole(read(source, LAB)[0])


def test_digits_of_other_scripts_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "expression.csv"
    path.write_text("\n".join(_lines(",")).replace("7.25", "\u0667"))
    with pytest.raises(SourceError, match="line 5, column 'P002': '\u0667' is no number"):
        _matrix(path)


def test_a_zip_file_with_a_password_is_named(tmp_path: Path) -> None:
    path = tmp_path / "expression.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("expression.csv", "\n".join(_lines(",")))
    data = bytearray(path.read_bytes())
    for at in (6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1  # the bit that says encrypted, in the member's header and in the directory
    path.write_bytes(data)
    with pytest.raises(SourceError, match="the zip file asks for a password"):
        sniff(path)
