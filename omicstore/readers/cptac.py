"""Frames of the cptac package, as pandas writes them to text.

Patients are in rows, under ``Patient_ID``; normal tissue has ``.N`` behind the patient. The columns of a frame of one
assay may have several levels (Name, Site, Peptide, Database_ID), each a header line that begins with its name. Frames
that were joined have one level, and the source and assay behind each name: ``A1BG_umich_proteomics``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError, StudyError
from omicstore.identifiers import is_ensembl_gene
from omicstore.readers.bytestream import line_chunks, pieces
from omicstore.readers.cells import decimals_of
from omicstore.readers.clinical import TextTable
from omicstore.readers.clinical_table import tables_of
from omicstore.readers.delimited import Layout, read_texts, sniff, split
from omicstore.readers.matrix_plan import selected
from omicstore.readers.numbers import read_numbers, to_float
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable
from omicstore.sources import FollowUp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["expand", "people", "profile_ids", "read", "recognise"]

INDEX, LEVELS = "Patient_ID", ("Name", "Site", "Peptide", "Database_ID")

#: The part that holds what is no assay.
CLINICAL = "clinical"

#: Assay to modality, the unit that the package gives it in (None where that differs by source), and the platform.
ASSAYS: dict[str, tuple[str, str | None, str | None]] = {
    "transcriptomics": ("rna", None, None),
    "proteomics": ("prot", "log2_ratio", "ms"),
    "phosphoproteomics": ("prot", "log2_ratio", "phospho"),
    "acetylproteomics": ("prot", "log2_ratio", "acetyl"),
    "ubiquitylproteomics": ("prot", "log2_ratio", "ubiquityl"),
    "miRNA": ("mirna", None, None),
    "CNV": ("cnv", "log2_ratio", None),
    "metabolomics": ("metab", None, None),
}

_ASSAY = "|".join(sorted((name for name in ASSAYS), key=len, reverse=True))
_JOINED = re.compile(rf"^(?P<name>.+?)(?:_(?:awg|bcm|broad|harmonized|mssm|umich|washu|awgconf))?_(?P<assay>{_ASSAY})$")
_IN_NAME = re.compile(rf"(?<![A-Za-z])(?P<assay>{_ASSAY})(?![A-Za-z])", re.IGNORECASE)

#: How the package's follow-up names its columns.
SURVIVAL = FollowUp(time="Overall survival, days", event="Survival status (1, dead; 0, alive)")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The columns of a file: assay to positions, with the levels of each column; what is left are attributes."""

    layout: Layout
    levels: tuple[str, ...]
    names: list[tuple[str, ...]]
    assays: dict[str, list[int]]


