"""Columns of a Parquet or an Arrow file, some at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.parquet as pq

from omicstore.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["ArrowFile", "ColumnFile", "ParquetFile"]


class ColumnFile(ABC):
    """An open file of named columns.

    Attributes
    ----------
    path
        Where it is.
    schema, names
        Names and types of its columns; a schema makes its list of names anew each time it is asked.
    n_rows
        How many rows they have.
    """

    title: str

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._named():
            self.schema, self.n_rows = self._open()
        self.names: list[str] = list(self.schema.names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @abstractmethod
    def _open(self) -> tuple[pa.Schema, int]:
        """Open the file; return its schema and number of rows."""

    @abstractmethod
    def _table(self, columns: Sequence[int]) -> pa.Table:
        """Read columns."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def read_many(self, columns: Sequence[int]) -> list[pa.ChunkedArray]:
        """Read columns by position."""
        with self._named():
            table = self._table(columns)
            return [table.column(self.names[i]) for i in columns]

    def read(self, columns: Sequence[int]) -> pa.ChunkedArray:
        """Read one column."""
        return self.read_many(columns)[0]

    def head(self, columns: Sequence[int], n: int) -> dict[int, pa.ChunkedArray]:
        """Read the first `n` cells of columns."""
        return {i: column[:n] for i, column in zip(columns, self.read_many(columns), strict=True)}

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, EOFError) as error:
            reason = " ".join(str(error).split()).rstrip(". ") or "it ends too early"
            raise SourceError(
                self.path,
                f"this is no whole {self.title} file ({reason[:150]})",
                expected=f"a {self.title} file",
                run="make or download the file again, or name another format",
            ) from None


class ParquetFile(ColumnFile):
    """A Parquet file."""

    title = "Parquet"

    def _open(self) -> tuple[pa.Schema, int]:
        self._file = pq.ParquetFile(self.path)
        return self._file.schema_arrow, self._file.metadata.num_rows

    def _table(self, columns: Sequence[int]) -> pa.Table:
        return self._file.read(columns=[self.names[i] for i in columns])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ArrowFile(ColumnFile):
    """An Arrow IPC file (Feather version 2) or stream, mapped into memory."""

    title = "Arrow"

    def _open(self) -> tuple[pa.Schema, int]:
        self._map = pa.memory_map(str(self.path))
        self._is_stream = self._map.read(6) != b"ARROW1"
        self._map.seek(0)
        schema = (pa.ipc.open_stream if self._is_stream else pa.ipc.open_file)(self._map).schema
        return schema, self._table((0,)).num_rows if schema.names else 0

    def _table(self, columns: Sequence[int]) -> pa.Table:
        self._map.seek(0)
        if self._is_stream:
            with pa.ipc.open_stream(self._map) as reader:
                return reader.read_all()
        with pa.ipc.open_file(self._map, options=pa.ipc.IpcReadOptions(included_fields=sorted(columns))) as reader:
            return reader.read_all()

    def close(self) -> None:
        """Close the file."""
        self._map.close()
