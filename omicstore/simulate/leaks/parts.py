"""Where samples come to lie that are dealt out a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.splits.assign import turned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from omicstore.simulate.leaks.case import Case

__all__ = ["AWAY", "dealt_again", "listed_again"]

#: So many folds on: what is tested in fold i trains there under its other name, since val is the next fold.
AWAY = 2


def dealt_again(case: Case, samples: Iterable[str]) -> pl.DataFrame:
    """Return the parts of samples whose home is another fold than it was."""
    k = case.placed.k
    own = case.homes.filter(pl.col("sample_id").is_in(sorted(set(samples))))
    return turned(own.with_columns(home=(pl.col("home") + AWAY) % k), k)


def listed_again(case: Case, cohort: str, names: Mapping[str, str], other: str) -> pl.DataFrame:
    """Return the parts of samples of `cohort` under other names in the cohort `other`, in other folds than the first.

    Parameters
    ----------
    case
        A case whose folds take turns.
    cohort, names
        Sample id to its name in the other cohort.
    other
        That cohort.
    """
    k = case.placed.k
    own = case.homes.filter((pl.col("cohort") == cohort) & pl.col("sample_id").is_in(sorted(names)))
    renamed = own.with_columns(
        cohort=pl.lit(other),
        sample_id=pl.col("sample_id").replace_strict(dict(names), return_dtype=pl.String),
        home=(pl.col("home") + AWAY) % k,
    )
    return turned(renamed, k)
