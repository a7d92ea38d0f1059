"""Files behind fsspec, read by ranges: no more bytes are moved than are asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from omicstore.errors import MissingExtraError, StoreError
from omicstore.store.filesystem import RemoteFile, read_remote_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from omicstore.store.filesystem import RangeFile

__all__ = ["ExactFile", "FsspecRoot", "arrow_system", "open_file", "protocols_of", "read_range", "url_system"]

#: Packages that fsspec asks for, and the extra that brings each.
_EXTRAS = {"s3fs": "s3"}


class FsspecRoot:
    """A prefix that fsspec reads: a server, memory, another kind of bucket."""

    def __init__(self, url: str) -> None:
        self.local: Path | None = None
        self.url = url.rstrip("/")
        self._system, self._base = url_system(self.url)

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content."""
        return bytes(self._system.cat_file(f"{self._base}/{path}"))

    def open(self, path: str) -> RangeFile:
        """Open a file for reading in pieces."""
        return open_file(self._system, f"{self._base}/{path}")

    def table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a Parquet file, or some columns of it."""
        return read_remote_table(self, path, columns)

    def arrow_source(self, path: str) -> tuple[str, Any]:
        """Return the path and the file system by which Arrow opens a file."""
        return f"{self._base}/{path}", arrow_system(self._system)


def open_file(system: Any, path: str) -> RangeFile:
    """Open a file of fsspec for reading in pieces; each is one request."""
    from pyarrow import PythonFile

    source = PythonFile(ExactFile(system, path), mode="r")
    return RemoteFile(source, lambda n, offset: read_range(system, path, offset, offset + n))


def read_range(system: Any, path: str, start: int, stop: int) -> bytes:
    """Return some bytes of a file; of a web server that knows no ranges, they are taken out of the whole."""
    got = bytes(system.cat_file(path, start=start, end=stop))
    return got if len(got) <= stop - start else got[start:stop]


class ExactFile(io.RawIOBase):
    """A file of which each read is one request for just these bytes; fsspec's own files read ahead by megabytes."""

    def __init__(self, system: Any, path: str) -> None:
        self._system, self._path, self._at = system, path, 0
        self._size = int(system.info(path)["size"])

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, target: Any) -> int:
        """Fill `target` as far as the file goes."""
        stop = min(self._at + len(target), self._size)
        if stop <= self._at:
            return 0
        got = read_range(self._system, self._path, self._at, stop)
        target[: len(got)] = got
        self._at += len(got)
        return len(got)


def url_system(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec for a URL, and the path on it without a slash at the end.

    Raises
    ------
    MissingExtraError
        If the package for this kind of URL is not installed.
    StoreError
        If there is no such kind of URL.
    """
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("fsspec", "pipeline") from None
    try:
        system, path = fsspec.url_to_fs(url)
    except ImportError as error:
        package = next((name for name in _EXTRAS if name in str(error)), None)
        if package is not None:
            raise MissingExtraError(package, _EXTRAS[package]) from None
        raise StoreError(f"{url} cannot be opened: {error}", run="install the package that it names") from None
    except ValueError as error:
        raise StoreError(
            f"{url} cannot be opened: {error}", expected="a folder, or a URL that fsspec can read"
        ) from None
    return system, path.rstrip("/")


def protocols_of(system: Any) -> set[str]:
    """Return the names by which URLs ask for a file system of fsspec, such as s3 and s3a."""
    return {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)


def arrow_system(system: Any) -> Any:
    """Return a file system of fsspec as Arrow wants one."""
    from pyarrow import PythonFile
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    class Exact(FSSpecHandler):  # type: ignore[misc]
        def open_input_file(self, path: str) -> Any:
            return PythonFile(ExactFile(self.fs, path), mode="r")

    return PyFileSystem(Exact(system))
