"""Which sample each file of the GDC is of: sample sheets, the cart's metadata and manifests beside the files.

Files of the GDC are named by ids that say nothing. The portal's sample sheet (``gdc_sample_sheet*.tsv``) and its
metadata (``metadata.*.json``) say which sample or aliquot each is of; a manifest (``gdc_manifest*.txt``,
``MANIFEST.txt``) has their checksums. They are looked for in the folder of the files and beside it. What older files
have in their names, a barcode, serves where there is neither.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omicstore.errors import SourceError
from omicstore.identifiers import cohorts_agree, find_barcode, parse_barcode
from omicstore.readers.delimited import read_texts, sniff
from omicstore.readers.table import Drops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from omicstore.sources import Source

__all__ = ["Entry", "Named", "Papers", "is_paper", "tie"]

_SHEET = re.compile(r"gdc_sample_sheet.*\.tsv(?:\.gz)?$", re.IGNORECASE)
_METADATA = re.compile(r"metadata\..*json(?:\.gz)?$|metadata\.json$", re.IGNORECASE)
_MANIFEST = re.compile(r"gdc_manifest.*\.txt$|manifest\.txt$", re.IGNORECASE)

#: What sample sheets call the aliquot, where they have it, in lower case.
_ALIQUOT = ("aliquot id", "aliquot", "aliquot submitter id", "entity submitter id")

_FETCH = (
    "put the Sample Sheet of the cart at portal.gdc.cancer.gov into the folder,"
    " or fetch files and sheet together with: omicstore fetch gdc"
)


def is_paper(name: str) -> bool:
    """Whether a file name is that of a sheet, a manifest or another file that says something of files.

    Examples
    --------
    >>> is_paper("gdc_sample_sheet.2025-08-17.tsv"), is_paper("annotations.txt"), is_paper("a_RPPA_data.tsv")
    (True, True, False)
    """
    base = name.rpartition("/")[2].lower()
    known = (_SHEET, _METADATA, _MANIFEST)
    return base in ("annotations.txt", "license", "readme.md") or any(p.match(base) for p in known)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a sheet says of a file: its name, its project, its samples (or aliquots), and whether they were fixed."""

    name: str
    project: str
    samples: tuple[str, ...]
    ffpe: bool | None
    sheet: Path


@dataclass(frozen=True, slots=True)
class Named:
    """A file, the id of the profile in it, whether the tissue was fixed, and its md5 by the manifest."""

    path: Path
    raw_id: str
    ffpe: bool | None = None
    md5: str | None = None


@dataclass(slots=True)
class Papers:
    """The sheets and manifests of a folder.

    Attributes
    ----------
    by_id, by_name
        What sheets say of a file, by its id and by its name; a name that two ids have has both.
    md5, md5_by_name
        Checksums by id and name (``id/name``), and all of a name.
    sheets, manifests
        The files that say so.
    """

    by_id: dict[str, Entry] = field(default_factory=dict)
    by_name: dict[str, list[Entry]] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    md5_by_name: dict[str, set[str]] = field(default_factory=dict)
    sheets: list[Path] = field(default_factory=list)
    manifests: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> Papers:
        """Read the sheets and manifests in a folder and beside it, or beside a file and beside its folder.

        Raises
        ------
        SourceError
            If one of them cannot be read.
        """
        papers = cls()
        for folder in (path, path.parent) if path.is_dir() else (path.parent, path.parent.parent):
            for file in sorted(p for p in folder.glob("*") if p.is_file()):
                if _SHEET.match(file.name):
                    papers._add(file, _sheet_lines(file))
                elif _METADATA.match(file.name):
                    papers._add(file, _metadata_lines(file))
                elif _MANIFEST.match(file.name):
                    papers._add_sums(file)
            if papers.sheets:
                break
        return papers

    def _add(self, file: Path, lines: Iterable[tuple[str, Entry]]) -> None:
        self.sheets.append(file)
        for file_id, entry in lines:
            known = self.by_id.get(file_id)
            # An aliquot says more than a sample.
            if known is not None and sum(map(len, known.samples)) >= sum(map(len, entry.samples)):
                continue
            self.by_id[file_id] = entry
            self.by_name.setdefault(entry.name, [])
            self.by_name[entry.name] = [e for e in self.by_name[entry.name] if e is not known] + [entry]

    def _add_sums(self, file: Path) -> None:
        layout = sniff(file)
        folded = {name.lower(): i for i, name in enumerate(layout.header)}
        if not {"id", "filename", "md5"} <= folded.keys():
            return  # some other manifest
        self.manifests.append(file)
        frame = read_texts(layout, [folded["id"], folded["filename"], folded["md5"]])
        columns = (frame.get_column(str(folded[name])) for name in ("id", "filename", "md5"))
        for file_id, name, md5 in zip(*columns, strict=True):
            if md5:
                base = (name or "").rpartition("/")[2]
                self.md5[f"{file_id}/{base}"] = md5.lower()
                self.md5_by_name.setdefault(base, set()).add(md5.lower())

    def entry(self, path: Path) -> Entry | None:
        """Return what the sheets say of a file, by the id that its folder is named after, else by its name."""
        own = self.by_id.get(path.parent.name)
        if own is not None and own.name in ("", path.name, path.name.removesuffix(".gz")):
            return own
        same = self.by_name.get(path.name) or self.by_name.get(path.name + ".gz") or []
        return same[0] if len({e.samples for e in same}) == 1 else None

    def sum_of(self, path: Path) -> str | None:
        """Return the md5 of a file by the manifests, or None if they do not tell."""
        own, same = self.md5.get(f"{path.parent.name}/{path.name}"), self.md5_by_name.get(path.name, set())
        return own or (next(iter(same)) if len(same) == 1 else None)

    def cohorts(self) -> set[str]:
        """Return the cohorts of TCGA's projects that the sheets name."""
        return {e.project.removeprefix("TCGA-") for e in self.by_id.values() if e.project.startswith("TCGA-")}


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
    named: list[Named] = []
    seen: set[str] = set()
    left: dict[str, list[str]] = {}
    for path in paths:
        entry = papers.entry(path)
        if entry is None:
            barcode = find_barcode(path.name)
            if papers.sheets or barcode is None:
                raise _untold(source, path, papers, len(paths))
            named.append(Named(path, barcode.text, md5=papers.sum_of(path)))
            continue
        seen.add(entry.name)
        raw_id = _whose(entry, path)
        if entry.project.startswith("TCGA-") and not _agrees(entry.project, source.cohort):
            left.setdefault("file of another project", []).append(f"{path.name} ({entry.project})")
        elif raw_id is None:
            left.setdefault("file of several samples", []).append(f"{path.name} ({', '.join(entry.samples)})")
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
    samples = list(dict.fromkeys(entry.samples))
    if len(samples) > 1:
        tumours = [s for s in samples if not _is_normal(s)]
        whole = {(code.sample_id if (code := parse_barcode(s)) else s) for s in tumours}
        samples = tumours[:1] if len(whole) == 1 else samples
    if len(samples) != 1:
        return None
    code, told = find_barcode(path.name), parse_barcode(samples[0])
    if code is not None and told is not None and code.text.startswith(told.text):
        return code.text
    return samples[0]


