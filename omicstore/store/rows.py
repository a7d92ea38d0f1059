"""Rows of a matrix modality, read again and again in any order: what a query found is looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.store.catalog import row_column
from omicstore.store.values import read_matrix_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray

    from omicstore.store.reader import Store

    Array = NDArray[np.float32]

__all__ = ["RowReader"]


class RowReader:
    """Reads some rows of a modality at a time; made by `omicstore.store.cohort.Cohort.row_reader`.

    All that reading takes is opened here, so that a process forked afterwards can read as well.

    Parameters
    ----------
    store
        The open store.
    table
        The samples of the query, as `Store.samples` has them.
    modality
        A modality of kind ``matrix``.
    features
        Positions in the union axis, ascending.
    finish
        Makes of (n, G) stored numbers what the query gives out; the second argument are the rows.
    """

    def __init__(
        self,
        store: Store,
        table: pl.DataFrame,
        modality: str,
        features: NDArray[np.int64],
        finish: Callable[[Array, NDArray[np.int64]], Array],
    ) -> None:
        self._store, self._modality, self._features, self._finish = store, modality, features, finish
        name = row_column(modality)
        held = table[name].fill_null(-1).to_numpy().astype(np.int64) if name in table.columns else None
        self._rows = np.full(table.height, -1, np.int64) if held is None else held
        names = table["cohort"].to_numpy()
        self._cohorts = sorted(set(names[self._rows >= 0].tolist()))
        where = {cohort: i for i, cohort in enumerate(self._cohorts)}
        self._code = np.array([where.get(cohort, -1) for cohort in names.tolist()], np.int64)
        self._code[self._rows < 0] = -1
        for cohort in self._cohorts:
            store.matrix(store.body["matrices"][cohort][modality]["values"])
            store.axis(modality, cohort)

    def read(self, rows: NDArray[np.int64]) -> Array:
        """Return the rows of `Cohort.to_numpy` with these numbers, in this order."""
        out = np.full((len(rows), len(self._features)), np.nan, np.float32)
        code = self._code[rows]
        for i, cohort in enumerate(self._cohorts):
            at = np.flatnonzero(code == i)
            if not len(at):
                continue
            part = out if len(at) == len(rows) else np.empty((len(at), out.shape[1]), np.float32)
            read_matrix_rows(self._store, self._modality, cohort, self._rows[rows[at]], self._features, part)
            if part is not out:
                out[at] = part
        return self._finish(out, rows)
