"""From samples to folds, and from folds to train, val and test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.levels import keep_levels
from omicstore.splits.placing import PARTS_OF, Placed, blocks_of, linked
from omicstore.splits.problem import build_problem, digest
from omicstore.splits.solve import greedy, sites_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.splits.placing import Task
    from omicstore.splits.solve import Solution

__all__ = ["Assigned", "assign", "expand", "place", "turned"]

_PARTITIONS = {
    "test": "block i of fold i; sealed: reading it is logged",
    "val": "block i + 1 (mod k): another whole block, so it shares no person, and no site kept whole, with the others",
    "train": "all other blocks",
}


@dataclass(slots=True)
class Assigned:
    """Which block each patient belongs to and which fold has it as its test part.

    Attributes
    ----------
    fold_of
        Patient to fold.
    solutions
        One entry per set of cohorts that was solved together: cohorts, n_blocks, solver, objective, bound, gap, nodes.
    not_honoured
        What of the blocks could not be honoured, as sentences.
    levels
        Plate, center or platform, where preserved, to the levels that could not be.
    """

    fold_of: dict[str, int]
    solutions: list[dict[str, Any]] = field(default_factory=list)
    not_honoured: list[str] = field(default_factory=list)
    levels: dict[str, list[str]] = field(default_factory=dict)


def place(task: Task) -> Placed:
    """Make k folds that take turns as the test part, of whole people or of whole sites."""
    k = task.spec.k
    assigned = assign(task)
    parts = expand(task.samples, assigned.fold_of, k)
    return Placed(parts, k, _PARTITIONS, assigned.solutions, assigned.not_honoured, assigned.levels)


def assign(task: Task) -> Assigned:
    """Choose for each patient the fold whose test part it is in.

    Cohorts that share no person (and, where sites are kept whole, no site) are solved apart, so that adding one changes
    nothing for the others.

    Raises
    ------
    SplitError
        If there are fewer blocks than folds.
    """
    samples, strata, spec = task.samples, task.strata, task.spec
    whole_sites = spec.strategy == "site_preserved_kfold"
    if whole_sites:
        _refuse_few_sites(samples, spec.k)
    block_of = blocks_of(samples, task.group_of, whole_sites=whole_sites)
    levels = keep_levels(samples, task.catalogue, block_of, spec.preserve, spec.k) if spec.preserve else None
    if levels is not None:
        block_of = levels.block_of
    n_blocks = len(set(block_of.values()))
    if n_blocks < spec.k:
        raise SplitError(
            f"there are {n_blocks} groups of people{' and sites' if whole_sites else ''} apart, for {spec.k} folds",
            expected=f"at least {spec.k}; identity edges, or patients of two sites, join the others",
            run=f"{'set split.strategy: grouped_kfold, or ' if whole_sites else ''}lower split.k, in params.yaml",
        )
    assigned = Assigned(fold_of={})
    if levels is not None:
        assigned.levels, assigned.not_honoured = levels.not_honoured, levels.sentences
    sited = {block_of[p] for p in samples.drop_nulls("site")["patient_id"].to_list()}
    for cohorts in linked(samples, block_of):
        own = samples.filter(pl.col("cohort").is_in(cohorts))
        problem = build_problem(own, strata.filter(pl.col("cohort").is_in(cohorts)), block_of, spec)
        if whole_sites:
            has_site = np.array([b in sited for b in problem.blocks])
            solution = sites_first(problem, has_site, node_limit=spec.node_limit, time_limit_s=spec.time_limit_s)
        else:
            solution = greedy(problem)
        # Each set has its largest block in fold 0: turned by the seed, so that not all of them pile up there.
        order = sorted(range(spec.k), key=lambda f: digest(spec.seed, cohorts[0], f))
        fold_of_block = {b: order[int(f)] for b, f in zip(problem.blocks, solution.folds, strict=True)}
        assigned.fold_of |= {p: fold_of_block[block_of[p]] for p in own["patient_id"].unique().sort().to_list()}
        assigned.solutions.append(_described(cohorts, len(problem.blocks), solution))
        if len(problem.blocks) < spec.k:
            assigned.not_honoured.append(
                f"{', '.join(cohorts)}: {len(problem.blocks)} blocks for {spec.k} folds, so some folds test none of it"
            )
    if whole_sites and (unknown := samples.filter(pl.col("site").is_null())["patient_id"].n_unique()):
        assigned.not_honoured.append(f"{unknown} patients have no known site and are placed one by one")
    return assigned


def expand(samples: pl.DataFrame, fold_of: Mapping[str, int], k: int) -> pl.DataFrame:
    """Return each sample's part: in fold i, block i is test, the next block is val, the rest is train.

    Val is a whole block too, so that what is chosen on it (an epoch, a model) has seen none of its patients or sites.
    """
    home = pl.col("patient_id").replace_strict(dict(fold_of), return_dtype=pl.Int64)
    return turned(samples.with_columns(home=home), k)


def turned(at_home: pl.DataFrame, k: int) -> pl.DataFrame:
    """Return the parts of samples whose ``home`` is the fold that tests them."""
    offset = (pl.col("home") - pl.col("fold")).mod(k)
    rows = at_home.join(pl.DataFrame({"fold": np.arange(k)}), how="cross").with_columns(
        part=pl.when(offset == 0).then(pl.lit("test")).when(offset == 1).then(pl.lit("val")).otherwise(pl.lit("train"))
    )
    return rows.select(pl.col(c).cast(t) for c, t in PARTS_OF.items())


def _refuse_few_sites(samples: pl.DataFrame, k: int) -> None:
    n_sites = samples["site"].drop_nulls().n_unique()
    if n_sites < k:
        raise SplitError(
            f"{', '.join(samples['cohort'].unique().sort().to_list())} have {n_sites} known sites for {k} folds",
            expected=f"at least {k} sites, since a site goes to one fold whole",
            run="set split.strategy: grouped_kfold, or lower split.k, in params.yaml",
        )


def _described(cohorts: list[str], n_blocks: int, solution: Solution) -> dict[str, Any]:
    return {
        "cohorts": cohorts,
        "n_blocks": n_blocks,
        "solver": solution.solver,
        "objective": round(solution.objective, 4),
        "bound": None if solution.bound is None else round(solution.bound, 4),
        "gap": None if solution.gap is None else round(solution.gap, 4),
        "nodes": solution.nodes,
    }
