"""Delimited text: what its columns are, and the two ways of reading it.

`read_numbers` takes big matrices straight from text to float32, one chunk of lines after the other; `read_texts` takes
tables whose columns are of many kinds as strings.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError, nearest
from omicstore.readers.bytestream import AGAIN, pieces, read_bytes
from omicstore.readers.cells import MISSING, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Layout", "duplicates", "line_of", "matches", "read_texts", "sniff", "split", "wrong_width"]

#: Delimiters that are looked for. Not `|`: gene ids hold it.
DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon"}

#: Numbers with a decimal comma, with a decimal point, and with commas between thousands.
_COMMA = re.compile(r"^(\s*[-+]?\d+),(\d+(?:[eE][-+]?\d+)?\s*)$")
_POINT = re.compile(r"[-+]?\d+\.\d+(?:[eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")

#: How much of the file is looked at, in bytes after the header and in cells.
PEEK, PEEK_CELLS = 1 << 20, 20_000

#: How much is looked at to find two whole rows, in bytes: a row of all probes of an array has 5 to 20 MB.
PEEK_ROWS = 64 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """What the first lines of a delimited file say.

    Attributes
    ----------
    path, delimiter
        The file and what parts its columns.
    header
        The names of all columns; the first is empty where the header names one column fewer than the rows have.
    rows
        The cells of the first few rows.
    skip
        Lines before the first row: the header, and comments above it.
    crlf
        Whether lines end with CR and LF.
    decimal_comma
        Whether numbers are written as ``63,5``. The cells of `rows` have a point instead.
    kinds
        The second header line of the files that Firehose makes, or nothing.
    """

    path: Path
    delimiter: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    skip: int = 1
    crlf: bool = False
    decimal_comma: bool = False
    kinds: tuple[str, ...] = ()

    def index(self, name: str) -> int:
        """Return the position of a column.

        Raises
        ------
        SourceError
            If there is no such column; names the nearest ones.
        """
        if name in self.header:
            return self.header.index(name)
        close = ", ".join(repr(n) for n in nearest(name, [h for h in self.header if h]))
        raise SourceError(
            self.path, f"there is no column {name!r}", expected=f"one of {close}", run="mend the name in the study file"
        )

    def is_text(self, column: int) -> bool:
        """Whether a column holds text: no cell of the first rows is a number, and not all are missing."""
        cells = [row[column].strip() for row in self.rows if column < len(row)]
        cells = [c for c in cells if c and c not in MISSING]
        return bool(cells) and not any(is_number(c) for c in cells)


def sniff(path: Path, *, two_headers: bool = False) -> Layout:
    """Look at the first lines of a delimited file.

    Parameters
    ----------
    path
        The file; plain, gzip or zip.
    two_headers
        Whether the file may have two header lines, as Firehose writes them; then `Layout.kinds` is the second.

    Raises
    ------
    SourceError
        If it is no delimited text, or has a header only.
    """
    head, whole = _head(path)
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or not head:  # not merely a character cut in two
            text = head.decode("latin-1")
        else:
            text = head[: error.start].decode("utf-8-sig")
    crlf = "\r\n" in text
    if "\n" not in text and "\r" in text:
        found, run = "its lines end with CR alone", "save it as CSV with line feeds, not in the form of old Macs"
        raise SourceError(path, found, expected="lines that end with LF, or CR and LF", run=run)
    lines = text.replace("\r\n", "\n").split("\n")
    if not whole:
        lines.pop()
    if lines[0].lstrip()[:1] == "<":
        raise SourceError(path, "this is a web page or XML, not a table", expected="delimited text", run=AGAIN)
    above = _lines_above(path, lines)
    first, lines = lines[above], lines[above + 1 :]
    delimiter = _delimiter(path, first)
    header = split(first, delimiter)
    budget = max(3, min(50, PEEK_CELLS // len(header)))
    rows = [split(line, delimiter) for line in [line for line in lines if line.strip()][:budget]]
    if rows and len(rows[0]) == len(header) + 1:
        # R's write.table leaves out the name of the row names; others end every line but the header with a delimiter.
        header = ["", *header] if any(row[-1].strip() for row in rows) else [*header, ""]
    decimal_comma = _has_decimal_commas(rows, delimiter)
    if decimal_comma:
        rows = [[_COMMA.sub(r"\1.\2", cell) for cell in row] for row in rows]
    kinds: tuple[str, ...] = ()
    if two_headers and rows and _is_second_header(rows[0]):
        kinds, rows = tuple(rows[0]), rows[1:]
    if not rows:
        found = f"there is a header of {len(header)} columns and no row: 0 samples"
        raise SourceError(path, found, expected="at least one row", run=AGAIN)
    skip = above + (2 if kinds else 1)
    return Layout(path, delimiter, [h.strip() for h in header], rows, skip, crlf, decimal_comma, kinds)


def split(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line; quotes around a cell are taken off."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter), [""])
    except csv.Error:  # a cell over 128 KiB, or a NUL
        return line.split(delimiter)


def matches(names: Sequence[str], wanted: Sequence[str]) -> set[str]:
    """Return which `names` are wanted: by name, or, where an entry is no name, as a pattern that is searched.

    Examples
    --------
    >>> sorted(matches(["AGE", "AGER_rnaseq", "TP53_rnaseq"], ["AGE", "^TP53_"]))
    ['AGE', 'TP53_rnaseq']
    """
    known = set(names)
    found = known.intersection(wanted)
    for entry in wanted:
        if entry in known:
            continue
        try:
            pattern = re.compile(entry)
        except re.error:
            continue
        found.update(name for name in known if pattern.search(name))
    return found


def duplicates(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the names that come more than once, with their positions."""
    repeated = {name for name, count in Counter(names).items() if count > 1}
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        if name in repeated:
            found.setdefault(name, []).append(position)
    return found


