"""Numbers as text, a block at a time.

A wide frame as CSV costs a data frame's work for each of 20,000 columns and holds the whole text in memory; a block of
cells turned to text in one column and joined by rows costs a tenth of both.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, count
from typing import IO, TYPE_CHECKING, cast

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["gzipped", "plain_ids", "quoted", "rows_of_text", "shortest", "write_fields", "write_rows"]

#: Of isal's four levels the one that is both fastest and smallest on expression values.
_LEVEL = 2
_CELLS = 1 << 20


def shortest(values: pl.Series) -> pl.Series:
    """Return numbers as text, with as many digits as it takes to read the same float32 again."""
    return values.cast(pl.String)


def rows_of_text(
    values: NDArray[np.float32], separator: str, missing: str = "", text: Callable[[pl.Series], pl.Series] = shortest
) -> Iterator[str]:
    """Yield each row as text, with a separator before each of its cells.

    Parameters
    ----------
    values
        (rows, columns), NaN where missing.
    separator
        Stands before each cell, so that a row of one missing value differs from a row of none.
    missing
        What stands for NaN.
    text
        Turns a series of numbers, null where missing, to text.

    Examples
    --------
    >>> list(rows_of_text(np.array([[0.1, np.nan], [1e-12, 3]], np.float32), " ", "NA"))
    [' 0.1 NA', ' 1e-12 3.0']
    """
    n_rows, width = values.shape
    if not width:
        yield from [""] * n_rows
        return
    step = max(1, _CELLS // width)
    for start in range(0, n_rows, step):
        block = np.ascontiguousarray(values[start : start + step])
        cells = pl.Series(block.ravel()).fill_nan(None)
        for row in text(cells).fill_null(missing).reshape(block.shape).arr.join(separator):
            yield separator + row


def write_rows(stream: IO[bytes], keys: Iterable[Sequence[str]], rows: Iterable[str], separator: str) -> None:
    """Write a line for each row: its keys, then its values as `rows_of_text` yields them."""
    for key, cells in zip(keys, rows, strict=True):
        stream.write(f"{separator.join(key)}{cells}\n".encode())


def write_fields(path: Path, fields: Mapping[str, str]) -> None:
    """Write lines ``key: value``."""
    text = "".join(f"{key}: {' '.join(value.split())}\n" for key, value in fields.items())
    path.write_text(text, encoding="utf-8")


def quoted(text: str) -> str:
    """Return a cell of a CSV file, in quotes where it needs them.

    Examples
    --------
    >>> print(quoted("TP53"), quoted("2,3-bisphosphoglycerate"))
    TP53 "2,3-bisphosphoglycerate"
    """
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if any(c in text for c in ',"\r\n') else text


def plain_ids(names: Iterable[str], unfit: re.Pattern[str]) -> list[str]:
    """Return names without the characters that a format does not take in ids, each once.

    A name that is fit as it is stays; a number tells apart those that became the same.

    Examples
    --------
    >>> import re
    >>> plain_ids(["C00031", "name:2-HG", "name.2-HG", "name_2-HG"], re.compile(r"[^A-Za-z0-9_-]"))
    ['C00031', 'name_2-HG_2', 'name_2-HG_3', 'name_2-HG']
    """
    given = list(names)
    used = {name for name in given if not unfit.search(name)}
    found = []
    for name in given:
        plain = identity = unfit.sub("_", name)
        if plain != name:
            identity = next(i for i in chain([plain], (f"{plain}_{n}" for n in count(2))) if i not in used)
            used.add(identity)
        found.append(identity)
    return found


@contextmanager
def gzipped(path: Path) -> Iterator[IO[bytes]]:
    """Open a gzip file to write; no name and no time in its header, so that the same values give the same bytes."""
    from isal import igzip  # seven times as fast as gzip, to the same size

    with path.open("wb") as raw, igzip.IGzipFile("", "wb", _LEVEL, raw, mtime=0) as stream:  # type: ignore[no-untyped-call]
        yield cast("IO[bytes]", stream)
