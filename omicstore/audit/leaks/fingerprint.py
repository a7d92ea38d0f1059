"""L13: processing fingerprints, by which groups that were normalised apart are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.finding import not_applicable, result
from omicstore.audit.leaks.marks import agreement, codes, decimals, grouped, recurring, spreads, told_apart
from omicstore.audit.numbers import Pool, cohorts_of, label_of, modalities_of, pools, profile_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle
    from omicstore.audit.finding import Finding
    from omicstore.audit.leaks.marks import Codes

__all__ = ["fingerprint"]

_WHAT = "classes, cohorts, sites or parts normalised apart"

_HOW = (
    "in every modality, groups (classes, cohorts, sites, platforms, sample types, parts of a fold) were compared for "
    "values that recur exactly and differ between groups (a code for zero), for centres that agree better than chance "
    "allows, and for another number of decimals"
)

#: A mark by rounding counts between cohorts only if the grid is coarser than this share of the features' spread.
_COARSE = 0.01

#: Columns of the sample map whose levels are compared within a cohort.
_OF_PROFILE = ("site", "platform", "sample_type")

#: As many features are named for a grouping.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Grouping:
    """A way to tell the rows of a pool apart: ``kind`` is label, cohort, part, or one of `_OF_PROFILE`."""

    kind: str
    name: str
    rows: dict[str, NDArray[np.intp]]
    is_error: bool
    cohort: str = ""


def fingerprint(bundle: Bundle) -> Finding:
    """Look for marks of processing that tell groups apart.

    A failure is an error where the groups are the classes of the label that the split or the model is about, or the
    parts of a fold; else a warning. Of the parts, train alone may be centred: that is how scaling is done well. Cohorts
    that were centred each by itself are told in the evidence alone, unless the label tells cohorts apart: it takes
    differences away and gives none.
    """
    if bundle.store is None or not bundle.matrices:
        return not_applicable("L13", _WHAT, "no store, or none with matrices: it is the values that bear the mark")
    rng = np.random.default_rng(0)
    offenders: list[str] = []
    features: list[dict[str, Any]] = []
    compared: list[str] = []
    centres: list[str] = []
    is_error = False
    for pool in pools(bundle):
        # a feature in which fewer than two values recur bears no two codes, whatever the groups
        candidates = recurring(pool.values)
        marked: set[str] = set()
        for grouping in _groupings(bundle, pool):
            if grouping.kind in _OF_PROFILE and grouping.cohort in marked:
                continue  # sites that lie within a class bear the mark of the class
            compared.append(f"{pool.modality}: {grouping.name}")
            found = _by_codes(pool, grouping, candidates, features)
            centred = _by_centres(pool, grouping, rng)
            if grouping.kind == "cohort" and not grouping.is_error:
                centres += centred
                centred = []
            found += centred + _by_rounding(pool, grouping, rng)
            offenders += found
            marked |= {grouping.cohort} if found else set()
            is_error |= bool(found) and grouping.is_error
    offenders += _declared(bundle)
    features.sort(key=lambda f: -f["balanced_accuracy"])
    evidence = {"compared": compared, "features": features[:10], "n_features": len(features), "centres": centres}
    return result("L13", _WHAT, offenders, _HOW, "error" if is_error else "warning", **evidence)


def _groupings(bundle: Bundle, pool: Pool) -> Iterator[_Grouping]:
    about = bundle.params.get("label")
    labels = label_of(bundle, pool.samples)
    cohorts = grouped(pool.cohorts)
    if len(cohorts) > 1:
        told = labels.get(str(about))
        tells = told is not None and all(len(set(told[rows]) - {""}) < 2 for rows in cohorts.values())
        yield _Grouping("cohort", "cohorts", cohorts, is_error=tells)
    for cohort in np.unique(pool.cohorts).tolist():
        here = pool.cohorts == cohort
        for task, names in labels.items():
            own = np.where(here, names, "")
            yield from _if_several("label", f"{task} in {cohort}", own, is_error=task == about, cohort=cohort)
        for column in _OF_PROFILE:
            names = profile_column(bundle, column, pool.modality, pool.samples)
            yield from _if_several(column, f"{column} in {cohort}", np.where(here, names, ""), cohort=cohort)
    for fold in bundle.folds:
        rows = bundle.rows.filter(pl.col("fold") == fold)
        part = dict(rows.select("sample_id", "part").iter_rows())
        names = np.array([part.get(s, "") for s in pool.samples.tolist()], dtype=np.str_)
        yield from _if_several("part", f"the parts of fold {fold}", names, is_error=True)


def _if_several(
    kind: str, name: str, names: NDArray[np.str_], *, is_error: bool = False, cohort: str = ""
) -> Iterator[_Grouping]:
    groups = grouped(names)
    if len(groups) > 1:
        yield _Grouping(kind, name, groups, is_error, cohort)


def _by_codes(
    pool: Pool, grouping: _Grouping, candidates: NDArray[np.intp], features: list[dict[str, Any]]
) -> list[str]:
    found = codes(pool.values[:, candidates], grouping.rows, pool.values.shape[1])
    if not found.differ:
        return []
    strongest = [_feature(pool, grouping, found, candidates, where) for where in found.differ[: 4 * _NAMED]]
    strongest.sort(key=lambda f: -f["balanced_accuracy"])
    features += strongest
    count = (
        f"{len(found.differ)} features of {pool.modality} have another code in each group ({grouping.name}), "
        f"{found.same} have one and the same"
    )
    return [*(_sentence(f) for f in strongest[:_NAMED]), count]


def _feature(
    pool: Pool, grouping: _Grouping, found: Codes, candidates: NDArray[np.intp], where: tuple[int, int, int]
) -> dict[str, Any]:
    inner, i, j = where
    column = int(candidates[inner])
    first, second = (grouping.rows[found.groups[k]] for k in (i, j))
    own = pool.values[np.concatenate([first, second]), column]
    seen = ~np.isnan(own)
    balanced, right, area = told_apart(own[seen], (np.arange(len(own)) < len(first))[seen])
    return {
        "modality": pool.modality,
        "feature": pool.name(column),
        "grouping": grouping.name,
        "groups": [found.groups[i], found.groups[j]],
        "values": [float(f"{found.value[k, inner]:.6g}") for k in (i, j)],
        "shares": [round(float(found.share[k, inner]), 4) for k in (i, j)],
        "balanced_accuracy": round(balanced, 4),
        "accuracy": round(right, 4),
        "auc": round(area, 4),
    }


def _sentence(feature: dict[str, Any]) -> str:
    (a, b), (x, y), (p, q) = feature["groups"], feature["values"], feature["shares"]
    return (
        f"{feature['feature']} of {feature['modality']} is {x:g} in {p:.1%} of {a} and {y:g} in {q:.1%} of {b} "
        f"({feature['grouping']}): a threshold on it alone is right for {feature['accuracy']:.1%} of them"
    )


def _by_centres(pool: Pool, grouping: _Grouping, rng: np.random.Generator) -> list[str]:
    found = []
    for what, own, chance in agreement(pool.values, grouping.rows, rng):
        if grouping.kind == "part" and what == "train":
            continue
        found.append(
            f"the centres of {what} ({grouping.name}) agree in {pool.modality} as no two groups of people do: "
            f"median |t| {own:.2g} over the features, where chance gives 0.67 and never less than {chance:.2g}"
        )
    return found[:_NAMED]


def _by_rounding(pool: Pool, grouping: _Grouping, rng: np.random.Generator) -> list[str]:
    """Name groups whose values have fewer decimals; another file's decimals alone make no two cohorts tell apart."""
    columns = np.sort(rng.permutation(pool.values.shape[1])[:200])
    places = decimals([pool.values[np.ix_(rows, columns)] for rows in grouping.rows.values()])
    if grouping.kind == "cohort":
        spread = float(np.median(spreads(pool.values[:, columns])))
        places = [d if d is not None and 10.0**-d > _COARSE * spread else None for d in places]
    if len(set(places)) < 2:
        return []
    told = ", ".join(
        f"{name} {'is not rounded' if d is None else f'has {d}'}" for name, d in zip(grouping.rows, places, strict=True)
    )
    return [f"the decimals of {pool.modality} differ ({grouping.name}): {told}"]


def _declared(bundle: Bundle) -> list[str]:
    """Name the modalities that several pooled cohorts have and whose files say that they were normalised per cohort."""
    cohorts = cohorts_of(bundle)
    found = []
    for modality in modalities_of(bundle):
        held = [c for c in cohorts if (c, modality) in bundle.matrices]
        entries = {c: (bundle.body or {})["matrices"][c][modality].get("upstream_fit") for c in held}
        own = [c for c, fit in entries.items() if fit == "per_cohort"]
        if len(held) > 1 and own:
            found.append(f"{modality} of {', '.join(own)} says that it was normalised within its cohort, and is pooled")
    return found
