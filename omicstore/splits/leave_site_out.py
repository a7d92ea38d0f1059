"""Each large enough site, or group of small ones, is the test part of a fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.placing import Placed, blocks_of, left_out, linked, with_val

if TYPE_CHECKING:
    from omicstore.splits.placing import Task

__all__ = ["LEAST_TESTED", "NO_SITE", "place"]

#: A site with fewer patients is tested together with others; `split.min_test` says otherwise.
LEAST_TESTED = 20

#: The rule of exclusion for people of unknown sites: they may be of the site that is tested.
NO_SITE = "no_site"


def place(task: Task) -> Placed:
    """Test each site once, the largest first; val is cut by whole sites from the others.

    A site of fewer than ``split.min_test`` patients, without an event of the endpoint or with one class of the label
    alone, is tested together with others: nothing could be said of it by itself.

    Raises
    ------
    SplitError
        If no cohort has three sites, or groups of small ones, that are apart and large enough.
    """
    least = task.spec.min_test or LEAST_TESTED
    unknown = task.samples.filter(pl.col("site").is_null().all().over("patient_id"))
    sited = task.samples.join(unknown, on=["cohort", "sample_id"], how="anti")
    block_of = blocks_of(sited, {p: task.group_of[p] for p in sited["patient_id"].to_list()}, whole_sites=True)
    tests: list[list[set[str]]] = []
    kept_whole = []
    for cohorts in linked(sited, block_of) if block_of else []:
        own = sited.filter(pl.col("cohort").is_in(cohorts))
        groups = _groups(own, task, block_of, least)
        if len(groups) >= 3:
            tests.append(groups)
        else:
            few = f"{len(groups)} site{'' if len(groups) == 1 else 's'} or groups of sites"
            kept_whole.append(f"{', '.join(cohorts)}: {few} of {_enough(task, least)}, so none of it is tested")
    if not tests:
        raise SplitError(
            f"no cohort has three sites or groups of sites of {_enough(task, least)}",
            expected="one to test, one for val and one to train on; sites that share people count as one",
            run="lower split.min_test, or set split.strategy: grouped_kfold, in params.yaml",
        )
    k = max(len(groups) for groups in tests)
    parts, tested = [], []
    for fold in range(k):
        blocks = set().union(*(groups[fold] for groups in tests if fold < len(groups)))
        people = sorted(p for p, block in block_of.items() if block in blocks)
        here = pl.col("patient_id").is_in(people)
        parts.append(with_val(task, here, fold=fold, parts=task.spec.k, samples=sited, whole_sites=True))
        tested.append(sited.filter(here)["site"].drop_nulls().unique().sort().to_list())
    return Placed(
        parts=pl.concat(parts),
        k=k,
        partitions={
            "test": f"the sites i of strategy.tests, whole, of {_enough(task, least)}; sealed: reading it is logged",
            "val": f"whole other sites, about one in {task.spec.k} of their people",
            "train": "all other sites",
        },
        not_honoured=kept_whole,
        excluded=left_out(unknown, NO_SITE, "the site is not known, and may be the one that is tested"),
        says={"tests": tested, "min_test": least},
    )


def _enough(task: Task, least: int) -> str:
    """Say what a site needs to be tested alone."""
    of = {task.spec.endpoint: f" and an event of {task.spec.endpoint}", task.spec.label: " and two classes"}
    return f"at least {least} patients" + "".join(text for name, text in of.items() if name is not None)


def _groups(samples: pl.DataFrame, task: Task, block_of: dict[str, str], least: int) -> list[set[str]]:
    """Return sets of blocks that can be tested: those with enough alone, the largest first, the others together."""
    people = samples.select("cohort", "patient_id").unique().join(task.strata, on=["cohort", "patient_id"], how="left")
    size: dict[str, set[str]] = {}
    told: dict[str, set[str]] = {}
    for patient, event, label in people.select("patient_id", "event", "label").iter_rows():
        size.setdefault(block_of[patient], set()).add(patient)
        # What a test part needs: one event, or two classes.
        kinds = told.setdefault(block_of[patient], set())
        if task.spec.endpoint is not None and event:
            kinds.add("event")
        elif label is not None:
            kinds.add(label)
    needed = 1 if task.spec.endpoint is not None else 2 if task.spec.label is not None else 0

    def enough(blocks: set[str]) -> bool:
        n = sum(len(size[b]) for b in blocks)
        return n >= least and len(set().union(*(told[b] for b in blocks))) >= needed

    ordered = sorted(size, key=lambda b: (-len(size[b]), b))
    groups = [{b} for b in ordered if enough({b})]
    pending: set[str] = set()
    for block in (b for b in ordered if not enough({b})):
        pending.add(block)
        if enough(pending):
            groups.append(pending)
            pending = set()
    if pending and groups:
        groups[-1] |= pending
    return groups
