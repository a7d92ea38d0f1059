"""Features that were computed once, kept by what they depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.files import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["FeatureCache"]


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """Patches of slides under the hash of the slide, the encoder and the settings.

    Attributes
    ----------
    folder
        Where they lie, a Parquet file for each slide; it holds nothing that cannot be computed again.
    describe
        Returns the sha256 (hex) and the size of a file or folder.
    """

    folder: Path
    describe: Callable[[Path], tuple[str, int]]

    def patches(self, facts: Mapping[str, Any], make: Callable[[], Iterable[pl.DataFrame]]) -> Iterator[pl.DataFrame]:
        """Yield the patches of a slide: those kept, or what `make` gives, which is kept first.

        Parameters
        ----------
        facts
            What the patches depend on, as JSON can hold it.
        make
            Called where nothing is kept, or what is kept is damaged; yields one frame or more.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        key = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()
        path = self.folder / f"{key}.parquet"
        try:
            file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException):
            self._write(path, make())
            file = pq.ParquetFile(path)
        with file:
            for i in range(file.num_row_groups):
                yield pl.DataFrame(pl.from_arrow(file.read_row_group(i)))

    def _write(self, path: Path, frames: Iterable[pl.DataFrame]) -> None:
        import pyarrow.parquet as pq

        with staged(path) as beside:
            tables = (frame.to_arrow() for frame in frames)
            first = next(tables)
            with pq.ParquetWriter(beside, first.schema, compression="lz4") as writer:
                for table in chain([first], tables):
                    writer.write_table(table)
