"""Where a store lies: a folder of this machine, or a prefix in a bucket.

What fsspec reads stands in `omicstore.store.fsspecfiles`, a revision of a repository in `omicstore.store.gitroot`.
"""

from __future__ import annotations

import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

import polars as pl

from omicstore.errors import StoreError
from omicstore.store.layout import pull_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "LocalRoot",
    "RangeFile",
    "RemoteFile",
    "RemoteRoot",
    "Root",
    "absent_file",
    "broken_file",
    "open_root",
    "read_remote_table",
]

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
#: Schemes that Arrow reads by itself; the others go through fsspec.
_ARROW_SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
#: So many pieces of a file on another machine are read side by side, since each takes its time to begin.
_SIDE_BY_SIDE = 8
#: Bytes between two pieces that are read along, since another request would take longer; and bytes of one request.
_CLOSE, _AT_ONCE = 256 << 10, 16 << 20


class RangeFile(Protocol):
    """A file that can be read in pieces.

    Attributes
    ----------
    source
        What Arrow opens to read the same file: a path or an open file.
    """

    source: Any

    def read(self, pieces: Sequence[tuple[int, memoryview]]) -> None:
        """Fill each target, bytes, from its offset; raise EOFError where the file ends before."""

    def close(self) -> None:
        """Give the file back."""


class Root(Protocol):
    """What reading a store needs of the place it lies in; paths are those of ``store.json``."""

    url: str
    local: Path | None

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content; raise FileNotFoundError where there is none."""

    def open(self, path: str) -> RangeFile:
        """Open a file for reading in pieces."""

    def table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a Parquet file, or some columns of it."""

    def arrow_source(self, path: str) -> tuple[str, Any]:
        """Return the path and the file system by which Arrow opens a file."""


class LocalRoot:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.local: Path | None = folder
        self.folder = folder
        self.url = str(folder)

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content."""
        return (self.folder / path).read_bytes()

    def open(self, path: str) -> RangeFile:
        """Open a file for reading in pieces."""
        return _LocalFile(self.folder / path)

    def table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a Parquet file, or some columns of it."""
        return pl.read_parquet(
            self.folder / path, columns=list(columns) if columns else None, hive_partitioning=False, glob=False
        )

    def arrow_source(self, path: str) -> tuple[str, Any]:
        """Return the path and the file system by which Arrow opens a file."""
        from pyarrow.fs import LocalFileSystem

        return str(self.folder.absolute() / path), LocalFileSystem()


class _LocalFile:
    def __init__(self, path: Path) -> None:
        self.source = str(path)
        self._handle = os.open(path, os.O_RDONLY)

    def read(self, pieces: Sequence[tuple[int, memoryview]]) -> None:
        for begin, whole in pieces:
            offset, target = begin, whole
            while target.nbytes:
                count = os.preadv(self._handle, [target], offset)
                if count == 0:
                    raise EOFError
                offset, target = offset + count, target[count:]

    def close(self) -> None:
        os.close(self._handle)


class RemoteRoot:
    """A prefix in a bucket, read through Arrow's own file systems."""

    def __init__(self, url: str) -> None:
        self.local: Path | None = None
        self.url = url.rstrip("/")
        self._system, self._base = _arrow_system(self.url)

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content."""
        with self._system.open_input_stream(f"{self._base}/{path}") as stream:
            return bytes(stream.read())

    def open(self, path: str) -> RangeFile:
        """Open a file for reading in pieces."""
        file = self._system.open_input_file(f"{self._base}/{path}")
        return RemoteFile(file, file.read_at)

    def table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a Parquet file, or some columns of it."""
        return read_remote_table(self, path, columns)

    def arrow_source(self, path: str) -> tuple[str, Any]:
        """Return the path and the file system by which Arrow opens a file."""
        return f"{self._base}/{path}", self._system


