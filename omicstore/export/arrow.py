"""Arrow IPC (Feather version 2): one wide table per modality, the samples, and the features of each modality."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa

from omicstore.export.parquet import write_tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["save", "save_all", "write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.arrow``, ``samples.arrow`` and ``features/<modality>.arrow``.

    A modality's table has ``sample_id`` and one float32 column per feature, and only the samples that were measured.
    Nothing is compressed: a reader can map the file into memory and use it as it lies.
    """
    write_tables(cohort, folder, "arrow", save_all)
    return []


def save(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow IPC file."""
    save_all([table], path)


def save_all(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables of one schema as one Arrow IPC file."""
    rest = iter(tables)
    first = next(rest)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, first.schema) as writer:
        for table in chain([first], rest):
            writer.write_table(table)
