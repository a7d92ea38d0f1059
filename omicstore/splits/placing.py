"""What every strategy is given and returns, and how val is cut from train where folds do not take turns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.identity import Groups, groups_of
from omicstore.splits.problem import ABSENT, build_problem
from omicstore.splits.solve import greedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.problem import Problem
    from omicstore.splits.spec import SplitSpec

__all__ = [
    "ASSIGNMENTS",
    "PARTS_OF",
    "Placed",
    "Task",
    "assignments_of",
    "blocks_of",
    "cut_val",
    "left_out",
    "linked",
    "with_val",
]

#: The columns of assignments.parquet.
ASSIGNMENTS: dict[str, Any] = {
    "sample_id": pl.String,
    "patient_id": pl.String,
    "group_id": pl.String,
    "site": pl.String,
    "cohort": pl.String,
    "fold": pl.Int64,
    "part": pl.String,
}

#: What a strategy says of each sample.
PARTS_OF: dict[str, Any] = {"cohort": pl.String, "sample_id": pl.String, "fold": pl.Int64, "part": pl.String}

_LEFT_OUT: dict[str, Any] = {
    "cohort": pl.String, "patient_id": pl.String, "sample_id": pl.String, "rule": pl.String, "reason": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be split.

    Attributes
    ----------
    samples
        As `omicstore.splits.catalogue.Universe` has them.
    strata
        As `omicstore.splits.strata.patient_strata` gives them.
    group_of
        Patient to identity group.
    catalogue, spec
        The store's tables and what is asked.
    """

    samples: pl.DataFrame
    strata: pl.DataFrame
    group_of: Mapping[str, str]
    catalogue: Catalogue
    spec: SplitSpec


@dataclass(frozen=True, slots=True)
class Placed:
    """The folds, before they are checked.

    Attributes
    ----------
    parts
        cohort, sample_id, fold, part; the columns of `PARTS_OF`.
    k
        How many folds.
    partitions
        Where test, val and train come from.
    solutions, not_honoured
        What was solved, and what could not be honoured, as sentences.
    levels_not_honoured
        Block of `omicstore.splits.spec.BLOCKS` that was to be preserved to the levels that could not be.
    excluded
        cohort, patient_id, sample_id, rule, reason: who is in no part, on account of the strategy.
    says
        Further keys of the manifest's ``strategy``.
    parents
        What the folds were made from beside the release.
    """

    parts: pl.DataFrame
    k: int
    partitions: dict[str, str]
    solutions: list[dict[str, Any]] = field(default_factory=list)
    not_honoured: list[str] = field(default_factory=list)
    levels_not_honoured: dict[str, list[str]] = field(default_factory=dict)
    excluded: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_LEFT_OUT))
    says: dict[str, Any] = field(default_factory=dict)
    parents: list[dict[str, Any]] = field(default_factory=list)


