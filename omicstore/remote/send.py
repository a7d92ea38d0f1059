"""Sending files, several at a time; what is there already and right is not sent."""

from __future__ import annotations

import filecmp
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omicstore.files import TEMPORARY
from omicstore.progress import task
from omicstore.remote.errors import remote_errors
from omicstore.remote.transfer import each, md5_of
from omicstore.store.fsspecfiles import protocols_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from omicstore.progress import Advance

__all__ = ["Upload", "absent", "put_bytes", "send"]

#: On these a file is there when it is whole; elsewhere it is written under another name first.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory"}
#: What a bucket says of a file that came in one piece is the md5 of its bytes.
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be sent.

    Attributes
    ----------
    name
        What to call it.
    source
        The file here.
    system, target
        A file system of fsspec and the path on it.
    listed
        What a list of the place says of it; None where there is no list, or it is not in it.
    """

    name: str
    source: Path
    system: Any
    target: str
    listed: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.source.stat().st_size

    def is_there(self) -> bool:
        """Return whether the file is there; a bucket says a hash of it, and a folder can be read."""
        try:
            info = self.listed or self.system.info(self.target)
        except FileNotFoundError:
            return False
        if info["size"] != self.size:
            return False
        if protocols_of(self.system) & {"file", "local"}:
            return filecmp.cmp(self.source, self.target, shallow=False)
        etag = str(info.get("ETag", "")).strip('"')
        return not _MD5.fullmatch(etag) or etag == md5_of(self.source)


def absent(uploads: Sequence[Upload], name: str, jobs: int) -> list[Upload]:
    """Return those that are not there yet, or there with other content."""
    missing: list[Upload] = []

    def look(upload: Upload) -> None:
        if not upload.is_there():
            missing.append(upload)
        advance()

    with task(f"looking at {name}", len(uploads), "files") as advance, remote_errors(name):
        each(look, uploads, jobs, threading.Event())
    return sorted(missing, key=lambda upload: (-upload.size, upload.name))


def send(uploads: Sequence[Upload], name: str, jobs: int, sound: Callable[[Upload], bool]) -> list[str]:
    """Send files; return the names of those that are broken here and were not sent.

    Parameters
    ----------
    uploads
        The files.
    name
        What to call the place they go to.
    jobs
        How many move side by side.
    sound
        Whether a file here holds what it should.

    Raises
    ------
    StoreError
        If the place cannot be written to. What was sent stays, and the next try goes on from there.
    """
    broken: list[str] = []

    def one(upload: Upload) -> None:
        if sound(upload):
            _put(upload, advance)
        else:
            broken.append(upload.name)

    total = sum(upload.size for upload in uploads)
    with task(f"pushing to {name}", total, "bytes") as advance, remote_errors(name):
        each(one, uploads, jobs, threading.Event())
    return sorted(broken)


def put_bytes(system: Any, target: str, content: bytes) -> None:
    """Write a small file in one step."""
    with_name = _begin(system, target)
    system.pipe_file(with_name, content)
    _end(system, with_name, target)


def _put(upload: Upload, advance: Advance) -> None:
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            advance(inc)

    with_name = _begin(upload.system, upload.target)
    upload.system.put_file(str(upload.source), with_name, callback=Told())
    _end(upload.system, with_name, upload.target)


def _begin(system: Any, target: str) -> str:
    """Return the name to write to, in a folder that is there."""
    if protocols_of(system) & _WHOLE:
        return target
    folder, _, name = target.rpartition("/")
    system.makedirs(folder, exist_ok=True)
    return f"{folder}/{TEMPORARY}{name}"


def _end(system: Any, written: str, target: str) -> None:
    if written == target:
        return
    try:
        system.mv(written, target)
    except OSError:
        # A server may not replace a file by renaming another one.
        if not system.exists(target):
            raise
        system.rm_file(target)
        system.mv(written, target)
