"""What lies beside files of the GDC and says what they are: sample sheets, the metadata of a cart, manifests.

Files of the GDC are named by ids that say nothing. The portal's sample sheet (``gdc_sample_sheet*.tsv``) and its
metadata (``metadata.cart.*.json``) say which sample or aliquot each is of; a manifest (``gdc_manifest*.txt``,
``MANIFEST.txt``) has their checksums. They are looked for in the folder of the files and beside it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omicstore.errors import SourceError
from omicstore.readers.bytestream import read_bytes
from omicstore.readers.delimited import read_texts, sniff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["HOW_TO_GET", "Entry", "Papers", "is_paper"]

_SHEET = re.compile(r"gdc_sample_sheet.*\.tsv(?:\.gz)?$", re.IGNORECASE)
_METADATA = re.compile(r"metadata\.(?:cart|repository)\..*json(?:\.gz)?$", re.IGNORECASE)
_MANIFEST = re.compile(r"gdc_manifest.*\.txt$|manifest\.txt$", re.IGNORECASE)

#: What sample sheets call the aliquot, where they have it, in lower case.
_ALIQUOT = ("aliquot id", "aliquot", "aliquot submitter id", "entity submitter id")

#: How to come by a sheet, for messages.
HOW_TO_GET = (
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
    """What a sheet says of a file.

    Attributes
    ----------
    name, project
        The file and its (first) project.
    aliquots
        What was measured: aliquots, or samples where the sheet does not say them.
    samples, cases, types
        Samples, side by side with their cases and sample types (``Primary Tumor``, ...), as far as the sheet says them.
    ffpe
        Whether the tissue was fixed in formalin; None where the sheet does not say it.
    """

    name: str
    project: str
    aliquots: tuple[str, ...]
    samples: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    ffpe: bool | None = None


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
            if known is not None and sum(map(len, known.aliquots)) >= sum(map(len, entry.aliquots)):
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
        return same[0] if len({e.aliquots for e in same}) == 1 else None

    def sum_of(self, path: Path) -> str | None:
        """Return the md5 of a file by the manifests, or None if they do not tell."""
        own, same = self.md5.get(f"{path.parent.name}/{path.name}"), self.md5_by_name.get(path.name, set())
        return own or (next(iter(same)) if len(same) == 1 else None)

    def cohorts(self) -> set[str]:
        """Return the cohorts of TCGA's projects that the sheets name."""
        return {e.project.removeprefix("TCGA-") for e in self.by_id.values() if e.project.startswith("TCGA-")}


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
            run=HOW_TO_GET,
        )
    text = read_texts(layout)

    def cells(*names: str) -> list[str | None]:
        at = next((folded[name] for name in names if name in folded), None)
        return [None] * text.height if at is None else text.get_column(str(at)).to_list()

    ids, names, samples, aliquots = cells("file id"), cells("file name"), cells("sample id"), cells(*_ALIQUOT)
    projects, cases, types = cells("project id"), cells("case id"), cells("sample type", "tissue type")
    kept = cells("preservation method")
    for i in range(text.height):
        own = _ids(samples[i])
        yield (
            ids[i] or "",
            Entry(
                name=names[i] or "",
                project=(_ids(projects[i]) or ("",))[0],
                aliquots=_ids(aliquots[i]) or own,
                samples=own,
                cases=_ids(cases[i]),
                types=_ids(types[i]),
                ffpe=_fixed(kept[i]),
            ),
        )


def _metadata_lines(file: Path) -> Iterator[tuple[str, Entry]]:
    try:
        files: Any = json.loads(read_bytes(file))
        for record in files:
            entities = record["associated_entities"]
            ids = tuple(dict.fromkeys(str(e["entity_submitter_id"]) for e in entities))
            cases = record.get("cases", [])
            project = next((str(c["project"]["project_id"]) for c in cases if "project" in c), "")
            yield str(record["file_id"]), Entry(str(record["file_name"]), project, ids)
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            file,
            f"this is no metadata of a cart ({type(error).__name__}: {error})",
            expected="a list of files with file_id, file_name and associated_entities",
            run=HOW_TO_GET,
        ) from None


def _ids(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[,;]", cell or "") if part.strip())


def _fixed(cell: str | None) -> bool | None:
    told = set(_ids((cell or "").upper()))
    return True if "FFPE" in told else False if told & {"OCT", "FROZEN", "SNAP FROZEN", "FRESH"} else None
