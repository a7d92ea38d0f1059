"""One file of the GDC with one profile in it: the ids of its features, and one of its columns as numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.bytestream import AGAIN, read_bytes
from omicstore.readers.cells import MISSING, bad_cell, is_finite
from omicstore.readers.delimited import Layout, wrong_width

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Column", "Form", "check_sum", "check_widths", "read_column"]


#: How the first of two header lines begins in level-3 files of the legacy archive.
_SECOND = "Hybridization REF"


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of file with one profile looks.

    Attributes
    ----------
    title
        What it is, for messages.
    names
        Is searched in file names.
    id
        The column of the features' ids; the first one of a file without header.
    values
        Base of a unit to the column of its values.
    example
        What such a file is called, for messages.
    header
        Whether there is a header. Without one there are two columns.
    apart
        The column that tells features of the same id apart, where there may be such.
    """

    title: str
    names: re.Pattern[str]
    id: str
    values: Mapping[str, str]
    example: str
    header: bool = True
    apart: str | None = None

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether a header is that of such a file."""
        return self.header and self.id in columns and any(name in columns for name in self.values.values())


@dataclass(frozen=True, slots=True)
class Column:
    """What `read_column` found: ids, numbers (float32, NaN where missing), comments, and the number of columns."""

    ids: pl.Series
    values: NDArray[np.float32]
    comments: list[str] = field(default_factory=list)
    width: int = 2


def check_sum(path: Path, md5: str | None) -> None:
    """Compare a file with its md5 in the manifest.

    Raises
    ------
    SourceError
        If they differ.
    """
    if md5 is None:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise SourceError(
            path,
            f"its md5 is {found}",
            expected=f"{md5}, as the manifest says",
            run="delete the file and download it again",
        )


def read_column(path: Path, form: Form, base: str, missing: Sequence[str] = ()) -> Column:
    """Read the ids and the values of one unit.

    Parameters
    ----------
    path
        The file, plain or compressed.
    form
        How it looks.
    base
        The base of the unit: a key of ``form.values``.
    missing
        Further tokens that stand for a missing value.

    Raises
    ------
    SourceError
        If it is no such file, a line has too many or too few cells, or a cell is no finite number.
    """
    data = read_bytes(path)
    comments, names, skip = _head(path, data, form)
    if not form.header:
        names = [form.id, form.values[base]]
    at, column = _place(path, names, form, base, skip)
    twin = names.index(form.apart) if form.apart in names else None
    layout = Layout(path, "\t", names, skip=skip, crlf=b"\r\n" in data[:4096])
    check_widths(layout, data)
    gone = [*MISSING, "", *missing]
    wanted = [at, column] if twin is None else [at, column, twin]
    frame = _numbers(layout, data, wanted, column, ["NA", "", *missing])
    if frame is None:  # the fewer tokens there are, the quicker; the others hardly ever come
        frame = _numbers(layout, data, wanted, column, gone)
    if frame is None:
        raise _bad_number(layout, data, column, gone)
    if not frame.height:
        raise SourceError(path, "there is no row in it", expected=f"a row per feature of {form.title}", run=AGAIN)
    values = frame.get_column(str(column)).to_numpy()
    values = np.where(np.isnan(values), np.float32("nan"), values)  # null and nan have one bit pattern
    if np.isinf(values).any():
        raise _bad_number(layout, data, column, gone)
    ids = frame.get_column(str(at))
    if twin is not None and ids.n_unique() < len(ids):
        both = pl.format("{} ({})", pl.col(str(at)), pl.col(str(twin)))
        ids = frame.select(pl.when(pl.col(str(at)).is_duplicated()).then(both).otherwise(str(at))).to_series()
    return Column(ids, values.astype(np.float32, copy=False), comments, len(names))


def _numbers(
    layout: Layout, data: bytes, wanted: Sequence[int], column: int, missing: Sequence[str]
) -> pl.DataFrame | None:
    """Parse one column as numbers and the others that are wanted as text; None if a cell is no number."""
    schema = {str(i): pl.Float32 if i == column else pl.String for i in range(len(layout.header))}
    try:
        return pl.read_csv(
            data,
            separator="\t",
            has_header=False,
            skip_lines=layout.skip,
            schema=schema,
            columns=list(wanted),
            quote_char=None,
            null_values=list(missing),
            encoding="utf8-lossy",
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema={str(i): schema[str(i)] for i in wanted})
    except pl.exceptions.PolarsError:
        return None


def _head(path: Path, data: bytes, form: Form) -> tuple[list[str], list[str], int]:
    """Return the comments, the column names, and how many lines are before the first row."""
    start, comments = 0, []
    while True:
        end = data.find(b"\n", start)
        line = data[start : end if end >= 0 else len(data)].decode("utf-8-sig", "replace").rstrip("\r")
        if not line.startswith(("#", _SECOND)) or end < 0:
            break
        comments.append(line)
        start = end + 1
    if line.lstrip()[:1] == "<" or "\0" in line:
        raise SourceError(path, "this is a web page or a binary file, not a table", expected=form.title, run=AGAIN)
    if not form.header:
        return comments, [], len(comments)
    return comments, [name.strip() for name in line.split("\t")], len(comments) + 1


def _place(path: Path, names: list[str], form: Form, base: str, skip: int) -> tuple[int, int]:
    wanted = form.values[base]
    absent = [name for name in (form.id, wanted) if name not in names]
    if absent:
        shown = ", ".join(names[:9]) if len(names) > 1 else repr(names[0][:60])
        raise SourceError(
            path,
            f"there is no column {' or '.join(absent)}; the header is {shown}",
            line=skip,
            expected=f"{form.title}: {form.id} and {wanted}, separated by tab",
            run="name another file, format or unit in the study file",
        )
    return names.index(form.id), names.index(wanted)


def check_widths(layout: Layout, data: bytes) -> None:
    """Refuse a line that has not as many cells as the header; counts first, for it is nearly always all there is."""
    width, start = len(layout.header), 0
    for _ in range(layout.skip):
        start = data.find(b"\n", start) + 1
    lines = data.count(b"\n", start) + (not data.endswith(b"\n"))
    if data.count(b"\t", start) == lines * (width - 1) and b"\n\n" not in data[-2:]:
        return
    for number, line in enumerate(data[start:].split(b"\n"), layout.skip + 1):
        cells = line.count(b"\t") + 1
        if cells != width and line.strip():
            raise wrong_width(layout, number, cells)


def _bad_number(layout: Layout, data: bytes, column: int, missing: Sequence[str]) -> SourceError:
    gone = {*missing, "nan"}
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        cells = line.rstrip("\r").split("\t")
        if number > layout.skip and column < len(cells):
            text = cells[column]
            if text.lower() not in gone and text not in gone and not is_finite(text):
                return bad_cell(layout, number, column, text)
    return SourceError(layout.path, "it cannot be parsed", expected="a table separated by tab", run=AGAIN)
