"""One writer at a time."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from omicstore.errors import LockedError
from omicstore.store.layout import LOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["write_locks"]

#: A writer waits this long for another one before it gives up, in seconds.
PATIENCE = 600.0
_PAUSE = 0.1

log = logging.getLogger(__name__)


@contextmanager
def write_locks(root: Path, names: Iterable[str]) -> Iterator[None]:
    """Hold the locks `names` of the store at `root`; wait for who holds one.

    A cohort's writer holds that cohort's lock, so cohorts can be built side by side; assembling holds the locks of
    all its cohorts and its own. They are taken in one order, so no two writers wait for each other. The system drops
    them when the process ends, however it ends.

    Raises
    ------
    LockedError
        If another process still holds one after `PATIENCE` seconds; the message names it.
    """
    folder = root / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        for name in sorted(set(names)):
            handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
            stack.callback(os.close, handle)
            _take(handle, root, name)
            holder = json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode()
            os.ftruncate(handle, 0)
            os.pwrite(handle, holder, 0)
        yield


def _take(handle: int, root: Path, name: str) -> None:
    until = time.monotonic() + PATIENCE
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
            if time.monotonic() >= until:
                raise LockedError(
                    f"{holder} is writing to {root} ({name}), and did not finish within {PATIENCE:.0f} s",
                    run="wait for it, or end it, and run the same command again",
                ) from None
            if not told:
                log.warning("waiting for %s, which is writing to %s (%s)", holder, root, name)
                told = True
            time.sleep(_PAUSE)
        else:
            return


def _holder(handle: int) -> str:
    try:
        body = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return "another process"
    return f"process {body['pid']} on {body['host']}"
