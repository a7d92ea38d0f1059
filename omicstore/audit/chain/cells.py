"""Naming the cells in which two tables, or a matrix and its index, differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.chain.content import KEYS, hashed_columns, read_table
from omicstore.audit.encoding import NAN_BITS
from omicstore.audit.reading import BROKEN, json_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from omicstore.audit.chain.content import MatrixFile

__all__ = ["catalogue_cells", "index_cells", "table_cells"]

#: As many features, and as many profiles, are looked at one by one.
_MOST = 32


def index_cells(
    sources: list[tuple[str, MatrixFile, list[str]]],
    index: MatrixFile,
    union: list[str],
    profiles: list[int],
    features: list[int],
) -> Iterator[tuple[str, str]]:
    """Yield the cohort and a sentence for each cell in which a matrix and the index differ, of the first places.

    Parameters
    ----------
    sources
        Cohort, matrix and axis, in the order of the index.
    index
        The index.
    union
        Its features.
    profiles, features
        Where they differ: numbers in the index.
    """
    features = features[:_MOST]
    turned, start = index.rows(features), 0
    for cohort, matrix, axis in sources:
        own = [p - start for p in profiles[:_MOST] if start <= p < start + matrix.n_rows]
        if own:
            held, names = matrix.rows(own), matrix.texts("sample_id").to_list()
            place = {feature: i for i, feature in enumerate(axis)}
            for j, feature in enumerate(union[number] for number in features):
                column = place.get(feature)
                for i, row in enumerate(own):
                    mine = np.uint32(NAN_BITS) if column is None else held[i, column]
                    theirs = turned[j, start + row]
                    if mine != theirs:
                        said = f"{_text(mine)} in the matrix and {_text(theirs)} in the index"
                        yield cohort, f"sample {names[row]}, feature {feature} is {said}"
        start += matrix.n_rows


def _text(bits: np.uint32) -> str:
    """Return a number with as many digits as tell it from every other float32."""
    return str(np.uint32(bits).view(np.float32))


def catalogue_cells(store: Path, body: dict[str, Any], table: str, frame: pl.DataFrame) -> list[str]:
    """Return, as sentences, where a catalogue table differs from the cohorts' own parts of it, if these are there."""
    parts = []
    for cohort in body.get("cohorts", []):
        own = json_object(store / f"cohort={cohort}" / "cohort.json")
        try:
            parts.append(read_table(store / (own or {})["tables"][table]))
        except BROKEN:
            return []
    return table_cells(frame, pl.concat(parts, how="diagonal"), table, "the cohort's own part") if parts else []


def table_cells(frame: pl.DataFrame, other: pl.DataFrame, table: str, whose: str) -> list[str]:
    """Return, as sentences, in which cells two tables with one key differ.

    Parameters
    ----------
    frame, other
        The table and what it is held against.
    table
        Its name, in `KEYS`.
    whose
        What the other one is, as a noun.
    """
    key = [name for name in KEYS[table] if name in frame.columns and name in other.columns]
    columns = [c for c in hashed_columns(frame, table) if c not in key]
    number = pl.int_range(pl.len()).over(key).alias("_number")  # a key may be there twice
    mine, theirs = (f.sort([*key, *(c for c in columns if c in f.columns)], nulls_last=True) for f in (frame, other))
    both = mine.with_columns(number).join(
        theirs.with_columns(number), on=[*key, "_number"], how="full", nulls_equal=True, suffix="_other", coalesce=False
    )
    said = []
    for row in both.iter_rows(named=True):
        here, there = row["_number"] is not None, row["_number_other"] is not None
        name = " ".join(
            str(row[k if here else f"{k}_other"]) for k in key if row[k if here else f"{k}_other"] is not None
        )
        if not (here and there):
            said.append(f"{name} is in {whose} and not here" if there else f"{name} is not in {whose}")
            continue
        for column in columns:
            found, known = row[column], row.get(f"{column}_other")
            if found != known and str(found) != str(known):  # NaN differs from itself
                said.append(f"{name}: {column} is {found!r}, and {known!r} in {whose}")
    return said
