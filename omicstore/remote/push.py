"""Sending a store, or a release of it, to another place."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omicstore.errors import StoreError
from omicstore.remote.errors import few, remote_errors
from omicstore.remote.places import is_url
from omicstore.remote.send import absent, send
from omicstore.remote.to_dvc import DvcTarget
from omicstore.remote.to_url import UrlTarget
from omicstore.remote.transfer import JOBS
from omicstore.store.filesystem import LocalRoot
from omicstore.store.reader import Store
from omicstore.store.registry import CURRENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Pushed", "push"]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What pushing did, or would do.

    Attributes
    ----------
    release, name
        The release id, and the name it was asked by; None where the store as it is was pushed.
    target
        Where to.
    n_files, n_bytes
        What was not there.
    n_there
        Files that were there already.
    seconds
        How long it took.
    notes
        What else is to be known.
    """

    release: str
    name: str | None
    target: str
    n_files: int
    n_bytes: int
    n_there: int
    seconds: float
    notes: list[str] = field(default_factory=list)


def push(
    store: Path,
    release: str | None = None,
    *,
    remote: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    jobs: int = JOBS,
) -> Pushed:
    """Send the store with its releases, or one release, to a remote.

    To a remote of DVC goes what ``dvc.lock`` names of the store, as ``dvc push`` would send it; ``dvc.lock`` and the
    folder of releases go with git. Under a URL the files lie as they lie in the store, so that it can be read there;
    ``store.json`` comes last, so that a push that is killed leaves the store there whole.

    Parameters
    ----------
    store
        The store, on this machine.
    release
        A release by name, id, beginning of an id, or alias; the store as it is, with all its releases, where None.
    remote
        A URL, a folder, or a remote of DVC by its name; DVC's default where None.
    overwrite
        Send also what seems to be there.
    dry_run
        Find out what is to be sent, and send nothing.
    jobs
        How many files move side by side.

    Raises
    ------
    StoreError
        If the store lacks a file or holds a broken one, or the remote cannot be written to.
    UsageError
        If another study's store is there, or a name means another release there.
    """
    with Store(LocalRoot(store), release) as opened:
        body = opened.body
        name = None if release in (None, CURRENT) else opened.registry.resolve(str(release)).name
        target: UrlTarget | DvcTarget
        if remote is not None and is_url(remote):
            target = UrlTarget(store, remote, body, name, opened.registry)
        else:
            target = DvcTarget(store, remote, body, name)
        begin = time.monotonic()
        with remote_errors(target.name):
            target.refuse()
            every = target.uploads()
            missing = every if overwrite else absent(every, target.name, jobs)
            n_bytes = sum(upload.size for upload in missing)
            if not dry_run:
                for part in target.in_order(missing):
                    if broken := send(part, target.name, jobs, target.sound):
                        raise _broken(store, broken)
                target.commit()
    return Pushed(
        body["release"], name, target.name, len(missing), n_bytes, len(every) - len(missing),
        time.monotonic() - begin, target.notes,
    )  # fmt: skip


def _broken(store: Path, names: Sequence[str]) -> StoreError:
    return StoreError(
        f"{store} holds other content than it should: {few(names)}; it was not pushed",
        expected="the content whose hash store.json has",
        run="omicstore pull brings the right one from a remote; else dvc checkout, or build the store again",
    )
