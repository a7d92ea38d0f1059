"""Bringing and sending files, several at a time, so that none is ever seen half there."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from omicstore.files import TEMPORARY, sync
from omicstore.progress import task
from omicstore.remote.errors import no_such_place, remote_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from omicstore.progress import Advance

__all__ = ["BLOCK", "JOBS", "Brought", "Source", "bring", "each", "md5_of", "sizes_of"]

#: Files that move side by side.
JOBS = 8
#: Bytes that are asked for at a time: a transfer that broke goes on behind the last of these.
BLOCK = 16 << 20


T = TypeVar("T")


class Source(Protocol):
    """Where files come from.

    Attributes
    ----------
    name
        What to call it.
    """

    name: str

    def size(self, path: str) -> int:
        """Return the bytes of a file; raise FileNotFoundError where there is none."""

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file."""

    def md5(self, path: str) -> str | None:
        """Return the hash of a file's bytes where it is known."""


class _Stopped(Exception):  # noqa: N818 - it is no error: another thread's error or Ctrl-C ended the work
    """The work was ended before this file came to its end."""


@dataclass(slots=True)
class Brought:
    """What bringing files did.

    Attributes
    ----------
    n_bytes
        What was moved.
    n_resumed
        What was there of files that an earlier transfer left unfinished.
    wrong
        Files that came with other content; they were removed.
    """

    n_bytes: int = 0
    n_resumed: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Brought) -> None:
        """Count what another part did, too."""
        self.n_bytes += other.n_bytes
        self.n_resumed += other.n_resumed
        self.wrong += other.wrong


def each(do: Callable[[T], None], things: Sequence[T], jobs: int, stop: threading.Event) -> None:
    """Do something for each of several things, some side by side.

    The first error, or Ctrl-C, sets `stop`, which what still runs looks at; it is raised once all have ended.
    """
    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        futures = [pool.submit(do, thing) for thing in things]
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            future.result()
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def sizes_of(source: Source, paths: Sequence[str], jobs: int = JOBS) -> tuple[dict[str, int], list[str]]:
    """Return the bytes of each file, and the files that the source lacks."""
    sizes: dict[str, int] = {}
    absent: list[str] = []

    def look(path: str) -> None:
        try:
            sizes[path] = source.size(path)
        except FileNotFoundError as error:
            if no_such_place(error):
                raise
            absent.append(path)
        advance()

    with task(f"looking at {source.name}", len(paths), "files") as advance, remote_errors(source.name):
        each(look, paths, jobs, threading.Event())
    return sizes, sorted(absent)


def bring(
    source: Source,
    sizes: dict[str, int],
    folder: Path,
    holds: Callable[[str, Path], bool],
    jobs: int = JOBS,
) -> Brought:
    """Bring files into a folder.

    Each is written beside its place, checked, and only then named. What was moved of it before a transfer broke is
    kept, and the next one goes on from there.

    Parameters
    ----------
    source
        Where they come from.
    sizes
        The files, and the bytes of each.
    folder
        Where they go.
    holds
        Whether what came under a path is what belongs there.
    jobs
        How many move side by side.

    Raises
    ------
    StoreError
        If the source cannot be read.
    """
    done, stop, lock = Brought(), threading.Event(), threading.Lock()

    def one(path: str) -> None:
        moved, resumed, right = _File(source, path, sizes[path], folder / path, advance, stop).bring(holds)
        with lock:
            done.n_bytes += moved
            done.n_resumed += resumed
            if not right:
                done.wrong.append(path)

    # The largest first, so that none of them is left to run alone at the end.
    order = sorted(sizes, key=lambda path: (-sizes[path], path))
    with task(f"pulling from {source.name}", sum(sizes.values()), "bytes") as advance, remote_errors(source.name):
        each(one, order, jobs, stop)
    done.wrong.sort()
    return done


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    path: str
    size: int
    target: Path
    advance: Advance
    stop: threading.Event

    def bring(self, holds: Callable[[str, Path], bool]) -> tuple[int, int, bool]:
        """Return the bytes that were moved, those that were there, and whether the content is right."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        beside = self.target.with_name(f"{TEMPORARY}{self.target.name}")
        there = beside.stat().st_size if beside.is_file() else 0
        if there > self.size:
            beside.unlink()
            there = 0
        self.advance(there)
        moved = self._append(beside, there)
        if not self._right(beside, holds) and there:
            # What was there may have been of another file, or cut off badly.
            beside.unlink()
            self.advance(-there)
            moved, there = moved + self._append(beside, 0), 0
        if not self._right(beside, holds):
            beside.unlink()
            return moved, there, False
        sync(beside)
        os.replace(beside, self.target)  # noqa: PTH105 - as in `omicstore.files.staged`
        sync(self.target.parent)
        return moved, there, True

    def _append(self, beside: Path, start: int) -> int:
        with beside.open("ab") as stream:
            for begin in range(start, self.size, BLOCK):
                if self.stop.is_set():
                    raise _Stopped
                block = self.source.read(self.path, begin, min(begin + BLOCK, self.size))
                stream.write(block)
                self.advance(len(block))
        return self.size - start

    def _right(self, beside: Path, holds: Callable[[str, Path], bool]) -> bool:
        md5 = self.source.md5(self.path)
        return (md5 is None or md5_of(beside) == md5) and holds(self.path, beside)


def md5_of(path: Path) -> str:
    """Return the md5 (hex) of a file, by which DVC and buckets name its bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
