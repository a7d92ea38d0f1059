"""Each cohort is the test part of a fold, and the others train, to see whether a model travels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.placing import Placed, linked, with_val

if TYPE_CHECKING:
    from omicstore.splits.placing import Task

__all__ = ["place"]


def place(task: Task) -> Placed:
    """Test each cohort once; cohorts that share a person are tested together.

    Raises
    ------
    SplitError
        If fewer than two cohorts are apart.
    """
    cohorts = task.samples["cohort"].unique().sort().to_list()
    sets = linked(task.samples, task.group_of)
    if len(sets) < 2:
        found = (
            f"{', '.join(cohorts)} share people" if len(cohorts) > 1 else f"the split is of one cohort, {cohorts[0]}"
        )
        raise SplitError(
            found,
            expected="at least two cohorts that share nobody, one of which is tested while the other trains",
            run="name more cohorts in split.cohorts, or set split.strategy: grouped_kfold, in params.yaml",
        )
    parts = [with_val(task, pl.col("cohort").is_in(own), fold=fold, parts=task.spec.k) for fold, own in enumerate(sets)]
    return Placed(
        parts=pl.concat(parts),
        k=len(sets),
        partitions={
            "test": "cohort i of strategy.tests, whole; sealed: reading it is logged",
            "val": f"about one in {task.spec.k} people of each other cohort",
            "train": "the rest of the other cohorts",
        },
        not_honoured=[f"{', '.join(own)} share people and are tested together" for own in sets if len(own) > 1],
        says={"tests": sets},
    )
