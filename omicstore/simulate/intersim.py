"""Three modalities of tumours in clusters, from means and covariances, as InterSIM draws them.

Only the cluster links the modalities of a sample: given it, they are drawn apart. So a translation from one modality to
another can know no more than the cluster, and the best one says the cluster's mean. What a model that translates can be
asked here is whether it finds the clusters; how well it translates one sample from another has to be measured on
real samples with several modalities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import UsageError
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.simulate.intersim_moments import Moments

__all__ = ["ClusteredOmics", "draw_clusters"]

#: Shares of the samples, and the share of CpGs that a cluster shifts.
_EVEN, P_DMP = (0.2,) * 5, 0.2


@dataclass(frozen=True, slots=True)
class ClusteredOmics:
    """Samples in clusters.

    Attributes
    ----------
    values
        Per modality (n, F) float32: ``meth`` beta values, ``rna`` and ``prot`` log-like.
    features
        Per modality the F names.
    cluster
        (n,) int64.
    shifted
        Per modality (K, F): which features a cluster shifts.
    centre
        Per modality (K, F) float64: the mean of a cluster, methylation on the logit scale.
    """

    values: dict[str, NDArray[np.float32]]
    features: dict[str, tuple[str, ...]]
    cluster: NDArray[np.int64]
    shifted: dict[str, NDArray[np.bool_]]
    centre: dict[str, NDArray[np.float64]]


def draw_clusters(
    moments: Moments,
    n: int,
    *,
    delta: float = 2.0,
    shares: Sequence[float] = _EVEN,
    p_dmp: float = P_DMP,
    seed: int = 0,
) -> ClusteredOmics:
    """Draw samples in clusters.

    A cluster shifts each CpG with the probability `p_dmp`, the genes that have a shifted CpG, and the proteins of those
    genes, all by `delta` and upwards: CpGs on the logit scale, so that beta values stay between 0 and 1.

    Parameters
    ----------
    moments
        What to draw from.
    n
        Samples.
    delta
        The shift. 0 gives clusters in name alone.
    shares
        Of the samples in each cluster; they add up to 1.
    p_dmp
        Share of CpGs that a cluster shifts.
    seed
        Of all that is drawn. The clusters' features are the same for any `n` and `delta`.

    Raises
    ------
    UsageError
        If the shares do not add up to 1.

    Examples
    --------
    >>> from omicstore.simulate.intersim_moments import simulated_moments
    >>> drawn = draw_clusters(simulated_moments(), 10, shares=(0.5, 0.3, 0.2))
    >>> np.bincount(drawn.cluster).tolist()
    [5, 3, 2]
    >>> drawn.values["prot"].shape
    (10, 160)
    """
    if not np.isclose(sum(shares), 1) or min(shares) < 0:
        raise UsageError(f"the clusters have shares {tuple(shares)}", expected="shares that add up to 1")
    shifted = _shifted(moments, len(shares), p_dmp, seed)
    edges = np.rint(np.cumsum(shares) * n).astype(np.int64)
    cluster = stream(seed, "intersim", "order").permutation(np.searchsorted(edges, np.arange(n), side="right"))
    values, centre = {}, {}
    for modality, mean in moments.mean.items():
        centre[modality] = mean + delta * shifted[modality]
        normal = stream(seed, "intersim", modality).normal(size=(n, len(mean)))
        drawn = centre[modality][cluster] + normal @ _root(moments.cov[modality])
        values[modality] = (1 / (1 + np.exp(-drawn)) if modality == "meth" else drawn).astype(np.float32)
    return ClusteredOmics(values, moments.features, cluster.astype(np.int64), shifted, centre)


def _shifted(moments: Moments, clusters: int, p_dmp: float, seed: int) -> dict[str, NDArray[np.bool_]]:
    rng = stream(seed, "intersim", "shifts")
    cpgs = rng.random((clusters, len(moments.features["meth"]))) < p_dmp
    genes = np.zeros((clusters, len(moments.features["rna"])), dtype=bool)
    for k in range(clusters):
        genes[k, moments.cpg_gene[cpgs[k]]] = True
    return {"meth": cpgs, "rna": genes, "prot": genes[:, moments.protein_gene]}


def _root(cov: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric square root of a covariance; what rounding made negative counts as 0."""
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)
