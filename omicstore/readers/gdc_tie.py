"""Which sample each file of the GDC is of: by the sheets beside it, else by the barcode in its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.identifiers import cohorts_agree, find_barcode, parse_barcode
from omicstore.readers.cbioportal_clinical import PEOPLE, SAMPLE_TYPES
from omicstore.readers.gdc_papers import HOW_TO_GET, Entry, Papers
from omicstore.readers.table import Drops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from omicstore.sources import Source

__all__ = ["Named", "listed_people", "tie"]

_NORMAL = ("normal", "control")


@dataclass(frozen=True, slots=True)
class Named:
    """A file, the id of the profile in it, whether the tissue was fixed, and its md5 by the manifest."""

    path: Path
    raw_id: str
    ffpe: bool | None = None
    md5: str | None = None


def tie(source: Source, paths: Sequence[Path], ours: Callable[[str], object]) -> tuple[list[Named], Drops, list[str]]:
    """Return whose profile each file holds, sorted by id and name, what was left out, and warnings.

    Parameters
    ----------
    source
        Its cohort chooses among files of several TCGA projects, and ``drop`` leaves out profiles by name.
    paths
        The files.
    ours
        Whether a file name is of this kind of file: a sheet may speak of others too.

    Raises
    ------
    SourceError
        If nothing says whose a file is, or no file is of the source's cohort.
    """
    papers, drops = Papers.of(source.path), Drops()
    entries = {path: papers.entry(path) for path in paths}
    strange = not any(entries.values())  # sheets beside the folder may be of another download
    named: list[Named] = []
    seen: set[str] = set()
    left: dict[str, list[str]] = {}
    for path in paths:
        entry = entries[path]
        if entry is None:
            barcode = find_barcode(path.name)
            if barcode is None or not strange:
                raise _untold(source, path, papers, len(paths))
            named.append(Named(path, barcode.text, md5=papers.sum_of(path)))
            continue
        seen.add(entry.name)
        raw_id = _whose(entry, path)
        if entry.project.startswith("TCGA-") and not _agrees(entry.project, source.cohort):
            left.setdefault("file of another project", []).append(f"{path.name} ({entry.project})")
        elif raw_id is None:
            left.setdefault("file of several samples", []).append(f"{path.name} ({', '.join(entry.aliquots)})")
        elif raw_id in source.drop:
            left.setdefault("dropped by the study file", []).append(raw_id)
        else:
            named.append(Named(path, raw_id, entry.ffpe, papers.sum_of(path)))
    for reason, names in sorted(left.items()):
        drops.add(reason, sorted(names))
    if not named:
        shown = "; ".join(f"{len(names)} {reason}, e.g. {min(names)}" for reason, names in sorted(left.items()))
        raise SourceError(
            source.path,
            f"none of its {len(paths)} files is left: {shown}",
            expected=f"files of {source.cohort}",
            run="correct path, cohort or drop of the source in study.sources",
        )
    return (
        sorted(named, key=lambda n: (n.raw_id, n.path.name, str(n.path))),
        drops,
        [*_absent(source, papers, seen, ours), *_outside(source, papers)],
    )


def _agrees(project: str, cohort: str | None) -> bool:
    return cohort is None or cohorts_agree(project.removeprefix("TCGA-"), cohort)


def _whose(entry: Entry, path: Path) -> str | None:
    """Return the one profile of a file: of a tumour and its normal the tumour; the aliquot where the name has it."""
    ids = tuple(dict.fromkeys(entry.aliquots))
    codes = [code for name in ids if (code := parse_barcode(name)) is not None]
    if len(ids) > 1 and len(codes) == len(ids):
        tumours = [code for code in codes if code.sample_type not in _NORMAL]
        ids = tuple(code.text for code in tumours[: 1 if len({code.sample_id for code in tumours}) == 1 else None])
    elif len(ids) > 1:
        ids = _by_type(entry)
    if len(ids) != 1:
        return None
    code, told = find_barcode(path.name), parse_barcode(ids[0])
    if code is not None and told is not None and code.text.startswith(told.text):
        return code.text
    return ids[0]


def _by_type(entry: Entry) -> tuple[str, ...]:
    """Return the samples that are said to be of no normal tissue."""
    if len(entry.types) != len(entry.samples):
        return entry.samples
    pairs = zip(entry.samples, entry.types, strict=True)
    return tuple(dict.fromkeys(sample for sample, kind in pairs if "normal" not in kind.lower()))


def listed_people(path: Path) -> pl.DataFrame | None:
    """Return who is who where ids are no barcodes: the samples of the sheets, and their cases.

    Returns
    -------
    polars.DataFrame or None
        raw_id, sample_id, patient_id, sample_type (null where it is not said), patient_level; None if there is none.
    """
    rows: dict[str, tuple[str, str, str, str | None, bool]] = {}
    for entry in Papers.of(path).by_id.values():
        raw_id, own = _whose(entry, path), tuple(dict.fromkeys(entry.samples))
        if raw_id is None or parse_barcode(raw_id) or not entry.cases:
            continue
        sample = raw_id if raw_id in own else own[0] if len(own) == 1 else None
        if sample is None:
            continue
        at = entry.samples.index(sample)
        case = entry.cases[at] if len(entry.cases) == len(entry.samples) else entry.cases[0]
        kind = entry.types[at] if len(entry.types) == len(entry.samples) else "".join(entry.types[:1])
        told = next((name for word, name in SAMPLE_TYPES if word in kind.lower()), None)
        rows[raw_id] = (raw_id, sample, case, told, False)
        if told == "primary":
            rows.setdefault(case, (case, sample, case, told, True))
    return pl.DataFrame([rows[name] for name in sorted(rows)], schema=PEOPLE, orient="row") if rows else None


def _untold(source: Source, path: Path, papers: Papers, n_files: int) -> SourceError:
    if papers.sheets:
        return SourceError(
            path,
            f"{papers.sheets[0].name} has no line about this file",
            expected="a line with its File ID or File Name, and one answer to whose it is",
            run=HOW_TO_GET,
        )
    return SourceError(
        source.path,
        f"nothing says whose its {n_files} {'file is' if n_files == 1 else 'files are'}: there is no sample sheet, and"
        f" no barcode in the name {path.name}",
        expected="gdc_sample_sheet*.tsv (or metadata.*.json) of the cart, in the folder or beside it",
        run=HOW_TO_GET,
    )


def _absent(source: Source, papers: Papers, seen: set[str], ours: Callable[[str], object]) -> list[str]:
    if not source.path.is_dir():
        return []
    entries = [e for e in papers.by_id.values() if e.name not in seen and ours(e.name)]
    lost = sorted(e.name for e in entries if not e.project.startswith("TCGA-") or _agrees(e.project, source.cohort))
    if not lost:
        return []
    return [f"{len(lost)} files of the sample sheet are not in the folder, e.g. {lost[0]}: was the download finished?"]


def _outside(source: Source, papers: Papers) -> list[str]:
    outside = [s.name for s in papers.sheets if source.path.is_dir() and s.parent != source.path]
    told = f"{', '.join(outside)} lies beside the folder: put it into the folder, so that a change is noticed"
    return [told] if outside else []
