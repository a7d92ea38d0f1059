"""The nearest profile of another person, over all profiles of a modality, by products of blocks of matrices."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.identifiers import find_barcode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle

__all__ = ["LIMITS", "Copies", "Pair", "Pool", "copies", "pool_of"]

#: Two profiles from one of these correlations on are taken for one, where it is so many spreads beyond everybody's
#: nearest as well. The nearest two strangers of TCGA and CCLE are at 0.88 in methylation, 0.93 in miRNA and 0.947 in
#: proteins (RPPA, BRCA), up to 8 spreads; among few peers ranks are coarse, and a copy in another cohort is near 0.9.
LIMITS: tuple[tuple[float, float], ...] = ((0.95, 6.0), (0.85, 12.0))

#: With fewer missing values than this a mean stands for them; with more, two rows are compared over what both have.
_FEW_MISSING = 0.05

#: So many features tell people apart as well as all do; fewer than the least tell nobody apart.
_MOST_FEATURES, _LEAST_FEATURES = 4096, 20

#: Profiles of one cohort and platform among which a rank says anything.
_LEAST_PEERS = 5

#: A modality whose samples have so few distinct values holds calls: two people may well have the same.
_FEW_LEVELS = 8

_BLOCK = 1024

#: Stands for log2 of 0.
_NOTHING = -1e6


@dataclass(frozen=True, slots=True)
class Pool:
    """The numbers of one modality.

    Attributes
    ----------
    modality
        Which.
    values
        (n, F) float32 over the cohorts, NaN where missing or not measured there.
    patients, persons
        (n,) patient ids, and the same by barcode where that tells.
    groups
        (n,) int, the cohort and platform.
    calls
        Whether the values are calls of a few levels.
    """

    modality: str
    values: NDArray[np.float32]
    patients: list[str]
    persons: NDArray[np.int64]
    groups: NDArray[np.int64]
    calls: bool

    @property
    def name(self) -> str:
        """For evidence."""
        return f"{self.modality} ({self.values.shape[0]} x {self.values.shape[1]})"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two patients, sorted, and the correlation of their profiles."""

    one: str
    other: str
    r: float


@dataclass(slots=True)
class Copies:
    """What was found in a pool.

    Attributes
    ----------
    pairs
        Copies, the closest first.
    nearest
        For each way of ranking the largest correlation with the nearest other person, the median of those with the
        next, and the threshold.
    """

    pairs: list[Pair] = field(default_factory=list)
    nearest: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"pairs": len(self.pairs), **self.nearest}


def pool_of(
    bundle: Bundle,
    modality: str,
    cohorts: list[str],
    people: dict[tuple[str, str], str],
    platform: dict[tuple[str, str], str],
) -> Pool | None:
    """Read a modality of some cohorts, for the samples of `people`; None where too little can be compared.

    The features are those that most profiles have; where there are more than enough, the ones whose hash of the id is
    lowest, so that they are the same for every store.
    """
    features = _chosen({c: bundle.features(c, modality) for c in cohorts})
    parts, names, peers = [], [], []
    for cohort in cohorts:
        matrix = bundle.matrix(cohort, modality)
        if matrix is None:
            continue
        at = {feature: i for i, feature in enumerate(matrix.features)}
        rows = [i for i, sample in enumerate(matrix.sample_ids) if (cohort, sample) in people]
        there = [(i, at[feature]) for i, feature in enumerate(features) if feature in at]
        values = np.full((len(rows), len(features)), np.nan, np.float32)
        if there and rows:
            into, taken = (list(x) for x in zip(*there, strict=True))
            values[:, into] = matrix.values[np.ix_(rows, taken)]
        keys = [(cohort, matrix.sample_ids[i]) for i in rows]
        parts.append(values)
        names += [people[key] for key in keys]
        peers += [f"{cohort} {platform.get(key, '')}" for key in keys]
    if len(features) < _LEAST_FEATURES or len(names) < 2:
        return None
    values = _levelled(np.concatenate(parts))
    coded = [code.patient_id if (code := find_barcode(name)) else name for name in names]
    persons, groups = (np.unique(np.array(x), return_inverse=True)[1].astype(np.int64) for x in (coded, peers))
    return Pool(modality, values, names, persons, groups, _are_calls(values))


def copies(pool: Pool) -> Copies:
    """Return the pairs of other people whose profiles are nearer than chance and biology bring any.

    Each profile's nearest one of another person is searched twice: with features ranked within cohort and platform, so
    that what cohorts differ in does not count, and ranked over all, for a copy that was put into another cohort. The
    Fisher-transformed correlations with the next person after the nearest have a median and a spread (1.4826 x the
    median deviation); a copy lies beyond one of `LIMITS`. With the next, since where two resources overlap many people
    have a copy, and copies would pass for what is usual.
    """
    found = Copies()
    best: dict[tuple[str, str], float] = {}
    ways = {"within_cohorts": pool.groups}
    if len(np.unique(pool.groups)) > 1:
        ways["over_all"] = np.zeros_like(pool.groups)
    for way, groups in ways.items():
        r, at, after = _nearest(_ranked(pool.values, groups), pool.persons)
        known = np.isfinite(r) & np.isfinite(after)
        if known.sum() < 3:
            continue
        z = np.arctanh(np.clip(after[known], -0.999999, 0.999999))
        middle = float(np.median(z))
        spread = 1.4826 * float(np.median(np.abs(z - middle)))
        threshold = min(max(least, float(np.tanh(middle + far * spread))) for least, far in LIMITS)
        found.nearest[way] = {
            "median_r": round(float(np.tanh(middle)), 3),
            "largest_r": round(float(r[known].max()), 4),
            "threshold": round(threshold, 4),
        }
        for i in np.flatnonzero(known & (np.nan_to_num(r, nan=-1.0) >= min(threshold, 0.99999))):
            first, second = sorted((pool.patients[i], pool.patients[int(at[i])]))
            best[first, second] = max(best.get((first, second), -1.0), float(r[i]))
    found.pairs = [Pair(a, b, r) for (a, b), r in sorted(best.items(), key=lambda item: (-item[1], item[0]))]
    return found


