"""Where a store lies: a folder of this machine, or a prefix in a bucket or on a server."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

import polars as pl

from omicstore.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LocalRoot", "RangeFile", "RemoteRoot", "Root", "broken_file", "open_root"]

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
#: Schemes that Arrow reads by itself; the others go through fsspec.
_ARROW_SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")


class RangeFile(Protocol):
    """A file that can be read in pieces."""

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target`, bytes, from `offset`."""

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
        self._handle = os.open(path, os.O_RDONLY)

    def read_into(self, offset: int, target: memoryview) -> None:
        while target.nbytes:
            count = os.preadv(self._handle, [target], offset)
            if count == 0:
                raise EOFError
            offset, target = offset + count, target[count:]

    def close(self) -> None:
        os.close(self._handle)


class RemoteRoot:
    """A prefix on another machine, read through Arrow's or fsspec's file systems."""

    def __init__(self, url: str) -> None:
        self.local: Path | None = None
        self.url = url.rstrip("/")
        self._system, self._base = _remote_system(self.url)

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content."""
        with self._system.open_input_stream(f"{self._base}/{path}") as stream:
            return bytes(stream.read())

    def open(self, path: str) -> RangeFile:
        """Open a file for reading in pieces."""
        return _RemoteFile(self._system.open_input_file(f"{self._base}/{path}"))

    def table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a Parquet file, or some columns of it."""
        import pyarrow.parquet as pq

        found = pl.from_arrow(pq.ParquetFile(f"{self._base}/{path}", filesystem=self._system).read(columns=columns))
        assert isinstance(found, pl.DataFrame)
        return found

    def arrow_source(self, path: str) -> tuple[str, Any]:
        """Return the path and the file system by which Arrow opens a file."""
        return f"{self._base}/{path}", self._system


class _RemoteFile:
    def __init__(self, file: Any) -> None:
        self._file = file

    def read_into(self, offset: int, target: memoryview) -> None:
        got = self._file.read_at(target.nbytes, offset)
        if len(got) != target.nbytes:
            raise EOFError
        target[:] = got

    def close(self) -> None:
        self._file.close()


def _remote_system(url: str) -> tuple[Any, str]:
    from pyarrow import fs

    scheme = urlsplit(url).scheme
    if scheme in _ARROW_SCHEMES:
        system, base = fs.FileSystem.from_uri(url)
        return system, base.rstrip("/")
    try:
        import fsspec  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("fsspec", "pipeline") from None
    try:
        system, base = fsspec.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise StoreError(
            f"{url} cannot be opened: {error}", expected="a folder, or a URL that fsspec can read"
        ) from None
    return fs.PyFileSystem(fs.FSSpecHandler(system)), base.rstrip("/")


def open_root(place: str | Path) -> Root:
    """Return the place that a path or URL names; nothing is read yet.

    Parameters
    ----------
    place
        A folder, a ``file://`` URL, or an ``s3://``, ``https://``, ... URL.
    """
    if isinstance(place, str) and _URL.match(place):
        parts = urlsplit(place)
        return LocalRoot(Path(unquote(parts.path))) if parts.scheme == "file" else RemoteRoot(place)
    return LocalRoot(Path(place))


def broken_file(url: str, path: str, error: Exception) -> StoreError:
    """Return the error for a file that ``store.json`` names and that cannot be read."""
    why = (
        "it is absent"
        if isinstance(error, FileNotFoundError)
        else str(error).splitlines()[0].rpartition(": ")[2].rstrip(". ")
    )
    return StoreError(
        f"{url}/{path} cannot be read ({why})",
        expected="the file that store.json names",
        run="dvc checkout, or build the store again",
    )
