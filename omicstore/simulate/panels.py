"""Simulated antibodies and metabolites."""

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

__all__ = ["Antibodies", "make_antibodies", "metabolite_names", "write_metabolite_reference"]


@dataclass(frozen=True, slots=True)
class Antibodies:
    """The antibodies of the protein array.

    Attributes
    ----------
    names
        Names as Firehose has them, phosphorylated sites after an underscore.
    full
        Names as the Xena hubs have them, with host and validation after hyphens; some with a caution.
    gene
        (n,) index of the gene.
    phospho
        (n,) whether it sees a phosphorylated site.
    """

    names: list[str]
    full: list[str]
    gene: NDArray[np.int64]
    phospho: NDArray[np.bool_]


def make_antibodies(seed: int, genes: Genes, panel: Panel = PANEL) -> Antibodies:
    """Make the antibodies: a quarter see a phosphorylated site, some of a protein that another sees whole."""
    rng = stream(seed, "antibodies")
    phospho = np.arange(panel.antibodies) % 4 == 3
    autosomal = np.flatnonzero(~genes.on("chrX", "chrY"))
    gene = np.sort(rng.choice(autosomal, panel.antibodies, replace=False))
    both = np.flatnonzero(phospho)[::2]
    gene[both] = gene[both - 1]
    sites = rng.choice(["pS", "pT", "pY"], panel.antibodies)
    positions = rng.integers(12, 980, panel.antibodies)
    hosts = rng.choice(["R", "M", "G"], panel.antibodies)
    names, full = [], []
    symbols, aliases = genes.symbols, genes.frame["alias"].to_list()
    for i, g in enumerate(gene):
        # An antibody is called by the protein's own name where there is one, as HER2 is for ERBB2.
        protein = next((a for a in aliases[g].split("|") if a.startswith("SimP-")), symbols[g])
        name = f"{protein}_{sites[i]}{positions[i]}" if phospho[i] else protein
        names.append(name)
        full.append(f"{name}-{hosts[i]}-{'C' if i % 6 == 5 else 'V'}{'_Caution' if i % 20 == 19 else ''}")
    return Antibodies(names, full, gene, phospho)


def metabolite_names(panel: Panel = PANEL) -> list[str]:
    """Return the names of the metabolites, among them some unknown ones."""
    kinds = ("simulose", "simulate", "simuline", "simulic acid", "simulidine")
    names = [f"{kinds[i % len(kinds)]} {i + 1}" for i in range(panel.metabolites)]
    return [f"Unknown {i + 1:03d}" if i % 12 == 11 else name for i, name in enumerate(names)]


def write_metabolite_reference(path: Path, panel: Panel = PANEL) -> Path:
    """Write the table that matches names with KEGG and HMDB ids, in the layout of MetaboAnalyst.

    The ids are in ranges that neither database uses. Two names share one KEGG id; unknown ones have none.
    """
    rows = []
    for i, name in enumerate(metabolite_names(panel)):
        unknown = name.startswith("Unknown")
        number = i if i != 21 else 20
        kegg = None if unknown or i % 10 == 4 else f"C9{number + 1:04d}"
        hmdb = None if unknown else f"HMDB9{number + 1:06d}"
        match = None if unknown else name.capitalize()
        rows.append((name, match, hmdb, None, None, kegg, None, None, 0 if unknown else 1))
    columns = {"Query": pl.String, "Match": pl.String, "HMDB": pl.String, "PubChem": pl.String, "ChEBI": pl.String}
    schema = columns | {"KEGG": pl.String, "METLIN": pl.String, "SMILES": pl.String, "Comment": pl.Int64}
    return write_table(path, pl.DataFrame(rows, schema=schema, orient="row"), null="NA")
