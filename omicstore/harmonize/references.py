"""The reference tables of a study, read once and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from omicstore.errors import ReferenceMissingError
from omicstore.harmonize.genes import GeneResolver
from omicstore.harmonize.metabolites import MetaboliteNames
from omicstore.harmonize.probes import platform_name, platform_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import polars as pl

    from omicstore.sources import Reference, Study

__all__ = ["ProbeReference", "References"]


@dataclass(frozen=True, slots=True)
class ProbeReference:
    """The probes of one array.

    Attributes
    ----------
    platform
        ``hm27``, ``hm450``, ``epic``.
    frame
        probe_id, chromosome, start, entrez, symbol, gene_group. `symbol` may name several genes, joined by commas.
    grouped
        Whether the reference says where in the gene a probe lies. Where it does not, every annotated probe counts.
    """

    platform: str
    frame: pl.DataFrame
    grouped: bool


class References:
    """Lazy access to the reference tables of a study.

    Parameters
    ----------
    references
        The entries of study.references.
    read
        Reads one of them to a frame with canonical columns.
    """

    def __init__(self, references: Iterable[Reference], read: Callable[[Reference], pl.DataFrame]) -> None:
        self._entries, self._read = tuple(references), read
        self._probes: dict[str, ProbeReference] = {}
        self._probe_ids: dict[str, frozenset[str]] = {}

    @classmethod
    def load(cls, study: Study) -> References:
        """Return the references of a study; no file is read yet."""
        from omicstore.readers.references import read_reference

        return cls(study.references, read_reference)

    def has(self, kind: str) -> bool:
        """Whether the study names a reference of a kind."""
        return any(r.kind == kind for r in self._entries)

    def _frame(self, kind: str) -> pl.DataFrame | None:
        entry = next((r for r in self._entries if r.kind == kind), None)
        return self._read(entry) if entry is not None else None

    @cached_property
    def genes(self) -> GeneResolver:
        """The genes, by HGNC and the gene annotation as far as the study names them.

        Raises
        ------
        ReferenceMissingError
            If it names neither.
        """
        if not self.has("symbols") and not self.has("genes"):
            raise ReferenceMissingError("mapping features to genes", "symbols")
        return GeneResolver(self._frame("symbols"), self._frame("genes"))

    @cached_property
    def symbols(self) -> GeneResolver | None:
        """The genes, or None where the study names no reference for them."""
        return self.genes if self.has("symbols") or self.has("genes") else None

    @cached_property
    def sites(self) -> dict[str, tuple[str, str]]:
        """Tissue source site code to (site name, disease); empty where the study names no such table."""
        frame = self._frame("sites")
        if frame is None:
            return {}
        rows = frame.select("code", "site", "disease").iter_rows()
        return {code: (site or "", disease or "") for code, site, disease in rows}

    @cached_property
    def metabolites(self) -> MetaboliteNames:
        """The metabolite names; knows none where the study names no such table."""
        return MetaboliteNames(self._frame("metabolites"))

    @cached_property
    def masked(self) -> frozenset[str]:
        """Probes to leave out: those of the study's masks."""
        found: set[str] = set()
        for entry in self._entries:
            if entry.kind == "masks":
                frame = self._read(entry)
                found.update(frame.get_column(frame.columns[0]).to_list())
        return frozenset(found)

    @property
    def probe_platforms(self) -> list[str]:
        """The arrays that the study has a reference of."""
        return [platform_name(r.platform or "") for r in self._entries if r.kind == "probes"]

    def probes(self, platform: str) -> ProbeReference:
        """Return the probes of an array.

        Raises
        ------
        ReferenceMissingError
            If the study has no reference of it.
        """
        if platform not in self._probes:
            entry = next(
                (r for r in self._entries if r.kind == "probes" and platform_name(r.platform or "") == platform), None
            )
            if entry is None:
                raise ReferenceMissingError(f"methylation on {platform}", "probes")
            self._probes[platform] = _probe_reference(platform, self._read(entry))
        return self._probes[platform]

    def platform_of(self, probe_ids: Iterable[str]) -> str | None:
        """Return the array that the probes are of, or None where that cannot be told."""
        for platform in self.probe_platforms:
            if platform not in self._probe_ids:
                self._probe_ids[platform] = frozenset(self.probes(platform).frame.get_column("probe_id").to_list())
        return platform_of(probe_ids, self._probe_ids)


def _probe_reference(platform: str, frame: pl.DataFrame) -> ProbeReference:
    import polars as pl

    if "probe_id" in frame.columns:
        return ProbeReference(platform, frame, grouped=frame.get_column("gene_group").null_count() < frame.height)
    plain = frame.select(
        pl.col("id").alias("probe_id"),
        "chromosome",
        "start",
        pl.lit(None, dtype=pl.String).alias("entrez"),
        "symbol",
        pl.lit(None, dtype=pl.String).alias("gene_group"),
    )
    return ProbeReference(platform, plain, grouped=False)