def _is_normal(sample: str) -> bool:
    code = parse_barcode(sample)
    return code is not None and code.sample_type in ("normal", "control")


def _untold(source: Source, path: Path, papers: Papers, n_files: int) -> SourceError:
    if papers.sheets:
        return SourceError(
            path,
            f"{papers.sheets[0].name} has no line about this file",
            expected="a line with its File ID or File Name, and one answer to whose it is",
            run=_FETCH,
        )
    return SourceError(
        source.path,
        f"nothing says whose its {n_files} {'file is' if n_files == 1 else 'files are'}: there is no sample sheet, and"
        f" no barcode in the name {path.name}",
        expected="gdc_sample_sheet*.tsv (or metadata.*.json) of the cart, in the folder or beside it",
        run=_FETCH,
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
    told = f"{', '.join(outside)} lies beside the folder: put it into the folder, so that a change of it is noticed"
    return [told] if outside else []


def _sheet_lines(file: Path) -> Iterator[tuple[str, Entry]]:
    layout = sniff(file)
    folded = {name.lower(): i for i, name in reversed(list(enumerate(layout.header)))}
    needed = ("file id", "file name", "sample id")
    if absent := [name for name in needed if name not in folded]:
        raise SourceError(
            file,
            f"there is no column {', '.join(name.title().replace('Id', 'ID') for name in absent)}",
            line=1,
            expected="a sample sheet of the GDC: File ID, File Name, ..., Project ID, Case ID, Sample ID",
            run=_FETCH,
        )
    text = read_texts(layout)
    wanted = {name: text.get_column(str(folded[name])).to_list() for name in needed}
    aliquot = next((text.get_column(str(folded[n])).to_list() for n in _ALIQUOT if n in folded), None)
    projects = text.get_column(str(folded["project id"])).to_list() if "project id" in folded else None
    kept = next((text.get_column(str(i)).to_list() for n, i in folded.items() if n == "preservation method"), None)
    for i in range(text.height):
        ids = _ids(aliquot[i]) if aliquot is not None and aliquot[i] else _ids(wanted["sample id"][i])
        ffpe = None if kept is None else _fixed(kept[i])
        project = (_ids(projects[i]) or ("",))[0] if projects is not None else ""
        yield wanted["file id"][i] or "", Entry(wanted["file name"][i] or "", project, ids, ffpe, file)


def _metadata_lines(file: Path) -> Iterator[tuple[str, Entry]]:
    from omicstore.readers.bytestream import read_bytes

    try:
        files: Any = json.loads(read_bytes(file))
        for record in files:
            entities = record["associated_entities"]
            ids = tuple(dict.fromkeys(str(e["entity_submitter_id"]) for e in entities))
            cases = record.get("cases", [])
            project = next((str(c["project"]["project_id"]) for c in cases if "project" in c), "")
            yield str(record["file_id"]), Entry(str(record["file_name"]), project, ids, None, file)
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            file,
            f"this is no metadata of a cart ({type(error).__name__}: {error})",
            expected="a list of files with file_id, file_name and associated_entities",
            run=_FETCH,
        ) from None


def _ids(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[,;]", cell or "") if part.strip())


def _fixed(cell: str | None) -> bool | None:
    told = set(_ids((cell or "").upper()))
    return True if "FFPE" in told else False if told & {"OCT", "FROZEN", "SNAP FROZEN", "FRESH"} else None
