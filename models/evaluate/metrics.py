"""How well a modality is predicted: every metric under every weighting of the samples at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["METRICS", "feature_pearson", "prediction_metrics", "sample_errors"]

#: Name to title; MSE and R2 over all observed entries together, Pearson per feature and then averaged.
METRICS = {"mse": "MSE", "r2": "R²", "pearson": "mean Pearson r"}

#: Features are worked on in blocks of this many.
BLOCK = 512


def prediction_metrics(
    truth: NDArray[np.floating], guess: NDArray[np.floating], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return MSE, R2 and Pearson under each row of weights.

    R2 is one minus the squared error over the squared deviation from the features' means, both summed over all
    entries (scikit-learn's ``variance_weighted``): averaged over features it would be ruled by those that hardly vary
    in a small test part. The means are those of all n samples under every weighting: were they the resample's own,
    every resample would be harder than the whole. A feature that does not vary in the truth has no r and is left out
    of its mean; a prediction that does not vary has r = 0.

    Parameters
    ----------
    truth
        (n, F), NaN = not observed.
    guess
        (n, F), without NaN.
    weights
        (B, n), how often each sample counts.

    Returns
    -------
    ``mse``, ``r2`` and ``pearson``, (B,) each.

    Examples
    --------
    >>> truth = np.array([[0.0], [2.0]])
    >>> {k: float(v[0]) for k, v in prediction_metrics(truth, truth + 1, np.ones((1, 2))).items()}
    {'mse': 1.0, 'r2': 0.0, 'pearson': 1.0}
    """
    n_boot = weights.shape[0]
    squares, spread, entries = np.zeros(n_boot), np.zeros(n_boot), np.zeros(n_boot)
    correlation, usable = np.zeros(n_boot), np.zeros(n_boot)
    for start in range(0, truth.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        n, sse, sst, syy, spp, syp = _moments(truth[:, block], guess[:, block], weights)
        squares += sse.sum(axis=1)
        entries += n.sum(axis=1)
        spread += sst.sum(axis=1)
        usable += (syy > _floor(n)).sum(axis=1)
        correlation += _pearson(n, syy, spp, syp).sum(axis=1)
    return {
        "mse": squares / np.where(entries > 0, entries, np.nan),
        "r2": 1 - squares / np.where(spread > 0, spread, np.nan),
        "pearson": correlation / np.where(usable > 0, usable, np.nan),
    }


def sample_errors(
    truth: NDArray[np.floating], guess: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what MSE and R2 are sums of, per sample: entries observed, squared error and squared deviation, (n,) each.

    The deviation is that from the features' means over all n samples.

    Parameters
    ----------
    truth
        (n, F), NaN = not observed.
    guess
        (n, F), without NaN.

    Examples
    --------
    >>> truth = np.array([[0.0], [2.0]])
    >>> [part.tolist() for part in sample_errors(truth, truth + 1)]
    [[1, 1], [1.0, 1.0], [1.0, 1.0]]
    """
    n = np.zeros(len(truth), dtype=np.int64)
    error, deviation = np.zeros(len(truth)), np.zeros(len(truth))
    for start in range(0, truth.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        seen = ~np.isnan(truth[:, block])
        y = np.where(seen, truth[:, block], 0).astype(np.float64)
        mean = y.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        n += seen.sum(axis=1)
        error += np.where(seen, (y - guess[:, block]) ** 2, 0).sum(axis=1)
        deviation += np.where(seen, (y - mean) ** 2, 0).sum(axis=1)
    return n, error, deviation


def feature_pearson(truth: NDArray[np.floating], guess: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (F,) each feature's Pearson r over the observed samples; 0 where either side does not vary."""
    n, _, _, syy, spp, syp = _moments(truth, guess, np.ones((1, truth.shape[0])))
    return np.asarray(_pearson(n, syy, spp, syp)[0])


def _moments(
    truth: NDArray[np.floating], guess: NDArray[np.floating], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Return per weighting and feature the count and five sums of squares.

    Of the error, of the truth about its mean over all samples, and, about the weighting's own means, of the truth, of
    the guess, and of their product.
    """
    seen = ~np.isnan(truth)
    # Shifting by the plain mean keeps the one-pass variance from losing digits.
    count = np.maximum(seen.sum(axis=0), 1)
    y = np.where(seen, truth, 0).astype(np.float64)
    p = np.where(seen, guess, 0).astype(np.float64)
    error = weights @ ((y - p) ** 2)
    y = np.where(seen, y - y.sum(axis=0) / count, 0)
    p = np.where(seen, p - p.sum(axis=0) / count, 0)
    n = weights @ seen.astype(np.float64)
    safe = np.maximum(n, 1)
    sy, sp = weights @ y, weights @ p
    syy, spp, syp = weights @ (y * y), weights @ (p * p), weights @ (y * p)
    return n, error, syy, syy - sy * sy / safe, spp - sp * sp / safe, syp - sy * sp / safe


def _pearson(
    n: NDArray[np.float64], syy: NDArray[np.float64], spp: NDArray[np.float64], syp: NDArray[np.float64]
) -> NDArray[np.float64]:
    varies = (syy > _floor(n)) & (spp > _floor(n))
    return np.asarray(np.where(varies, syp / np.sqrt(np.where(varies, syy * spp, 1)), 0))


def _floor(n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squares below which a feature does not vary but for rounding."""
    return np.asarray(1e-12 * np.maximum(n, 1))
