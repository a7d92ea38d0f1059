"""Who was diagnosed last is tested, to see whether a model holds in later years."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SplitError
from omicstore.splits.placing import PARTS_OF, Placed, left_out, linked

if TYPE_CHECKING:
    from omicstore.splits.placing import Task

__all__ = ["NO_YEAR", "place"]

#: The rule of exclusion for people whose year of diagnosis nobody knows.
NO_YEAR = "no_year"


def place(task: Task) -> Placed:
    """Test the latest years and choose on those before them, about one k-th of the people each.

    The years are cut for each cohort by itself, unless ``split.test_from`` names the first tested year: one more cohort
    then moves nobody. Persons of one identity group go by the latest year of any.

    Raises
    ------
    SplitError
        If no years are known, or fewer than three in every cohort.
    """
    known = task.catalogue.patients.select("patient_id", "diagnosis_year").drop_nulls()
    group = pl.col("patient_id").replace_strict(dict(task.group_of), default=None, return_dtype=pl.String)
    latest = (
        known.select(group=group, year=pl.col("diagnosis_year").cast(pl.Int64)).drop_nulls().group_by("group").max()
    )
    dated = task.samples.with_columns(group=group).join(latest, on="group", how="left", maintain_order="left")
    undated = dated.filter(pl.col("year").is_null())
    dated = dated.filter(pl.col("year").is_not_null())
    if dated.is_empty():
        raise _refused(f"nobody in {', '.join(task.spec.cohorts or task.catalogue.cohorts)} has a year of diagnosis")
    parts, cuts, kept_whole = [], [], []
    for cohorts in linked(dated, task.group_of):
        own = dated.filter(pl.col("cohort").is_in(cohorts))
        found = _cuts(own, task.spec.k, task.spec.test_from)
        if found is None:
            kept_whole.append(f"{', '.join(cohorts)}: {_years(own)}, which cannot be cut, so all of it trains")
        else:
            cuts.append({"cohorts": cohorts, "val_from": found[0], "test_from": found[1]})
        part = pl.lit("train")
        if found is not None:
            part = pl.when(pl.col("year") >= found[1]).then(pl.lit("test")).otherwise(part)
            part = (
                pl.when((pl.col("year") >= found[0]) & (pl.col("year") < found[1])).then(pl.lit("val")).otherwise(part)
            )
        parts.append(own.with_columns(part=part))
    if not cuts:
        raise _refused(f"there are {_years(dated)}")
    return Placed(
        parts=pl.concat(parts).with_columns(fold=0).select(pl.col(c).cast(t) for c, t in PARTS_OF.items()),
        k=1,
        partitions={
            "test": "diagnosed in test_from or later; sealed: reading it is logged",
            "val": "diagnosed in val_from or later, and before test_from",
            "train": "diagnosed before val_from",
        },
        not_honoured=kept_whole,
        excluded=left_out(undated, NO_YEAR, "the year of diagnosis is not known"),
        says={"years": cuts},
    )


def _cuts(dated: pl.DataFrame, k: int, test_from: int | None) -> tuple[int, int] | None:
    """Return the first year of val and of test; None where the years do not allow three parts."""
    people = dated.unique(["patient_id"])["year"]
    years, share = people.unique().sort().to_list(), people.len() / k
    if len(years) < 3:
        return None
    later = years[2:] if test_from is None else [test_from]
    test = min(later, key=lambda y: (abs(int((people >= y).sum()) - share), -y))
    before = [y for y in years[1:] if y < test]
    if not before or test > years[-1]:
        return None
    val = min(before, key=lambda y: (abs(int(((people >= y) & (people < test)).sum()) - share), -y))
    return val, test


def _years(dated: pl.DataFrame) -> str:
    years = dated["year"].unique().sort().to_list()
    return f"{len(years)} years of diagnosis, {years[0]} to {years[-1]}" if len(years) > 1 else f"one year, {years[0]}"


def _refused(found: str) -> SplitError:
    return SplitError(
        found,
        expected="at least three years of diagnosis: for train, for val, and for test after them",
        run="correct split.test_from, or set split.strategy: grouped_kfold, in params.yaml",
    )
