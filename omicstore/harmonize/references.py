"""The reference tables of a study, read once and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from omicstore.errors import ReferenceMissingError
from omicstore.harmonize.genes import GeneResolver
from omicstore.harmonize.metabolites import MetaboliteNames
from omicstore.harmonize.probes import GROUPS, SPELLED, SUFFIX, plain_name, platform_name, platform_of

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
        ``hm27``, ``hm450``, ``epic``, ``epicv2``.
    frame
        probe_id (without the suffix of EPIC v2; each once), chromosome, start, entrez, symbol, gene_group. `symbol` may
        name several genes, joined by commas.
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
        """Probes to leave out, by their plain names: those of the study's masks."""
        found: set[str] = set()
        for entry in self._entries:
            if entry.kind == "masks":
                frame = self._read(entry)
                found.update(map(plain_name, frame.get_column(frame.columns[0]).drop_nulls()))
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
        frame = _plainly_named(_spoken_for(frame))
        return ProbeReference(platform, frame, grouped=frame.get_column("gene_group").null_count() < frame.height)
    plain = frame.select(
        pl.col("id").alias("probe_id"),
        "chromosome",
        "start",
        pl.lit(None, dtype=pl.String).alias("entrez"),
        "symbol",
        pl.lit(None, dtype=pl.String).alias("gene_group"),
    )
    return ProbeReference(platform, _plainly_named(plain), grouped=False)


def _plainly_named(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the suffixes of EPIC v2 off the names; replicates of a probe are annotated as the first of them."""
    import polars as pl

    return frame.with_columns(pl.col("probe_id").str.replace(SUFFIX, "")).unique(
        "probe_id", keep="first", maintain_order=True
    )


def _spoken_for(frame: pl.DataFrame) -> pl.DataFrame:
    """Resolve lists of transcripts, separated by semicolons, to the genes that a probe speaks for.

    A gene counts where the probe lies in one of its transcripts in one of `GROUPS`. Where none does, all genes stay,
    with a group that does not count. Where there are not as many groups as genes, every group is held to be of every
    gene.
    """
    import polars as pl

    listed = pl.col("symbol").str.contains(";", literal=True) | pl.col("gene_group").str.contains(";", literal=True)
    group = pl.col("gene_group").str.strip_chars()
    for pattern, name in SPELLED.items():
        group = group.str.replace(f"^(?:{pattern})$", name)
    frame = frame.with_row_index("row")
    several = frame.filter(listed.fill_null(value=False)).select(
        "row", pl.col("symbol").str.split(";"), pl.col("gene_group").str.split(";")
    )
    fits = pl.col("symbol").list.len() == pl.col("gene_group").list.len()
    pairs = pl.concat(
        [
            several.filter(fits).explode("symbol", "gene_group"),
            several.filter(~fits.fill_null(value=False)).explode("symbol").explode("gene_group"),
        ]
    ).with_columns(group, pl.col("symbol").str.strip_chars())
    counts = pl.col("gene_group").is_in(sorted(GROUPS)).fill_null(value=False) & (pl.col("symbol") != "")
    told = (
        pairs.with_columns(counts=counts)
        .group_by("row", maintain_order=True)
        .agg(
            pl.when(pl.col("counts").any())
            .then(pl.col("symbol").filter("counts").unique(maintain_order=True).str.join(","))
            .otherwise(pl.col("symbol").drop_nulls().unique(maintain_order=True).str.join(","))
            .replace("", None)
            .alias("genes"),
            pl.coalesce(pl.col("gene_group").filter("counts").first(), pl.col("gene_group").drop_nulls().first()).alias(
                "group"
            ),
        )
    )
    joined = frame.with_columns(group).join(told, on="row", how="left", maintain_order="left")
    symbol, place = pl.coalesce("genes", "symbol"), pl.coalesce("group", "gene_group")
    return joined.with_columns(symbol=symbol, gene_group=place).drop("row", "genes", "group")
