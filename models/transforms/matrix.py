"""Where a fit takes its numbers from: an array in memory, or whatever gives out blocks of rows and of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

__all__ = ["Chosen", "Held", "Matrix", "blocks_of", "column_blocks", "matrix_of", "row_blocks"]

#: So many numbers are worked on at once.
_CELLS = 2 << 20
#: Bounds of the columns of a block.
_LEAST, _MOST = 64, 2048


class Matrix(Protocol):
    """(n, G) numbers, NaN = not observed, of which blocks can be had."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def rows(self, rows: NDArray[np.int64]) -> Array:
        """Return (len(rows), G): some rows, in their order."""

    def columns(self, start: int, stop: int) -> Array:
        """Return (n, stop - start): some columns."""

    def scratch(self, columns: int) -> Array:
        """Return (n, columns) to write to, kept where the matrix is: in memory, or on disk."""


class Held:
    """A matrix in memory."""

    def __init__(self, values: NDArray[np.floating]) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.values.shape[0], self.values.shape[1]

    def rows(self, rows: NDArray[np.int64]) -> Array:
        """Return some rows."""
        return np.asarray(self.values[rows], dtype=np.float32)

    def columns(self, start: int, stop: int) -> Array:
        """Return some columns."""
        return np.asarray(self.values[:, start:stop], dtype=np.float32)

    def scratch(self, columns: int) -> Array:
        """Return an array."""
        return np.empty((len(self.values), columns), dtype=np.float32)


class Chosen:
    """Some rows of a matrix, in an order of their own."""

    def __init__(self, whole: Matrix, chosen: NDArray[np.int64]) -> None:
        self.whole, self.chosen = whole, chosen

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.chosen), self.whole.shape[1]

    def rows(self, rows: NDArray[np.int64]) -> Array:
        """Return some rows."""
        return self.whole.rows(self.chosen[rows])

    def columns(self, start: int, stop: int) -> Array:
        """Return some columns."""
        return self.whole.columns(start, stop)[self.chosen]

    def scratch(self, columns: int) -> Array:
        """Return something to write to."""
        return self.whole.scratch(columns)[: len(self.chosen)]


def matrix_of(values: Matrix | NDArray[np.floating]) -> Matrix:
    """Return an array as a matrix, and a matrix as it is."""
    return Held(values) if isinstance(values, np.ndarray) else values


def row_blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield the blocks of rows of a matrix of some shape.

    Examples
    --------
    >>> list(row_blocks((3, 1_000_000)))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    return _blocks(shape[0], max(1, _CELLS // max(1, shape[1])))


def column_blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield the blocks of columns; which these are depends on the shape alone, not on where the numbers lie."""
    return _blocks(shape[1], min(max(_CELLS // max(1, shape[0]), _LEAST), _MOST))


def blocks_of(matrix: Matrix) -> Iterator[Array]:
    """Yield the rows of a matrix, some at a time."""
    for block in row_blocks(matrix.shape):
        yield matrix.rows(np.arange(block.start, block.stop))


def _blocks(n: int, step: int) -> Iterator[slice]:
    for start in range(0, max(n, 1), step):  # of nothing, one block of nothing
        yield slice(start, min(start + step, n))