def assignments_of(samples: pl.DataFrame, group_of: Mapping[str, str], parts: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of assignments.parquet, sorted."""
    rows = samples.with_columns(
        group_id=pl.col("patient_id").replace_strict(dict(group_of), return_dtype=pl.String)
    ).join(parts, on=["cohort", "sample_id"])
    return rows.select(pl.col(c).cast(t) for c, t in ASSIGNMENTS.items()).sort("fold", "cohort", "sample_id")


def left_out(samples: pl.DataFrame, rule: str, reason: str) -> pl.DataFrame:
    """Return samples as exclusions of one rule."""
    rows = samples.select("cohort", "patient_id", "sample_id", rule=pl.lit(rule), reason=pl.lit(reason))
    return rows.select(pl.col(c).cast(t) for c, t in _LEFT_OUT.items())


def blocks_of(samples: pl.DataFrame, group_of: Mapping[str, str], *, whole_sites: bool) -> dict[str, str]:
    """Return patient to the block that goes to one fold whole: the identity group, or all groups that share sites.

    Parameters
    ----------
    samples
        patient_id and site of each sample; a null site joins nobody.
    group_of
        Patient to identity group.
    whole_sites
        Whether all patients of a site stay together.
    """
    groups = Groups()
    for patient, group in group_of.items():
        groups.join(f"group:{group}", f"patient:{patient}")
    if whole_sites:
        known = samples.select("patient_id", "site").drop_nulls().unique().sort("patient_id", "site")
        for patient, site in known.iter_rows():
            groups.join(f"patient:{patient}", f"site:{site}")
    return groups_of(groups, samples["patient_id"].to_list(), "patient")


def linked(samples: pl.DataFrame, block_of: Mapping[str, str]) -> list[list[str]]:
    """Return the sets of cohorts that share a block, each sorted."""
    groups = Groups()
    pairs = samples.select("cohort", "patient_id").unique().sort("cohort", "patient_id")
    for cohort, patient in pairs.iter_rows():
        groups.join(f"cohort:{cohort}", f"block:{block_of[patient]}")
    sets: dict[str, list[str]] = {}
    for cohort, first in groups_of(groups, samples["cohort"].unique().to_list(), "cohort").items():
        sets.setdefault(first, []).append(cohort)
    return [sorted(cohorts) for _, cohorts in sorted(sets.items())]


def cut_val(task: Task, samples: pl.DataFrame, *, whole_sites: bool, parts: int, where: str) -> set[str]:
    """Choose the patients of val among those who are not tested: about one in `parts`, like the others in outcome.

    Cohorts that share no block are cut apart, so that one more cohort moves nobody. Only people who are in `samples`
    count, so what is tested has no say in what is val.

    Parameters
    ----------
    task
        The whole.
    samples
        The samples that are not tested.
    whole_sites
        Whether the people of a site go to val together.
    parts
        One part of so many is val.
    where
        The fold, for a message.

    Raises
    ------
    SplitError
        If the samples are of one block, which cannot be cut.
    """
    block_of = blocks_of(samples, _within(task.group_of, samples), whole_sites=whole_sites)
    if len(set(block_of.values())) < 2:
        raise SplitError(
            f"{where} has one group of people{' and sites' if whole_sites else ''} for train and val",
            expected="at least two, one of which becomes val",
            run="use another split.strategy in params.yaml",
        )
    chosen: set[str] = set()
    spec = replace(task.spec, k=parts)
    several = [own for own in linked(samples, block_of) if _n_blocks(samples, own, block_of) > 1]
    # A cohort of one block stays in train, unless there is no other kind.
    for cohorts in several or linked(samples, block_of)[:1]:
        own = samples.filter(pl.col("cohort").is_in(cohorts))
        strata = task.strata.filter(pl.col("cohort").is_in(cohorts)).join(
            own.select("cohort", "patient_id").unique(), on=["cohort", "patient_id"], how="semi"
        )
        problem = build_problem(own, strata, block_of, spec)
        folds = greedy(problem).folds
        loads = problem.loads(folds)
        off = (np.abs(loads - problem.targets) @ problem.scale).round(9)
        # Val needs people, and where there are enough an event or each of the classes.
        off += ABSENT * (loads[:, problem.wanted] == 0).sum(axis=1) + 1e6 * (loads.sum(axis=1) == 0)
        # What is refused otherwise: no event, or one class alone, of those that too few blocks have to be wanted.
        off += 1e3 * (_poor(problem, loads) | _poor(problem, loads.sum(axis=0) - loads))
        of_val = {b for b, f in zip(problem.blocks, folds, strict=True) if f == int(off.argmin())}
        chosen |= {p for p in own["patient_id"].to_list() if block_of[p] in of_val}
    return chosen


def with_val(
    task: Task,
    tested: pl.Expr,
    *,
    fold: int,
    parts: int,
    samples: pl.DataFrame | None = None,
    whole_sites: bool | None = None,
) -> pl.DataFrame:
    """Return the parts of one fold: test where `tested` says so, val cut from the others, train.

    Parameters
    ----------
    task
        The whole.
    tested
        Which samples are the test part.
    fold
        Its number.
    parts
        One part of so many of the others is val.
    samples
        Those that are assigned; all where absent.
    whole_sites
        Whether val is of whole sites; what the spec says where absent.
    """
    own = task.samples if samples is None else samples
    whole = bool(task.spec.whole_sites) if whole_sites is None else whole_sites
    val = cut_val(task, own.filter(~tested), whole_sites=whole, parts=parts, where=f"fold {fold}")
    part = pl.when(pl.col("patient_id").is_in(sorted(val))).then(pl.lit("val")).otherwise(pl.lit("train"))
    rows = own.with_columns(fold=fold, part=pl.when(tested).then(pl.lit("test")).otherwise(part))
    return rows.select(pl.col(c).cast(t) for c, t in PARTS_OF.items())


def _poor(problem: Problem, loads: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (k,) whether loads (k, n_dims) have no event or under two classes, where there are any to have."""
    kinds: dict[str, list[int]] = {}
    for i in np.flatnonzero(problem.weights == 0).tolist():  # they count for nothing but being there
        kinds.setdefault(problem.dims[i].partition(": ")[2], []).append(i)
    there = np.zeros(len(loads), dtype=np.int64)
    for at in kinds.values():
        there += loads[:, at].any(axis=1)
    return there < min(2, len(kinds))


def _n_blocks(samples: pl.DataFrame, cohorts: Sequence[str], block_of: Mapping[str, str]) -> int:
    return len({block_of[p] for p in samples.filter(pl.col("cohort").is_in(cohorts))["patient_id"].to_list()})


def _within(group_of: Mapping[str, str], samples: pl.DataFrame) -> dict[str, str]:
    return {p: group_of[p] for p in samples["patient_id"].unique().to_list()}
