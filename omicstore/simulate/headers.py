"""Gene names as upstream files write them: retired, ambiguous, doubled, damaged or by Entrez id alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.genes import AMBIGUOUS_ALIAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.genes import Genes

__all__ = ["GENE_HEADERS"]

Named = tuple[list[str], "NDArray[np.float64]"]


def ensembl(genes: Genes, tpm: NDArray[np.float64]) -> Named:
    """Return versioned Ensembl ids with three pseudoautosomal doubles and two ids that are in no reference."""
    ids = [f"{e}.{v}" for e, v in zip(genes.frame["ensembl"], genes.frame["version"], strict=True)]
    on_x = np.flatnonzero(genes.on("chrX"))[:3]
    names = [*ids, *(f"{ids[i]}_PAR_Y" for i in on_x), "ENSG80000000001.1", "ENSG80000000002.3"]
    return names, np.hstack([tpm, np.zeros((tpm.shape[0], on_x.size)), tpm[:, :2]])


def entrez(genes: Genes, tpm: NDArray[np.float64]) -> Named:
    """Return ``SYMBOL|ENTREZ``: five known and three unknown ids without a symbol, and one symbol of two genes."""
    symbols, ids = genes.symbols, genes.frame["entrez"].to_list()
    names = [f"{s}|{e}" for s, e in zip(symbols, ids, strict=True)]
    for i in (60, 160, 260, 360, 460):
        names[i] = f"?|{ids[i]}"
    names[101] = f"{symbols[100]}|{ids[101]}"
    names += [f"?|{980_000_000 + i}" for i in range(3)]
    return names, np.hstack([tpm, tpm[:, :3]])


def symbols_of_old(genes: Genes, tpm: NDArray[np.float64]) -> Named:
    """Return symbols of an old annotation: retired ones, aliases, one alias of two genes, and unknown ones."""
    names = genes.symbols
    for i, (alias, previous) in enumerate(zip(genes.frame["alias"], genes.frame["previous"], strict=True)):
        unique = [a for a in alias.split("|") if a.startswith("SIMALT")]
        names[i] = previous or (unique[0] if unique else names[i])
    return [*names, AMBIGUOUS_ALIAS, "SIMX0001", "SIMX0002"], np.hstack([tpm, tpm[:, :3]])


def symbols_split(genes: Genes, tpm: NDArray[np.float64]) -> Named:
    """Return symbols where a retired name stands beside the new one, each with a part of the gene; one is damaged.

    ``1-Mar`` is what a spreadsheet makes of two different gene symbols.
    """
    previous = genes.frame["previous"].to_list()
    split = [i for i, name in enumerate(previous) if name][:4]
    values = tpm.copy()
    values[:, split] *= 0.7
    names = [*genes.symbols, *(previous[i] for i in split), "1-Mar"]
    return names, np.hstack([values, tpm[:, split] * 0.3, tpm[:, :1]])


#: How each cohort's RNA file names the genes.
GENE_HEADERS = {"BRCA": ensembl, "UCEC": entrez, "GBM": symbols_of_old, "LGG": symbols_split}
