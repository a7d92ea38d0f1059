"""Try all formats on a file or folder; the most specific that fits wins, and content tells the rest."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from omicstore.errors import OmicstoreError, SourceError
from omicstore.formats import FORMATS
from omicstore.identifiers import find_barcode
from omicstore.readers import expand, profile_ids
from omicstore.readers.bytestream import AGAIN
from omicstore.readers.delimited import sniff
from omicstore.readers.recognise import START, Guess, Head, look
from omicstore.recognise.cohorts import describe_cohort
from omicstore.recognise.columns import COLUMN_FORMATS, column_layout
from omicstore.recognise.finding import Finding, Part
from omicstore.recognise.grid import columns_of, grid_of
from omicstore.recognise.ids import kind_of_profiles
from omicstore.recognise.names import named, sidecar
from omicstore.recognise.other import not_a_source, not_a_table_of_samples
from omicstore.recognise.references import reference
from omicstore.recognise.tables import describe_matrix, describe_table, is_matrix
from omicstore.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from omicstore.formats import Format
    from omicstore.readers.delimited import Layout
    from omicstore.recognise.names import Named, Sidecar

__all__ = ["folder_formats", "recognise"]

#: From here on a reader's guess goes before what the file may be otherwise.
_SPECIFIC = 5

#: Names in a folder that are searched for barcodes.
_NAMES = 500

#: How the first column of a matrix is headed on Xena hubs.
_XENA_IDS = frozenset({"sample", "Ensembl_ID", "miRNA_ID", "Composite Element REF"})


def recognise(path: Path, sites: Mapping[str, str] | None = None) -> Finding | None:
    """Tell what a file or folder is from its first part.

    Parameters
    ----------
    path
        The file or folder.
    sites
        Tissue source site to cohort, which makes the cohort of barcodes certain.

    Returns
    -------
    Finding or None
        None for a folder that is nothing as a whole.
    """
    try:
        head = look(path)
    except SourceError as error:
        return Finding(path, "damaged", reason=str(error))
    if head.is_dir:
        guess = _best(head)
        return None if guess is None else _finding(head, guess, sites or {})
    if re.match(r"\s*<(?:!doctype html|html)", head.text, re.IGNORECASE) and path.suffix not in (".html", ".htm"):
        found = "this is a web page, which a portal sends where it cannot send the file"
        return Finding(path, "damaged", reason=str(SourceError(path, found, expected="the file itself", run=AGAIN)))
    what = not_a_source(head)
    if what is not None:
        return Finding(path, "other", reason=what)
    return _file(head, sites or {})


def folder_formats(folder: Path) -> list[str]:
    """Return the formats that readers take a folder for, the most specific ones."""
    head = look(folder)
    guesses = [guess for test in _tests() if (guess := test(head)) is not None]
    most = max((guess.specific for guess in guesses), default=0)
    return list(dict.fromkeys(guess.format for guess in guesses if guess.specific == most))


def _file(head: Head, sites: Mapping[str, str]) -> Finding:
    guess = _best(head)
    if guess is not None and guess.specific >= _SPECIFIC:
        found = _finding(head, guess, sites)
        if guess.format in COLUMN_FORMATS and found.modality is None and found.features is None:
            table = "a table in columns that is no matrix of samples; write it as CSV where it is one of patients"
            return Finding(head.path, "other", reason=table)
        return found
    known = reference(head)
    if known is not None:
        return known
    columns = columns_of(head.layout) if head.layout is not None else None
    what = not_a_table_of_samples(head, columns)
    if what is not None:
        return Finding(head.path, "other", reason=what)
    if guess is None:
        guess = _general(head, sidecar(head.path))
    if guess is not None:
        return _finding(head, guess, sites)
    found = Finding(head.path, "unknown", reason=_unknown(head))
    found.unsure["format"] = "what it is: no format of omicstore fits; omicstore init takes a study file that names one"
    return found


def _unknown(head: Head) -> str:
    if head.layout is not None:
        return "a table in which no column or row names samples"
    if not head.start:
        return "an empty file"
    if not head.text:
        return "a binary file of no known format"
    try:
        sniff(head.path)
    except SourceError as error:
        return error.found.removeprefix(str(head.path)).partition(": ")[2]
    return "text that is no table"


def _best(head: Head) -> Guess | None:
    """Return the most specific guess of all readers; the first of several, in the order of the registry."""
    guesses = [guess for test in _tests() if (guess := test(head)) is not None]
    return max(guesses, key=lambda guess: guess.specific, default=None)


@cache
def _tests() -> tuple[Callable[[Head], Guess | None], ...]:
    modules = dict.fromkeys(form.reader.partition(":")[0] for form in FORMATS.values())
    loaded = (import_module(name) for name in modules)
    return tuple(module.recognise for module in loaded if hasattr(module, "recognise"))


def _general(head: Head, beside: Sidecar) -> Guess | None:
    """Tell a matrix from a table of patients."""
    if head.layout is None:
        return None
    if beside.kind == "clinicalMatrix":
        return Guess("xena-clinical")
    columns = columns_of(head.layout)
    grid = grid_of(columns)
    if grid is not None and is_matrix(grid, columns):
        hub = grid.in_rows and (head.header[0] in _XENA_IDS or beside.kind == "genomicMatrix")
        return Guess("xena-matrix" if hub else "matrix")
    probe = Finding(head.path, "source")
    return Guess("clinical-table") if describe_table(probe, columns) else None


def _finding(head: Head, guess: Guess, sites: Mapping[str, str]) -> Finding:
    form = FORMATS[guess.format]
    found = Finding(
        head.path,
        "source",
        guess.format,
        modality=guess.modality or (form.modality if form.kind != "several" else None),
        unit=guess.unit,
        orientation=guess.orientation,
        cohort=guess.cohort,
        features=guess.id_type,
        keys=dict(guess.keys),
        notes=list(guess.notes),
        ids=head.ids,
    )
    found.unsure.update(dict.fromkeys(guess.unsure, "a guess of the reader from the file's form"))
    if not guess.sure:
        found.unsure.setdefault("format", "the format, of which the file has only some signs")
    name, beside = named(head.path), sidecar(head.path)
    if form.kind == "matrix":
        if guess.modality is None or guess.unit is None:  # else the reader knows all that values could tell
            _matrix(found, head.layout or column_layout(head.path, form.name), name, beside)
        found.unit = found.unit or form.unit
        for field, told in (("modality", found.modality), ("unit", found.unit)):
            if told is None:
                found.unsure.setdefault(field, f"the {field}, which nothing in the file says")
    elif form.kind == "table" and head.layout is not None:
        columns = columns_of(head.layout)
        if guess.format == "clinical-table":
            describe_table(found, columns)
    elif form.kind == "several":
        _parts(found)
    elif form.kind == "report" and find_barcode(head.text) is not None:
        found.profiles = "tcga patient"
    _profiles(found, form)
    if found.n_samples is None and (form.kind == "table" or found.orientation == "features_in_columns"):
        found.n_samples = _rows(head)
    if guess.format != "tcga-cdr":
        describe_cohort(found, head.text or "\n".join(head.names[:_NAMES]), name, beside, sites)
    return found


def _rows(head: Head) -> int | None:
    """Return how many rows a table has, if the first part is all of it and no quoted cell can hold a line feed."""
    if head.layout is None or len(head.start) >= START or '"' in head.text:
        return None
    return sum(bool(line.strip()) for line in head.lines) - head.layout.skip


def _profiles(found: Finding, form: Format) -> None:
    """List the profiles of formats that can without reading values."""
    if form.kind != "matrix" or found.unit is None:
        return
    source = Source(found.path, form.name, found.modality, found.cohort, found.unit, orientation=found.orientation)
    _list_profiles(found, source)


def _list_profiles(found: Finding, source: Source) -> None:
    try:
        ids = profile_ids(source)
    except OmicstoreError as error:
        found.unsure["samples"] = f"{error.found}; {error.run}"
        return
    if ids is not None:
        found.ids, found.n_samples, found.profiles = tuple(ids), len(ids), kind_of_profiles(ids)[0]


def _matrix(found: Finding, layout: Layout | None, name: Named, beside: Sidecar) -> None:
    grid = grid_of(columns_of(layout)) if layout is not None else None
    if layout is not None and grid is not None:
        describe_matrix(found, grid, layout, name, beside)


def _parts(found: Finding) -> None:
    """List what a source of several modalities holds, as its reader tells them apart."""
    assert found.format is not None
    parts, told, doubt = None, found.modality, ""
    for modality in (None, told):  # all parts, or, where one of them cannot be read, those that the reader is sure of
        try:
            parts = expand(Source(found.path, found.format, modality=modality, cohort=found.cohort))
        except OmicstoreError as error:
            found.reason, doubt = str(error), f"{error.found}; {error.run}"
            continue
        found.modality = modality
        break
    if parts is None:
        found.kind = "damaged"
        return
    if found.reason:
        found.unsure["unit"], found.reason = doubt, ""
    found.parts = [Part(part.modality, part.unit, part.part) for part in parts]
    if unsaid := [part.part or part.modality for part in parts if part.modality and not part.unit]:
        found.unsure["unit"] = f"the unit of {' and '.join(unsaid)}, which nothing in the file says"
    for part in parts:
        if part.modality is not None and not found.ids:
            _list_profiles(found, part)
