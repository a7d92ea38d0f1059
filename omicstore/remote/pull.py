"""Bringing a release, or what is asked of it, to this machine."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError
from omicstore.files import write_if_changed
from omicstore.progress import task
from omicstore.remote.errors import few, remote_errors
from omicstore.remote.places import DvcSource, content_of, source_of
from omicstore.remote.plan import needed
from omicstore.remote.transfer import JOBS, Brought, bring, each, sizes_of
from omicstore.remote.verify import Checker
from omicstore.store.filesystem import LocalRoot
from omicstore.store.layout import EVENTS, RELEASES, STORE_JSON, cohort_folder, release_file
from omicstore.store.lock import write_locks
from omicstore.store.reader import Store
from omicstore.store.registry import CURRENT, Registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.remote.places import UrlSource

__all__ = ["Pulled", "pull"]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What pulling did, or would do.

    Attributes
    ----------
    release, name
        The release id, and the name it was asked by; None where what the remote has now was asked.
    source
        Where from.
    n_files, n_bytes
        What is needed and was not here.
    n_moved, n_resumed
        Bytes that were moved, and those that an earlier transfer had left.
    n_there
        Needed files that were here already, with the right content.
    seconds
        How long the moving took.
    replaced
        The release that ``store.json`` held before, where it is another one now.
    """

    release: str
    name: str | None
    source: str
    n_files: int
    n_bytes: int
    n_moved: int
    n_resumed: int
    n_there: int
    seconds: float
    replaced: str | None = None