def _chosen(axes: dict[str, list[str]]) -> list[str]:
    counts: dict[str, int] = {}
    for features in axes.values():
        for feature in features:
            counts[feature] = counts.get(feature, 0) + 1
    if len(counts) > _MOST_FEATURES:
        most = sorted(counts, key=lambda f: (-counts[f], hashlib.sha256(f.encode()).digest()))
        return sorted(most[:_MOST_FEATURES])
    return sorted(counts)


def _levelled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return amounts as log2 over the profile's median amount, and ratios less their median: scale tells nobody apart.

    Fractions such as beta values are left as they are. An amount of 0 is below all others.
    """
    known = np.isfinite(values)
    low, high = (float(f(values[known], initial=0.0)) for f in (np.min, np.max))
    if low >= 0 and high <= 1:
        return values
    amounts = low >= 0
    told = known & (values > 0) if amounts else known
    x = np.log2(np.where(told, values, 1.0)) if amounts else values
    middle = np.array([np.median(row[own]) if own.any() else 0.0 for row, own in zip(x, told, strict=True)])
    found = np.asarray(x - middle[:, None], dtype=np.float32)
    found[known & ~told] = _NOTHING
    found[~known] = np.nan
    return found


def _are_calls(values: NDArray[np.float32]) -> bool:
    shown = values[:: max(1, len(values) // 50)]
    levels = [len(np.unique(row[np.isfinite(row)])) for row in shown]
    return float(np.median(levels)) <= _FEW_LEVELS


def _ranked(values: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return each value as its rank within its feature and group, centred and scaled; NaN where missing or constant."""
    from scipy.stats import rankdata

    found = np.full(values.shape, np.nan, np.float32)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        x = values[own]
        known = np.isfinite(x)
        n = known.sum(axis=0)
        if len(own) < _LEAST_PEERS:
            continue
        ranks = rankdata(np.where(known, x, np.inf), axis=0).astype(np.float32)
        ranks = (ranks - (n + 1) / 2) / np.maximum(n, 1)
        kept = known & (n >= _LEAST_PEERS) & (np.nanmax(np.where(known, np.abs(ranks), 0), axis=0) > 0)
        found[own] = np.where(kept, ranks, np.nan)
    return found


def _nearest(
    u: NDArray[np.float32], persons: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest row of another person: its correlation, which it is, and the largest one with a third person.

    For each row; NaN where there is none.

    Rows are compared over the features that both have, if these are enough.
    """
    known = np.isfinite(u)
    n_known = known.sum(axis=1)
    x = np.where(known, u, 0.0).astype(np.float32)
    x -= (x.sum(axis=1) / np.maximum(n_known, 1)).astype(np.float32)[:, None]
    x[~known] = 0.0
    norms = np.sqrt((x * x).sum(axis=1))
    masked = float(known.mean()) < 1 - _FEW_MISSING
    squares, mask = (x * x, known.astype(np.float32)) if masked else (x[:0], x[:0])
    r, at, after = np.full(len(x), -2.0), np.zeros(len(x), np.int64), np.full(len(x), -2.0)
    for start in range(0, len(x), _BLOCK):
        here, rest = slice(start, start + _BLOCK), slice(start, None)
        found = x[here] @ x[rest].T
        if masked:
            found /= np.sqrt(np.maximum((squares[here] @ mask[rest].T) * (mask[here] @ squares[rest].T), 1e-12))
            found[mask[here] @ mask[rest].T < _LEAST_FEATURES] = -2.0
        else:
            found /= np.maximum(norms[here, None] * norms[None, rest], 1e-12)
        found[persons[here, None] == persons[None, rest]] = -2.0
        # The product is symmetric: what a row is to those after it, they are to the row.
        for axis, rows, offset in ((1, here, start), (0, rest, start)):
            nearest = found.argmax(axis=axis)
            value = np.take_along_axis(found, np.expand_dims(nearest, axis), axis).squeeze(axis)
            who = persons[nearest + offset]
            own = persons[None, rest] == who[:, None] if axis == 1 else persons[here, None] == who[None, :]
            third = np.where(own, -2.0, found).max(axis=axis)
            better, again = value > r[rows], who == persons[at[rows]]
            # Of two nearest people the lesser is the third; of the same one twice, whoever came after it.
            lesser = np.where(better, np.where(again, after[rows], r[rows]), np.where(again, third, value))
            after[rows] = np.maximum(np.where(better, third, after[rows]), lesser)
            r[rows] = np.where(better, value, r[rows])
            at[rows] = np.where(better, nearest + offset, at[rows])
    few = n_known < _LEAST_FEATURES
    r[(r < -1.5) | few], after[(after < -1.5) | few] = np.nan, np.nan
    return r, at, after
