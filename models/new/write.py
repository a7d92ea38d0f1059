"""Results as a folder that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from models.files import write_json
from omicstore.errors import UsageError
from omicstore.files import TEMPORARY, sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

__all__ = ["FORMATS", "check_folder", "write_results"]

FORMATS = ("parquet", "csv")


def check_folder(folder: Path) -> None:
    """Raise `UsageError` if results cannot be written to `folder`: nothing is ever overwritten."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UsageError(f"{folder} is there already", expected="a new folder", run="name another with --out")


def write_results(
    folder: Path, tables: Mapping[str, pl.DataFrame], summary: Mapping[str, Any], written_as: str
) -> list[str]:
    """Write tables and ``summary.json`` and return the names of the files.

    Parameters
    ----------
    folder
        Must not be there, or be empty.
    tables
        File name without ending to table.
    summary
        What JSON can hold.
    written_as
        ``parquet`` or ``csv``.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f"{TEMPORARY}{os.getpid()}-{folder.name}")
    try:
        beside.mkdir()
        for name, table in tables.items():
            path = beside / f"{name}.{written_as}"
            if written_as == "csv":
                table.write_csv(path)
            else:
                table.write_parquet(path, compression="lz4", statistics=False)
        write_json(beside / "summary.json", summary)
        for path in sorted(beside.iterdir()):
            sync(path)
        check_folder(folder)
        os.replace(beside, folder)  # noqa: PTH105 - an empty folder of this name is replaced as well
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return sorted(path.name for path in folder.iterdir())
