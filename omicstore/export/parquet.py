"""Parquet: one wide table per modality, the samples, and the features of each modality."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from omicstore.export.matrices import by_feature, measured
from omicstore.formats import ABOUT
from omicstore.progress import task
from omicstore.scverse import origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from omicstore.cohort import Cohort

__all__ = ["save", "write", "write_tables"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.parquet``, ``samples.parquet`` and ``features/<modality>.parquet``.

    A modality's table has ``sample_id`` and one float32 column per feature, and only the samples that were measured.
    Its metadata says under the key ``omicstore`` what it holds: modality, unit, release.
    """
    write_tables(cohort, folder, "parquet", save)
    return []


def write_tables(cohort: Cohort, folder: Path, suffix: str, save: Callable[[pa.Table, Path], None]) -> None:
    """Write a table per modality, the samples, and the features of each matrix, one table in memory at a time.

    Parameters
    ----------
    cohort
        What to write.
    folder
        Where.
    suffix
        The ending of the files' names.
    save
        Writes an Arrow table to a path.
    """
    save(cohort.samples.to_arrow(), folder / f"samples.{suffix}")
    (folder / "features").mkdir()
    with task("writing", len(cohort.modalities), "modalities") as advance:
        for modality in cohort.modalities:
            if modality not in cohort.matrices:
                save(cohort.to_polars(modality).to_arrow(), folder / f"{modality}.{suffix}")
            else:
                save(_wide(cohort, modality), folder / f"{modality}.{suffix}")
                save(cohort.features(modality).to_arrow(), folder / "features" / f"{modality}.{suffix}")
            advance()


def _wide(cohort: Cohort, modality: str) -> pa.Table:
    """Return sample_id and a column per feature, which share the memory of one array."""
    facts = json.dumps(origin(cohort) | cohort.facts(modality), sort_keys=True, ensure_ascii=False)
    columns = [pa.array(measured(cohort, modality), pa.large_string()), *map(pa.array, by_feature(cohort, modality))]
    names = ["sample_id", *cohort.features(modality)["feature_id"]]
    return pa.Table.from_arrays(columns, names, metadata={ABOUT: facts})


def save(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet."""
    floats = [field.name for field in table.schema if field.type == pa.float32()]
    # Statistics of 20,000 columns cost more than they save: nobody filters a wide table by a gene's range.
    pq.write_table(
        table,
        path,
        compression="lz4",
        use_dictionary=[field.name for field in table.schema if pa.types.is_large_string(field.type)],
        use_byte_stream_split=floats,
        write_statistics=False,
        store_schema=False,
    )
