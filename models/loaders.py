"""Batches of a part: which rows, in which order, by how many processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from models.batch import MultiOmicsBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.streaming import StreamedRows

__all__ = ["Batches", "SeededBatches", "loader"]


class Batches(Dataset[MultiOmicsBatch]):
    """A whole part in memory, given out by lists of row numbers."""

    def __init__(self, whole: MultiOmicsBatch) -> None:
        self.whole = whole

    @property
    def sample_id(self) -> tuple[str, ...]:
        """The ids of its rows."""
        return self.whole.sample_id

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, rows: Sequence[int]) -> MultiOmicsBatch:
        """Return the batch of `rows`."""
        return self.whole.take(rows)


class SeededBatches(Sampler[list[int]]):
    """Lists of row numbers whose order depends on seed and epoch alone, so on no number of workers.

    Parameters
    ----------
    n, batch_size
        Rows, and rows per batch; the last batch may be smaller.
    seed
        Shuffles each epoch anew; rows stay in order where absent.

    Examples
    --------
    >>> list(SeededBatches(5, 2, seed=None))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, n: int, batch_size: int, *, seed: int | None) -> None:
        self.n, self.batch_size, self.seed, self.epoch = n, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; Lightning does."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.n)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n)
        for start in range(0, self.n, self.batch_size):
            yield order[start : start + self.batch_size].tolist()


def loader(
    rows: Batches | StreamedRows, batch_size: int, *, seed: int | None, num_workers: int
) -> DataLoader[MultiOmicsBatch]:
    """Return a loader whose batches are the same with any number of workers.

    Parameters
    ----------
    rows
        The part.
    batch_size, seed
        As in `SeededBatches`.
    num_workers
        Processes that make the batches; none where 0.
    """
    return DataLoader(
        rows,
        batch_size=None,
        sampler=SeededBatches(len(rows), batch_size, seed=seed),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        # Workers draw their seeds from here and leave the global generator, which masks and dropout use, alone.
        generator=torch.Generator().manual_seed(0),
    )
