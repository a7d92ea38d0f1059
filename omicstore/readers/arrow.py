"""Matrices in Parquet and Arrow files: samples in rows, as omicstore exports them, or features in rows.

The ids stand in the column that the source names with ``id:``, else in ``sample_id``, in the index that pandas wrote,
or in the first column, if that is text. Every other column of numbers is a feature or a sample; columns of text
describe the rows.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omicstore.errors import SourceError
from omicstore.formats import ABOUT
from omicstore.modalities import MODALITIES
from omicstore.progress import task
from omicstore.readers.arrow_file import ArrowFile, ParquetFile
from omicstore.readers.axes import profile_test
from omicstore.readers.cells import MISSING, is_number, mask_sentinels
from omicstore.readers.delimited import Layout
from omicstore.readers.matrix_plan import info_frame, info_names, kept_rows, plan_columns, refuse_mixed
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable
from omicstore.sources import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.readers.arrow_file import ColumnFile
    from omicstore.readers.matrix_plan import Plan
    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling

__all__ = ["open_columns", "profile_ids", "read_columns", "recognise"]

#: Columns that are read at a time, and rows that are looked at to tell text from numbers.
_COLUMNS, _ROWS = 1024, 20


def read_columns(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a matrix from a Parquet or an Arrow file.

    Parameters
    ----------
    source
        ``id``, ``orientation``, ``select``, ``drop`` and ``missing`` are obeyed; only the columns that are needed are
        read.
    sampling
        The study's rule for ids, which tells samples from columns about features.

    Raises
    ------
    SourceError
        If the file is damaged, a column holds lists, there is no id column, or a cell is no number.
    """
    is_profile = profile_test(sampling)
    with open_columns(source) as file:
        facts = _facts(file)
        layout, source = _layout(source, file)
        drops = Drops()
        plan = plan_columns(source, layout, sampling, is_profile, drops, None)
        texts = {i: _texts(file.read([i])) for i in (plan.id, *plan.info)}
        ids = [text or "" for text in texts[plan.id]]
        keep = kept_rows(source, layout, plan, ids, drops)
        if sampling is None:
            refuse_mixed(source, layout, plan, ids, list(range(1, len(ids) + 1)), is_profile)
        values = _values(source, file, layout, plan)
    source = replace(
        source,
        upstream_fit=source.upstream_fit or facts.get("upstream_fit"),
        platform=source.platform or facts.get("platform"),
    )
    raw = RawTable("matrix", source, source.modality, rows_in=len(ids), columns_in=len(layout.header), drops=drops)
    if facts.get("simulated"):
        raw.warnings.append("the file was exported from a store of simulated data")
    n_missing = mask_sentinels(values, source.missing)
    if n_missing:
        raw.warnings.append(f"{n_missing:,} cells hold {' or '.join(source.missing)} and were read as missing")
    rows = np.flatnonzero(keep).tolist()
    ids = [ids[r] for r in rows]
    info = {name: [texts[i][r] for r in rows] for name, i in zip(info_names(layout, plan), plan.info, strict=True)}
    if not keep.all():
        values = values[:, rows] if plan.in_rows else values[rows]
    names = [layout.header[i] for i in plan.numbers]
    raw.ids, raw.features = (names, ids) if plan.in_rows else (ids, names)
    raw.values = np.ascontiguousarray(values)
    if plan.in_rows:
        raw.feature_info = info_frame("raw_feature", ids, info)
    else:
        raw.profile_info = info_frame("raw_id", ids, info)
    if bool(np.isnan(raw.values).all()):
        raise SourceError(
            source.path, "no cell holds a number", expected="a matrix of numbers", run="name another file or format"
        )
    return [raw]


def profile_ids(source: Source) -> list[str]:
    """Return the ids of the samples; only the ids are read, where the samples are in the rows."""
    with open_columns(source) as file:
        layout, source = _layout(source, file)
        plan = plan_columns(source, layout, None, profile_test(None), Drops(), None)
        if plan.in_rows:
            return [layout.header[i] for i in plan.numbers]
        return [text for text in _texts(file.read([plan.id])) if text]


def recognise(head: Head) -> Guess | None:
    """Tell the two formats by their first bytes."""
    if head.is_dir:
        return None
    name = "parquet" if head.start.startswith(b"PAR1") else "arrow"
    if name == "arrow" and not head.start.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return None
    try:
        with open_columns(Source(head.path, name)) as file:
            facts = _facts(file)
    except SourceError as error:
        return Guess(name, notes=(str(error),), specific=10)
    cohort = facts.get("cohorts", "")
    told = facts.get("modality")
    return Guess(
        name,
        modality=told if told in MODALITIES else None,
        unit=facts.get("unit"),
        cohort=cohort if cohort and "," not in cohort else None,
        specific=10,
    )