def read_remote_table(root: Root, path: str, columns: Sequence[str] | None) -> pl.DataFrame:
    """Read a Parquet file on another machine: whole in one request, or of some columns no more than these."""
    if columns is None:
        return pl.read_parquet(io.BytesIO(root.read_bytes(path)), hive_partitioning=False)
    import pyarrow.parquet as pq

    file = root.open(path)
    try:
        found = pl.from_arrow(pq.ParquetFile(file.source).read(columns=list(columns)))
    finally:
        file.close()
    assert isinstance(found, pl.DataFrame)
    return found


class RemoteFile:
    """A file on another machine, read in pieces; several at a time.

    Parameters
    ----------
    source
        The same file as Arrow opens it.
    read_at
        Returns so many bytes from an offset; called from several threads.
    """

    def __init__(self, source: Any, read_at: Callable[[int, int], bytes]) -> None:
        self.source, self._read_at = source, read_at

    def read(self, pieces: Sequence[tuple[int, memoryview]]) -> None:
        """Fill each target from its offset; what lies close together comes in one request."""
        groups: list[list[tuple[int, memoryview]]] = []
        end = 0
        for offset, target in sorted(pieces, key=lambda piece: piece[0]):
            if not groups or offset - end > _CLOSE or offset + target.nbytes - groups[-1][0][0] > _AT_ONCE:
                groups.append([])
            groups[-1].append((offset, target))
            end = offset + target.nbytes
        if len(groups) == 1:
            self._fill(groups[0])
            return
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            list(pool.map(self._fill, groups))

    def close(self) -> None:
        """Give the file back."""
        self.source.close()

    def _fill(self, group: list[tuple[int, memoryview]]) -> None:
        first, (last, rest) = group[0][0], group[-1]
        got = memoryview(self._read_at(last + rest.nbytes - first, first))
        if got.nbytes != last + rest.nbytes - first:
            raise EOFError
        for offset, target in group:
            target[:] = got[offset - first : offset - first + target.nbytes]


def _arrow_system(url: str) -> tuple[Any, str]:
    from pyarrow import fs

    try:
        system, base = fs.FileSystem.from_uri(url)
    except (OSError, ValueError) as error:  # Arrow's own errors are of these
        raise StoreError(f"{url} cannot be opened: {error}", expected="a URL such as s3://bucket/prefix") from None
    return system, base.rstrip("/")


def open_root(place: str | Path) -> Root:
    """Return the place that a path or URL names; nothing is read yet.

    Parameters
    ----------
    place
        A folder, a ``file://`` URL, an ``s3://``, ``https://``, ... URL, or a revision of a repository of git and DVC,
        ``git+https://host/repo@REV``.
    """
    if isinstance(place, str) and place.startswith("git+"):
        from omicstore.store.gitroot import GitRoot

        return GitRoot.of(place)
    if isinstance(place, str) and _URL.match(place):
        parts = urlsplit(place)
        if parts.scheme == "file":
            return LocalRoot(Path(unquote(parts.path)))
        if parts.scheme in _ARROW_SCHEMES:
            return RemoteRoot(place)
        from omicstore.store.fsspecfiles import FsspecRoot

        return FsspecRoot(place)
    return LocalRoot(Path(place))


def broken_file(url: str, path: str, error: Exception) -> StoreError:
    """Return the error for a file that ``store.json`` names and that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return absent_file(url, path)
    return StoreError(
        f"{url}/{path} cannot be read ({str(error).splitlines()[0].rpartition(': ')[2].rstrip('. ')})",
        expected="the file that store.json names",
        run=_BUILT,
    )


def absent_file(url: str, path: str, release: str | None = None) -> StoreError:
    """Return the error for a file that ``store.json`` names and that is not there: it may not have been pulled."""
    if _URL.match(url):
        return StoreError(
            f"{url} lacks {path}",
            expected="the file that store.json names",
            run="omicstore push, where the store is whole",
        )
    return StoreError(
        f"{url}/{path} cannot be read (it is absent)",
        expected="the file that store.json names",
        run=f"{pull_command(path, release)} brings it from a remote; else {_BUILT}",
    )


_BUILT = "dvc checkout, or build the store again"
