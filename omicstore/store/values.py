"""Reading the numbers of chosen samples and features, by whichever way is shorter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.store.catalog import row_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from omicstore.store.reader import Store

__all__ = ["read_matrix_rows", "read_values"]

#: What one more read costs, counted in the bytes that could be read meanwhile.
_READ_COST = 16 << 10
#: The index has to be turned after reading.
_TURN_COST = 2
_BLOCK_BYTES = 64 << 20


def read_values(store: Store, samples: pl.DataFrame, modality: str, features: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (n_samples, n_features) float32 in the unit of the store, NaN where missing.

    Parameters
    ----------
    store
        The open store.
    samples
        Rows of `Store.samples`, in their order: sorted by cohort.
    modality
        A modality of kind ``matrix``.
    features
        Positions in the union axis, ascending.
    """
    out = np.empty((samples.height, len(features)), np.float32)
    name = row_column(modality)
    if name not in samples.columns or not out.size:
        out[:] = np.nan
        return out
    rows = samples[name].fill_null(-1).to_numpy().astype(np.int64)
    out[rows < 0] = np.nan
    blocks = [block for block in _blocks(samples, rows) if (rows[block[1]] >= 0).any()]
    if not blocks:
        return out
    held = [cohort for cohort in store.cohorts if modality in store.body["matrices"][cohort]]
    sizes = [store.body["matrices"][cohort][modality]["n_profiles"] for cohort in held]
    offset = dict(zip(held, np.cumsum([0, *sizes])[:-1].tolist(), strict=True))
    columns = np.full(len(rows), -1, np.int64)
    for cohort, block in blocks:
        columns[block] = np.where(rows[block] >= 0, rows[block] + offset[cohort], -1)
    indexed = store.has(store.body["index"][modality]["path"])
    if indexed and _index_is_shorter(store, modality, rows, columns, blocks, len(features)):
        _from_index(store, modality, columns, features, out)
    else:
        for cohort, block in blocks:
            read_matrix_rows(store, modality, cohort, rows[block], features, out[block])
    return out


def _blocks(samples: pl.DataFrame, rows: NDArray[np.int64]) -> Iterator[tuple[str, slice]]:
    lengths = samples["cohort"].rle().struct.unnest()
    start = 0
    for length, cohort in lengths.select("len", "value").iter_rows():
        yield cohort, slice(start, start + length)
        start += length
    assert start == len(rows)


def _index_is_shorter(
    store: Store,
    modality: str,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    blocks: list[tuple[str, slice]],
    n_features: int,
) -> bool:
    by_row = 0
    for cohort, block in blocks:
        width = store.body["matrices"][cohort][modality]["n_features"]
        by_row += int((rows[block] >= 0).sum()) * (4 * width + _READ_COST)
    asked = columns[columns >= 0]
    span = int(asked.max() - asked.min() + 1)
    return n_features * (4 * _TURN_COST * span + _READ_COST) < by_row


def _from_index(
    store: Store, modality: str, columns: NDArray[np.int64], features: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    index = store.matrix(store.body["index"][modality]["path"])
    have = columns >= 0
    low, high = int(columns[have].min()), int(columns[have].max()) + 1
    wanted = columns[have] - low
    whole = bool(have.all()) and np.array_equal(wanted, np.arange(high - low))
    step = max(1, _BLOCK_BYTES // (4 * (high - low)))
    for start in range(0, len(features), step):
        part = features[start : start + step]
        turned = np.empty((len(part), high - low), np.float32)
        index.read(part, turned, columns=(low, high))
        if whole:
            out[:, start : start + len(part)] = turned.T
        else:
            out[have, start : start + len(part)] = turned[:, wanted].T


def read_matrix_rows(
    store: Store,
    modality: str,
    cohort: str,
    rows: NDArray[np.int64],
    features: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill the rows of one cohort; those it lacks stay as they are."""
    file = store.matrix(store.body["matrices"][cohort][modality]["values"])
    axis = store.axis(modality, cohort)
    have = np.flatnonzero(rows >= 0)
    if len(axis) == len(features) and np.array_equal(axis, features):
        file.read(rows[have], out, at=have)
        return
    place = np.searchsorted(axis, features)
    place[place == len(axis)] = 0
    there = axis[place] == features
    step = max(1, _BLOCK_BYTES // (4 * file.width))
    for start in range(0, len(have), step):
        part = have[start : start + step]
        values = np.empty((len(part), file.width), np.float32)
        file.read(rows[part], values)
        taken = values[:, place]
        taken[:, ~there] = np.nan
        out[part] = taken
