"""A push to a remote of DVC."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError
from omicstore.remote.errors import few
from omicstore.remote.places import repository_of, the_remote
from omicstore.remote.send import Upload
from omicstore.remote.transfer import md5_of
from omicstore.store.gitroot import DvcTree
from omicstore.store.layout import RELEASES, STORE_JSON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.store.gitroot import Tracked

__all__ = ["DvcTarget"]


class DvcTarget:
    """A remote of DVC, which takes the objects that ``dvc.lock`` names.

    Parameters
    ----------
    store
        The store, on this machine.
    remote
        The remote by name; the one that `omicstore.remote.places.the_remote` finds where None.
    body
        What ``store.json`` of the release says that is pushed.
    name
        Its name; None where the store as it is is pushed, with all that DVC keeps of it.
    """

    def __init__(self, store: Path, remote: str | None, body: dict[str, Any], name: str | None) -> None:
        self._repository = repository_of(store)
        remote = the_remote(self._repository, remote)
        self.name, self.notes = f"remote {remote}", list[str]()
        self._store, self._body, self._named = store, body, name
        self._folder = store.absolute().relative_to(self._repository).as_posix()
        self._tree = DvcTree(str(self._repository), remote=remote)

    def refuse(self) -> None:
        """Raise if ``dvc.lock`` names another state than the store holds, or lacks files of the release."""
        tracked = self._tree.find(f"{self._folder}/{STORE_JSON}")
        here = self._store / STORE_JSON
        if tracked is None or (here.is_file() and md5_of(here) != tracked.md5):
            raise StoreError(
                f"{self._folder} is not what dvc.lock names",
                expected="a store that DVC has taken in",
                run="dvc commit, or dvc repro, then omicstore push",
            )
        lacking = [path for path in self._body["files"] if self._tree.find(f"{self._folder}/{path}") is None]
        if lacking:
            raise StoreError(
                f"dvc.lock does not name {few(lacking, ' of this release')}",
                expected="a release that was there when dvc.lock was written",
                run="dvc commit; or push it from the git revision that has it",
            )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "dvc.lock", RELEASES],
            cwd=self._store.absolute().parent.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if changed.stdout.strip():
            self.notes.append("dvc.lock or releases is not committed: git add dvc.lock releases, commit, and git push")

    def uploads(self) -> list[Upload]:
        """Return the objects of what is pushed; the lists of folders among them."""
        wanted = None if self._named is None else {STORE_JSON, *self._body["files"]}
        found = []
        lacking = []
        for path, tracked in self._tree.below(self._folder):
            name = path.removeprefix(f"{self._folder}/")
            if wanted is not None and name not in wanted and not tracked.md5.endswith(".dir"):
                continue
            source = self._source(path, tracked)
            if source is not None:
                found.append(Upload(f"{name} ({tracked.md5})", source, tracked.system, tracked.path))
            elif not tracked.system.exists(tracked.path):
                lacking.append(name)
        if lacking:
            raise StoreError(
                f"{self.name} lacks {few(lacking, ' that dvc.lock names, and so does this machine')}",
                expected="a whole store",
                run="dvc commit, or push it from where the store is whole",
            )
        return list({upload.target: upload for upload in found}.values())

    def in_order(self, uploads: Sequence[Upload]) -> list[Sequence[Upload]]:
        """Return the files, and then the lists of folders, which are there when what they name is."""
        lists = [upload for upload in uploads if upload.target.endswith(".dir")]
        return [[upload for upload in uploads if upload not in lists], lists]

    def sound(self, upload: Upload) -> bool:
        """Return whether a file has the bytes that DVC named it by."""
        return upload.name.rpartition("(")[2].removesuffix(")").removesuffix(".dir") == md5_of(upload.source)

    def commit(self) -> None:
        """Do nothing: git carries ``dvc.lock`` and the releases."""

    def _source(self, path: str, tracked: Tracked) -> Path | None:
        if tracked.cached is not None and tracked.cached.is_file():
            return tracked.cached
        here = self._repository / path
        return here if here.is_file() and md5_of(here) == tracked.md5 else None
