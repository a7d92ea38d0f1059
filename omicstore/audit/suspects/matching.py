"""Which sample's profile of one modality goes with which sample's profile of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["exchanged", "fit_of", "standardised"]

#: Ridge penalties that are tried, against a mean of 1 on the kernel's diagonal.
_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)

_FOLDS = 10
_MOST_COMPONENTS = 40

#: A component counts if its prediction leaves less than this share of its variance.
_LEFT = 0.98
_LEAST_COMPONENTS = 3

#: Degrees of freedom of the t distribution of what prediction leaves: tumours have outliers.
_FREEDOM = 4.0

#: How far the best exchange of a sample must stand above those of the others, in robust standard deviations and times
#: what the largest of n normal numbers reaches, sqrt(2 ln n); less so where nearly all samples go best with their own.
OVER_LARGEST, OVER_LARGEST_STRONG = 1.9, 1.7
STRONG = 0.7

#: And above staying as it is, in standard deviations of a row.
LEAST_GAIN = 1.5


def standardised(values: NDArray[np.float32]) -> Floats:
    """Return the features that half of the samples have and that vary, as clipped z-scores; 0 where missing.

    Values without a sign that reach over 50 are amounts, of which the logarithm is taken.
    """
    wide = values.astype(np.float64)
    wide = wide[:, (~np.isnan(wide)).mean(axis=0) > 0.5]
    if wide.size and np.nanmin(wide) >= 0 and np.nanmax(wide) > 50:
        wide = np.log2(wide + 1.0)
    seen = ~np.isnan(wide)
    n = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, wide, 0.0).sum(axis=0) / n
    apart = np.where(seen, wide - mean, 0.0)
    sd = np.sqrt((apart**2).sum(axis=0) / n)
    varies = sd > 1e-9
    return np.asarray(np.clip(apart[:, varies] / sd[varies], -4.0, 4.0))


def fit_of(one: Floats, other: Floats, rng: np.random.Generator) -> Floats | None:
    """Return how well each sample's profile of one modality goes with each sample's of the other.

    The principal components of each are predicted from the other by kernel ridge regression in ten folds, so that no
    sample predicts itself; an entry is the log likelihood ratio of the other's components given the prediction, against
    the components of anybody (both as t distributions), in both directions.

    Parameters
    ----------
    one, other
        (n, F) and (n, G) of `standardised`.
    rng
        Draws the folds.

    Returns
    -------
    (n, n), standardised within rows and columns; None where the modalities do not predict each other.
    """
    there, back = _one_way(one, other, rng), _one_way(other, one, rng)
    if there is None or back is None:
        return None
    both = there + back.T
    across = (both - both.mean(axis=1, keepdims=True)) / both.std(axis=1, keepdims=True)
    down = (both - both.mean(axis=0)) / both.std(axis=0)
    return np.asarray((across + down) / 2)


def _one_way(source: Floats, target: Floats, rng: np.random.Generator) -> Floats | None:
    n = len(source)
    gram = target @ target.T
    roots, vectors = np.linalg.eigh(gram)
    count = min(_MOST_COMPONENTS, n // 4, int((roots > 1e-9 * roots[-1]).sum()))
    components = np.clip(vectors[:, ::-1][:, :count] * np.sqrt(n), -3.0, 3.0)
    kernel = source @ source.T
    kernel /= np.mean(np.diag(kernel))
    fold = rng.permutation(n) % _FOLDS
    best, predicted, left = np.inf, components, np.ones(count)
    for penalty in _PENALTIES:
        made = np.zeros_like(components)
        for k in range(_FOLDS):
            held, kept = fold == k, fold != k
            mean = components[kept].mean(axis=0)
            within = kernel[np.ix_(kept, kept)] + penalty * np.eye(int(kept.sum()))
            made[held] = mean + kernel[np.ix_(held, kept)] @ np.linalg.solve(within, components[kept] - mean)
        share = ((components - made) ** 2).mean(axis=0) / (components**2).mean(axis=0)
        score = float(np.minimum(np.log(share), 0.0).sum())
        if score < best:
            best, predicted, left = score, made, share
    used = left < _LEFT
    if used.sum() < _LEAST_COMPONENTS:
        return None
    components, predicted = components[:, used], predicted[:, used]
    spread = (components**2).mean(axis=0)
    error = left[used] * spread
    total = np.zeros((n, n))
    for k in range(components.shape[1]):
        away = (components[None, :, k] - predicted[:, None, k]) ** 2
        total -= np.log1p(away / (_FREEDOM * error[k]))
        total += np.log1p(components[None, :, k] ** 2 / (_FREEDOM * spread[k]))
    return np.asarray((_FREEDOM + 1) / 2 * total)


def exchanged(fit: Floats) -> tuple[list[tuple[int, int, float]], float]:
    """Return the samples that go better with each other's profile than with their own, and how well own ones go.

    Parameters
    ----------
    fit
        Of `fit_of`.

    Returns
    -------
    ``(i, j, z)`` with i < j of samples that are each other's best exchange, if the gain stands out from the best
    exchanges of all samples and is at least `LEAST_GAIN`; and the share of samples whose own profile goes best with
    them.
    """
    own = np.diag(fit)
    gain = fit + fit.T - own[:, None] - own
    np.fill_diagonal(gain, -np.inf)
    best, partner = gain.max(axis=1), gain.argmax(axis=1)
    middle = np.median(best)
    scale = 1.4826 * np.median(np.abs(best - middle))
    z = (best - middle) / max(scale, 1e-9)
    share = float((fit.argmax(axis=1) == np.arange(len(fit))).mean())
    least = (OVER_LARGEST_STRONG if share >= STRONG else OVER_LARGEST) * np.sqrt(2 * np.log(len(fit)))
    found = [
        (i, int(j), float(z[i]))
        for i, j in enumerate(partner)
        if i < j and partner[j] == i and z[i] >= least and best[i] >= LEAST_GAIN
    ]
    return sorted(found, key=lambda f: -f[2]), share
