"""Files that a portal no longer lists: a new version has another id, and lies in a folder of its own beside the old.

Both in one source would be two profiles of one sample, or a file that no sheet speaks of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.fetch.plan import Plan
    from omicstore.fetch.record import Record

__all__ = ["FOLDER", "set_aside"]

FOLDER = "superseded"


def set_aside(plan: Plan, folder: Path, record: Record) -> list[str]:
    """Move what earlier fetches brought and the portal no longer lists out of the sources, into ``superseded``.

    Files that no fetch brought are left where they are.

    Parameters
    ----------
    plan
        What the portal lists now; each of its folders in full.
    folder
        Of the fetch.
    record
        Of that folder, open for writing.

    Returns
    -------
    list of str
        The files that were moved, sorted.
    """
    listed = {item.path for item in plan.items}
    folders = tuple(f"{part.path}/" for part in plan.parts if any(item.path != part.path for item in part.items))
    moved = []
    for path in record.all("file"):
        if path in listed or not path.startswith(folders):
            continue
        old, new = folder / path, folder / FOLDER / path
        if old.is_file():
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
            if not any(old.parent.iterdir()):
                old.parent.rmdir()
            moved.append(path)
        record.forget("file", path)
    record.tidy()
    return moved
