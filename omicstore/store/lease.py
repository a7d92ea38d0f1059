"""What open readers still need, and sweeping what nobody needs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import uuid
from typing import TYPE_CHECKING, Any

from omicstore.files import TEMPORARY
from omicstore.store.layout import LEASES, STORE_JSON, cohort_folder, cohort_json
from omicstore.store.registry import released_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Lease", "sweep"]


class Lease:
    """A reader's claim on the files of the release it opened.

    A copy of that release's ``store.json`` in ``.leases/``, locked while the reader lives: a sweeper that can lock it
    knows that the reader is gone. Where the store cannot be written to, nobody can sweep it from here either, and
    there is no lease.

    Parameters
    ----------
    root
        The store's folder.
    content
        The bytes of the ``store.json`` that the reader follows.
    """

    def __init__(self, root: Path, content: bytes) -> None:
        self._handle: int | None = None
        try:
            (root / LEASES).mkdir(exist_ok=True)
            while self._handle is None:
                self._handle = self._claim(root, content)
        except OSError:
            return  # read-only

    def _claim(self, root: Path, content: bytes) -> int | None:
        self._path = root / LEASES / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(handle, fcntl.LOCK_SH)
        if os.fstat(handle).st_nlink == 0:  # swept between its making and its locking
            os.close(handle)
            return None
        os.write(handle, content)
        return handle

    def release(self) -> None:
        """Give the files up; calling it again does nothing."""
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def sweep(root: Path, folders: list[str]) -> None:
    """Remove what lies in `folders` of the store and belongs to nothing.

    Kept is what ``store.json``, a release, an open reader's lease or a cohort's ``cohort.json`` names. The caller
    holds the write locks of these folders.

    Parameters
    ----------
    root
        The store's folder.
    folders
        Folders below it: a cohort's, or those of the catalogue and the index.
    """
    kept: set[str] = set()
    for body in _live(root, folders):
        kept.update(body["files"])
    for folder in folders:
        for path in sorted((root / folder).rglob("*"), reverse=True):
            name = path.relative_to(root).as_posix()
            if TEMPORARY in name:
                _remove(path)
            elif path.is_file() and path.suffix == ".parquet" and name not in kept:
                path.unlink(missing_ok=True)
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _live(root: Path, folders: list[str]) -> Iterator[dict[str, Any]]:
    if (root / STORE_JSON).is_file():
        yield json.loads((root / STORE_JSON).read_bytes())
    for folder in folders:
        if folder.startswith(cohort_folder("")) and (root / folder / "cohort.json").is_file():
            yield json.loads((root / cohort_json(folder.partition("=")[2])).read_bytes())
    for path in sorted((root / LEASES).glob("*.json")):
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            content = path.read_bytes()
            if content:
                yield json.loads(content)
        else:
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)
    # After the leases: who writes a release holds a lease until it is written.
    yield from released_bodies(root)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
