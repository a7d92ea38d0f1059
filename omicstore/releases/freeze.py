"""Freezing a store under a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import omicstore
from omicstore.build.plan import BUILD_FORMAT
from omicstore.errors import StoreError, UsageError
from omicstore.files import canonical_json
from omicstore.releases.write import append_event, local_folder, writing
from omicstore.store.hashing import release_hash
from omicstore.store.layout import EVENTS, release_file
from omicstore.store.registry import ALIASES, CURRENT, ENTRY_FORMAT, Named, Registry, places

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["Frozen", "release"]

_NAME = re.compile(r"(?![0-9a-f]{64}$)[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Frozen:
    """What freezing a store did.

    Attributes
    ----------
    named
        The name, the release id, the date and the notes.
    new
        False where the store had this name already.
    files
        What git ought to keep.
    """

    named: Named
    new: bool
    files: list[Path]


def release(store: Store, name: str, *, date: str, notes: str = "", dry_run: bool = False) -> Frozen:
    """Freeze an open store under a name; its files stay for as long as the release is known.

    Parameters
    ----------
    store
        The store as it is now.
    name
        Letters, digits, and ``. _ + -`` after the first; once given, it stays with this content.
    date
        When, as text; no hash depends on it.
    notes
        What is to be known of it.
    dry_run
        Check everything and write nothing.

    Raises
    ------
    UsageError
        If the name cannot be one, or means another release already.
    StoreError
        If a file of the store is absent, or the store lies on another machine.
    """
    folder = local_folder(store, "release")
    _refuse_name(name)
    _refuse_incomplete(store, folder)
    first = places(folder)[0].parent
    files = [first / EVENTS, first / release_file(store.release)]
    registry = Registry(store.files)
    if (known := _named(registry, name, store.release)) is not None or dry_run:
        return Frozen(known or Named(name, store.release, date, notes), known is None, files)
    with writing(folder):
        registry = Registry(store.files)  # once more: another process may have taken the name meanwhile
        if (known := _named(registry, name, store.release)) is not None:
            return Frozen(known, new=False, files=files)
        entries = {} if _has_entry(registry, store.release) else {store.release: canonical_json(_entry(store))}
        event = {"event": "release", "name": name, "release": store.release, "date": date, "notes": notes}
        append_event(folder, event, entries)
    return Frozen(Named(name, store.release, date, notes), new=True, files=files)


def _refuse_name(name: str) -> None:
    if name.casefold() in (*ALIASES, CURRENT):
        raise UsageError(f"{name!r} is a name that moves", expected="a name that stays, such as v1.2 or 2026-11")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a release",
            expected="letters, digits and . _ + -, no more than 64, beginning with a letter or digit, such as v1.2",
        )


def _refuse_incomplete(store: Store, folder: Path) -> None:
    absent = [path for path in sorted(store.body["files"]) if not (folder / path).is_file()]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise StoreError(
            f"{folder} lacks {absent[0]}{more}, which store.json names",
            expected="a whole store",
            run="dvc checkout, or build the store again",
        )
    if release_hash(store.body) != store.release:
        raise StoreError(
            f"what {folder}/store.json names does not give its release id {store.release[:12]}",
            expected="the file as assemble wrote it",
            run="omicstore assemble",
        )


def _named(registry: Registry, name: str, release: str) -> Named | None:
    """Return what has this name already, if it is this release; another one refuses the name."""
    known = next((n for n in registry.names if n.name.casefold() == name.casefold()), None)
    if known is not None and (known.release, known.name) != (release, name):
        raise UsageError(
            f"the name {known.name} is taken by release {known.release[:12]} of {known.date}, and the store holds "
            f"{release[:12]}",
            expected="a new name; a released name never moves",
            run="omicstore log lists the names",
        )
    return known


def _has_entry(registry: Registry, release: str) -> bool:
    return any(named.release == release for named in registry.names)


def _entry(store: Store) -> dict[str, Any]:
    sources = store.table("provenance").select("cohort", "modality", "source_id", "name", "sha256", "bytes")
    return {
        "format": ENTRY_FORMAT,
        "release": store.release,
        "written_by": {"omicstore": omicstore.__version__, "build_format": BUILD_FORMAT},
        "provenance": sources.sort(sources.columns, nulls_last=True).to_dicts(),
        "store": store.body,
    }
