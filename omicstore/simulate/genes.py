"""Simulated genes and their two reference tables.

Ids lie in ranges that no database uses: ``ENSG90000000001``, Entrez 990000001, ``HGNC:9000001``, symbols ``SIMG0001``.
"""

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

__all__ = ["AMBIGUOUS_ALIAS", "Genes", "make_genes", "write_gene_references"]

#: An alias that two genes share, so that it names neither.
AMBIGUOUS_ALIAS = "SIMAMBIG"


@dataclass(frozen=True, slots=True)
class Genes:
    """The simulated genes, in the order of the genome.

    Attributes
    ----------
    frame
        ensembl, version, symbol, entrez, hgnc, chromosome, start, end, strand, alias, previous; one row per gene.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @property
    def symbols(self) -> list[str]:
        """The approved symbols."""
        return self.frame["symbol"].to_list()

    def on(self, *chromosomes: str) -> NDArray[np.bool_]:
        """Return which genes lie on the named chromosomes."""
        return self.frame["chromosome"].is_in(chromosomes).to_numpy()


def make_genes(seed: int, panel: Panel = PANEL) -> Genes:
    """Make the genes: autosomal ones, then those of X and of Y; some have an alias, some a previous symbol."""
    rng = stream(seed, "genes")
    autosomal = panel.genes - panel.genes_x - panel.genes_y
    chromosome = np.concatenate(
        [np.sort(rng.integers(1, 23, autosomal)), np.full(panel.genes_x, 23), np.full(panel.genes_y, 24)]
    )
    start = np.empty(panel.genes, dtype=np.int64)
    for number in np.unique(chromosome):
        here = chromosome == number
        start[here] = np.sort(rng.choice(5000, here.sum(), replace=False)) * 10_000 + 1_000_000
    names = [*(f"chr{i}" for i in range(1, 23)), "chrX", "chrY"]
    number = range(1, panel.genes + 1)
    frame = pl.DataFrame(
        {
            "ensembl": [f"ENSG9{i:010d}" for i in number],
            "version": rng.integers(1, 15, panel.genes),
            "symbol": [f"SIMG{i:04d}" for i in number],
            "entrez": [str(990_000_000 + i) for i in number],
            "hgnc": [f"HGNC:{9_000_000 + i}" for i in number],
            "chromosome": [names[i - 1] for i in chromosome],
            "start": start,
            "end": start + rng.integers(800, 9_000, panel.genes),
            "strand": rng.choice(["+", "-"], panel.genes).tolist(),
            "alias": [_aliases(i) for i in number],
            "previous": [f"SIMOLD{i:04d}" if i % 40 == 13 else "" for i in number],
        }
    )
    return Genes(frame)


def _aliases(number: int) -> str:
    aliases = [f"SimP-{number:03d}"] if number % 5 == 1 else []
    if number % 40 == 7:
        aliases.append(f"SIMALT{number:04d}")
    if number in (50, 52):
        aliases.append(AMBIGUOUS_ALIAS)
    return "|".join(aliases)


def write_gene_references(folder: Path, genes: Genes) -> tuple[Path, Path]:
    """Write the genes as a Xena probe map and as an HGNC complete set; return both paths."""
    frame = genes.frame
    versioned = pl.format("{}.{}", "ensembl", "version")
    on_x = frame.filter(pl.col("chromosome") == "chrX").head(3)
    # GENCODE lists the genes of the pseudoautosomal region twice.
    twice = on_x.with_columns(ensembl=pl.format("{}.{}_PAR_Y", "ensembl", "version"), chromosome=pl.lit("chrY"))
    probemap = pl.concat([frame.with_columns(ensembl=versioned), twice]).select(
        pl.col("ensembl").alias("id"),
        pl.col("symbol").alias("gene"),
        pl.col("chromosome").alias("chrom"),
        pl.col("start").alias("chromStart"),
        pl.col("end").alias("chromEnd"),
        "strand",
    )
    hgnc = frame.select(
        pl.col("hgnc").alias("hgnc_id"),
        "symbol",
        pl.format("simulated gene {}", pl.col("symbol").str.slice(4)).alias("name"),
        pl.lit("protein-coding gene").alias("locus_group"),
        pl.lit("gene with protein product").alias("locus_type"),
        pl.lit("Approved").alias("status"),
        pl.col("chromosome").str.slice(3).alias("location"),
        pl.col("alias").alias("alias_symbol"),
        pl.col("previous").alias("prev_symbol"),
        pl.col("entrez").alias("entrez_id"),
        pl.col("ensembl").alias("ensembl_gene_id"),
    )
    return (
        write_table(folder / "simulated.gene.probemap.gz", probemap),
        write_table(folder / "simulated_hgnc.txt.gz", hgnc),
    )
