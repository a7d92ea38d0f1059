"""Rows dealt out at random, as many papers do: only to show, in the price list, what that is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.splits.assign import turned
from omicstore.splits.placing import Placed
from omicstore.splits.problem import digest

if TYPE_CHECKING:
    from omicstore.splits.placing import Task

__all__ = ["place"]


def place(task: Task) -> Placed:
    """Deal the samples of each cohort out to k folds by a digest of their ids, whoever they are of."""
    homes = []
    for cohort in task.samples["cohort"].unique().sort().to_list():
        own = task.samples.filter(pl.col("cohort") == cohort)
        order = sorted(own["sample_id"].to_list(), key=lambda s: digest(task.spec.seed, cohort, s))
        home = {sample: i % task.spec.k for i, sample in enumerate(order)}
        homes.append(own.with_columns(home=pl.col("sample_id").replace_strict(home, return_dtype=pl.Int64)))
    return Placed(
        parts=turned(pl.concat(homes), task.spec.k),
        k=task.spec.k,
        partitions={
            "test": "one in k rows, drawn at random: people cross the split",
            "val": "one in k rows of the others",
            "train": "all other rows",
        },
        not_honoured=["samples of one person are dealt out one by one: results on this split are for the price list"],
        says={"price_list": bool(task.spec.price_list)},
    )
