"""The numbers of a source, held or read block by block, brought to the axes that are asked for.

Both ways give the same bytes, whatever the size of the blocks: the betas of a gene are added up in double precision,
one after the other in the order of the file, and rounded once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np

from omicstore.diskmatrix import DiskMatrix
from omicstore.errors import SourceError
from omicstore.harmonize.axis import Axis, aggregate
from omicstore.harmonize.features import array_of, probe_axis, probe_pairs
from omicstore.harmonize.probes import is_probe, plain_name
from omicstore.harmonize.ranges import check_range, first_outside, refuse
from omicstore.readers.table import Drops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.diskmatrix import Rows
    from omicstore.harmonize.references import References
    from omicstore.readers.table import Blocks, RawTable
    from omicstore.units import Unit

__all__ = ["Measured", "measured"]

#: Genes whose means are turned at a time: few enough to stay in the processor's cache.
TILE = 64


class Measured(Protocol):
    """The numbers of a source."""

    def check_range(self) -> None:
        """Raise `SourceError` if a value is none that the unit can have."""

    def empty(self) -> set[int]:
        """Return the profiles without any value."""

    def on(self, modality: str, axis: Axis, platform: str | None, rows: NDArray[np.intp], *, last: bool) -> Rows:
        """Return (len(rows), features) float32 in the stored unit; after the `last` axis nothing else is asked for."""


def measured(raw: RawTable, modality: str, unit: Unit, refs: References, scratch: Path | None) -> Measured:
    """Return the numbers of a source: streamed if it comes in blocks of probes, else held.

    Probes that the study keeps lie on the disk meanwhile, in the folder `scratch`.
    """
    if raw.blocks is None:
        return _Held(raw, unit)
    if not modality.startswith("meth") or not any(map(is_probe, _first_features(raw, raw.blocks))):
        raw.hold()
        return _Held(raw, unit)
    keep = modality == "meth_probe" or raw.source.keep_probes
    probes = DiskMatrix(scratch, len(raw.ids)) if keep else None
    genes = refs if modality == "meth" else None
    if raw.blocks.along == "profiles":
        return _StreamedProfiles(raw, raw.blocks, unit, genes, probes)
    return _StreamedProbes(raw, raw.blocks, unit, genes, probes)


def _first_features(raw: RawTable, blocks: Blocks) -> Sequence[str]:
    if not raw.features:
        next(blocks.read(), None)
    return raw.features[:1000]


class _Held:
    """A matrix in memory."""

    def __init__(self, raw: RawTable, unit: Unit) -> None:
        assert raw.values is not None
        self._raw, self._unit, self._values = raw, unit, raw.values

    def check_range(self) -> None:
        check_range(self._raw, self._unit)

    def empty(self) -> set[int]:
        suspects = np.flatnonzero(np.isnan(self._values[:, 0]))
        return {int(row) for row in suspects if np.isnan(self._values[row]).all()}

    def on(self, modality: str, axis: Axis, platform: str | None, rows: NDArray[np.intp], *, last: bool) -> Rows:
        del modality, platform
        return aggregate(self._values, rows, axis, self._unit, self._raw.decimals, reuse=last)


class _Streamed:
    """What both ways of streaming find out on their way: values out of range, and profiles without any."""

    def __init__(self, raw: RawTable, blocks: Blocks, unit: Unit, probes: DiskMatrix | None) -> None:
        self._raw, self._blocks, self._unit, self._probes = raw, blocks, unit, probes
        self._outside: tuple[int, int, float] | None = None
        self._empty: set[int] = set()

    def check_range(self) -> None:
        if self._outside is not None:
            refuse(self._raw, self._unit, *self._outside)

    def empty(self) -> set[int]:
        return self._empty

    def _linear(self, block: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
        linear = self._unit.to_linear(block, self._raw.decimals)
        if self._unit.base.low is not None:
            np.clip(linear, self._unit.base.low, self._unit.base.high, out=linear)
        linear[missing] = np.nan  # one bit pattern
        return linear


class _StreamedProfiles(_Streamed):
    """Profiles in the rows: each block becomes its genes at once, as a held matrix would."""

    def __init__(
        self, raw: RawTable, blocks: Blocks, unit: Unit, refs: References | None, probes: DiskMatrix | None
    ) -> None:
        super().__init__(raw, blocks, unit, probes)
        axis = probe_axis(raw, array_of(raw, refs), refs).axis if refs is not None else None
        parts: list[NDArray[np.float32]] = []
        at = 0
        for block in blocks.read():
            place = first_outside(block, unit, raw.decimals)
            if place is not None and self._outside is None:
                self._outside = (at + place[0], place[1], float(block[place]))
            missing = np.isnan(block)
            self._empty |= {at + int(row) for row in np.flatnonzero(missing.all(axis=1))}
            if axis is not None:
                parts.append(aggregate(block, np.arange(len(block)), axis, unit, raw.decimals))
            if probes is not None:
                probes.write_rows(at, self._linear(block, missing))
            at += len(block)
        self._values = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def on(self, modality: str, axis: Axis, platform: str | None, rows: NDArray[np.intp], *, last: bool) -> Rows:
        del platform, last
        if modality == "meth_probe":
            assert self._probes is not None
            return self._probes.view(rows, axis.columns)
        return self._values[rows]  # there is one other axis, and the blocks have been brought to it


class _StreamedProbes(_Streamed):
    """Probes in the rows: sums and counts of every gene of the array, to which each probe adds in its turn."""

    def __init__(
        self, raw: RawTable, blocks: Blocks, unit: Unit, refs: References | None, probes: DiskMatrix | None
    ) -> None:
        super().__init__(raw, blocks, unit, probes)
        self._refs, self._platform = refs, ""
        if refs is not None:
            next(blocks.read(), None)
            with suppress(SourceError):  # where the first probes do not tell, all together may
                self._platform = array_of(raw, refs)
        self._read()

    def _read(self) -> None:
        raw, n = self._raw, len(self._raw.ids)
        self._genes, genes_of = self._speakers()
        sums, lost = np.zeros((len(self._genes), n)), np.zeros((len(self._genes), n), np.int32)
        sum_of, lost_of = list(sums), list(lost)
        seen = np.zeros(n, bool)
        at = 0
        for block in self._blocks.read():
            self._look(block, at)
            missing = np.isnan(block)
            lacking = set(np.flatnonzero(missing.any(axis=1)).tolist())
            seen |= ~missing.all(axis=0)
            linear = self._linear(block, missing)
            if self._probes is not None:
                self._probes.write_columns(at, linear.copy())
            linear[missing] = 0.0
            for row, name in enumerate(raw.features[at : at + len(block)]):
                for gene in genes_of.get(plain_name(name), ()):
                    np.add(sum_of[gene], linear[row], out=sum_of[gene])
                    if row in lacking:
                        np.add(lost_of[gene], missing[row], out=lost_of[gene])
            at += len(block)
        if self._probes is not None:
            self._probes.finish()
        self._sums, self._lost = sums, lost
        self._empty = set(np.flatnonzero(~seen).tolist())

    def _speakers(self) -> tuple[dict[str, int], dict[str, list[int]]]:
        """Return the genes of the array, and those that each of its probes speaks for."""
        if self._refs is None or not self._platform:
            return {}, {}
        names = self._refs.probes(self._platform).frame.get_column("probe_id").to_list()
        pairs = probe_pairs(names, self._platform, self._refs, Drops())
        genes = {gene: i for i, gene in enumerate(pairs.get_column("feature_id").unique(maintain_order=True))}
        genes_of: dict[str, list[int]] = {}
        for gene, column in pairs.select("feature_id", "column").iter_rows():
            genes_of.setdefault(names[column], []).append(genes[gene])
        return genes, genes_of

    def _look(self, block: NDArray[np.float32], at: int) -> None:
        turned = block.T
        place = first_outside(turned, self._unit, self._raw.decimals)
        if place is not None and (self._outside is None or place[0] < self._outside[0]):
            self._outside = (place[0], at + place[1], float(turned[place]))

    def on(self, modality: str, axis: Axis, platform: str | None, rows: NDArray[np.intp], *, last: bool) -> Rows:
        del last
        if modality == "meth_probe":
            assert self._probes is not None
            return self._probes.view(rows, axis.columns)
        if platform != self._platform:
            self._platform = platform or ""
            self._read()
        places = np.array([self._genes[gene] for gene in axis.frame.get_column("feature_id")], np.intp)
        out = np.empty((rows.size, places.size), np.float32)
        for start in range(0, places.size, TILE):
            tile = places[start : start + TILE]
            counts = axis.sizes[start : start + TILE, None] - self._lost[tile]
            with np.errstate(invalid="ignore", divide="ignore"):
                means = (self._sums[tile] / counts).astype(np.float32)
            means[np.isnan(means)] = np.nan  # one bit pattern
            out[:, start : start + TILE] = means[:, rows].T
        return out
