"""Parquet: one wide table per modality, the samples, and the features of each modality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from omicstore.modalities import MATRIX_MODALITIES

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from omicstore.cohort import Cohort

__all__ = ["write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.parquet``, ``samples.parquet`` and ``features/<modality>.parquet``.

    A modality's table has ``sample_id`` and one float32 column per feature, and only the samples that were measured.
    """
    _save(cohort.samples, folder / "samples.parquet")
    (folder / "features").mkdir()
    for modality in cohort.modalities:
        _save(cohort.to_polars(modality), folder / f"{modality}.parquet")
        if modality in MATRIX_MODALITIES:
            _save(cohort.features(modality), folder / "features" / f"{modality}.parquet")
    return []


def _save(frame: pl.DataFrame, path: Path) -> None:
    table = frame.to_arrow()
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
