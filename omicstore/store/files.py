"""Folders and tables that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from omicstore.errors import StoreError
from omicstore.files import staged, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

__all__ = ["commit_folder", "tell_full_disk", "write_table"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def commit_folder(beside: Path, target: Path) -> None:
    """Give the finished folder `beside` the name `target`, which is named by its content."""
    for path in sorted(beside.iterdir()):
        sync(path)
    sync(beside)
    if target.exists():
        shutil.rmtree(beside)
    else:
        os.replace(beside, target)  # noqa: PTH105 - as in `staged`
    sync(target.parent)


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
