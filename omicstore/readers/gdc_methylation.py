"""Methylation arrays of the GDC: SeSAMe's betas (two columns, no header) and the level-3 files of earlier releases.

A file holds one aliquot, and is read when its turn comes: the probes of a thousand samples are never held together.
Files of several arrays in one folder give a matrix each. Files of one array must have the same probes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from omicstore.readers.bytestream import pieces
from omicstore.readers.gdc_columns import Form, read_column
from omicstore.readers.gdc_profiles import (
    Axis,
    base_of,
    files_of,
    fixation,
    in_order,
    named_files,
    people,
    recognised,
)
from omicstore.readers.gdc_tie import tie
from omicstore.readers.matrix_plan import selected
from omicstore.readers.table import Blocks, Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.readers.gdc_tie import Named
    from omicstore.readers.recognise import Guess, Head
    from omicstore.sources import Sampling, Source

__all__ = ["people", "profile_ids", "read", "recognise"]

SESAME = Form(
    "SeSAMe betas",
    re.compile(r"\.methylation_array\.sesame\.level3betas\.txt(?:\.gz)?$"),
    "probe",
    {"beta": "beta"},
    "*.methylation_array.sesame.level3betas.txt",
    header=False,
)
LEVEL_3 = Form(
    "level-3 betas",
    re.compile(r"\.gdc_hg(?:38|19)\.txt(?:\.gz)?$|^jhu-usc\.edu_.*\.lvl-3\..*\.txt(?:\.gz)?$"),
    "Composite Element REF",
    {"beta": "Beta_value"},
    "jhu-usc.edu_*.gdc_hg38.txt",
)
FORMS = (SESAME, LEVEL_3)

#: Arrays are told apart by this many of their first probes.
FIRST = 100


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the files of a folder, or one file: a matrix in blocks of one profile for each array.

    Raises
    ------
    SourceError
        If nothing says whose a file is, or the files of an array differ in their probes; what is wrong with a single
        file is found when its block is read.
    """
    del sampling  # samples are named by the sheet
    form = _form(source)
    base_of(source, form)
    every = files_of(source, FORMS)
    paths = [p for p in every if len(every) == 1 or form.names.search(p.name)]
    files, drops, warnings = tie(source, paths, form.names.search)
    drops.add("file of another kind", [p.name for p in every if p not in set(paths)])
    arrays: dict[tuple[str, ...], list[Named]] = {}
    for file in files:
        arrays.setdefault(_first_probes(file.path, form), []).append(file)
    if len(arrays) > 1:
        counts = " and ".join(str(len(own)) for own in arrays.values())
        warnings.append(f"the files are of {len(arrays)} arrays: {counts} profiles, a matrix each")
    found = [_matrix(source, form, own) for own in arrays.values()]
    found[0].drops.update(drops)
    found[0].warnings += warnings
    return found


def profile_ids(source: Source) -> list[str]:
    """Return the ids of the profiles, from the sample sheet or the file names."""
    return [file.raw_id for file in named_files(source, (_form(source),))]


def _form(source: Source) -> Form:
    paths = files_of(source, FORMS)
    if any(SESAME.names.search(p.name) for p in paths):
        return SESAME
    if any(LEVEL_3.names.search(p.name) for p in paths):
        return LEVEL_3
    return LEVEL_3 if b"Composite Element REF" in next(pieces(paths[0]), b"")[:10_000] else SESAME


def _first_probes(path: Path, form: Form) -> tuple[str, ...]:
    stream = pieces(path)
    lines = next(stream, b"").splitlines()[: FIRST + 2]
    stream.close()  # type: ignore[attr-defined]
    ids = [line.partition(b"\t")[0].decode("utf-8", "replace") for line in lines]
    return tuple(name for name in ids if name not in (form.id, "Hybridization REF"))[:FIRST]


def _matrix(source: Source, form: Form, files: Sequence[Named]) -> RawTable:
    first = read_column(files[0].path, form, "beta", source.missing)
    axis, drops = Axis.of(first, files[0].path), Drops()
    features = axis.ids.fill_null("").to_list()
    chosen: NDArray[np.intp] | None = None
    rows_in = len(features)
    if source.select or source.drop:
        chosen = np.flatnonzero(selected(source, features, drops, what="probes"))
        features = [features[i] for i in chosen]

    def read() -> Iterator[NDArray[np.float32]]:
        columns = in_order(files, form, "beta", source.missing, f"reading {source.path.name}")
        for file, column in zip(files, columns, strict=True):
            order = axis.order(column, file.path)
            values = column.values if order is None else column.values[order]
            # A copy: what polars gives may not be written to.
            yield np.array((values if chosen is None else values[chosen])[None, :], np.float32)

    raw = RawTable("matrix", source, source.modality, [f.raw_id for f in files], features, drops=drops)
    raw.blocks = Blocks("profiles", read)
    raw.rows_in, raw.columns_in, raw.profile_info = rows_in, first.width, fixation(files)
    return raw


def recognise(head: Head) -> Guess | None:
    """Tell the files by name, and level 3 by its header too."""
    form = SESAME if head.is_dir and any(SESAME.names.search(n) for n in head.names) else None
    if form is None and SESAME.names.search(head.path.name):
        form = SESAME
    return recognised(head, {"beta": form or LEVEL_3}, "meth", "gdc-methylation")
