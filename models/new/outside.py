"""How far a sample lies from the training rows: a distance per modality, held against people the fit has not seen.

The distance is Mahalanobis' under probabilistic principal components (Tipping and Bishop 1999, J. R. Stat. Soc. B
61:611), which counts both what lies far along the components and what they do not explain. It is taken over the
features that a sample has, so that a missing gene adds nothing, and divided by their number. What is unusual is said as
a conformal p-value (Bates, Candes, Lei, Romano and Sesia 2023, Ann. Stat. 51:149): the share of held-out people, the
sample itself counted, who lie at least as far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.rowspace import RowSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["FARTHEST", "Distance", "fit_distance"]

#: A sample is outside where at most this share of held-out people lies as far.
FARTHEST = 0.01

#: Components at most, rows per component at least, and rows looked at at most (they are spread evenly).
COMPONENTS, ROWS_EACH, ROWS = 30, 5, 2000

#: Parts that the training rows are divided into, so that each is judged by a fit without it.
PARTS = 5

#: Of a group of samples that lies farther than people do: how many at least, how sure, and how far its middle.
GROUP, GROUP_CHANCE, GROUP_SHARE = 5, 1000, 0.75

#: With fewer rows nothing is fitted.
FEWEST = 20


@dataclass(frozen=True, slots=True)
class _Normal:
    """A normal distribution whose covariance is ``loadings @ loadings.T + noise * I``."""

    mean: NDArray[np.float32]
    loadings: NDArray[np.float32]
    noise: float

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> _Normal:
        mean = np.nan_to_num(_column_means(values))
        filled = np.where(np.isnan(values), mean, values).astype(np.float64)
        n, width = filled.shape
        space = RowSpace.fit(filled)
        k = max(1, min(COMPONENTS, n // ROWS_EACH, width - 1, space.axes.shape[1]))
        roots = space.scores(filled)[:, :k].var(axis=0)
        rest = float(filled.var(axis=0).sum() - roots.sum())
        noise = max(rest / max(1, width - k), 1e-6)
        loadings = space.axes[:, :k] * np.sqrt(np.maximum(roots - noise, 0.0))
        return cls(mean.astype(np.float32), loadings.astype(np.float32), noise)

    def distance(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n,) squared Mahalanobis distances per observed feature; NaN for a row without any."""
        found = np.full(len(values), np.nan)
        identity = np.eye(self.loadings.shape[1])
        for i, row in enumerate(values):
            seen = ~np.isnan(row)
            if not seen.any():
                continue
            rest = (row[seen] - self.mean[seen]).astype(np.float64)
            loadings = self.loadings[seen].astype(np.float64)
            # The inverse of the covariance by Woodbury's identity.
            along = loadings.T @ rest
            inner = np.linalg.solve(loadings.T @ loadings + self.noise * identity, along)
            found[i] = (rest @ rest - along @ inner) / self.noise / len(rest)
        return found


@dataclass(frozen=True, slots=True)
class Distance:
    """The distance of one modality, with the distances of people that the fit has not seen.

    Attributes
    ----------
    mean, loadings, noise
        (F,), (F, k) and variance of what the components do not explain.
    held_out
        (n,) distances, sorted: of training rows by a fit without them and their patients' other rows, and of val rows.

    Examples
    --------
    >>> held = np.arange(1.0, 200.0, dtype=np.float32)
    >>> d = Distance(np.zeros(1, np.float32), np.zeros((1, 1), np.float32), 1.0, held)
    >>> d.share_as_far(np.array([1.0, 198.5])).tolist(), d.is_outside(np.array([1.0, 198.5])).tolist()
    ([1.0, 0.01], [False, True])
    """

    mean: NDArray[np.float32]
    loadings: NDArray[np.float32]
    noise: float
    held_out: NDArray[np.float32]

    def of(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n,) distances of (n, F) transformed values; NaN for a row without any value."""
        return _Normal(self.mean, self.loadings, self.noise).distance(values)

    def share_as_far(self, distance: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n,) conformal p-values: ``(1 + held-out people at least as far) / (1 + held-out people)``."""
        n = len(self.held_out)
        farther = n - np.searchsorted(self.held_out, distance.astype(np.float32), side="left")
        return np.where(np.isnan(distance), np.nan, (1 + farther) / (1 + n))

    def is_outside(self, distance: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return (n,) whether at most `FARTHEST` of people lie as far; where they are too few to tell, none of them."""
        least = max(FARTHEST, 1 / (1 + len(self.held_out)))
        return np.asarray(self.share_as_far(distance) <= least)

    def shifted(self, distance: NDArray[np.floating]) -> float | None:
        """Return the share of held-out people nearer than half of the samples, where as a group these lie farther.

        They do where a one-sided rank sum test (Mann and Whitney 1947, Ann. Math. Stat. 18:50) says so beyond chance of
        one in `GROUP_CHANCE`, and that share is at least `GROUP_SHARE`; None where not, or with fewer than `GROUP`
        samples. Another tissue or platform may move everybody a little and nobody far.
        """
        from scipy.stats import mannwhitneyu

        known = distance[~np.isnan(distance)]
        if len(known) < GROUP or not len(self.held_out):
            return None
        share = float(1 - np.median(self.share_as_far(known)))
        beyond = mannwhitneyu(known, self.held_out, alternative="greater").pvalue * GROUP_CHANCE < 1
        return share if beyond and share >= GROUP_SHARE else None


def fit_distance(
    values: NDArray[np.floating], patients: Sequence[str], held_out: NDArray[np.floating]
) -> Distance | None:
    """Fit a distance to training rows.

    Parameters
    ----------
    values
        (n, F) transformed values of the training rows that have the modality; NaN = not observed.
    patients
        Whose they are.
    held_out
        (m, F) of the val rows that have it.

    Returns
    -------
    Distance or None
        None where the rows are too few.
    """
    if len(values) < FEWEST:
        return None
    take = np.unique(np.linspace(0, len(values) - 1, min(len(values), ROWS)).astype(np.int64))
    values, patients = values[take], [patients[i] for i in take]
    place = {name: i % PARTS for i, name in enumerate(sorted(set(patients)))}
    part = np.array([place[name] for name in patients])
    judged = []
    for i in range(PARTS):
        own = part == i
        if own.any() and (~own).sum() >= FEWEST // 2:
            judged.append(_Normal.fit(values[~own]).distance(values[own]))
    whole = _Normal.fit(values)
    judged.append(whole.distance(held_out))
    every = np.concatenate(judged)
    return Distance(whole.mean, whole.loadings, whole.noise, np.sort(every[~np.isnan(every)]).astype(np.float32))


def _column_means(values: NDArray[np.floating]) -> NDArray[np.float64]:
    seen = ~np.isnan(values)
    n = seen.sum(axis=0)
    return np.where(n > 0, np.where(seen, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(n, 1), np.nan)
