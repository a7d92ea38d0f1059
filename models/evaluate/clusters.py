"""Clusters of an embedding, beside the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.extras import extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Clusters", "leiden"]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of an embedding.

    Attributes
    ----------
    membership
        (n,) int, the cluster of each row; 0 is the largest.
    resolution, neighbours, seed
        What they were made with.
    """

    membership: NDArray[np.int64]
    resolution: float
    neighbours: int
    seed: int


def leiden(z: NDArray[np.floating], *, resolution: float = 1.0, neighbours: int = 15, seed: int = 0) -> Clusters:
    """Cluster an embedding with Leiden (Traag et al. 2019, Sci. Rep. 9:5233); leidenalg computes it.

    The graph joins two rows where either is among the other's nearest neighbours by Euclidean distance, all edges
    alike. The quality is modularity with a resolution (Reichardt and Bornholdt 2006), improved until it stands still.
    The papers do not say which resolution they used; 1 is plain modularity.

    Parameters
    ----------
    z
        (n, D).
    resolution
        Higher = more clusters.
    neighbours
        How many nearest neighbours; at most n - 1 are taken.
    seed
        Of leidenalg's generator.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(20, 2)) + 50])
    >>> found = leiden(z, resolution=0.1)
    >>> np.bincount(found.membership).tolist()
    [30, 20]
    """
    from sklearn.neighbors import kneighbors_graph

    igraph, leidenalg = extra("igraph", "bench"), extra("leidenalg", "bench")
    near = kneighbors_graph(z, min(neighbours, len(z) - 1)).tocoo()
    pairs = np.unique(np.sort(np.column_stack([near.row, near.col]), axis=1), axis=0)
    found = leidenalg.find_partition(
        igraph.Graph(n=len(z), edges=pairs.tolist()),
        leidenalg.RBConfigurationVertexPartition,
        resolution_parameter=resolution,
        n_iterations=-1,
        seed=seed,
    )
    return Clusters(np.array(found.membership, dtype=np.int64), resolution, neighbours, seed)
