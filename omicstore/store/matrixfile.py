"""Matrices as Parquet whose numbers can be read straight into place.

One row per sample (or, in the index, per feature): text columns that name it, and a fixed-size list of float32. The
list column is written plain, uncompressed, without nulls and as one page per row group, so its numbers lie in the file
as they lie in memory, at the end of the column chunk. A read is then one `pread` per run of rows, as fast as a raw
file, and any Parquet reader still understands it. float32 omics hardly compress: lz4 with byte-stream-split would save
a tenth. A row group that is laid out otherwise (a store that another tool wrote again) is read through Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from omicstore.store.filesystem import broken_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.store.filesystem import Root

__all__ = ["MatrixFile", "MatrixRows", "MatrixWriter"]

_ROW_GROUP_BYTES = 4 << 20
_PAGE_BYTES = 1 << 30  # more than any row group, so that each has one page
_HEADER_BYTES = 64


class MatrixWriter:
    """Writes a matrix row block by row block; a context manager.

    Parameters
    ----------
    path
        The file to write.
    keys
        Names of the text columns.
    width
        Length of a row.
    """

    def __init__(self, path: Path, keys: Sequence[str], width: int) -> None:
        element = pa.field("element", pa.float32(), nullable=False)
        self._list = pa.list_(element, width)
        fields = [pa.field(key, pa.string()) for key in keys]
        self._schema = pa.schema([*fields, pa.field("values", self._list, nullable=False)])
        self.rows_per_group = max(1, _ROW_GROUP_BYTES // (4 * width))
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="none",
            use_dictionary=False,
            write_statistics=list(keys),
            data_page_size=_PAGE_BYTES,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._writer.close()

    def write(self, keys: Mapping[str, Any], values: NDArray[np.float32]) -> None:
        """Append (n, width) rows; `keys` holds n texts per text column."""
        # Texts through polars and numbers as a buffer: `pa.array` would import pandas to look at them.
        texts = [pl.Series(keys[field.name], dtype=pl.String) for field in list(self._schema)[:-1]]
        columns = [text.to_arrow().cast(pa.string()) for text in texts]
        for start in range(0, values.shape[0], self.rows_per_group):
            block = np.ascontiguousarray(values[start : start + self.rows_per_group], dtype=np.float32)
            missing = np.isnan(block)
            if missing.any():  # one bit pattern, so that the same numbers are the same bytes
                block = np.where(missing, np.float32(np.nan), block)
            numbers = pa.Array.from_buffers(pa.float32(), block.size, [None, pa.py_buffer(block)])
            flat = pa.FixedSizeListArray.from_arrays(numbers, type=self._list)
            part = [column.slice(start, block.shape[0]) for column in columns]
            self._writer.write_table(pa.table([*part, flat], schema=self._schema), row_group_size=block.shape[0])


class MatrixFile:
    """A matrix in a Parquet file, open for reading.

    Attributes
    ----------
    n_rows, width
        The shape of the matrix.
    """

    def __init__(self, root: Root, path: str) -> None:
        self.path = path
        try:
            self._file = root.open(path)
            self._parquet = pq.ParquetFile(self._file.source)
        except (FileNotFoundError, pa.ArrowInvalid) as error:
            raise broken_file(root.url, path, error) from None
        meta = self._parquet.metadata
        self.n_rows = meta.num_rows
        groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
        self._bounds = np.cumsum([0, *(g.num_rows for g in groups)])
        self._chunks = [g.column(g.num_columns - 1) for g in groups]
        self.width = self._chunks[0].num_values // groups[0].num_rows
        #: One level is the list's own: neither a row nor a number can be null.
        self._no_nulls = self._parquet.schema.column(meta.num_columns - 1).max_definition_level == 1
        #: Where each row group's numbers begin; -1 where not looked at yet, -2 where Arrow has to read them.
        self._begin = np.full(len(groups), -1, np.int64)
        #: Bytes before the numbers of a chunk, by its rows, values and size; -2 where they are not one plain page.
        self._ahead: dict[tuple[int, int, int], int] = {}

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
        self._parquet.close()

    def keys(self, columns: Sequence[str]) -> pa.Table:
        """Return text columns, in row order."""
        return self._parquet.read(columns=list(columns))

    def read(
        self,
        rows: NDArray[np.integer[Any]],
        out: NDArray[np.float32],
        at: NDArray[np.integer[Any]] | None = None,
        columns: tuple[int, int] | None = None,
    ) -> None:
        """Read rows, or a range of their columns, into `out`.

        Parameters
        ----------
        rows
            n row numbers; fastest ascending.
        out
            A C-order array whose rows are as long as what is read.
        at
            Which rows of `out` to fill, n numbers; the first n where None.
        columns
            First column and the one after the last; all where None.
        """
        if not len(rows):
            return
        low, high = columns or (0, self.width)
        assert out.shape[1] == high - low
        assert out.flags.c_contiguous
        rows = np.asarray(rows, np.int64)
        at = np.arange(len(rows), dtype=np.int64) if at is None else np.asarray(at, np.int64)
        group = np.searchsorted(self._bounds, rows, side="right").astype(np.int64) - 1
        breaks = (np.diff(rows) != 1) | (np.diff(at) != 1) | (np.diff(group) != 0)
        if high - low < self.width:
            breaks[:] = True
        starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
        ends = np.concatenate([starts[1:], [len(rows)]])
        self._locate(np.unique(group))
        target = out.reshape(-1).view(np.uint8).data
        length = 4 * (high - low)
        begin = self._begin[group[starts]]
        offsets = begin + 4 * ((rows[starts] - self._bounds[group[starts]]) * self.width + low)
        plain = begin >= 0
        into = at[starts] * length
        until = into + (ends - starts) * length
        runs = zip(offsets[plain].tolist(), into[plain].tolist(), until[plain].tolist(), strict=True)
        if pieces := [(offset, target[first:last]) for offset, first, last in runs]:
            self._file.read(pieces)
        self._through_arrow(rows, out, at, group, (low, high))

    def _locate(self, groups: NDArray[np.integer[Any]]) -> None:
        unknown = groups[self._begin[groups] == -1].tolist()
        kinds = {g: self._kind(g) for g in unknown}
        # One chunk of a kind is looked at. Were another one cut into two pages, it would be longer by a header.
        first = {kind: g for g, kind in reversed(kinds.items()) if kind not in self._ahead}
        begin = {g: int(self._chunks[g].data_page_offset) for g in unknown}
        headers = [(begin[g], bytearray(min(_HEADER_BYTES, kind[2]))) for kind, g in first.items()]
        if headers:
            self._file.read([(offset, memoryview(header)) for offset, header in headers])
        for (kind, g), (_, header) in zip(first.items(), headers, strict=True):
            self._ahead[kind] = self._before_numbers(g, bytes(header))
        for g, kind in kinds.items():
            ahead = self._ahead[kind]
            self._begin[g] = ahead if ahead < 0 else begin[g] + ahead

    def _kind(self, g: int) -> tuple[int, int, int]:
        chunk = self._chunks[g]
        return int(self._bounds[g + 1] - self._bounds[g]), int(chunk.num_values), int(chunk.total_compressed_size)

    def _before_numbers(self, g: int, header: bytes) -> int:
        """Return how many bytes of a chunk come before its numbers if they lie in one plain page, else -2."""
        chunk, (rows, values, size) = self._chunks[g], self._kind(g)
        plain = {"PLAIN", "RLE"}.issuperset(chunk.encodings) and not chunk.has_dictionary_page
        plain = plain and self._no_nulls and chunk.compression == "UNCOMPRESSED" and values == rows * self.width
        return size - 4 * values if plain and _page_values(header) == values else -2

    def _through_arrow(
        self,
        rows: NDArray[Any],
        out: NDArray[np.float32],
        at: NDArray[Any],
        group: NDArray[Any],
        columns: tuple[int, int],
    ) -> None:
        for g in np.unique(group[self._begin[group] == -2]).tolist():
            values = self._parquet.read_row_group(g, columns=["values"])["values"].combine_chunks()
            block = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.width)
            mine = group == g
            out[at[mine]] = block[rows[mine] - self._bounds[g], columns[0] : columns[1]]


class MatrixRows:
    """The rows of a matrix file by slices, as `omicstore.diskmatrix.Rows`; never more in memory than a slice."""

    def __init__(self, file: MatrixFile) -> None:
        self._file = file
        self.shape = (file.n_rows, file.width)

    def __getitem__(self, key: slice, /) -> NDArray[np.float32]:
        """Return some rows."""
        rows = np.arange(*key.indices(self._file.n_rows))
        block = np.empty((len(rows), self._file.width), np.float32)
        self._file.read(rows, block)
        return block


def _page_values(header: bytes) -> int:
    """Return how many values a version-1 data page holds, from its Thrift compact header; -1 if it is another page.

    The header is: type = 0, uncompressed size, compressed size, an optional checksum, then the struct that begins with
    the number of values and their encoding, where 0 is plain.
    """
    position = 0

    def integer() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = header[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    field, fields = 0, {}
    try:
        while header[position] & 0x0F == 5:  # 32-bit integers
            field += header[position] >> 4
            position += 1
            fields[field] = integer()
        field += header[position] >> 4
        if fields.get(1) != 0 or field != 5 or header[position] & 0x0F != 12 or header[position + 1] != 0x15:
            return -1
        position += 2
        values = integer()
        if header[position] != 0x15:
            return -1
        position += 1
        return values if integer() == 0 else -1
    except IndexError:
        return -1
