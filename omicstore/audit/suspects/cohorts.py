"""Profiles that lie among those of another cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.audit.finding import not_applicable, result
from omicstore.audit.leaks.marks import grouped
from omicstore.audit.numbers import cohorts_of, pools, profile_column
from omicstore.audit.suspects.matching import standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle
    from omicstore.audit.finding import Finding
    from omicstore.audit.numbers import Pool

__all__ = ["misplaced", "wrong_cohort"]

_WHAT = "profiles that lie among another cohort's"

#: A cohort needs so many profiles, of one sample type, and two cohorts so many features that both have.
_LEAST = 20
_LEAST_FEATURES = 20

_COMPONENTS = 20
_NEIGHBOURS = 10

#: A profile is misplaced if so many of its nearest profiles are of one other cohort, and cohorts can be told so well.
_FOREIGN = 0.8
_LEAST_RIGHT = 0.9

#: On the discriminant it lies within so many standard deviations of the other cohort, and beyond so many of its own.
_WITHIN, _BEYOND = 3.0, 4.0


def wrong_cohort(bundle: Bundle) -> Finding:
    """Look for profiles whose neighbours are of another cohort.

    In every modality that two cohorts have in one unit, and for each sample type apart, what both measured is brought
    to principal components. A profile is misplaced if its nearest profiles are of one other cohort, so is the nearest
    centre (itself left out), and a linear discriminant between the two cohorts puts it where the other's profiles are
    and where none of its own are. Where cohorts lie within each other, the modality cannot tell.
    """
    if bundle.store is None or len(cohorts_of(bundle)) < 2:
        return not_applicable("wrong_cohort", _WHAT, "no store, or one cohort alone")
    found: dict[tuple[str, str, str], list[str]] = {}
    judged: list[dict[str, Any]] = []
    for pool in pools(bundle, sorted({m for _, m in bundle.matrices})):
        types = profile_column(bundle, "sample_type", pool.modality, pool.samples)
        for kind in np.unique(types).tolist():
            right, out = _of_type(pool, types == kind)
            if right is None:
                continue
            judged.append({"modality": pool.modality, "sample_type": kind, "told_right": round(right, 4)})
            for i, cohort in out:
                key = (str(pool.samples[i]), str(pool.cohorts[i]), cohort)
                found.setdefault(key, []).append(pool.modality)
    if not any(j["told_right"] >= _LEAST_RIGHT for j in judged):
        why = "no modality of two cohorts, in one unit, tells cohorts apart"
        return not_applicable("wrong_cohort", _WHAT, why, judged=judged)
    offenders = [
        f"{sample} is filed under {own} and lies among {other}, by its {' and '.join(modalities)}"
        for (sample, own, other), modalities in sorted(found.items())
    ]
    how = (
        f"each profile's {_NEIGHBOURS} nearest, the nearest centre and a linear discriminant told its cohort, "
        "over the features that cohorts share; where every cohort was centred by itself this sees nothing"
    )
    return result("wrong_cohort", _WHAT, offenders, how, "warning", judged=judged)


def _of_type(pool: Pool, rows: NDArray[np.bool_]) -> tuple[float | None, list[tuple[int, str]]]:
    groups = grouped(np.where(rows, pool.cohorts, ""), least=_LEAST, most=40)
    if len(groups) < 2:
        return None, []
    own = np.sort(np.concatenate(list(groups.values())))
    shared = np.all([(~np.isnan(pool.values[r])).mean(axis=0) > 0.5 for r in groups.values()], axis=0)
    if shared.sum() < _LEAST_FEATURES:
        return None, []
    right, out = misplaced(standardised(pool.values[np.ix_(own, shared)]), pool.cohorts[own])
    return right, [(int(own[i]), cohort) for i, cohort in out] if right >= _LEAST_RIGHT else []


def misplaced(values: NDArray[np.float64], cohorts: NDArray[np.str_]) -> tuple[float, list[tuple[int, str]]]:
    """Return how large a share lies among its own cohort, and the rows that lie among another, with its name.

    Parameters
    ----------
    values
        (n, F) standardised features.
    cohorts
        (n,) where they are filed.
    """
    names, own = np.unique(cohorts, return_inverse=True)
    roots, vectors = np.linalg.eigh(values @ values.T)
    top = np.argsort(-roots)[: min(_COMPONENTS, len(values) - 1)]
    places = vectors[:, top] * np.sqrt(np.maximum(roots[top], 0.0))
    squared = (places**2).sum(axis=1)
    away = squared[:, None] + squared - 2 * places @ places.T
    np.fill_diagonal(away, np.inf)
    nearest = np.argpartition(away, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    votes = np.stack([(own[nearest] == k).mean(axis=1) for k in range(len(names))], axis=1)
    centre = _nearest_centre(places, own, len(names))
    first = votes.argmax(axis=1)
    asked = np.flatnonzero((first != own) & (votes.max(axis=1) >= _FOREIGN) & (centre == first))
    sure = np.setdiff1d(np.arange(len(own)), asked)
    out = [
        (int(i), str(names[first[i]]))
        for i in asked
        if _is_other(places[i], places[sure[own[sure] == own[i]]], places[sure[own[sure] == first[i]]])
    ]
    return float((first == own).mean()), out


def _is_other(place: NDArray[np.float64], mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> bool:
    """Return whether Fisher's discriminant, a little shrunken, puts a profile among others and away from its own."""
    if min(len(mine), len(theirs)) < _NEIGHBOURS:
        return False
    within = np.cov(mine.T) * (len(mine) - 1) + np.cov(theirs.T) * (len(theirs) - 1)
    within /= len(mine) + len(theirs) - 2
    within += 0.1 * np.trace(within) / len(within) * np.eye(len(within))
    axis = np.linalg.solve(within, theirs.mean(axis=0) - mine.mean(axis=0))
    at, own, other = place @ axis, mine @ axis, theirs @ axis
    near = abs(at - other.mean()) <= _WITHIN * other.std()
    return bool(near and at - own.mean() >= _BEYOND * own.std())


def _nearest_centre(places: NDArray[np.float64], own: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return the cohort whose centre is nearest to each row, the row itself left out of its own cohort's."""
    sizes = np.bincount(own, minlength=count)
    sums = np.stack([places[own == k].sum(axis=0) for k in range(count)])
    away = np.empty((len(places), count))
    for k in range(count):
        mine = (own == k)[:, None]
        centre = np.where(mine, (sums[k] - places) / max(sizes[k] - 1, 1), sums[k] / sizes[k])
        away[:, k] = ((places - centre) ** 2).sum(axis=1)
    return np.asarray(away.argmin(axis=1))
