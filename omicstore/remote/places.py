"""Where a store is pulled from: a URL that holds one, or a remote of DVC."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError, UnknownNameError
from omicstore.store.fsspecfiles import FsspecRoot, protocols_of, read_range, url_system
from omicstore.store.gitroot import DvcTree, GitRoot, dvc_errors
from omicstore.store.layout import RELEASES, release_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from omicstore.store.filesystem import Root
    from omicstore.store.gitroot import Tracked

__all__ = ["DvcSource", "UrlSource", "content_of", "is_url", "repository_of", "source_of", "the_remote"]

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
#: Of more files than this a list is asked for, instead of one after the other.
_MANY = 20


class UrlSource:
    """A store that lies under a URL as it lies on disk."""

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        self.root: Root = FsspecRoot(_as_url(url))
        self.system, self.base = url_system(_as_url(url))
        self.system.invalidate_cache()
        self._listed: dict[str, dict[str, Any]] | None = None

    def list_all(self) -> dict[str, dict[str, Any]]:
        """Return what is known of all files there, by path; nothing where the place cannot list them."""
        if {"http", "https"} & protocols_of(self.system):
            return {}
        try:
            found = self.system.find(self.base, detail=True)
        except (FileNotFoundError, NotImplementedError):
            return {}
        return {path.removeprefix(f"{self.base}/"): info for path, info in found.items()}

    def prepare(self, n: int) -> None:
        """List all files, if so many are to be looked at that this is shorter."""
        self._listed = self.list_all() if n > _MANY else None

    def size(self, path: str) -> int:
        """Return the bytes of a file; raise FileNotFoundError where there is none."""
        if self._listed and path in self._listed:
            return int(self._listed[path]["size"])
        return int(self.system.info(f"{self.base}/{path}")["size"])

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file."""
        return read_range(self.system, f"{self.base}/{path}", start, stop)

    def md5(self, path: str) -> str | None:
        """Return None: only the content is known."""
        del path
        return None


class DvcSource:
    """A store whose files DVC tracks: in this revision, or else in one that had the release.

    Parameters
    ----------
    store
        Where the store is on this machine, in a repository of git and DVC.
    remote
        A remote by name; the one that `the_remote` finds where None.
    """

    def __init__(self, store: Path, remote: str | None) -> None:
        self._repository = repository_of(store)
        self._remote = the_remote(self._repository, remote)
        self.name = f"remote {self._remote}"
        self._folder = store.absolute().relative_to(self._repository).as_posix()
        self._here = DvcTree(str(self._repository), remote=self._remote)
        self.root: Root = GitRoot(f"dvc.lock of {self._repository}", self._here, self._folder)
        self._found: dict[str, Tracked] = {}

    def lacking(self, path: str) -> StoreError:
        """Return the error for a file that cannot be read: DVC does not track it, or the remote lacks it."""
        if self._here.find(f"{self._folder}/{path}") is None:
            return StoreError(
                f"dvc.lock of {self._repository} names no {self._folder}/{path}",
                expected="a study whose store was built",
                run="dvc repro and omicstore push where the data is, and commit dvc.lock",
            )
        return StoreError(
            f"{self.name} lacks {path}, which dvc.lock names",
            expected="a remote that the store was pushed to",
            run="omicstore push where the store is whole; dvc remote list shows where the remote is",
        )

    def look_for(self, paths: Sequence[str], release: str | None) -> None:
        """Find where files are tracked; of an older release also in the revisions that had it."""
        missing = list(paths)
        for tree in self._trees(release):
            for path in missing:
                if (tracked := tree.find(f"{self._folder}/{path}")) is not None:
                    self._found[path] = tracked
            missing = [path for path in missing if path not in self._found]
            if not missing:
                return

    def size(self, path: str) -> int:
        """Return the bytes of a file; raise FileNotFoundError where there is none."""
        system, where = self._place(path)
        return int(system.info(where)["size"])

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file."""
        system, where = self._place(path)
        return read_range(system, where, start, stop)

    def md5(self, path: str) -> str | None:
        """Return the hash by which DVC names the file."""
        return self._found[path].md5

    def _place(self, path: str) -> tuple[Any, str]:
        if path not in self._found:
            raise FileNotFoundError(path)
        return self._found[path].place()

    def _trees(self, release: str | None) -> Iterator[DvcTree]:
        yield self._here
        if release is not None:
            for revision in _revisions(self._repository, release):
                yield DvcTree(str(self._repository), revision, self._remote)


def source_of(remote: str | None, store: Path) -> UrlSource | DvcSource:
    """Return where to pull from.

    Parameters
    ----------
    remote
        A URL, a folder, or the name of a remote of DVC; DVC's default where None.
    store
        Where the store is, or will be, on this machine.
    """
    return UrlSource(remote) if remote is not None and is_url(remote) else DvcSource(store, remote)


def content_of(source: UrlSource | DvcSource, path: str) -> bytes | None:
    """Return the content of a small file there; None where there is no such file."""
    try:
        return source.root.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_url(remote: str) -> bool:
    """Return whether a remote is meant as a URL or folder, and not as a name that DVC knows.

    Examples
    --------
    >>> is_url("s3://bucket/prefix"), is_url("./copy"), is_url("storage")
    (True, True, False)
    """
    return bool(_URL.match(remote)) or "/" in remote or remote in (".", "..")


def repository_of(store: Path) -> Path:
    """Return the repository of DVC that a store lies in.

    Raises
    ------
    StoreError
        If there is none.
    """
    for folder in store.absolute().parents:
        if (folder / ".dvc").is_dir():
            return folder
    raise StoreError(
        f"{store} lies in no repository of DVC, and no URL is named",
        expected="a study with .dvc, or --remote URL",
        run="--remote s3://bucket/prefix, or dvc init in the study and dvc remote add -d storage s3://bucket/prefix",
    )


def the_remote(repository: Path, name: str | None) -> str:
    """Return the name of the remote to use: the one that is named, DVC's default, or the only one.

    Raises
    ------
    UnknownNameError
        If there is no such remote; the nearest ones are named.
    StoreError
        If none is configured, or several and none is the default.
    """
    DvcTree.required()
    with dvc_errors(str(repository)):
        from dvc.config import Config

        config = Config(str(repository / ".dvc"), validate=False)
        known, default = sorted(config["remote"]), config["core"].get("remote")
    if name is not None:
        if name not in known:
            raise UnknownNameError("remote", name, known, run="dvc remote list shows them; dvc remote add makes one")
        return name
    if default:
        return str(default)
    if len(known) == 1:
        return str(known[0])
    if known:
        raise StoreError(
            f"there are {len(known)} remotes and none is the default",
            expected=f"one of {', '.join(known)}",
            run=f"--remote {known[0]}, or dvc remote default {known[0]}",
        )
    raise StoreError(
        "no remote is configured",
        expected="a place that keeps the files, such as a bucket or a folder of another disk",
        run="dvc remote add -d storage s3://bucket/prefix, or name one with --remote URL",
    )


def _revisions(repository: Path, release: str) -> list[str]:
    """Return revisions that may have a release's files: the one that released it, then all that changed dvc.lock."""
    entry = f"*{RELEASES}/{Path(release_file(release)).name}"
    found = [
        *_git(repository, "log", "--all", "--diff-filter=A", "--format=%H", "--", entry),
        *_git(repository, "log", "--all", "--format=%H", "--", "dvc.lock", ":(glob)**/dvc.lock"),
    ]
    return list(dict.fromkeys(found))


def _git(repository: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else []


def _as_url(place: str) -> str:
    return place if _URL.match(place) else Path(place).expanduser().absolute().as_uri()
