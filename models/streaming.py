"""A part that does not fit into memory: its transform is fitted block by block, its batches are read from the store.

A row of a matrix is one piece of a file, so rows in any order are read about as fast as in the file's: batches hold the
rows that they would hold in memory, in the same order. A fit reads columns from the store's index, where a feature is
one piece.
"""

from __future__ import annotations

import tempfile
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from models.batch import MultiOmicsBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.batch import Targets
    from omicstore.store.cohort import Cohort
    from omicstore.store.rows import RowReader

    Array = NDArray[np.float32]

__all__ = ["StoredMatrix", "StreamedRows"]


class StoredMatrix:
    """A modality of raw training rows as `models.transforms.matrix.Matrix`, read when it is asked for.

    Parameters
    ----------
    cohort
        A query without a state.
    modality
        A matrix of it.
    """

    def __init__(self, cohort: Cohort, modality: str) -> None:
        self._cohort, self._modality = cohort, modality

    @cached_property
    def _reader(self) -> RowReader:
        return self._cohort.row_reader(self._modality)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._cohort), self._cohort.features(self._modality).height

    def rows(self, rows: NDArray[np.int64]) -> Array:
        """Return some rows."""
        return self._reader.read(rows)

    def columns(self, start: int, stop: int) -> Array:
        """Return some columns."""
        return self._cohort.columns(self._modality, start, stop)

    def scratch(self, columns: int) -> Array:
        """Return an array in a file without a name, which is gone when nobody holds the array any more."""
        shape = (self.shape[0], max(columns, 1))
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, np.float32, "w+", shape=shape)[:, :columns]


class StreamedRows(Dataset[MultiOmicsBatch]):
    """A part whose batches are read from the store, through the fitted state, when they are asked for.

    Parameters
    ----------
    cohort
        A query with the state.
    modalities
        Those that the batches hold, in order.
    targets
        Of its rows.
    """

    def __init__(self, cohort: Cohort, modalities: Sequence[str], targets: Targets) -> None:
        self._readers = {m: cohort.row_reader(m) for m in modalities}
        self._targets = targets
        self.sample_id = tuple(cohort.samples["sample_id"].to_list())
        self._patient_id = tuple(cohort.samples["patient_id"].to_list())

    def __len__(self) -> int:
        return len(self.sample_id)

    def __getitem__(self, rows: Sequence[int]) -> MultiOmicsBatch:
        """Return the batch of `rows`."""
        index = np.asarray(rows, dtype=np.int64)
        return MultiOmicsBatch.from_arrays(
            {m: reader.read(index) for m, reader in self._readers.items()},
            [self.sample_id[i] for i in rows],
            [self._patient_id[i] for i in rows],
            self._targets.take(torch.from_numpy(index)),
        )
