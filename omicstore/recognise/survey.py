"""Recognise many files and folders: what is whole is taken whole, other folders are walked into."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.errors import OmicstoreError, UsageError, nearest
from omicstore.formats import FORMATS
from omicstore.progress import task
from omicstore.recognise.cohorts import site_table, study_sites
from omicstore.recognise.frame import folder_formats, recognise
from omicstore.recognise.references import is_site_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from omicstore.recognise.finding import Finding

__all__ = ["survey"]

#: What gdc-client calls the folder of a file.
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def survey(paths: Sequence[Path], references: Sequence[Path] = (), study: Path | None = None) -> list[Finding]:
    """Tell what files and folders are.

    Parameters
    ----------
    paths
        Files and folders; a folder that is no source as a whole is walked into.
    references
        More files, of which nothing but reference tables is expected.
    study
        A folder in a study, whose table of sites is used where `references` and `paths` have none.

    Returns
    -------
    list of Finding
        One for each file, or for each folder that is one source, in the order of `paths`, files of a folder by name.

    Raises
    ------
    UsageError
        If a path does not exist; names the nearest ones.
    """
    for path in (*paths, *references):
        if not path.exists():
            raise _absent(path)
    found: dict[Path, Finding] = {}
    places = [place for path in (*paths, *references) for place in _places(path)]
    sites = _sites([place for place in places if place.is_file()], study)
    with task("looking at files", len(places), "files") as advance:
        for place in places:
            finding = recognise(place, sites)
            if finding is not None:
                found.setdefault(place.resolve(), finding)
            advance()
    return list(found.values())


def _places(path: Path) -> Iterator[Path]:
    """Yield the files, and the folders that are one source, at or below a path."""
    if not path.is_dir() or _is_whole(path):
        yield path
        return
    for below in sorted(path.iterdir(), key=lambda p: p.name):
        if not below.name.startswith(".") and not (
            below.is_dir() and below.is_symlink()
        ):  # a link may lead in a circle
            yield from _places(below)


def _is_whole(folder: Path) -> bool:
    """Whether a folder is one source itself, and is not merely one that holds folders which are."""
    forms = folder_formats(folder)
    if len(forms) != 1:
        return False
    below = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".") and not _UUID.fullmatch(p.name)]
    same = sum(folder_formats(p) == forms for p in below)
    # Of slides, each may have its own folder.
    return same == 0 or (same > 1 and FORMATS[forms[0]].kind == "patches")


def _sites(candidates: Sequence[Path], study: Path | None) -> Mapping[str, str]:
    """Read the first table of tissue source sites."""
    for path in candidates:
        if is_site_table(path):
            return site_table(path)
    found = study_sites(study) if study is not None else None
    try:
        return site_table(found) if found is not None else {}
    except OmicstoreError:
        return {}


def _absent(path: Path) -> UsageError:
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    missing = path.absolute().relative_to(folder).parts[0]
    close = [str(folder / name) for name in nearest(missing, names)]
    return UsageError(
        f"{path} does not exist",
        expected=f"a file or folder, such as {', '.join(close)}" if close else "a file or folder",
    )