def _facts(file: ColumnFile) -> dict[str, Any]:
    """Return what omicstore's export said of a matrix; nothing of other files."""
    try:
        facts = json.loads((file.schema.metadata or {}).get(ABOUT.encode(), b"{}"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def open_columns(source: Source) -> ColumnFile:
    """Open a source's file; a context manager.

    Raises
    ------
    SourceError
        If it is damaged or of another format.
    """
    return ParquetFile(source.path) if source.format == "parquet" else ArrowFile(source.path)


def _layout(source: Source, file: ColumnFile) -> tuple[Layout, Source]:
    """Return what the first rows say, and the source with its id column named."""
    schema, names = file.schema, file.names
    path = source.path
    for field in schema:
        if field.name not in source.drop and not _is_plain(field.type):
            raise SourceError(
                path,
                f"the column {field.name!r} holds {_kind(field.type)}",
                expected="numbers or text in every column",
                run=f"write a column for each number, or leave it out with drop: [{field.name}]",
            )
    text = [i for i, field in enumerate(schema) if not _is_number(field.type) and _is_plain(field.type)]
    name = source.id if source.id is not None else _id_column(file, text)
    if name is None:
        raise SourceError(
            path,
            f"there is no id column: the first, {names[0]!r}, holds numbers" if names else "there is no column",
            expected="a column sample_id, the index that pandas writes, or text in the first column",
            run="add id: with the name of the id column to this source in the study file",
        )
    first = file.head(sorted({*text, *([names.index(name)] if name in names else [])}), _ROWS)
    cells = {i: _texts(column) for i, column in first.items()}
    n_rows = max(map(len, cells.values()), default=0)
    rows = [[(cells[i][r] or "") if i in cells else "0" for i in range(len(names))] for r in range(n_rows)]
    return Layout(path, "", list(names), rows), replace(source, id=name)


def _id_column(file: ColumnFile, text: list[int]) -> str | None:
    names = file.names
    about = file.schema.pandas_metadata or {}
    index = [name for name in about.get("index_columns", []) if isinstance(name, str) and name in names]
    for name in ("sample_id", *index[:1], "__index_level_0__"):
        if name in names:
            return name
    return names[0] if text and text[0] == 0 else None


def _values(source: Source, file: ColumnFile, layout: Layout, plan: Plan) -> NDArray[np.float32]:
    """Return (profiles, features), read a thousand columns at a time."""
    numbers = plan.numbers
    out = np.empty((len(numbers), file.n_rows) if plan.in_rows else (file.n_rows, len(numbers)), np.float32)
    with task(f"reading {source.path.name}", len(numbers), "columns") as advance:
        for start in range(0, len(numbers), _COLUMNS):
            part = numbers[start : start + _COLUMNS]
            table = file.read_many(part)
            block = out[start : start + len(part)] if plan.in_rows else np.empty((len(part), file.n_rows), np.float32)
            for i, (at, column) in enumerate(zip(part, table, strict=True)):
                block[i] = _numbers(source, column, layout.header[at])
            if not plan.in_rows:
                out[:, start : start + len(part)] = block.T
            advance(len(part))
    return out


def _numbers(source: Source, column: pa.ChunkedArray, name: str) -> NDArray[np.float32]:
    if not _is_number(column.type):
        column = _parsed(source, column, name)
    if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        column = pc.cast(column, pa.float32())
    elif pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.float64())
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which harmonising refuses with its place
        return np.asarray(column.to_numpy().astype(np.float32))


def _parsed(source: Source, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Read numbers that are written as text."""
    missing = {"", *MISSING, *source.missing}
    cells = [None if cell is None or cell.strip() in missing else cell.strip() for cell in _texts(column)]
    for row, cell in enumerate(cells, start=1):
        if cell is not None and not is_number(cell):
            raise SourceError(
                source.path,
                f"{cell!r} in row {row} is no number",
                column=name,
                expected="a number, or nothing where it is missing",
                run=f"mend the cell, or add missing: [{cell}] to this source if it stands for a missing value",
            )
    return pa.chunked_array([pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())])


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    texts: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return texts


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _is_plain(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_temporal)
    return _is_number(kind) or any(test(kind) for test in tests)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_nested(kind):
        return "structures" if pa.types.is_struct(kind) else "lists"
    return f"values of the type {kind}"
