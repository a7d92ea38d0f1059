"""From delimited text to a float32 matrix, fast and in little memory.

A matrix of 20,000 columns is slow for every parser of tables, since each column costs something in each chunk. Here a
chunk of lines is checked to have as many cells in every line as the header, freed of its leading text columns, and
parsed as one column whose cells end with the delimiter. Several chunks are parsed at once, in threads, and
decompression goes on meanwhile in another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.bytestream import line_chunks
from omicstore.readers.cells import MISSING, bad_cell, decimals_of, is_finite, sentinels
from omicstore.readers.delimited import line_of, split, wrong_width
from omicstore.readers.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from omicstore.readers.delimited import Layout

__all__ = ["NumberStream", "Numbers", "read_numbers", "to_float"]

#: Bytes of text that are parsed at once.
CHUNK = 8 << 20

#: Cells of each chunk whose decimals are counted.
SAMPLE = 500

LINE_FEED = 10

#: Closes a line while it is parsed. Written as no file writes it, so that a study file may call ``inf`` missing.
MARK = b"InfinitY"


@dataclass(slots=True)
class Numbers:
    """A matrix as a file has it, rows by columns.

    Attributes
    ----------
    texts
        The leading text columns, by column.
    values
        (rows, columns) or, turned, (columns, rows) float32, C order; NaN where a cell is missing.
    lines
        The 1-based line of each row.
    decimals
        The most decimals seen in a sample of the cells; None where all are missing.
    n_sentinels
        How many cells hold a number that the study file says to stand for a missing value.
    """

    texts: list[list[str]]
    values: NDArray[np.float32]
    lines: list[int]
    decimals: int | None
    n_sentinels: int


def read_numbers(
    layout: Layout, n_text: int, keep: Sequence[int] | None = None, *, missing: Sequence[str] = (), turn: bool = False
) -> Numbers:
    """Read a table whose first `n_text` columns are text and whose others are numbers.

    Parameters
    ----------
    layout
        Of the file.
    n_text
        How many columns at the left are text; at least one.
    keep
        Positions of the number columns to keep, in this order; all where absent.
    missing
        Tokens that stand for a missing value, beside the usual ones. For one that is a number see
        `sentinels`.
    turn
        Give columns by rows.

    Raises
    ------
    SourceError
        If a cell is no number or infinite, or a line has not as many cells as the header; names line and column.
    """
    stream = NumberStream(layout, n_text, keep, missing)
    blocks = list(stream.blocks())
    values = _turned(blocks) if turn else _joined(blocks)
    return Numbers(stream.texts, values, stream.lines, stream.decimals, stream.n_sentinels)


def _joined(blocks: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    if len(blocks) == 1:
        return np.ascontiguousarray(blocks.pop())
    values = np.empty((sum(map(len, blocks)), blocks[0].shape[1]), np.float32)
    start = 0
    while blocks:  # each block is let go as soon as it is copied
        block = blocks.pop(0)
        values[start : start + len(block)] = block
        start += len(block)
    return values


def _turned(blocks: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    values = np.empty((blocks[0].shape[1], sum(map(len, blocks))), np.float32)
    start = 0
    while blocks:
        block = blocks.pop(0)
        for top in range(0, len(block), 256):  # tiles that stay in the cache
            tile = block[top : top + 256]
            values[:, start + top : start + top + len(tile)] = tile.T
        start += len(block)
    return values


@dataclass(slots=True)
class _Chunk:
    """What one chunk of lines holds."""

    texts: list[list[str]]
    values: NDArray[np.float32] | None = None
    lines: list[int] = field(default_factory=list)
    decimals: int | None = None
    n_sentinels: int = 0


class NumberStream:
    """A table of `read_numbers` that is read block by block.

    Parameters
    ----------
    layout, n_text, keep, missing
        As of `read_numbers`.

    Attributes
    ----------
    texts, lines, decimals, n_sentinels
        As of `Numbers`, of the blocks that have been taken.
    """

    def __init__(self, layout: Layout, n_text: int, keep: Sequence[int] | None, missing: Sequence[str]) -> None:
        self.layout, self.n_text, self.missing = layout, n_text, missing
        self.width = len(layout.header) - n_text
        self.cut = layout.delimiter.encode()
        self.field = re.compile(rb'(?:"((?:[^"\n]|"")*)"|([^%b\n]*))(?:%b|(?=\n))' % (self.cut, self.cut))
        self.picked = None
        if keep is not None and list(keep) != list(range(n_text, len(layout.header))):
            self.picked = np.array(keep, np.int64) - n_text
        words = [token for token in missing if not is_finite(token)]
        self.tokens = [*MISSING, *words] if words else None
        self.sentinels = sentinels(missing)
        self._begin()

    def _begin(self) -> None:
        self.texts: list[list[str]] = [[] for _ in range(self.n_text)]
        self.lines: list[int] = []
        self.decimals: int | None = None
        self.n_sentinels = 0

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield (some rows, kept columns), from the beginning."""
        self._begin()
        for chunk in in_order(self._parsed, _numbered(line_chunks(self.layout.path, CHUNK))):
            for texts, more in zip(self.texts, chunk.texts, strict=True):
                texts += more
            self.lines += chunk.lines
            self.n_sentinels += chunk.n_sentinels
            if chunk.decimals is not None:
                self.decimals = max(self.decimals or 0, chunk.decimals)
            if chunk.values is not None:
                yield chunk.values

    def ids(self) -> list[str]:
        """Return the first text column, without reading the numbers."""
        found: list[str] = []
        for chunk, line in _numbered(line_chunks(self.layout.path, CHUNK)):
            starts, ends, _ = self._lines(chunk, line)
            texts, _ = self._texts(chunk, starts, [end - int(self.layout.crlf) for end in ends])
            found += texts[0]
        return found

    def _parsed(self, numbered: tuple[bytes, int]) -> _Chunk:
        """Parse whole lines, of which the first has a number."""
        chunk, line = numbered
        if self.layout.crlf:
            chunk = chunk.replace(b"\r\n", b"\n")
        starts, ends, lines = self._lines(chunk, line)
        if not lines:
            return _Chunk([[] for _ in range(self.n_text)])
        texts, at = self._texts(chunk, starts, ends)
        if any(first > end for first, end in zip(at, ends, strict=True)):
            raise self._blame(chunk, starts, ends, lines)
        view = memoryview(chunk)
        rows = [view[a:b] for a, b in zip(at, ends, strict=True)]
        # Every line is closed with an infinite number, since there may be no other: so each must fall where it belongs,
        # and a line that is too short cannot hide behind one that is too long.
        closing = self.cut + MARK + self.cut
        cells = closing.join(rows) + closing
        if self.layout.decimal_comma:
            cells = cells.replace(b",", b".")
        flat = self._floats(cells)
        if flat is None or len(flat) != len(rows) * (self.width + 1):
            raise self._blame(chunk, starts, ends, lines)
        block = flat.reshape(len(rows), self.width + 1)
        marks = np.isinf(block)
        if not marks[:, -1].all() or np.count_nonzero(marks) != len(rows):
            raise self._blame(chunk, starts, ends, lines)
        block = block[:, :-1]
        n_sentinels = 0
        for low, high in self.sentinels:
            stands = (block >= low) & (block <= high)
            n_sentinels += int(np.count_nonzero(stands))
            block[stands] = np.nan
        if self.picked is not None:
            block = block[:, self.picked]
        return _Chunk(texts, block, lines, self._decimals(cells), n_sentinels)

    def _lines(self, chunk: bytes, line: int) -> tuple[list[int], list[int], list[int]]:
        """Return where the lines of a chunk start and end, and their numbers, without the header and blank ones."""
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == LINE_FEED)
        starts = np.concatenate([[0], ends[:-1] + 1])
        lines = np.arange(line, line + len(ends))
        full = (ends > starts) & (lines > self.layout.skip)
        return starts[full].tolist(), ends[full].tolist(), lines[full].tolist()

    def _texts(self, chunk: bytes, starts: list[int], ends: list[int]) -> tuple[list[list[str]], list[int]]:
        """Return the text cells of each line, and where its numbers start: behind its end where there are none."""
        if b'"' in chunk:
            found: list[list[str]] = [[] for _ in range(self.n_text)]
            return found, [self._quoted(chunk, start, end, found) for start, end in zip(starts, ends, strict=True)]
        columns = []
        for _ in range(self.n_text):
            stops = [chunk.find(self.cut, start, end) for start, end in zip(starts, ends, strict=True)]
            stops = [stop if stop >= 0 else end for stop, end in zip(stops, ends, strict=True)]
            columns.append([_text(chunk[start:stop]) for start, stop in zip(starts, stops, strict=True)])
            starts = [stop + 1 for stop in stops]
        return columns, starts

    def _quoted(self, chunk: bytes, at: int, end: int, found: list[list[str]]) -> int:
        """Do the same for one line whose text cells may be quoted."""
        for texts in found:
            start = min(at, end)
            match = self.field.match(chunk, start)
            assert match is not None  # its second branch matches anything
            quoted, plain = match.groups()
            texts.append(_text(plain if quoted is None else quoted.replace(b'""', b'"')))
            cut = match.end() > start and chunk[match.end() - 1] == self.cut[0]
            at = match.end() if cut else end + 1
        return at

    def _floats(self, cells: bytes) -> NDArray[np.float32] | None:
        flat = _floats(cells, self.layout.delimiter, self.tokens)
        if flat is None and self.tokens is None:  # most matrices have no tokens, and looking for them takes time
            self.tokens = list(MISSING)
            flat = _floats(cells, self.layout.delimiter, self.tokens)
        if flat is None:
            trimmed = re.sub(rb"[ ]+(?=%b)" % self.cut, b"", cells)
            trimmed = re.sub(rb"(?<=%b)[ ]+" % self.cut, b"", trimmed).lstrip(b" ")
            flat = _floats(trimmed, self.layout.delimiter, self.tokens)
        return flat

    def _decimals(self, cells: bytes) -> int | None:
        sample = cells[: SAMPLE * 12].split(self.cut)[:-1][:SAMPLE]
        return decimals_of(cell.decode("latin-1") for cell in sample)

    def _blame(self, chunk: bytes, starts: list[int], ends: list[int], lines: list[int]) -> SourceError:
        """Find the first bad line or cell of a chunk, cell by cell."""
        for start, end, line in zip(starts, ends, lines, strict=True):
            cells = split(chunk[start:end].decode("utf-8", "replace"), self.layout.delimiter)
            if len(cells) != self.n_text + self.width:
                return wrong_width(self.layout, line, len(cells))
            for position, cell in enumerate(cells[self.n_text :], self.n_text):
                text = cell.strip().replace(",", ".") if self.layout.decimal_comma else cell.strip()
                if text and text not in MISSING and text not in self.missing and not is_finite(text):
                    return bad_cell(self.layout, line, position, text)
        found = f"lines {lines[0]} to {lines[-1]} cannot be parsed"
        return SourceError(self.layout.path, found, expected="numbers", run="look for stray quotes there")