def expand(source: Source) -> list[Source]:
    """Return a source for each assay of the frame, and one for its clinical columns.

    Raises
    ------
    StudyError
        If nothing tells the assay, or the unit of one.
    """
    frame = _frame(source)
    parts = [_part(source, assay) for assay in frame.assays]
    if _attributes(frame):
        parts.append(replace(source, modality=None, unit=None, part=CLINICAL))
    kept = [p for p in parts if source.part in (None, p.part) and source.modality in (None, p.modality)]
    if source.unit is not None and len({p.modality for p in kept} - {None}) > 1:
        raise StudyError(
            f"{source.path.name}: unit: {source.unit} says nothing of which assay it is the unit",
            expected="part: beside it",
            run=f"add part: {' or '.join(frame.assays)} to the source",
        )
    for part in kept:
        if part.modality is not None and part.unit is None:
            raise StudyError(
                f"{source.path.name}: nothing tells the unit of its {part.part}",
                expected="a unit in the study file: sources of the package differ",
                run=f"add unit: to the source, with part: {part.part} where the frame holds other assays too",
            )
    return kept


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read one assay, or the clinical columns.

    Proteins are named by their gene, and by their id in the database too where a gene has several; a modified site by
    gene and site, and by its peptide where a site has several.

    Raises
    ------
    SourceError
        If the file is no such frame, or a cell of an assay is no number.
    """
    del sampling  # ids are harmonised later; `people` tells normals
    frame = _frame(source)
    if source.part == CLINICAL:
        names = [frame.layout.header[i] for i in (0, *_attributes(frame))]
        told = {"OS": SURVIVAL} if SURVIVAL.time in names and SURVIVAL.event in names else {}
        table = TextTable.read(frame.layout, names, source.missing)
        return tables_of(replace(source, outcomes=told | source.outcomes), table, names[0])
    return [_matrix(source, frame, frame.assays[source.part or ""])]


def profile_ids(source: Source) -> list[str]:
    """Return the ids in the first column."""
    return _ids(_frame(source).layout)


def people(source: Source) -> pl.DataFrame:
    """Return whose the profiles are: ``X.N`` is normal tissue of patient X."""
    ids = pl.DataFrame({"raw_id": sorted(set(_ids(_frame(source).layout)))}, schema={"raw_id": pl.String})
    normal = pl.col("raw_id").str.ends_with(".N")
    return ids.select(
        "raw_id",
        sample_id="raw_id",
        patient_id=pl.col("raw_id").str.replace(r"\.N$", ""),
        sample_type=pl.when(normal).then(pl.lit("normal")).otherwise(pl.lit("primary")),
        patient_level=pl.lit(value=False),
    )


def recognise(head: Head) -> Guess | None:
    """Tell a frame by its index, and by the levels or assays of its columns."""
    first = [line.partition("\t")[0].partition(",")[0].strip('"') for line in head.lines[:6]]
    if not first or (INDEX not in first and first[0] != "Name"):
        return None
    joined = [m["assay"] for name in head.header[1:2000] if (m := _JOINED.match(name))]
    named = _IN_NAME.search(head.path.name)
    assay = joined[0] if joined else _canonical(named["assay"]) if named else None
    if assay is None:
        if SURVIVAL.time in head.header:
            return Guess("cptac", orientation="features_in_columns", specific=10)
        if first[0] == "Name" and INDEX in first:
            return Guess("cptac", orientation="features_in_columns", notes=("part: must name the assay",), specific=10)
        return None
    modality, unit, _ = ASSAYS[assay]
    return Guess(
        "cptac", modality=modality, unit=unit, orientation="features_in_columns", id_type="symbol", specific=10
    )


def _frame(source: Source) -> _Frame:
    layout = sniff(source.path)
    if layout.header[0] in LEVELS:
        return _with_levels(source, layout)
    names: list[tuple[str, ...]] = [(name,) for name in layout.header]
    found: dict[str, list[int]] = {}
    for i, name in enumerate(layout.header):
        if i and (match := _JOINED.match(name)):
            found.setdefault(match["assay"], []).append(i)
            names[i] = (match["name"],)
    if not found and CLINICAL not in source.path.name.lower() and _told(source):
        found = {_assay(source): [i for i in range(1, len(layout.header)) if not layout.is_text(i)]}
    return _Frame(layout, ("Name",), names, found)


def _with_levels(source: Source, layout: Layout) -> _Frame:
    cells = [split(line, layout.delimiter) for line in _lines(layout.path, len(LEVELS) + 1)]
    n = next((i for i, row in enumerate(cells) if row[0] not in LEVELS), len(cells))
    if n == len(cells) or cells[n][0] != INDEX or any(cells[n][1:]):
        raise SourceError(
            layout.path,
            f"below the levels {', '.join(row[0] for row in cells[:n])} stands {cells[min(n, len(cells) - 1)][0]!r}",
            line=n + 1,
            expected=f"a line with {INDEX} alone, as pandas writes the name of an index",
            run="write the frame with to_csv, with its index",
        )
    names = [tuple(column) for column in zip(*cells[:n], strict=True)]
    header = [INDEX, *("|".join(filter(None, name)) for name in names[1:])]
    below = Layout(layout.path, layout.delimiter, header, layout.rows[n:], n + 1, layout.crlf)
    return _Frame(below, names[0], names, {_assay(source): list(range(1, len(header)))})


def _attributes(frame: _Frame) -> list[int]:
    taken = {i for columns in frame.assays.values() for i in columns}
    return [i for i in range(1, len(frame.layout.header)) if i not in taken]


def _told(source: Source) -> bool:
    return source.part in ASSAYS or bool(_IN_NAME.search(source.path.name)) or source.modality is not None


def _assay(source: Source) -> str:
    """Return the assay of a frame whose columns do not name it."""
    if source.part in ASSAYS:
        return source.part or ""
    if named := _IN_NAME.search(source.path.name):
        return _canonical(named["assay"])
    of_modality = [name for name, (modality, _, _) in ASSAYS.items() if modality == source.modality]
    if of_modality:
        return of_modality[0]
    raise StudyError(
        f"nothing tells which assay {source.path.name} is of",
        expected=f"part: one of {', '.join(ASSAYS)}",
        run="add part: to the source in study.sources",
    )


def _canonical(assay: str) -> str:
    return next(name for name in ASSAYS if name.lower() == assay.lower())


def _part(source: Source, assay: str) -> Source:
    modality, unit, platform = ASSAYS[assay]
    return replace(
        source, modality=modality, unit=source.unit or unit, part=assay, platform=source.platform or platform, labels={}
    )


def _lines(path: Path, n: int) -> list[str]:
    held = b""
    for piece in pieces(path):
        held += piece
        if held.count(b"\n") > n:
            break
    return held.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")[:n]


def _ids(layout: Layout) -> list[str]:
    stat = layout.path.stat()
    return list(_first_column(layout.path, layout.skip, layout.delimiter, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=16)
def _first_column(path: Path, skip: int, delimiter: str, changed: int, size: int) -> tuple[str, ...]:
    """Return the first cell of each line; who is in a file is asked more often than a large one should be read."""
    del changed, size  # a file that is another by these is read again
    cut = delimiter.encode()
    lines = (line for chunk in line_chunks(path, 8 << 20) for line in chunk.splitlines())
    cells = (line.partition(cut)[0].strip(b'" ').decode("utf-8", "replace") for line in islice(lines, skip, None))
    return tuple(cell for cell in cells if cell)


def _matrix(source: Source, frame: _Frame, columns: Sequence[int]) -> RawTable:
    drops = Drops()
    names = [dict(zip(frame.levels, frame.names[i], strict=True)) for i in columns]
    features = _features(names, source.modality or "")
    kept = [i for i, keep in enumerate(selected(source, features, drops, what="columns")) if keep]
    wanted = [columns[i] for i in kept]
    raw = RawTable("matrix", source, source.modality, columns_in=len(frame.layout.header), drops=drops)
    if _attributes(frame):  # text may stand between the numbers
        texts = read_texts(frame.layout, [0, *wanted])
        cells = texts.select(str(i) for i in wanted)
        raw.ids = texts.get_column("0").fill_null("").to_list()
        raw.values = np.ascontiguousarray(to_float(frame.layout, cells, source.missing).to_numpy(), np.float32)
        raw.decimals = decimals_of(c for row in cells.head(20).iter_rows() for c in row[:200] if c)
    else:
        found = read_numbers(frame.layout, 1, wanted, missing=source.missing)
        raw.ids, raw.values, raw.decimals = found.texts[0], found.values, found.decimals
    raw.rows_in = len(raw.ids)
    raw.features = [features[i] for i in kept]
    raw.feature_info = pl.DataFrame(
        {"raw_feature": raw.features, "symbol": [names[i]["Name"] for i in kept]}
        | {level: [names[i][level] for i in kept] for level in frame.levels if level != "Name"}
    )
    return raw


def _features(names: Sequence[dict[str, str]], modality: str) -> list[str]:
    """Return a name for each column, of as many levels as it takes to tell them apart."""
    if modality != "prot":
        ids = [n.get("Database_ID", "") for n in names]
        return [i if is_ensembl_gene(i) else n["Name"] for i, n in zip(ids, names, strict=True)]
    found = ["_".join(filter(None, (n["Name"], n.get("Site")))) for n in names]
    for level in ("Peptide", "Database_ID"):
        seen: dict[str, int] = {}
        for name in found:
            seen[name] = seen.get(name, 0) + 1
        found = [f"{f}:{n[level]}" if seen[f] > 1 and n.get(level) else f for f, n in zip(found, names, strict=True)]
    return found
