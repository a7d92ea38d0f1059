"""Comma-separated text for everything else: gzipped matrices, plain tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars.selectors as cs

from omicstore.export.matrices import blocks, measured, refuse_nothing
from omicstore.export.text import gzipped, quoted, rows_of_text, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from omicstore.store.cohort import Cohort

__all__ = ["write", "write_table"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.csv.gz``, ``samples.csv`` and ``features/<modality>.csv``; a missing value is an empty cell.

    Numbers have as many digits as it takes to read the same float32 again.
    """
    write_table(cohort.samples, folder / "samples.csv")
    (folder / "features").mkdir()
    left_out: list[str] = []
    for modality in cohort.modalities:
        path = folder / f"{modality}.csv.gz"
        if modality in cohort.matrices:
            _write_matrix(cohort, modality, path)
            write_table(cohort.features(modality), folder / "features" / f"{modality}.csv")
            continue
        frame = cohort.to_polars(modality)
        if any(dtype.is_nested() for dtype in frame.dtypes):
            left_out.append(f"{modality} has vectors in its cells and csv cannot hold it; --format parquet can")
            continue
        with gzipped(path) as stream:
            _blank(frame).write_csv(stream)
    refuse_nothing(cohort.modalities[len(left_out) :], left_out)
    return left_out


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table; a missing value is an empty cell."""
    _blank(frame).write_csv(path)


def _write_matrix(cohort: Cohort, modality: str, path: Path) -> None:
    ids = [quoted(name) for name in measured(cohort, modality)]
    header = ["sample_id", *map(quoted, cohort.features(modality)["feature_id"])]
    with gzipped(path) as stream:
        stream.write((",".join(header) + "\n").encode())
        for rows, values in blocks(cohort, modality):
            write_rows(stream, ([name] for name in ids[rows]), rows_of_text(values, ","), ",")


def _blank(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(cs.float().fill_nan(None))
