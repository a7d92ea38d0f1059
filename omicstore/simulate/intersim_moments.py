"""The moments that the InterSIM-like simulator draws from: means, covariances, and which features speak of one gene.

They are read from a folder in InterSIM's layout, or simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError, UsageError
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Moments", "read_moments", "simulated_moments"]

#: Modality to the names of its mean and covariance files, without ``.csv.gz``.
_FILES = {"meth": ("mean.M", "cov.M"), "rna": ("mean.expr", "cov.expr"), "prot": ("mean.protein", "cov.protein")}


@dataclass(frozen=True, slots=True)
class Moments:
    """Normal distributions of three modalities, and the genes that tie their features together.

    Methylation is on the logit scale, natural logarithm; expression and protein are as measured, on a log scale.

    Attributes
    ----------
    features
        Per modality (``meth``, ``rna``, ``prot``) the F names.
    mean, cov
        Per modality (F,) and (F, F), of a sample that belongs to no cluster in particular.
    cpg_gene, protein_gene
        (F,) each: the index of the gene of each CpG and of each protein.
    """

    features: dict[str, tuple[str, ...]]
    mean: dict[str, Array]
    cov: dict[str, Array]
    cpg_gene: NDArray[np.int64]
    protein_gene: NDArray[np.int64]

    def __post_init__(self) -> None:
        for modality, names in self.features.items():
            n = len(names)
            if self.mean[modality].shape != (n,) or self.cov[modality].shape != (n, n):
                raise UsageError(
                    f"the moments of {modality} are {self.mean[modality].shape} and {self.cov[modality].shape}",
                    expected=f"({n},) and ({n}, {n})",
                )


def read_moments(folder: Path) -> Moments:
    """Read a folder of moments in InterSIM's layout.

    Twelve ``.csv.gz`` files: mean and covariance of CpGs (logit of beta), genes and proteins; the genes of CpGs and of
    proteins; and what pulls the mean of a gene towards its methylation, and that of a protein towards its gene: with
    the correlation r across genes, the mean is r times the other's plus sqrt(1 - r²) times its own (Chalise, Raghavan
    and Fridley 2016, Comput. Methods Programs Biomed. 128:69).

    Parameters
    ----------
    folder
        With mean.M, cov.M, mean.expr, cov.expr, mean.protein, cov.protein, methyl.gene.level.mean, rho.methyl.expr,
        mean.expr.with.mapped.protein, rho.expr.protein, CpG.gene.map.for.DEG and protein.gene.map.for.DEP.

    Raises
    ------
    SourceError
        If a file is missing, or names other features than it should.
    """
    features: dict[str, tuple[str, ...]] = {}
    mean, cov = {}, {}
    for modality, (centre, spread) in _FILES.items():
        names, mean[modality] = _values(folder, centre)
        features[modality] = names
        cov[modality] = _matrix(folder, spread, names)
    for modality, other, rho in (
        ("rna", "methyl.gene.level.mean", "rho.methyl.expr"),
        ("prot", "mean.expr.with.mapped.protein", "rho.expr.protein"),
    ):
        pull, r = (_values(folder, name, features[modality])[1] for name in (other, rho))
        mean[modality] = r * pull + np.sqrt(1 - r**2) * mean[modality]
    return Moments(
        features,
        mean,
        cov,
        cpg_gene=_genes(folder, "CpG.gene.map.for.DEG", "tmp.gene", features["meth"], features["rna"]),
        protein_gene=_genes(folder, "protein.gene.map.for.DEP", "gene", features["prot"], features["rna"]),
    )


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.csv.gz"


def _table(folder: Path, name: str) -> pl.DataFrame:
    path = _path(folder, name)
    if not path.is_file():
        raise SourceError(path, "there is no such file", expected="a folder of moments in InterSIM's layout")
    return pl.read_csv(path, infer_schema_length=None)


def _refuse_others(folder: Path, name: str, found: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if found != expected:
        odd = next((f"{a} for {b}" for a, b in zip(found, expected, strict=False) if a != b), f"{len(found)} names")
        raise SourceError(_path(folder, name), f"it names {odd}", expected=f"the {len(expected)} names of the means")


def _values(folder: Path, name: str, expected: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], Array]:
    table = _table(folder, name)
    names = tuple(table["name"].to_list())
    _refuse_others(folder, name, names, expected or names)
    return names, table["value"].cast(pl.Float64).to_numpy()


def _matrix(folder: Path, name: str, expected: tuple[str, ...]) -> Array:
    table = _table(folder, name)
    _refuse_others(folder, name, tuple(table.to_series(0).to_list()), expected)
    _refuse_others(folder, name, tuple(table.columns[1:]), expected)
    found = table.drop(table.columns[0]).to_numpy().astype(np.float64)
    return (found + found.T) / 2


def _genes(
    folder: Path, name: str, column: str, features: tuple[str, ...], genes: tuple[str, ...]
) -> NDArray[np.int64]:
    table = _table(folder, name)
    _refuse_others(folder, name, tuple(table.to_series(0).to_list()), features)
    where = {gene: i for i, gene in enumerate(genes)}
    unknown = sorted(set(table[column].to_list()) - set(genes))
    if unknown:
        raise SourceError(_path(folder, name), f"it has the gene {unknown[0]}", expected="genes of mean.expr")
    return np.array([where[gene] for gene in table[column].to_list()], dtype=np.int64)


def simulated_moments(seed: int = 0, *, genes: int = 131, cpgs: int = 367, proteins: int = 160) -> Moments:
    """Make moments of nobody in particular, as large as InterSIM's and much like them.

    CpGs are mostly unmethylated or mostly methylated and vary most in between; expression is centred; each modality has
    a few axes along which many features move together, and a variance of its own for each feature.

    Parameters
    ----------
    seed
        Of all that is drawn.
    genes, cpgs, proteins
        How many. Each gene has a CpG and each protein a gene; there may be more CpGs and proteins than genes.

    Examples
    --------
    >>> moments = simulated_moments(1)
    >>> {m: len(names) for m, names in moments.features.items()}
    {'meth': 367, 'rna': 131, 'prot': 160}
    """
    rng = stream(seed, "intersim", "moments")
    mean = {
        "meth": np.where(rng.random(cpgs) < 0.65, rng.normal(-3.0, 0.6, cpgs), rng.normal(1.0, 1.3, cpgs)),
        "rna": rng.normal(0.0, 1.0, genes),
        "prot": rng.normal(0.0, 0.15, proteins),
    }
    # The share of methylated strands is most uncertain in the middle; the median variances are those of real tumours.
    scale = {
        "meth": 0.25 + 0.7 * np.exp(-(mean["meth"] ** 2) / 4) * rng.lognormal(0.0, 0.3, cpgs),
        "rna": rng.lognormal(-0.4, 0.4, genes),
        "prot": rng.lognormal(-0.9, 0.45, proteins),
    }
    names = {
        "meth": tuple(f"cg9{i:07d}" for i in range(cpgs)),
        "rna": tuple(f"SIMG{i:03d}" for i in range(genes)),
        "prot": tuple(f"SimP{i:03d}" for i in range(proteins)),
    }
    return Moments(
        names,
        mean,
        {m: _covariance(rng, own) for m, own in scale.items()},
        cpg_gene=np.sort(_spread(rng, cpgs, genes)),
        protein_gene=np.sort(_spread(rng, proteins, genes)),
    )


def _covariance(rng: np.random.Generator, scale: Array, *, axes: int = 8, shared: float = 0.4) -> Array:
    """Return a covariance with the given standard deviations, of which a share lies on a few common axes."""
    loadings = rng.normal(size=(len(scale), axes)) * np.sqrt(0.5 ** np.arange(axes))
    loadings *= np.sqrt(shared) / np.linalg.norm(loadings, axis=1, keepdims=True)
    correlation = loadings @ loadings.T + (1 - shared) * np.eye(len(scale))
    return np.asarray(correlation * np.outer(scale, scale))


def _spread(rng: np.random.Generator, n: int, genes: int) -> NDArray[np.int64]:
    """Return the genes of n features: as many different ones as can be, then any."""
    first = rng.permutation(genes)[:n]
    return np.concatenate([first, rng.integers(0, genes, n - len(first))]).astype(np.int64)
