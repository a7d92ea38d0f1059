"""A whole fetch: what is here already, whether there is room, then several downloads at a time."""

from __future__ import annotations

import queue
import shutil
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omicstore import progress
from omicstore.errors import FetchError
from omicstore.fetch.download import digest, download, part_of
from omicstore.fetch.http import Http
from omicstore.fetch.plan import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.fetch.plan import Item, Plan
    from omicstore.fetch.record import Record
    from omicstore.progress import Advance

__all__ = ["Done", "fetch", "free_space", "here"]

#: After so many files that could not be had the rest is not tried: the portal is down, or has changed.
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Done:
    """What a fetch did.

    Attributes
    ----------
    fetched
        The paths that were downloaded, sorted.
    kept
        How many files were here already and are whole.
    size
        The bytes of the downloaded files.
    """

    fetched: tuple[str, ...]
    kept: int
    size: int


def here(item: Item, folder: Path, record: Record) -> bool:
    """Whether a file lies in its place in the size it should have, as far as can be told without reading it."""
    target = folder / item.path
    if not target.is_file():
        return False
    known = record.get("file", item.path)
    size = target.stat().st_size
    if known is None:
        return item.md5 is not None and size == item.size  # somebody else's download, which its md5 will vouch for
    if item.md5 is not None and known.get("md5") != item.md5:
        return False
    if item.etag is not None and known.get("etag") != item.etag:
        return False
    return size == known["size"] and item.size in (None, size)


def free_space(folder: Path) -> int:
    """Return the bytes that are free where a folder is or will be."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def fetch(plan: Plan, folder: Path, record: Record, *, jobs: int = 4, stop: threading.Event | None = None) -> Done:
    """Bring all files of a plan into a folder.

    Parameters
    ----------
    plan
        What to bring.
    folder
        Where to.
    record
        Of that folder, open for writing.
    jobs
        How many downloads at a time.
    stop
        Set from elsewhere to stop in order.

    Returns
    -------
    Done
        What was done; files that were here and are whole were not fetched again.

    Raises
    ------
    FetchError
        If there is no room, or if files could not be had; what came is kept, and the same call goes on from there.
    """
    stop = stop if stop is not None else threading.Event()
    items = sorted(plan.items, key=lambda item: item.path)
    _refuse_full_disk(items, folder, record)
    with Http(stop) as http, progress.task(f"fetching from {plan.portal}", _total(items), "bytes") as advance:
        crew = _Crew(http, folder, record, advance)
        crew.run(items, jobs)
    if crew.failed:
        raise _failure(crew.failed, len(items))
    record.tidy()
    fetched = tuple(sorted(crew.fetched))
    return Done(fetched, len(items) - len(fetched), sum((folder / path).stat().st_size for path in fetched))


def _total(items: Sequence[Item]) -> int | None:
    sizes = [item.size for item in items if item.size is not None]
    return sum(sizes) if len(sizes) == len(items) else None


def _refuse_full_disk(items: Sequence[Item], folder: Path, record: Record) -> None:
    missing = [item for item in items if not here(item, folder, record)]
    parts = [part_of(folder / item.path) for item in missing]
    need = sum(item.size or 0 for item in missing) - sum(p.stat().st_size for p in parts if p.exists())
    free = free_space(folder)
    if need > free:
        raise FetchError(
            f"{size_text(need)} are to be fetched and {folder} has room for {size_text(free)}",
            expected="room for all files",
            run="make room, choose another disk with --out, or ask for less with --modalities",
        )


class _Crew:
    """Threads that take files from a queue.

    They are daemons: one that waits for a dead connection must not keep an interrupted command from ending. A part
    file is written unbuffered, so what had come is there.
    """

    def __init__(self, http: Http, folder: Path, record: Record, advance: Advance) -> None:
        self._http, self._folder, self._record, self._advance = http, folder, record, advance
        self._todo: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[Item, Exception | None]] = queue.SimpleQueue()
        self.fetched: list[str] = []
        self.failed: list[tuple[Item, FetchError]] = []

    def run(self, items: Sequence[Item], jobs: int) -> None:
        """Bring the files; returns when all are here or have failed, and stops the crew if interrupted."""
        for item in items:
            self._todo.put(item)
        crew = [threading.Thread(target=self._work, daemon=True) for _ in range(min(jobs, len(items)))]
        for one in crew:
            one.start()
        try:
            for _ in items:
                item, error = self._ended.get()
                if isinstance(error, FetchError):
                    self.failed.append((item, error))
                    if len(self.failed) >= ENOUGH:
                        return
                elif error is not None:
                    raise error
        finally:
            self._http.stop.set()  # nothing more is to be done, or nobody waits for it any more
            for one in crew:
                one.join(timeout=1.0)

    def _work(self) -> None:
        while not self._http.stop.is_set():
            try:
                item = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                self._bring(item)
            except Exception as error:  # noqa: BLE001 - handed to the thread that waits, and raised there
                self._ended.put((item, error))
            else:
                self._ended.put((item, None))

    def _bring(self, item: Item) -> None:
        algorithm = "sha256" if item.md5 is None else "md5"
        target = self._folder / item.path
        if here(item, self._folder, self._record):
            known = self._record.get("file", item.path) or {algorithm: item.md5}
            if digest(target, algorithm, self._http) == known.get(algorithm):
                self._remember(item, algorithm, known[algorithm])
                self._advance(target.stat().st_size)
                return
        found = download(self._http, item, target, self._advance)
        self._remember(item, algorithm, found)
        self.fetched.append(item.path)

    def _remember(self, item: Item, algorithm: str, found: str) -> None:
        entry: dict[str, Any] = {
            "url": item.url, "size": (self._folder / item.path).stat().st_size, algorithm: found, "etag": item.etag
        }  # fmt: skip
        if self._record.get("file", item.path) != entry:
            self._record.add("file", item.path, entry)


def _failure(failed: list[tuple[Item, FetchError]], total: int) -> FetchError:
    _, first = min(failed, key=lambda one: one[0].path)
    if total == 1:
        return first
    more = f" {len(failed)} of {total:,} files could not be had; the others that came are kept"
    return FetchError(f"{first.found}.{more}", expected=first.expected, run=first.run)