def read_texts(layout: Layout, columns: Sequence[int] | None = None) -> pl.DataFrame:
    """Read columns of a table as strings without blanks around them; nothing is taken for missing but an empty cell.

    Parameters
    ----------
    layout
        Of the file.
    columns
        Their positions; all where absent.

    Returns
    -------
    polars.DataFrame
        Columns named by their position, ``"0"``, ``"1"``, ...

    Raises
    ------
    SourceError
        If a row has not as many cells as the header.
    """
    wanted = sorted(range(len(layout.header)) if columns is None else set(columns))
    data = read_bytes(layout.path)
    full = _full_rows(data, layout)
    # In tab-delimited files a lone quote is an inch mark far more often than the start of a quoted cell.
    tab = layout.delimiter == "\t"
    frame = pl.read_csv(
        data,
        separator=layout.delimiter,
        has_header=False,
        skip_lines=layout.skip,
        schema={str(i): pl.String for i in range(len(layout.header))},
        columns=wanted,
        quote_char=None if tab else '"',
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
    )
    if not full.all():
        frame = frame.filter(pl.Series(full))
    if layout.decimal_comma:
        frame = frame.with_columns(pl.all().str.replace(_COMMA.pattern, "${1}.${2}"))
    quoted = b'"' in data
    if tab and quoted:
        frame = frame.with_columns(
            pl.all().str.replace(r'^\s*"(.*)"\s*$', "$1").str.replace_all('""', '"', literal=True)
        )
    elif not quoted and not _has_outer_blanks(data, layout):
        return frame
    stripped = frame.with_columns(pl.all().str.strip_chars())
    return stripped.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _has_outer_blanks(data: bytes, layout: Layout) -> bool:
    """Whether a blank stands at either end of a cell; to strip all cells of a large table takes long."""
    if b"\r" in data:
        return True
    buffer = np.frombuffer(data, np.uint8)
    blanks = np.flatnonzero(buffer == ord(" "))
    ends = (ord(layout.delimiter), ord("\n"))
    before, after = buffer[np.maximum(blanks - 1, 0)], buffer[np.minimum(blanks + 1, len(buffer) - 1)]
    return bool(np.isin(before, ends).any() or np.isin(after, ends).any() or data[:1] == b" " or data[-1:] == b" ")


def line_of(layout: Layout, row: int) -> int:
    """Return the 1-based line of the file on which a row starts; reads the file again, so for messages only."""
    data = read_bytes(layout.path)
    starts, _, full = _records(data, layout)
    return data.count(b"\n", 0, int(starts[full][row])) + 1


