"""What numbers tell of their making before they came into the store: scaled over all samples, picked by the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.audit.leaks.marks import LEAST_FEATURES, spreads
from omicstore.audit.leaks.words import LEAST_CLASS
from omicstore.audit.numbers import label_of, pools

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle

__all__ = ["edge", "f_test", "is_scaled", "picked_by_label", "scaled_on_all"]

#: Means and deviations agree with 0 and 1 so well: as median |t| (chance gives 0.67), and as a difference.
_MEDIAN_T, _OFF_ONE = 0.1, 0.02

#: So many features are needed to see an edge, all with a smaller p value than this.
_LEAST_PICKED, _ALL_BELOW = 30, 0.05

#: The smallest tenth of -log10 p reaches up so far of the way to the median, where the distribution was cut off. A
#: distribution that falls from its edge, as an exponential does, gives 0.15; one that tapers, as a normal does, 0.5.
_CUT = 0.3


def scaled_on_all(bundle: Bundle, known: set[tuple[str, str]]) -> list[str]:
    """Name the matrices whose features all have mean 0 and standard deviation 1 over all samples of the cohort.

    Parameters
    ----------
    bundle
        What is audited.
    known
        (cohort, modality) that need not be looked at, since their files say so.
    """
    found = []
    for pool in pools(bundle):
        for cohort in np.unique(pool.cohorts).tolist():
            own = pool.values[pool.cohorts == cohort]
            if (cohort, pool.modality) not in known and is_scaled(own):
                found.append(
                    f"{pool.modality} of {cohort} has mean 0 and standard deviation 1 in its features over all "
                    f"{len(own)} samples, test rows among them, and its file does not say so"
                )
    return found


def is_scaled(values: NDArray[np.float32]) -> bool:
    """Return whether features are z-scores over these very rows.

    Parameters
    ----------
    values
        (n, F), NaN = missing.

    Examples
    --------
    >>> x = np.random.default_rng(0).gamma(2.0, size=(50, 30)).astype(np.float32)
    >>> is_scaled(x), is_scaled((x - x.mean(axis=0)) / x.std(axis=0))
    (False, True)
    """
    seen = (~np.isnan(values)).sum(axis=0)
    deviation = spreads(values)
    usable = (deviation > 0) & (seen >= max(8, 0.5 * len(values)))
    if usable.sum() < LEAST_FEATURES:
        return False
    n, sd = seen[usable], deviation[usable]
    mean = np.nansum(values[:, usable], axis=0, dtype=np.float64) / n
    t = np.abs(mean) / (sd / np.sqrt(n))
    off = min(np.median(np.abs(sd - 1)), np.median(np.abs(sd * np.sqrt(n / (n - 1)) - 1)))
    return bool(np.median(t) < _MEDIAN_T and off < _OFF_ONE)


def picked_by_label(bundle: Bundle) -> list[str]:
    """Name the matrices in which every feature is associated with the label, with an edge where others were cut off.

    It sees a table of the best features by a test on all samples. Not a table to which others were added, a selection
    that the association within the cohorts given does not show (another label, another test), or one so lenient
    that features without association pass.
    """
    about = bundle.params.get("label")
    found = []
    for pool in pools(bundle):
        for task, labels in label_of(bundle, pool.samples).items():
            if about is not None and task != about:
                continue
            for cohort in [None, *np.unique(pool.cohorts).tolist()]:
                rows = np.flatnonzero((labels != "") & ((pool.cohorts == cohort) if cohort else True))
                if cohort is None and len(np.unique(pool.cohorts)) < 2:
                    continue
                p = f_test(pool.values[rows], labels[rows])
                cut = edge(p)
                if cut is not None:
                    found.append(
                        f"all {len(p)} features of {pool.modality} of {cohort or 'the cohorts'} tell {task} "
                        f"(largest p {p.max():.2g}), with an edge as a selection by that label over all samples leaves "
                        f"it (the lowest tenth reaches {cut:.2f} of the way to the median, where 0.5 is usual)"
                    )
    return found


def edge(p: NDArray[np.float64]) -> float | None:
    """Return how far the lowest tenth of -log10 p reaches to the median, if all are small and that is short; or None.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> edge(rng.random(500)) is None
    True
    >>> p = 10.0 ** -(3 + rng.exponential(1.0, 500))
    >>> 0.1 < edge(p) < 0.2
    True
    """
    if len(p) < _LEAST_PICKED or p.max() >= _ALL_BELOW:
        return None
    score = -np.log10(np.maximum(p, 1e-300))
    least, tenth, middle = np.quantile(score, (0.0, 0.1, 0.5))
    cut = float((tenth - least) / (middle - least)) if middle > least else 1.0
    return cut if cut < _CUT else None


def f_test(values: NDArray[np.float32], labels: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the p values of a one-way analysis of variance; of the features that vary and that half of the rows have.

    Amounts without a sign are brought to logarithms.

    Parameters
    ----------
    values
        (n, F), NaN = missing.
    labels
        (n,) classes; those of fewer than `LEAST_CLASS` rows are left out.

    Returns
    -------
    (G,) p values; empty where there are not two classes.
    """
    from scipy.stats import f as f_distribution

    names, own, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    kept = sizes[own] >= LEAST_CLASS if len(names) else np.zeros(0, dtype=bool)
    if (sizes >= LEAST_CLASS).sum() < 2:
        return np.empty(0)
    wide, own = values[kept].astype(np.float64), np.unique(own[kept], return_inverse=True)[1]
    wide = wide[:, ((~np.isnan(wide)).mean(axis=0) >= 0.5) & (spreads(values[kept]) > 0)]
    if not wide.size:
        return np.empty(0)
    if np.nanmin(wide) >= 0:
        wide = np.log1p(wide)
    seen = ~np.isnan(wide)
    total = np.where(seen, wide, 0.0).sum(axis=0)
    n = seen.sum(axis=0)
    centred = np.where(seen, wide - total / n, 0.0)
    member = np.eye(own.max() + 1)[own]
    counts = member.T @ seen
    between = ((member.T @ centred) ** 2 / np.maximum(counts, 1.0)).sum(axis=0)
    within = np.maximum((centred**2).sum(axis=0) - between, 1e-12)
    groups = (counts > 0).sum(axis=0)
    good = (groups > 1) & (n > groups)
    degrees = (groups - 1)[good], (n - groups)[good]
    ratio = (between[good] / degrees[0]) / (within[good] / degrees[1])
    return np.asarray(f_distribution.sf(ratio, *degrees))
