"""A store at a revision of a repository of git and DVC, read without a checkout.

What DVC tracks lies in its cache or on its remote, by hash; what git tracks (the folder of releases) in git. All that
is read through DVC goes through `DvcTree`.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from omicstore.errors import StoreError, UsageError
from omicstore.extras import extra
from omicstore.store.filesystem import read_remote_table
from omicstore.store.fsspecfiles import arrow_system, open_file
from omicstore.store.layout import RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from omicstore.store.filesystem import RangeFile

__all__ = ["STORE", "DvcTree", "GitRoot", "Tracked", "dvc_errors"]

#: Where a study keeps its store.
STORE = "data/store"

_FORM = "git+https://host/repository@REVISION or git+file:///path@REVISION, with #path/of/the/store where it is another"
_URL = re.compile(r"^git\+(?P<url>[a-z+]+://[^#]+?)(?:#(?P<store>.*))?$")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A file that DVC tracks.

    Attributes
    ----------
    md5
        The hash of its bytes, by which DVC names it.
    cached
        Where it is in DVC's cache on this machine; there may be nothing.
    system, path
        Where it is on the remote: a file system of fsspec and the path on it. None where no remote is configured.
    """

    md5: str
    cached: Path | None
    system: Any
    path: str

    def place(self) -> tuple[Any, str]:
        """Return the file system and path to read it from: the cache, or else the remote.

        Raises
        ------
        FileNotFoundError
            If it is not in the cache, and there is no remote.
        """
        if self.cached is not None and self.cached.is_file():
            from fsspec.implementations.local import LocalFileSystem

            return LocalFileSystem(), str(self.cached)
        if self.system is None:
            raise FileNotFoundError(self.path)
        return self.system, self.path


class DvcTree:
    """The files of a revision of a repository.

    Parameters
    ----------
    repository
        A folder or URL.
    revision
        What git calls it; the files as ``dvc.lock`` of the working folder has them where None.
    remote
        A remote of DVC by name; the default one where None.

    Raises
    ------
    StoreError
        If there is no such repository, revision or remote.
    """

    def __init__(self, repository: str, revision: str | None = None, remote: str | None = None) -> None:
        self.required()
        from dvc.api import DVCFileSystem

        with dvc_errors(repository):
            self._system = DVCFileSystem(repository, rev=revision, remote=remote)
            self._index = self._system.repo.index.data["repo"]

    @staticmethod
    def required() -> None:
        """Raise `MissingExtraError` where DVC is not installed."""
        extra("dvc", "pipeline")

    def find(self, path: str) -> Tracked | None:
        """Return what DVC tracks under a path of the repository; None where there is no such file."""
        key = tuple(path.split("/"))
        with dvc_errors(path):
            try:
                info = self._index.info(key)
            except (KeyError, FileNotFoundError):  # the latter: the folder's list is neither in the cache nor remote
                return None
            entry = info["entry"]
            if info["type"] == "directory" or entry is None or not entry.hash_info:
                return None  # without a hash, dvc.yaml names it and no dvc.lock does
            return self._tracked(key, entry)

    def below(self, folder: str) -> Iterator[tuple[str, Tracked]]:
        """Yield what DVC tracks below a folder, by path: files, and the lists of folders, whose md5 ends in .dir."""
        with dvc_errors(folder):
            for key, entry in self._index.iteritems(prefix=tuple(folder.split("/"))):
                if entry.hash_info:
                    yield "/".join(key), self._tracked(key, entry)

    def _tracked(self, key: tuple[str, ...], entry: Any) -> Tracked:
        storage = self._index.storage_map[key]
        cached = storage.cache.get(entry)[1] if storage.cache else None
        system, where = storage.remote.get(entry) if storage.remote else (None, "/".join(key))
        return Tracked(entry.hash_info.value, Path(cached) if cached else None, system and system.fs, where)

    def git_bytes(self, path: str) -> bytes:
        """Return the content of a file that git tracks; raise FileNotFoundError where there is none."""
        with dvc_errors(path):
            return bytes(self._system.cat_file(path))


