"""Matrices of the GDC that come as one file per profile, in a folder as gdc-client leaves it."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.progress import task
from omicstore.readers.gdc_columns import Column, Form, check_sum, read_column
from omicstore.readers.gdc_papers import Papers, is_paper
from omicstore.readers.gdc_tie import Named, listed_people, tie
from omicstore.readers.matrix_plan import selected
from omicstore.readers.recognise import Guess
from omicstore.readers.table import RawTable
from omicstore.units import parse_unit

if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.readers.recognise import Head
    from omicstore.sources import Source

__all__ = [
    "Axis",
    "base_of",
    "files_of",
    "fixation",
    "in_order",
    "named_files",
    "not_held",
    "people",
    "read_profiles",
    "recognised",
    "refuse_others",
    "refuse_repeats",
]

#: Files that are read at once, and how many may be done before the first is taken.
WORKERS, AHEAD = max(2, min(4, os.cpu_count() or 2)), 8


def files_of(source: Source, forms: Sequence[Form]) -> list[Path]:
    """Return the files of a source that are of one of the forms by their names; a single file is taken as it is.

    Raises
    ------
    SourceError
        If there is none.
    """
    if not source.path.is_dir():
        return [source.path]
    below = sorted(p for p in source.path.rglob("*") if p.is_file() and not is_paper(p.name))
    found = [p for p in below if any(form.names.search(p.name) for form in forms)]
    if found:
        return found
    shown = f"; what is there is {', '.join(p.name for p in below[:3])}" if below else ""
    raise SourceError(
        source.path,
        f"there is no file of {' or '.join(form.title for form in forms)} in the folder{shown}",
        expected=f"files named {' or '.join(form.example for form in forms)}, at any depth",
        run="correct path or format of the source in study.sources",
    )


def base_of(source: Source, form: Form) -> str:
    """Return the base of the source's unit, which must be one that the files hold.

    Raises
    ------
    SourceError
        If it is none; GDC's files are not logged.
    """
    unit = parse_unit(source.unit or next(iter(form.values)))
    if unit.base.name in form.values and unit.log is None:
        return unit.base.name
    raise not_held(source, form.values)


def not_held(source: Source, units: Collection[str]) -> SourceError:
    """Return the error of a source that does not hold the unit that the study file says."""
    return SourceError(
        source.path,
        f"it holds {', '.join(units)}, and the study says unit: {source.unit}",
        expected=f"unit: {' or '.join(units)}",
        run="mend unit: of this source in the study file",
    )


def refuse_others(path: Path, form: Form, others: re.Pattern[str], what: str, data_type: str) -> None:
    """Refuse a file or folder that holds another kind of data only.

    Parameters
    ----------
    path
        Of the source.
    form
        What is read.
    others
        Searched in the names of files that are often taken for it.
    what
        What those hold, for the message.
    data_type
        What GDC's portal calls the form.
    """
    names = sorted(p.name for p in path.rglob("*")) if path.is_dir() else [path.name]
    found = [name for name in names if others.search(name)]
    if found and not any(form.names.search(name) for name in names):
        raise SourceError(
            path,
            f"it holds {what}, e.g. {found[0]}",
            expected=f"files named {form.example}",
            run=f"choose Data Type {data_type} at the portal, or: omicstore fetch gdc",
        )


def named_files(source: Source, forms: Sequence[Form]) -> list[Named]:
    """Return whose profile each file is; for `profile_ids`."""
    return tie(source, files_of(source, forms), lambda name: any(form.names.search(name) for form in forms))[0]


def in_order(files: Sequence[Named], form: Form, base: str, missing: Sequence[str], what: str) -> Iterator[Column]:
    """Read files in threads and yield what is in them, in their order, a few ahead at most."""

    def one(file: Named) -> Column:
        check_sum(file.path, file.md5)
        return read_column(file.path, form, base, missing)

    with ThreadPoolExecutor(WORKERS) as pool, task(what, len(files), "files") as advance:
        running = deque(pool.submit(one, file) for file in files[:AHEAD])
        try:
            for i in range(len(files)):
                yield running.popleft().result()
                advance()
                if i + AHEAD < len(files):
                    running.append(pool.submit(one, files[i + AHEAD]))
        finally:
            for future in running:
                future.cancel()


@dataclass(slots=True)
class Axis:
    """The features of the first file, which the others must have."""

    ids: pl.Series
    path: Path
    comments: list[str]

    @classmethod
    def of(cls, found: Column, path: Path) -> Axis:
        """Return the axis of the first file.

        Raises
        ------
        SourceError
            If a feature comes twice.
        """
        refuse_repeats(found, path)
        return cls(found.ids, path, found.comments)

    def order(self, found: Column, path: Path) -> NDArray[np.intp] | None:
        """Return the places of the axis's features in another file, or None if they are the same.

        Raises
        ------
        SourceError
            If its features are others.
        """
        if len(found.ids) == len(self.ids) and bool((found.ids == self.ids).all()):
            return None
        places = pl.DataFrame({"id": found.ids}).with_row_index("at").unique("id", keep="first")
        own = pl.DataFrame({"id": self.ids}).join(places, on="id", how="left", maintain_order="left")
        at = own.get_column("at")
        if len(found.ids) == len(self.ids) and not at.null_count():
            return at.to_numpy().astype(np.intp)
        lacking, more = self.ids.filter(at.is_null()), found.ids.filter(~found.ids.is_in(self.ids.implode()))
        parts = [f"{len(x)} {what}, e.g. {x[0]}" for x, what in ((lacking, "missing"), (more, "more")) if len(x)]
        models = f" (there {_said(found.comments)}, here {_said(self.comments)})"
        raise SourceError(
            path,
            f"its {len(found.ids)} features are not those of {self.path.name}: {'; '.join(parts) or 'repeated ids'}",
            expected=f"the same {len(self.ids)} features in every file"
            + (models if found.comments != self.comments else ""),
            run="download the file again if it was cut short, or give files of another release a source of their own",
        )


def refuse_repeats(found: Column, path: Path) -> None:
    """Refuse a file that has a feature twice."""
    if found.ids.n_unique() < len(found.ids):
        twice = found.ids.filter(found.ids.is_duplicated())[0]
        raise SourceError(
            path, f"the feature {twice!r} comes twice", expected="one row for each feature", run="take one of them out"
        )


def _said(comments: list[str]) -> str:
    return "; ".join(c.lstrip("# ") for c in comments) or "no gene model"


def read_profiles(source: Source, forms: Sequence[Form], form: Form, *, union: bool = False) -> RawTable:
    """Read all files of a form into one matrix.

    Parameters
    ----------
    source
        ``unit`` chooses the column; ``select`` and ``drop`` the features.
    forms, form
        The forms that the format's files may have, and the one that is read.
    union
        Whether files may differ in their features: the matrix has them all, NaN where a file lacks one. Else files
        with other features than the first are refused.
    """
    base = base_of(source, form)
    every = files_of(source, forms)
    paths = [p for p in every if len(every) == 1 or form.names.search(p.name)]
    files, drops, warnings = tie(source, paths, form.names.search)
    drops.add("file of another kind", [p.name for p in every if p not in set(paths)])
    columns = in_order(files, form, base, source.missing, f"reading {source.path.name}")
    features, values, width = _joined(files, columns) if union else _same(files, columns)
    kept = selected(source, features, drops, what="features") if source.select or source.drop else None
    if kept is not None and not all(kept):
        values = np.ascontiguousarray(values[:, np.flatnonzero(kept)])
        features = [name for name, keep in zip(features, kept, strict=True) if keep]
    raw = RawTable("matrix", source, source.modality, [f.raw_id for f in files], features, values, drops=drops)
    raw.rows_in, raw.columns_in, raw.warnings = len(features), width, warnings
    raw.profile_info = fixation(files)
    return raw


def fixation(files: Sequence[Named]) -> pl.DataFrame | None:
    """Return raw_id and ``ffpe`` of the files whose sheet says it, or None."""
    told = [(f.raw_id, f.ffpe) for f in files if f.ffpe is not None]
    return pl.DataFrame(told, schema={"raw_id": pl.String, "ffpe": pl.Boolean}, orient="row") if told else None


def _same(files: Sequence[Named], columns: Iterator[Column]) -> tuple[list[str], NDArray[np.float32], int]:
    axis: Axis | None = None
    values = np.empty((len(files), 0), np.float32)
    width = 2
    for i, (file, found) in enumerate(zip(files, columns, strict=True)):
        if axis is None:
            axis, width = Axis.of(found, file.path), found.width
            values = np.empty((len(files), len(found.ids)), np.float32)
        order = axis.order(found, file.path)
        values[i] = found.values if order is None else found.values[order]
    assert axis is not None
    return axis.ids.fill_null("").to_list(), values, width


def _joined(files: Sequence[Named], columns: Iterator[Column]) -> tuple[list[str], NDArray[np.float32], int]:
    found = list(columns)
    features = list(dict.fromkeys(name for column in found for name in column.ids.fill_null("").to_list()))
    place = {name: i for i, name in enumerate(features)}
    values = np.full((len(files), len(features)), np.nan, np.float32)
    for i, (file, column) in enumerate(zip(files, found, strict=True)):
        refuse_repeats(column, file.path)
        at = [place[name] for name in column.ids.fill_null("").to_list()]
        values[i, at] = column.values
    return features, values, max((column.width for column in found), default=2)


def people(source: Source) -> pl.DataFrame | None:
    """Return the samples that the sheets list, where their ids are no barcodes; None if there are none."""
    return listed_people(source.path)


def recognised(head: Head, forms: dict[str, Form], modality: str, format_name: str) -> Guess | None:
    """Tell a folder by the names of its files, and a file by its name or header.

    Parameters
    ----------
    head
        What is known of it.
    forms
        Unit to the form of the files that hold it, the preferred one first.
    modality, format_name
        What the guess says.
    """
    if head.is_dir:
        unit = next((u for u, form in forms.items() if any(form.names.search(n) for n in head.names)), None)
    else:
        header = next((line for line in head.lines if not line.startswith("#")), "").split("\t")
        unit = next((u for u, form in forms.items() if form.names.search(head.path.name) or form.fits(header)), None)
        if unit is not None and forms[unit].fits(header):  # an older file may lack the preferred column
            unit = next(base for base, column in forms[unit].values.items() if column in header)
    if unit is None:
        return None
    try:
        cohorts = Papers.of(head.path).cohorts()
    except SourceError:
        cohorts = set()
    return Guess(
        format_name,
        modality=modality,
        unit=unit,
        orientation="features_in_rows",
        cohort=next(iter(cohorts)) if len(cohorts) == 1 else None,
        specific=10,
    )