def to_float(
    layout: Layout, frame: pl.DataFrame, missing: Sequence[str] = (), rows: Sequence[int] | None = None
) -> pl.DataFrame:
    """Turn columns of strings, as `read_texts` gives them, to Float32 with NaN where missing.

    `rows` says which rows of the file these are, where not all.

    Raises
    ------
    SourceError
        If a cell is no finite number; names line and column.
    """
    tokens = [*MISSING, *(token for token in missing if not is_finite(token))]
    cleaned = frame.with_columns(pl.when(~pl.all().is_in(tokens)).then(pl.all()))
    numbers = cleaned.with_columns(pl.all().cast(pl.Float32, strict=False))
    wrong = (numbers.null_count() - cleaned.null_count()).row(0)
    for low, high in sentinels(missing):
        numbers = numbers.with_columns(pl.when(~pl.all().is_between(float(low), float(high))).then(pl.all()))
    infinite = numbers.select(pl.all().is_infinite().any()).row(0)
    places = []
    for i in range(len(wrong)):
        if wrong[i] or infinite[i]:
            text, parsed = cleaned.to_series(i), numbers.to_series(i)
            unread = text.is_not_null() & text.cast(pl.Float32, strict=False).is_null()
            bad = unread | parsed.is_infinite().fill_null(value=False)
            row = bad.arg_max() or 0
            places.append((row, int(frame.columns[i]), text[row]))
    if places:
        row, position, found = min(places)
        raise bad_cell(layout, line_of(layout, row if rows is None else rows[row]), position, found)
    return numbers.with_columns(pl.all().fill_null(float("nan")))


def _numbered(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield chunks of lines with the number of their first line."""
    line = 1
    for chunk in chunks:
        yield chunk, line
        line += chunk.count(b"\n")


def _text(raw: bytes) -> str:
    try:
        return str(raw, "utf-8").strip()
    except UnicodeDecodeError:
        return str(raw, "latin-1").strip()


def _floats(cells: bytes, end: str, tokens: list[str] | None) -> NDArray[np.float32] | None:
    try:
        frame = pl.read_csv(
            cells,
            has_header=False,
            schema={"v": pl.Float32},
            separator="\x1f",
            eol_char=end,
            quote_char='"' if b'"' in cells else None,
            null_values=tokens,
        )
    except pl.exceptions.ComputeError:
        return None
    column = frame.to_series()
    if column.null_count():
        column = column.fill_null(float("nan"))
    return column.rechunk().to_numpy(writable=True)