def pull(
    store: Path,
    release: str | None = None,
    *,
    remote: str | None = None,
    cohorts: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    dry_run: bool = False,
    jobs: int = JOBS,
) -> Pulled:
    """Bring the files of a release, or of some of its cohorts and modalities, into a store on this machine.

    What is here with the right content stays. ``store.json`` comes last, so that who kills this leaves the store as it
    was, and running it again goes on where it ended.

    Parameters
    ----------
    store
        Where the store is, or will be.
    release
        A release by name, id, beginning of an id, or alias; what the remote has now where None.
    remote
        A URL, a folder, or a remote of DVC by its name; DVC's default where None.
    cohorts, modalities
        Names; all where None.
    dry_run
        Find out what is needed, and bring nothing.
    jobs
        How many files move side by side.

    Raises
    ------
    StoreError
        If the remote cannot be read, lacks a file, or holds one with other content; that one is removed and named.
    UnknownNameError
        If there is no such release, remote, cohort or modality; the nearest ones are named.
    """
    source = source_of(remote, store)
    with remote_errors(source.name):
        asked = _Asked.of(source, store, release)
    paths = needed(asked.body, cohorts, modalities)
    checker = Checker(asked.body, store)
    with ExitStack() as stack:
        if not dry_run:
            locks = [STORE_JSON, RELEASES, *map(cohort_folder, asked.body["cohorts"])]
            stack.enter_context(write_locks(store, locks))
        missing, doubtful = _not_here(store, paths, checker, jobs)
        sizes = _sizes(source, asked, missing, jobs)
        begin = time.monotonic()
        brought, replaced = Brought(), None
        if not dry_run:
            # An index is compared with the matrices, so these come first.
            first = {path: n for path, n in sizes.items() if path not in checker.indexes}
            brought.add(bring(source, first, store, checker.holds, jobs))
            wrong = [] if brought.wrong else [path for path in doubtful if not checker.holds(path, store / path)]
            sizes |= _sizes(source, asked, wrong, jobs)
            if not brought.wrong:
                turned = {path: n for path, n in sizes.items() if path in checker.indexes}
                brought.add(bring(source, turned, store, checker.holds, jobs))
            if brought.wrong:
                raise _wrong(source.name, brought.wrong)
            replaced = asked.commit(store)
    return Pulled(
        release=asked.release, name=asked.name, source=source.name, n_files=len(sizes), n_bytes=sum(sizes.values()),
        n_moved=brought.n_bytes, n_resumed=brought.n_resumed, n_there=len(paths) - len(sizes),
        seconds=time.monotonic() - begin, replaced=replaced,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """A release as its remote has it, and what is to be written of it besides its files."""

    body: dict[str, Any]
    name: str | None
    current: bytes | None
    registry: dict[str, bytes]

    @property
    def release(self) -> str:
        return str(self.body["release"])

    @classmethod
    def of(cls, source: UrlSource | DvcSource, store: Path, asked: str | None) -> _Asked:
        """Read what a release holds from the remote, or from the log of releases that git keeps."""
        current = content_of(source, STORE_JSON)
        if current is None and isinstance(source, DvcSource):
            raise source.lacking(STORE_JSON)
        releases = LocalRoot(store) if isinstance(source, DvcSource) else source.root
        copies = {} if isinstance(source, DvcSource) else _registry(source)
        if asked is None or asked == CURRENT:
            with Store(source.root) as opened:
                return cls(opened.body, None, current, copies)
        registry = Registry(releases)
        named = registry.resolve(asked)
        return cls(dict(registry.entry(named.release)["store"]), named.name, current, copies)

    def commit(self, store: Path) -> str | None:
        """Write the log of releases and then ``store.json``; return the release that was there before another one."""
        for path, content in self.registry.items():
            write_if_changed(store / path, content)
        target = store / STORE_JSON
        before = target.read_bytes() if target.is_file() else None
        # An older release is read by its name, and what the store holds now stays.
        if self.current is None or before == self.current or (before is not None and self.name is not None):
            return None
        write_if_changed(target, self.current)
        try:
            return None if before is None else str(json.loads(before)["release"])
        except (ValueError, KeyError):
            return None


def _registry(source: UrlSource) -> dict[str, bytes]:
    """Return the log of releases under a URL and what it names, entries first: the log is their commit."""
    log = content_of(source, EVENTS)
    if log is None:
        return {}
    ids = dict.fromkeys(named.release for named in Registry(source.root).names)
    found = {path: content for path in map(release_file, ids) if (content := content_of(source, path)) is not None}
    return {**found, EVENTS: log}


def _sizes(source: UrlSource | DvcSource, asked: _Asked, paths: Sequence[str], jobs: int) -> dict[str, int]:
    """Return the bytes of files that are to come.

    Raises
    ------
    StoreError
        If the source lacks one.
    """
    if isinstance(source, DvcSource):
        source.look_for(paths, asked.release if asked.name else None)
    else:
        source.prepare(len(paths))
    sizes, absent = sizes_of(source, paths, jobs)
    if absent:
        raise _lacking(source.name, asked, absent)
    return sizes


def _not_here(store: Path, paths: Sequence[str], checker: Checker, jobs: int) -> tuple[list[str], list[str]]:
    """Return the files that are absent or hold something else, and indexes that must wait for matrices to be judged."""
    there = [path for path in paths if (store / path).is_file()]
    wrong: list[str] = []
    with task("checking what is here", len(there), "files") as advance:

        def look(path: str) -> None:
            if not checker.holds(path, store / path):
                wrong.append(path)
            advance()

        tables = [path for path in there if path not in checker.indexes]
        each(look, tables, jobs, threading.Event())
        missing = set(paths) - (set(there) - set(wrong))
        indexes = [path for path in there if path in checker.indexes]
        doubtful = [path for path in indexes if missing & checker.beneath(path)]
        each(look, [path for path in indexes if path not in doubtful], jobs, threading.Event())
    return sorted(missing | set(wrong)), doubtful


def _lacking(name: str, asked: _Asked, paths: Sequence[str]) -> StoreError:
    what = f" of {asked.name}" if asked.name else ""
    return StoreError(
        f"{name} lacks {few(paths, what)}",
        expected="all files of the release; nothing was moved",
        run="omicstore push where the store is whole, then the same command again",
    )


def _wrong(name: str, paths: Sequence[str]) -> StoreError:
    return StoreError(
        f"{name} holds other content than store.json names under {few(paths)}; it was not taken",
        expected="the content whose hash store.json has",
        run="omicstore push --overwrite where the store is whole, then the same command again",
    )