class GitRoot:
    """A store at a revision, as a `omicstore.store.filesystem.Root`.

    Parameters
    ----------
    url
        What to call it.
    tree
        The files of the revision.
    folder
        Where the store is in the repository.
    """

    def __init__(self, url: str, tree: DvcTree, folder: str = STORE) -> None:
        self.local: Path | None = None
        self.url, self._tree, self._folder = url, tree, folder

    @classmethod
    def of(cls, url: str) -> GitRoot:
        """Return the store that a URL names.

        Parameters
        ----------
        url
            ``git+https://host/repository@REVISION#path/of/the/store``; the default branch and ``data/store`` where
            these are left out.

        Raises
        ------
        UsageError
            If it is no such URL.
        """
        found = _URL.match(url)
        if found is None:
            raise UsageError(f"{url!r} names no repository", expected=_FORM)
        return cls(url, DvcTree(*_revision(found["url"])), (found["store"] or STORE).strip("/"))

    def read_bytes(self, path: str) -> bytes:
        """Return a file's content."""
        if path.startswith(f"{RELEASES}/"):
            return self._released(path)
        system, where = self._place(path)
        return bytes(system.cat_file(where))

    def open(self, path: str) -> RangeFile:
        """Open a file for reading in pieces."""
        return open_file(*self._place(path))

    def table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a Parquet file, or some columns of it."""
        return read_remote_table(self, path, columns)

    def arrow_source(self, path: str) -> tuple[str, Any]:
        """Return the path and the file system by which Arrow opens a file."""
        system, where = self._place(path)
        return where, arrow_system(system)

    def _place(self, path: str) -> tuple[Any, str]:
        tracked = self._tree.find(f"{self._folder}/{path}")
        if tracked is None:
            raise FileNotFoundError(path)
        return tracked.place()

    def _released(self, path: str) -> bytes:
        """Return a file of the study's folder of releases, or of the store's own."""
        study = f"{self._folder}/".removesuffix(f"{STORE}/")
        try:
            return self._tree.git_bytes(f"{study}{path}")
        except FileNotFoundError:
            return self._tree.git_bytes(f"{self._folder}/{path}")


def _revision(url: str) -> tuple[str, str | None]:
    """Return the repository and the revision of a URL: what follows the last ``@`` of its path.

    Examples
    --------
    >>> _revision("ssh://git@host/study@v1.0"), _revision("ssh://git@host/study")
    (('ssh://git@host/study', 'v1.0'), ('ssh://git@host/study', None))
    """
    parts = urlsplit(url)
    path, _, revision = parts.path.rpartition("@") if "@" in parts.path else (parts.path, "", "")
    if parts.scheme == "file":
        return unquote(path), revision or "HEAD"
    return f"{parts.scheme}://{parts.netloc}{path}", revision or None


@contextmanager
def dvc_errors(what: str) -> Iterator[None]:
    """Turn what DVC raises into one message that says what to run.

    Raises
    ------
    StoreError
        Instead of DVC's own error.
    """
    from dvc.config import NoRemoteError, RemoteConfigError, RemoteNotFoundError
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.rwlock import RWLockFileCorruptedError
    from dvc.scm import CloneError, RevError

    try:
        yield
    except NotDvcRepoError:
        raise StoreError(
            f"{what} is no repository of DVC", expected="a folder with .dvc", run="dvc init, or name a URL"
        ) from None
    except RWLockFileCorruptedError as error:
        raise StoreError(
            "DVC's file .dvc/tmp/rwlock is broken: a DVC command was killed while it wrote it",
            run=f"rm {_named(str(error)) or '.dvc/tmp/rwlock'}, while no DVC command runs",
        ) from None
    except RevError as error:
        raise StoreError(f"{what}: {error}", expected="a revision of the repository", run="git log") from None
    except CloneError as error:
        raise StoreError(f"{what} cannot be cloned: {error.__cause__ or error}", expected=_FORM) from None
    except (NoRemoteError, RemoteConfigError, RemoteNotFoundError) as error:
        raise StoreError(f"{what}: {_first_line(error)}", run="dvc remote list shows the remotes") from None
    except DvcException as error:
        raise StoreError(f"{what}: {_first_line(error)}") from error


def _named(message: str) -> str:
    """Return the path that a message of DVC has in quotes."""
    found = re.search(r"'([^']*rwlock)'", message)
    return found[1] if found else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:")
