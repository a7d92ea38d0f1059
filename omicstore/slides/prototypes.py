"""A few prototypes for the thousands of patches of a slide: the means of a Gaussian mixture.

A. H. Song et al., Morphological prototyping for unsupervised slide representation learning in computational pathology
(PANTHER), CVPR 2024, as MoSARe uses them: 16 components with diagonal covariance.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["MOST", "Prototypes", "prototypes", "sampled"]

#: At most so many patches of a slide are fitted; of more, as many are drawn at random.
MOST = 4096

_FLOOR = 1e-6  # is added to variances, so that a component on one point has a width


@dataclass(frozen=True, slots=True)
class Prototypes:
    """The mixture of one slide; components in order of their weight, the heaviest first.

    Attributes
    ----------
    means
        (k, d) float32. A slide of fewer patches than k has as many components as distinct patches; the rest are NaN.
    weights
        (k,) float32, which add up to 1; 0 where there is no component.
    variances
        (k, d) float32: the diagonals of the covariances.
    """

    means: NDArray[np.float32]
    weights: NDArray[np.float32]
    variances: NDArray[np.float32]


def prototypes(features: NDArray[np.floating], k: int = 16, seed: int = 0) -> Prototypes:
    """Fit a Gaussian mixture with diagonal covariances to the patches of one slide.

    The order of the patches does not matter.

    Parameters
    ----------
    features
        (n, d), finite, n at least 1.
    k
        How many components.
    seed
        Of the first means (k-means), and of the draw from more than `MOST` patches.

    Raises
    ------
    UsageError
        If there is no patch, a number is not finite, or `k` is under 1.
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> found = prototypes(np.array([[0.0], [0.1], [5.0], [5.1], [5.2]]), k=2)
    >>> [f"{mean:.2f}: {weight:.1f}" for mean, weight in zip(found.means[:, 0], found.weights, strict=True)]
    ['5.10: 0.6', '0.05: 0.4']
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
    except ImportError:
        raise MissingExtraError("scikit-learn", "slides") from None

    rows = np.asarray(features, np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise UsageError(f"patches of shape {rows.shape}", expected="(n, d) finite numbers, n at least 1")
    if k < 1:
        raise UsageError(f"{k} prototypes", expected="at least 1")
    rows = rows[np.lexsort(rows.T[::-1])]
    if len(rows) > MOST:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), MOST, replace=False))]
    distinct = 1 + int((rows[1:] != rows[:-1]).any(axis=1).sum())
    n = min(k, distinct)
    if n == 1:
        means, weights, variances = rows.mean(axis=0)[None], np.ones(1), rows.var(axis=0)[None] + _FLOOR
    else:
        model = GaussianMixture(n, covariance_type="diag", init_params="kmeans", reg_covar=_FLOOR, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 100 steps are near enough to a summary
            model.fit(rows)
        means, weights, variances = model.means_, model.weights_, model.covariances_
    order = np.lexsort((*means.T[::-1], -weights))

    def filled(values: NDArray[np.floating], empty: float) -> NDArray[np.float32]:
        whole = np.full((k, *values.shape[1:]), empty, np.float32)
        whole[:n] = values[order]
        return whole

    return Prototypes(filled(means, np.nan), filled(weights, 0.0), filled(variances, np.nan))


def sampled(parts: Iterable[NDArray[np.floating]], seed: int = 0) -> NDArray[np.float32]:
    """Return at most `MOST` rows of a slide that comes in parts, each as likely as any other.

    Only so many are ever in memory: every row gets a random number, and those with the smallest are kept.

    Examples
    --------
    >>> sampled([np.zeros((3, 2)), np.ones((2, 2))]).shape
    (5, 2)
    """
    rng = np.random.default_rng(seed)
    marks, rows = np.empty(0), np.empty((0, 0), np.float32)
    for part in parts:
        marks = np.concatenate([marks, rng.random(len(part))])
        rows = np.concatenate([rows, part]) if rows.size else np.asarray(part, np.float32)
        if len(marks) > MOST:
            kept = np.sort(np.argpartition(marks, MOST)[:MOST])
            marks, rows = marks[kept], rows[kept]
    return np.asarray(rows, np.float32)
