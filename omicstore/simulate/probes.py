"""Simulated methylation probes with gene, group and island annotation, as on a 450k array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.simulate.design import PANEL, Panel
from omicstore.simulate.files import write_table
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.simulate.genes import Genes

__all__ = ["Probes", "make_probes", "write_probe_reference"]

GROUPS = {"TSS1500": 0.24, "TSS200": 0.20, "5'UTR": 0.12, "1stExon": 0.06, "Body": 0.24, "3'UTR": 0.07, "": 0.07}
PROMOTER = ("TSS1500", "TSS200", "5'UTR", "1stExon")


@dataclass(frozen=True, slots=True)
class Probes:
    """The probes.

    Attributes
    ----------
    frame
        probe_id, chromosome, position, group, island.
    gene
        Index of each probe's gene; -1 for none.
    """

    frame: pl.DataFrame
    gene: NDArray[np.int64]

    @property
    def promoter(self) -> NDArray[np.bool_]:
        """Which probes lie in a promoter."""
        return self.frame["group"].is_in(PROMOTER).to_numpy()


def make_probes(seed: int, genes: Genes, panel: Panel = PANEL) -> Probes:
    """Make the probes: nine in ten belong to a gene, and some of those to none of its regions."""
    rng = stream(seed, "probes")
    count = panel.probes
    gene = np.sort(rng.integers(0, len(genes), count))
    gene[rng.random(count) < 0.06] = -1
    group = rng.choice(list(GROUPS), count, p=list(GROUPS.values()))
    group[gene < 0] = ""
    island = rng.choice(["Island", "N_Shore", "S_Shore", "OpenSea"], count, p=[0.35, 0.15, 0.15, 0.35])
    frame = genes.frame
    position = frame["start"].to_numpy()[gene] + rng.integers(-1500, 3000, count)
    ids = [f"cg{90_000_000 + 37 * (i + 1):08d}" for i in range(count)]
    body = pl.DataFrame(
        {
            "probe_id": ids,
            "chromosome": frame["chromosome"].gather(np.where(gene < 0, 0, gene)),
            "position": position,
            "strand": rng.choice(["+", "-"], count).tolist(),
            "group": group.tolist(),
            "island": island.tolist(),
        }
    )
    return Probes(body, gene)


def write_probe_reference(path: Path, probes: Probes, genes: Genes) -> Path:
    """Write the annotation in the columns of the published hm450 table."""
    owned = probes.gene >= 0
    symbol = genes.frame["symbol"].gather(np.where(owned, probes.gene, 0))
    entrez = genes.frame["entrez"].gather(np.where(owned, probes.gene, 0))
    frame = probes.frame.with_columns(owned=pl.Series(owned), symbol=symbol, entrez=entrez).select(
        "probe_id",
        pl.col("chromosome").alias("chrom_hg19"),
        (pl.col("position") - 1000).alias("pos_hg19"),
        pl.col("strand").alias("strand_hg19"),
        pl.col("chromosome").alias("chrom_hg38"),
        pl.col("position").alias("beg_hg38"),
        pl.col("island").alias("cgi_relation"),
        pl.when("owned").then("entrez").alias("entrez_id"),
        pl.when("owned").then("symbol").alias("symbol_hgnc"),
        pl.when("owned").then("symbol").alias("symbol_methylmix"),
        pl.when(pl.col("group") != "").then("group").alias("gene_group"),
    )
    return write_table(path, frame)
