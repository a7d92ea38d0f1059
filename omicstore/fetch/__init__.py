"""Open-access files from the portals that keep them: what there is, then the download, then a study of it.

A portal's module (`gdc`, `xena`, `references`) asks what there is and gives a `Plan`; `bring` downloads it into a
folder and writes the study section. Nothing is fetched without being asked, and httpx is imported with the first
request only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.fetch.record import Record
from omicstore.fetch.run import Done, fetch
from omicstore.fetch.section import remember, write
from omicstore.fetch.superseded import set_aside

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.fetch.plan import Plan

__all__ = ["Brought", "bring"]


@dataclass(frozen=True, slots=True)
class Brought:
    """What a fetch brought.

    Attributes
    ----------
    done
        The files.
    section
        The study section of all that the folder has, as YAML.
    written
        Whether study.yaml says it; not where a person has changed that file, or where no source is there yet.
    superseded
        Files of earlier fetches that the portal no longer lists, and that were moved out of the sources.
    """

    done: Done
    section: str
    written: bool
    superseded: list[str]


def bring(plan: Plan, folder: Path, *, jobs: int = 4) -> Brought:
    """Download the files of a plan into a folder, and write the study section.

    Parameters
    ----------
    plan
        From `omicstore.fetch.gdc.plan`, `omicstore.fetch.xena.plan` or `omicstore.fetch.references.plan`.
    folder
        Made if absent. Files that are here and whole are kept; what another call left half done is resumed.
    jobs
        How many downloads at a time.

    Raises
    ------
    FetchError
        If there is no room, or if files could not be had.
    LockedError
        If another fetch writes to the folder.
    """
    with Record.writing(folder) as record:
        done = fetch(plan, folder, record, jobs=jobs)
        superseded = set_aside(plan, folder, record)
        remember(plan, folder, record)
        text, written = write(folder, record)
    return Brought(done, text, written, superseded)
