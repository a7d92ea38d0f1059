"""Files of LinkedOmics: .cct and .cbt matrices, .tsi tables of clinical attributes.

All have features or attributes in rows below a header that begins with ``attrib_name``, and patients in columns. What a
matrix holds stands in its name, in parts joined by two underscores: species, cohort, institute, type, platform, date,
analyst, level, pipeline (Vasaikar et al., Nucleic Acids Research 2018).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError, StudyError
from omicstore.identifiers import cohort_of_disease
from omicstore.readers.clinical import TextTable, present
from omicstore.readers.clinical_table import tables_of
from omicstore.readers.delimited import Layout, read_texts, sniff
from omicstore.readers.matrix import read_layout
from omicstore.readers.recognise import Guess
from omicstore.sources import FollowUp

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.recognise import Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["expand", "profile_ids", "read", "recognise"]

FIRST = "attrib_name"

MATRICES, CLINICAL = (".cct", ".cbt"), ".tsi"

#: A pattern in a file's name, in lower case, to modality, unit, and the platform where assays do not compete.
_KINDS: tuple[tuple[str, str, str | None, str | None], ...] = (
    (r"mirna", "mirna", "log2(rpm+1)", None),
    (r"methylation", "meth", "beta", None),
    (r"scna.*thre?shold", "cnv", "gistic", None),
    (r"scna", "cnv", "log2_ratio", None),
    (r"mutation", "mut", "mutated", None),
    (r"rppa", "prot", "log2_ratio", "rppa"),
    (r"phospho", "prot", "log2_ratio", "phospho"),
    (r"glyco", "prot", "log2_ratio", "glyco"),
    (r"acetyl", "prot", "log2_ratio", "acetyl"),
    (r"proteom", "prot", "log2_ratio", "ms"),
    (r"metabol", "metab", None, None),
    (r"rna-?seq.*rsem.*log2", "rna", "log2(rsem_normalized+1)", None),
    (r"rna-?seq.*fpkm.*log2", "rna", "log2(fpkm+1)", None),
    (r"rna-?seq.*rsem", "rna", "rsem_normalized", None),
    (r"rna-?seq.*fpkm", "rna", "fpkm", None),
    (r"rna-?seq", "rna", None, None),
    (r"rna.*(?:agilent|u133|array)", "rna", None, None),
)


def expand(source: Source) -> list[Source]:
    """Return a source for each file: matrices with modality and unit, as their names say, and clinical tables.

    Raises
    ------
    SourceError
        If a folder holds no such file.
    StudyError
        If neither a file's name nor the study file says what is measured, or in which unit.
    """
    parts = []
    for path in _files(source.path):
        part = replace(source, part=path.name if path != source.path else source.part)
        if source.part not in (None, part.part):
            continue
        if _ending(path) == CLINICAL:
            parts.append(replace(part, modality=None, unit=None))
            continue
        modality, unit, platform = _kind(path)
        if source.modality not in (None, modality) and modality is not None:
            continue
        parts.append(_matrix(replace(part, labels={}), path, modality, unit, platform))
    return parts


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read one file: a matrix, or clinical attributes with follow-up and labels.

    Raises
    ------
    SourceError
        If it does not begin with attrib_name, or a cell of a matrix is no number.
    """
    path = _path(source)
    layout = _layout(path)
    if source.modality is None:
        return [_of(source, raw) for raw in _read_clinical(replace(source, path=path), layout)]
    own = replace(source, path=path, orientation="features_in_rows", id=FIRST)
    return [_of(source, read_layout(own, layout, sampling))]


def profile_ids(source: Source) -> list[str]:
    """Return the ids in the header."""
    return _layout(_path(source)).header[1:]


def recognise(head: Head) -> Guess | None:
    """Tell the files by their endings or by the first cell, and a folder by such files alone."""
    if head.is_dir:
        found = [name for name in head.names if _ending(head.path / name)]
        return Guess("linkedomics", specific=10) if found and 2 * len(found) > len(head.names) else None
    first = head.lines[0].partition("\t")[0].strip().strip('"') if head.lines else ""
    if first != FIRST:
        return None
    code = head.path.name.split("__")[1].rpartition("_")[2].upper() if "__" in head.path.name else ""
    cohort = cohort_of_disease(code)
    if _ending(head.path) == CLINICAL:
        return Guess("linkedomics", orientation="features_in_rows", cohort=cohort, specific=10)
    modality, unit, _ = _kind(head.path)
    unsure = ("format",) if not _ending(head.path) else ()
    return Guess(
        "linkedomics", not unsure, modality, unit, "features_in_rows", cohort=cohort, unsure=unsure, specific=10
    )


def _read_clinical(source: Source, layout: Layout) -> list[RawTable]:
    texts = read_texts(layout)
    names = [name or f"row {i + 2}" for i, name in enumerate(texts.to_series(0).to_list())]
    header = [FIRST, *_distinct(names)]
    turned = texts.drop("0").transpose(column_names=header[1:])
    frame = turned.select(pl.Series(FIRST, layout.header[1:]), pl.all())
    frame = frame.with_columns(present(pl.all(), source.missing))
    lower = {name.lower(): name for name in header}
    if "OS" not in source.outcomes and "overall_survival" in lower and "status" in lower:
        told = FollowUp(time=lower["overall_survival"], event=lower["status"])
        source = replace(source, outcomes={**source.outcomes, "OS": told})
    found = tables_of(source, TextTable(Layout(layout.path, layout.delimiter, header, []), frame), FIRST)
    for raw in found:
        raw.rows_in, raw.columns_in = texts.height, len(layout.header)
    return found


def _matrix(part: Source, path: Path, modality: str | None, unit: str | None, platform: str | None) -> Source:
    modality, unit = part.modality or modality, part.unit or unit
    if modality is None or unit is None:
        what = "is measured" if modality is None else f"the unit of its {modality} is"
        raise StudyError(
            f"the name of {path.name} does not say what {what}",
            expected="modality: and unit: of the source",
            run="add them to the source in study.sources" + (f", with part: {path.name}" if part.path != path else ""),
        )
    return replace(part, modality=modality, unit=unit, platform=part.platform or platform)


def _of(source: Source, raw: RawTable) -> RawTable:
    """Let a table say that it came from the source, be that a folder."""
    raw.source = replace(source, labels=raw.source.labels)
    return raw


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.is_file() and _ending(p))
    if not found:
        raise SourceError(
            path,
            "there is no file of LinkedOmics in the folder",
            expected="files named .cct, .cbt or .tsi, plain or gzip",
            run="name the folder that they are in",
        )
    return found


def _path(source: Source) -> Path:
    return source.path / (source.part or "") if source.path.is_dir() else source.path


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return next((end for end in (*MATRICES, CLINICAL) if name.endswith(end)), "")


def _kind(path: Path) -> tuple[str | None, str | None, str | None]:
    name = path.name.lower()
    return next((kind[1:] for kind in _KINDS if re.search(kind[0], name)), (None, None, None))


def _layout(path: Path) -> Layout:
    layout = sniff(path)
    if layout.header[0] != FIRST:
        raise SourceError(
            path,
            f"the header begins with {layout.header[0]!r}",
            line=1,
            expected=f"{FIRST}, then patients",
            run="name another format, such as matrix",
        )
    return layout


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found
