"""A matrix that lies on the disk while it is made and used: methylation probes, when a study keeps them."""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DiskMatrix", "Rows", "row_blocks"]

#: Room for the columns of a row, in numbers: more than any array has probes. What is not written takes no space.
STRIDE = 1 << 21

#: Columns that are gathered before they are written into the rows.
GATHERED = 8192

#: Rows that are read at once, in bytes.
READ = 64 << 20


class Rows(Protocol):
    """A matrix that gives rows when asked for them: an array, or a `DiskMatrix`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return rows as an array, by a slice or by their numbers; or a pair of rows and columns."""


@dataclass(frozen=True)
class _Handle:
    """An open file; what all views of a matrix hold."""

    number: int


class DiskMatrix:
    """Rows of float32 in a file without a name, which is gone when nothing holds it or the process ends, however.

    Parameters
    ----------
    folder
        Where the file lies; the system's folder for such files where None.
    n_rows
        How many rows there are; how many columns shows as they are written.

    Examples
    --------
    >>> matrix = DiskMatrix(None, 2)
    >>> matrix.write_columns(0, np.array([[1, 2], [3, 4], [5, 6]], np.float32))
    >>> matrix.finish()
    >>> matrix.view(np.array([1, 0]), np.array([2, 0]))[:].tolist()
    [[6.0, 2.0], [5.0, 1.0]]
    """

    def __init__(self, folder: Path | None, n_rows: int) -> None:
        self._folder = folder
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is closed with the last view of it
        self._handle = _Handle(file.fileno())
        weakref.finalize(self._handle, file.close)
        self._width = 0
        self._waiting: list[NDArray[np.float32]] = []
        self._rows: NDArray[np.intp] = np.arange(n_rows)
        self._columns: NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._rows.size, self._width if self._columns is None else self._columns.size

    def another(self, n_rows: int) -> DiskMatrix:
        """Return an empty matrix in the same folder."""
        return DiskMatrix(self._folder, n_rows)

    def write_rows(self, start: int, rows: NDArray[np.float32]) -> None:
        """Write whole rows; further ones than there are make the matrix longer."""
        self._width = rows.shape[1]
        for i, row in enumerate(rows, start):
            os.pwrite(self._handle.number, np.ascontiguousarray(row).data, 4 * STRIDE * i)
        self._rows = np.arange(max(self._rows.size, start + len(rows)))

    def write_columns(self, start: int, columns: NDArray[np.float32]) -> None:
        """Write the columns from `start` on, one in each row of `columns`; they follow those written before."""
        self._waiting.append(columns)
        self._width = start + len(columns)
        if sum(map(len, self._waiting)) >= GATHERED:
            self.finish()

    def finish(self) -> None:
        """Write what has been gathered."""
        if self._waiting:
            block = np.ascontiguousarray(np.concatenate(self._waiting).T)
            self._waiting.clear()
            for i, row in enumerate(block):
                os.pwrite(self._handle.number, row.data, 4 * (STRIDE * i + self._width - row.size))

    def view(self, rows: NDArray[np.intp], columns: NDArray[np.intp] | None = None) -> Self:
        """Return some rows, and columns, in the order given, as a matrix on the same file."""
        seen = object.__new__(type(self))
        seen._folder = self._folder
        seen._handle, seen._width, seen._waiting = self._handle, self._width, []
        seen._rows = self._rows[rows]
        seen._columns = self._columns if columns is None else columns
        return seen

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        picked = self._rows[rows]
        width = self.shape[1]
        out = np.empty((picked.size, len(np.arange(width)[columns])), np.float32)
        buffer = np.empty(self._width, np.float32)
        mine = self._columns if isinstance(columns, slice) and columns == slice(None) else np.arange(width)[columns]
        if self._columns is not None and mine is not self._columns:
            mine = self._columns[mine]
        for target, row in zip(out, picked.tolist(), strict=True):
            os.preadv(self._handle.number, [buffer.data], 4 * STRIDE * row)
            target[:] = buffer if mine is None else buffer[mine]
        return out


def row_blocks(values: Rows) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the first row of each block and the block, so that never the whole of a `DiskMatrix` is read."""
    step = max(1, READ // max(1, 4 * values.shape[1]))
    for start in range(0, values.shape[0], step):
        yield start, values[start : start + step]
