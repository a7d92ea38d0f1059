"""Named cohorts are held out whole, and never train: an external test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SplitError, UnknownNameError
from omicstore.splits.placing import Placed, left_out, with_val

if TYPE_CHECKING:
    from omicstore.splits.placing import Task

__all__ = ["LINKED", "place"]

#: The rule of exclusion for people of the other cohorts who are tested, too.
LINKED = "linked_to_test"


def place(task: Task) -> Placed:
    """Hold out ``split.test_cohorts``; who is also found in them leaves the training cohorts.

    Raises
    ------
    UnknownNameError
        If the split has no such cohort.
    SplitError
        If no cohort is named, or none is left to train on.
    """
    samples, named = task.samples, task.spec.test_cohorts or ()
    cohorts = samples["cohort"].unique().sort().to_list()
    for name in named:
        if name not in cohorts:
            raise UnknownNameError("cohort in split.test_cohorts", name, cohorts)
    if not named or not set(cohorts) - set(named):
        raise SplitError(
            "split.test_cohorts names no cohort"
            if not named
            else f"split.test_cohorts names all of {', '.join(cohorts)}",
            expected="the cohorts to hold out, and at least one other to train on",
            run="name some of split.cohorts in split.test_cohorts of params.yaml",
        )
    outside = pl.col("cohort").is_in(list(named))
    groups = pl.col("patient_id").replace_strict(dict(task.group_of), return_dtype=pl.String)
    tested = samples.filter(outside).select(groups).to_series().unique().to_list()
    both = samples.filter(~outside & groups.is_in(tested))
    inside = samples.join(both, on=["cohort", "sample_id"], how="anti")
    return Placed(
        parts=with_val(task, outside, fold=0, parts=task.spec.k, samples=inside),
        k=1,
        partitions={
            "test": f"{', '.join(named)}, whole; sealed: reading it is logged",
            "val": f"about one in {task.spec.k} people of each other cohort",
            "train": "the rest of the other cohorts",
        },
        excluded=left_out(both, LINKED, "the person is, or may be, in a cohort that is held out"),
        says={"tests": [list(named)]},
    )
