"""Writing to the folders of releases: one event after another, each there whole or not at all."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError
from omicstore.files import TEMPORARY, write_bytes, write_if_changed
from omicstore.store.layout import EVENTS, RELEASES, release_file
from omicstore.store.lock import write_locks
from omicstore.store.registry import places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["append_event", "local_folder", "writing"]


def local_folder(store: Store, what: str) -> Path:
    """Return the folder of a store that can be written to.

    Raises
    ------
    StoreError
        If it lies on another machine.
    """
    if store.files.local is None:
        raise StoreError(
            f"{store.root} lies on another machine, and {what} writes beside the study",
            expected="a store on this machine",
            run="do it where the study lies, then push",
        )
    return store.files.local


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep other writers of releases out, and clear away what a killed one left.

    Raises
    ------
    StoreError
        If the folders cannot be written to.
    """
    try:
        with write_locks(folder, [RELEASES]):
            for place in places(folder):
                for left in place.glob(f"{TEMPORARY}*"):
                    left.unlink()
            yield
    except PermissionError as error:
        raise StoreError(
            f"{error.filename} cannot be written to: {error.strerror}", run="do it where the study can be written to"
        ) from None


def append_event(folder: Path, event: dict[str, Any], entries: dict[str, bytes]) -> list[Path]:
    """Write entries and then the event that names them, to the study first and then to the store's copy.

    Replacing the log is the commit. A writer that is killed before it leaves an entry that no event names, which the
    next one may replace; killed after it, the copy lags behind until the next event.

    Parameters
    ----------
    folder
        The store.
    event
        What happened.
    entries
        Content of the entries by release id.

    Returns
    -------
    list of Path
        The files that git ought to keep.
    """
    first, *copies = places(folder)
    known = next((place for place in (first, *copies) if (place.parent / EVENTS).is_file()), first)
    log = known.parent / EVENTS
    lines = log.read_bytes().splitlines() if log.is_file() else []
    if known != first:  # the study has lost its folder, and the store's copy still knows
        _follow(known, first, lines)
    for release, content in entries.items():
        write_if_changed(first.parent / release_file(release), content)
    lines.append(json.dumps(event, sort_keys=True, ensure_ascii=False).encode())
    write_bytes(first.parent / EVENTS, b"\n".join(lines) + b"\n")
    for copy in copies:
        _follow(first, copy, lines)
    return [first.parent / EVENTS, *(first.parent / release_file(release) for release in entries)]


def _follow(known: Path, copy: Path, lines: list[bytes]) -> None:
    """Bring a copy up to what is known; what only the copy has (of another git branch) keeps its entry."""
    for path in sorted(known.glob("[0-9a-f]*.json")):
        write_if_changed(copy / path.name, path.read_bytes())
    write_if_changed(copy.parent / EVENTS, b"\n".join(lines) + b"\n")
