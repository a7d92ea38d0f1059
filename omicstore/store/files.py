"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from omicstore.errors import StoreError
from omicstore.store.layout import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

__all__ = ["commit_folder", "staged", "tell_full_disk", "write_bytes", "write_table"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; afterwards it is on disk and named `target`, or it is gone.

    The name changes only once the bytes are on disk, so whoever kills the process leaves either the old file or the
    new one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    try:
        yield beside
        _sync(beside)
        os.replace(beside, target)  # noqa: PTH105 - one name for the one call that makes a file visible
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def commit_folder(beside: Path, target: Path) -> None:
    """Give the finished folder `beside` the name `target`, which is named by its content."""
    for path in sorted(beside.iterdir()):
        _sync(path)
    _sync(beside)
    if target.exists():
        shutil.rmtree(beside)
    else:
        os.replace(beside, target)  # noqa: PTH105 - as above
    _sync(target.parent)


def write_bytes(target: Path, content: bytes) -> None:
    """Write a small file in one step."""
    with staged(target) as beside:
        beside.write_bytes(content)


def write_table(target: Path, frame: pl.DataFrame) -> None:
    """Write a table as Parquet in one step; the same rows give the same bytes."""
    with staged(target) as beside:
        frame.write_parquet(beside, compression="lz4", statistics=True, row_group_size=1 << 17)


@contextmanager
def tell_full_disk(root: Path) -> Iterator[None]:
    """Turn a full disk into one message; what was there before is still there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StoreError(
            f"the disk of {root} is full ({error.strerror or error}); the store is as it was",
            run="make room and run the same command again",
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