def _records(data: bytes, layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return where each row starts, its cells, and whether it is not blank; a line feed in quotes ends no row."""
    buffer = np.frombuffer(data, np.uint8)
    breaks, cuts = buffer == ord("\n"), buffer == ord(layout.delimiter)
    if layout.delimiter != "\t" and b'"' in data:
        quotes = np.cumsum(buffer == ord('"'), dtype=np.uint8)  # wraps, which keeps its last bit
        outside = (quotes & 1) == 0
        breaks, cuts = breaks & outside, cuts & outside
    ends = np.flatnonzero(breaks)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    widths = np.diff(np.searchsorted(np.flatnonzero(cuts), ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    full = ends - starts > int(layout.crlf)
    return starts[layout.skip :], widths[layout.skip :], full[layout.skip :]


def _full_rows(data: bytes, layout: Layout) -> NDArray[np.bool_]:
    """Return which rows are not blank; all others must have as many cells as the header."""
    starts, widths, full = _records(data, layout)
    wrong = np.flatnonzero((widths != len(layout.header)) & full)
    if len(wrong):
        line = data.count(b"\n", 0, int(starts[wrong[0]])) + 1
        raise wrong_width(layout, line, int(widths[wrong[0]]))
    return full


def wrong_width(layout: Layout, line: int, cells: int) -> SourceError:
    """Return the error of a line that has not as many cells as the header."""
    expected = f"{len(layout.header)}, as in the header, separated by {DELIMITERS[layout.delimiter]}"
    run = "mend the line; a file that ends in the middle of a line is truncated"
    if cells == 1:
        run = "use one delimiter in the whole file"
    return SourceError(
        layout.path, f"the line has {cells} {'cell' if cells == 1 else 'cells'}", line=line, expected=expected, run=run
    )


def _head(path: Path) -> tuple[bytes, bool]:
    """Return the header and the text after it, up to `PEEK` bytes, and whether that is all."""
    held, whole, end = bytearray(), True, 0
    for piece in pieces(path):
        seen = len(held)
        held += piece
        end = end or held.find(b"\n", seen) + 1
        if end and len(held) - end > PEEK:
            cut = held.find(b"\n", held.find(b"\n", end) + 1) + 1  # two rows at least, however long they are
            if not cut and len(held) < PEEK_ROWS:
                continue
            held, whole = held[: max(cut, end + PEEK)], False
            break
    if b"\0" in held[:PEEK]:
        raise SourceError(path, "this is a binary file", expected="delimited text", run="name another format or file")
    if not held.strip():
        raise SourceError(path, "the file is empty", expected="a header and rows", run=AGAIN)
    return bytes(held), whole


def _delimiter(path: Path, first: str) -> str:
    widths = {delimiter: len(split(first, delimiter)) for delimiter in DELIMITERS}
    best = max(widths, key=lambda d: widths[d])
    if widths[best] == 1:
        shown = first if len(first) <= 60 else first[:57] + "..."
        raise SourceError(
            path,
            f"the header {shown!r} is one cell",
            line=1,
            expected="columns separated by tab, comma or semicolon",
            run="write the file with one of these delimiters",
        )
    return best


def _lines_above(path: Path, lines: Sequence[str]) -> int:
    """Return how many comments (``# ...``) stand above the header.

    Raises
    ------
    SourceError
        If another line stands there, such as a title.
    """
    above = 0
    while len(lines) > above + 2:
        first, below = lines[above], [line for line in lines[above + 1 :] if line.strip()][:5]
        if any(_heads(first, below, delimiter) for delimiter in DELIMITERS):
            break
        widths = {delimiter: {len(split(line, delimiter)) for line in below} for delimiter in DELIMITERS}
        delimiter = max(DELIMITERS, key=lambda d: max(widths[d], default=0))
        width = max(widths[delimiter], default=0)
        names = sum(bool(cell.strip()) for cell in split(first, delimiter))
        if names >= width - 1 or (not first.startswith("#") and (names > 2 or widths[delimiter] != {width})):
            break
        if not first.startswith("#"):
            shown = first.rstrip(delimiter)
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise SourceError(
                path,
                f"{shown!r} is no header: the lines below have {width} cells",
                line=above + 1,
                expected="the names of the columns",
                run="remove what stands above the header",
            )
        above += 1
    return above


def _heads(first: str, below: Sequence[str], delimiter: str) -> bool:
    """Whether a line names the columns of those below it, or all but the first or last of them."""
    names = split(first, delimiter)
    allowed = (len(names), len(names) + 1)
    return sum(bool(name.strip()) for name in names) > 1 and all(
        len(split(line, delimiter)) in allowed for line in below
    )


def _has_decimal_commas(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Whether numbers are written as ``63,5``: all of them, and not as thousands (``1,234``).

    Beside tabs a comma may part what a cell lists, so there half of the cells must be such numbers.
    """
    if delimiter == ",":
        return False
    cells = [cell.strip() for row in rows for cell in row if cell.strip()]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    if not commas or any(_POINT.fullmatch(cell) for cell in cells) or all(_THOUSANDS.fullmatch(c) for c in commas):
        return False
    return delimiter == ";" or len(commas) >= 0.5 * len(cells)


def _is_second_header(row: Sequence[str]) -> bool:
    return len(set(row[1:])) <= 4 and not any(is_number(cell) for cell in row[1:]) and any(row[1:])
