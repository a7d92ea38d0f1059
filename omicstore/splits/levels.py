"""Plates, centres and platforms that go to one fold whole, as far as they can.

A patient's RNA and DNA are on different plates, so plates that are all kept whole would soon join everybody. A level
is kept whole only where the people that it joins are at most one fold's worth; the others are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from omicstore.splits.identity import Groups, groups_of
from omicstore.splits.results import SHOWN, CheckResult, offenders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.manifest import Manifest

__all__ = ["Levels", "check_levels", "keep_levels"]


@dataclass(frozen=True, slots=True)
class Levels:
    """What came of keeping levels whole.

    Attributes
    ----------
    block_of
        Patient to the block that goes to one fold whole.
    counts
        Block (``plate``...) to how many levels it has.
    not_honoured
        Block to the levels that are not kept whole, sorted.
    """

    block_of: dict[str, str]
    counts: dict[str, int]
    not_honoured: dict[str, list[str]]

    @property
    def sentences(self) -> list[str]:
        """What could not be honoured, for a person."""
        return [
            f"{kind}: {len(names)} of {self.counts[kind]} levels are not kept whole, since each would join more than "
            f"one fold's worth of people: {', '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}"
            for kind, names in self.not_honoured.items()
            if names
        ]


def keep_levels(
    samples: pl.DataFrame, catalogue: Catalogue, block_of: Mapping[str, str], kinds: Sequence[str], k: int
) -> Levels:
    """Join blocks that share a level, the smallest levels first, as long as a block stays within one fold's worth.

    One fold's worth is one k-th of the patients of the cohorts concerned, so that a cohort with which a level is not
    shared has no say in it.

    Parameters
    ----------
    samples
        As `omicstore.splits.catalogue.Universe` has them.
    catalogue
        Whose profiles tell the levels.
    block_of
        Patient to block: the identity group, or all groups of a site.
    kinds
        Of `omicstore.splits.spec.BLOCKS`.
    k
        The number of folds.
    """
    groups = Groups()
    people = samples.select("cohort", "patient_id").unique().sort("cohort", "patient_id")
    own: dict[str, set[str]] = {}
    cohorts: dict[str, set[str]] = {}
    total: dict[str, int] = {}
    for cohort, patient in people.iter_rows():
        block = f"block:{block_of[patient]}"
        groups.join(block, f"patient:{patient}")
        own.setdefault(block, set()).add(patient)
        cohorts.setdefault(block, set()).add(cohort)
        total[cohort] = total.get(cohort, 0) + 1
    # By what stands for them in the union-find, which the joins below change.
    held = {groups.find(block): (own[block], cohorts[block]) for block in own}
    told = _levels_of(samples, catalogue, kinds)
    by_level = told.group_by("kind", "level").agg(pl.col("patient_id").unique().sort())
    by_level = by_level.sort(pl.col("patient_id").list.len(), "kind", "level")
    left: dict[str, list[str]] = {kind: [] for kind in kinds}
    for kind, level, patients in by_level.iter_rows():
        roots = sorted({groups.find(f"patient:{p}") for p in patients})
        if len(roots) == 1:
            continue
        joined = set().union(*(held[r][0] for r in roots))
        concerned = set().union(*(held[r][1] for r in roots))
        if len(joined) * k > sum(total[c] for c in concerned):
            left[kind].append(level)
            continue
        for other in roots[1:]:
            groups.join(roots[0], other)
        for root in roots:
            del held[root]
        held[groups.find(roots[0])] = (joined, concerned)
    counts = {kind: told.filter(pl.col("kind") == kind)["level"].n_unique() for kind in kinds}
    named = groups_of(groups, people["patient_id"].to_list(), "patient")
    return Levels(named, counts, {kind: sorted(names) for kind, names in left.items()})


def check_levels(manifest: Manifest, catalogue: Catalogue | None) -> list[CheckResult]:
    """Check that the levels that a split says it keeps whole are so; nothing where it preserves none."""
    kinds = manifest.body["params"].get("preserve") or []
    if not kinds or catalogue is None:
        return []
    rows, left = manifest.assignments, manifest.body["blocks"].get("levels_not_honoured", {})
    told = _levels_of(rows.select("cohort", "sample_id", "patient_id").unique(), catalogue, kinds)
    joined = told.join(rows.select("cohort", "sample_id", "fold", "part"), on=["cohort", "sample_id"])
    parts = joined.group_by("kind", "level", "fold").agg(n=pl.col("part").n_unique()).filter(pl.col("n") > 1)
    crossing = parts.select("kind", "level").unique().sort("kind", "level").rows()
    failed = [
        f"{kind} {level} is in two parts of a fold" for kind, level in crossing if level not in left.get(kind, [])
    ]
    why = "; ".join(
        f"{told.filter(pl.col('kind') == k)['level'].n_unique()} of {k}, {len(left.get(k, []))} not" for k in kinds
    )
    status = "fail" if failed else "pass"
    return [
        CheckResult("blocks", "levels that are kept whole are in one part", status, "error", why, offenders(failed))
    ]


def _levels_of(samples: pl.DataFrame, catalogue: Catalogue, kinds: Sequence[str]) -> pl.DataFrame:
    """Return kind, level, cohort, sample_id, patient_id of what is known of the samples' profiles; sorted, unique."""
    key = ["cohort", "sample_id"]
    own = catalogue.profiles.drop("patient_id").join(samples.select(*key, "patient_id"), on=key)
    frames = [own.select(pl.lit(kind).alias("kind"), pl.col(kind).alias("level"), *key, "patient_id") for kind in kinds]
    return pl.concat(frames).drop_nulls().unique().sort("kind", "level", *key, "patient_id")
