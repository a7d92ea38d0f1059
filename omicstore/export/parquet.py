"""Parquet: one wide table per modality, the samples, and the features of each modality."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from omicstore.export.matrices import by_feature, measured
from omicstore.formats import ABOUT
from omicstore.progress import task
from omicstore.store.patches import iter_patches
from omicstore.store.scverse import origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from omicstore.progress import Advance
    from omicstore.store.cohort import Cohort

    SaveAll = Callable[[Iterable[pa.Table], Path], None]

__all__ = ["save", "save_all", "write", "write_tables"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.parquet``, ``samples.parquet`` and ``features/<modality>.parquet``.

    A modality's table has ``sample_id`` and one float32 column per feature, and only the samples that were measured.
    Its metadata says under the key ``omicstore`` what it holds: modality, unit, release.
    """
    write_tables(cohort, folder, "parquet", save_all)
    return []


def write_tables(cohort: Cohort, folder: Path, suffix: str, save_all: SaveAll) -> None:
    """Write a table per modality, the samples, and the features of each matrix, one table in memory at a time.

    The patches of slides are in ``patches.<suffix>``; where there are several encoders, whose vectors have different
    lengths, in ``patches.<encoder>.<suffix>``.

    Parameters
    ----------
    cohort
        What to write.
    folder
        Where.
    suffix
        The ending of the files' names.
    save_all
        Writes Arrow tables of one schema, one below the other, to a path.
    """

    def save(table: pa.Table, path: Path) -> None:
        save_all([table], path)

    save(cohort.samples.to_arrow(), folder / f"samples.{suffix}")
    (folder / "features").mkdir()
    with task("writing", len(cohort.modalities), "modalities") as advance:
        for modality in cohort.modalities:
            if modality == "patches" and cohort.slides().height:
                _write_patches(cohort, folder, suffix, save_all)
            elif modality not in cohort.matrices:
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


def _write_patches(cohort: Cohort, folder: Path, suffix: str, save_all: SaveAll) -> None:
    cohort._open(["patches"])  # the files are read one by one below, which the cohort does not see
    slides = cohort.slides()
    encoders = slides["encoder"].unique().sort().to_list()
    for encoder in encoders:
        own = slides.filter(pl.col("encoder") == encoder)["path"].to_list()
        name = "patches" if len(encoders) == 1 else f"patches.{re.sub(r'[^A-Za-z0-9._-]', '_', encoder)}"
        with task(f"writing patches of {encoder}", len(own), "slides") as advance:
            save_all(_patches(cohort, own, advance), folder / f"{name}.{suffix}")


def _patches(cohort: Cohort, paths: list[str], advance: Advance) -> Iterator[pa.Table]:
    """Yield the patches of slides, about a thousand at a time."""
    for path in paths:
        for part in iter_patches(cohort.store, path):
            yield part.to_arrow()
        advance()


def save(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet."""
    save_all([table], path)


def save_all(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables of one schema as one Parquet file, a row group each."""
    rest = iter(tables)
    first = next(rest)
    writer = pq.ParquetWriter(
        path,
        first.schema,
        compression="lz4",
        use_dictionary=[field.name for field in first.schema if pa.types.is_large_string(field.type)],
        use_byte_stream_split=[field.name for field in first.schema if field.type == pa.float32()],
        # Statistics of 20,000 columns cost more than they save: nobody filters a wide table by a gene's range.
        write_statistics=False,
        store_schema=False,
    )
    with writer:
        for table in chain([first], rest):
            writer.write_table(table)
