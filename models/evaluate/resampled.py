"""The scores of classes and clusters under every weighting of the samples at once, for intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["CLASS_SCORES", "agreement", "areas", "resampled_scores"]

#: Name to title.
CLASS_SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "mcc": "MCC",
    "auroc": "AUROC, one class against the rest",
}


def resampled_scores(truth: NDArray[np.integer], probabilities: Floats, weights: Floats) -> dict[str, Floats]:
    """Return the scores of `CLASS_SCORES` under each row of weights.

    They are scikit-learn's with ``sample_weight``, where a class that a resample has not drawn is not in its truth.
    Macro-F1 is the mean over the classes that are found in the truth or in the labels, weighted F1 the mean by the
    truth's rows, balanced accuracy the mean recall of its classes, MCC 0 where all is of one class. AUROC is the mean
    over the classes that have some rows and not all; NaN where none has.

    Parameters
    ----------
    truth
        (n,) int, from 0.
    probabilities
        (n, C); the label is the class of the highest one, the first of equals.
    weights
        (B, n), how often each sample counts.

    Returns
    -------
    Per score (B,).

    Examples
    --------
    >>> given = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> scores = resampled_scores(np.array([0, 0, 1]), given, np.ones((1, 3)))
    >>> {name: round(float(value[0]), 3) for name, value in scores.items()}
    {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'macro_f1': 0.667, 'weighted_f1': 0.667, 'mcc': 0.5, 'auroc': 1.0}
    """
    n_classes = probabilities.shape[1]
    true, found = np.eye(n_classes)[truth], np.eye(n_classes)[probabilities.argmax(axis=1)]
    total = weights.sum(axis=1)
    n_true, n_found, right = weights @ true, weights @ found, weights @ (true * found)
    hits = right.sum(axis=1)
    f1 = _ratio(2 * right, n_true + n_found)
    met, most = total * hits - (n_true * n_found).sum(axis=1), total**2
    spread = (most - (n_true**2).sum(axis=1)) * (most - (n_found**2).sum(axis=1))
    return {
        "accuracy": hits / total,
        "balanced_accuracy": np.nanmean(_ratio(right, n_true), axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
        "weighted_f1": np.nansum(f1 * n_true, axis=1) / total,
        "mcc": np.where(spread > 0, met / np.sqrt(np.where(spread > 0, spread, 1)), 0),
        "auroc": _mean(np.stack([areas(truth == c, probabilities[:, c], weights) for c in range(n_classes)], axis=1)),
    }


def areas(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return the area under the ROC curve under each row of weights, (B,); NaN where one side has no row.

    It is the share of pairs of a positive and another row in which the positive has the higher score; equal scores
    count one half (Hanley and McNeil 1982, Radiology 143:29).

    Examples
    --------
    >>> areas(np.array([True, False, False]), np.array([0.5, 0.5, 0.1]), np.ones((1, 3))).tolist()
    [0.75]
    """
    values, place = np.unique(score, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(values)))
    own = np.add.reduceat((weights * positive)[:, order], starts, axis=1)
    other = np.add.reduceat((weights * ~positive)[:, order], starts, axis=1)
    below = other.cumsum(axis=1) - other
    return _ratio((own * (below + other / 2)).sum(axis=1), own.sum(axis=1) * other.sum(axis=1))


def agreement(label: NDArray[np.integer], cluster: NDArray[np.integer], weights: Floats) -> dict[str, Floats]:
    """Return NMI and ARI of two partitions under each row of weights.

    As scikit-learn defines them, with the arithmetic mean of the entropies. A row that is drawn twice is not a pair
    with itself: were it one, the resamples' Rand index would be higher than the whole's. Mutual information is higher
    among fewer different rows whatever is done, so that its interval leans upwards.

    Parameters
    ----------
    label, cluster
        (n,) int, from 0.
    weights
        (B, n), how often each row counts.

    Returns
    -------
    ``nmi`` and ``ari``, (B,) each.

    Examples
    --------
    >>> found = agreement(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.ones((1, 4)))
    >>> {name: float(values[0]) for name, values in found.items()}
    {'nmi': 1.0, 'ari': 1.0}
    """
    a, b = np.eye(label.max() + 1)[label], np.eye(cluster.max() + 1)[cluster]
    both = (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)
    whole = np.ones((len(a), 1))
    parts = [weights @ each for each in (both, a, b)]
    entropy, h_a, h_b = (_entropy(part) for part in parts)
    mean = (h_a + h_b) / 2
    squares = weights**2
    pairs, in_a, in_b, every = (
        (((weights @ each) ** 2 - squares @ each) / 2).sum(axis=1) for each in (both, a, b, whole)
    )
    chance = _ratio(in_a * in_b, every)
    gap = (in_a + in_b) / 2 - chance
    return {
        "nmi": np.where(mean > 0, (h_a + h_b - entropy) / np.where(mean > 0, mean, 1), 1),
        "ari": np.where(gap > 0, (pairs - chance) / np.where(gap > 0, gap, 1), 1),
    }


def _entropy(counts: Floats) -> Floats:
    share = counts / counts.sum(axis=1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=1))


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0))


def _mean(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(axis=1), known.sum(axis=1).astype(np.float64))
