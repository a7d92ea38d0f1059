"""L3: patients of one site on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of
from omicstore.splits.assign import turned

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case

__all__ = ["scattered"]


def scattered(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L3: patients are dealt out whatever their site, by an author who says that sites are kept whole.

    Parameters
    ----------
    case
        A case whose folds take turns.
    strength
        Share of the sites with two patients or more.
    rng
        Draws which sites, and deals their patients out in turn.

    Returns
    -------
    Planted
        Named are the sites.
    """
    patients = pl.concat(c.patients.select("cohort", "patient_id", "site") for c in case.cohorts.values())
    several = patients.group_by("site").len().filter(pl.col("len") > 1)["site"].drop_nulls().to_list()
    chosen = share_of(several, strength, rng)
    home: dict[str, int] = {}
    for site in chosen:
        people = patients.filter(pl.col("site") == site)["patient_id"].unique().sort().to_list()
        start = int(rng.integers(case.placed.k))
        home |= {people[i]: (start + n) % case.placed.k for n, i in enumerate(rng.permutation(len(people)))}
    samples = pl.concat(
        own.profiles.select("sample_id", "patient_id", cohort=pl.lit(name))
        for name, cohort in case.cohorts.items()
        for own in cohort.assays.values()
    ).unique()
    known = case.homes.drop("home").join(samples, on=["cohort", "sample_id"], how="left", maintain_order="left")
    # A patient with nothing but a report is known by the report's sample.
    person = pl.coalesce("patient_id", pl.col("sample_id").str.replace(r"-\d\d$", ""))
    moved = known.with_columns(home=person.replace_strict(home, default=None, return_dtype=pl.Int64)).drop_nulls("home")
    again = turned(moved.select("cohort", "sample_id", "home"), case.placed.k)

    def dealt(parts: pl.DataFrame) -> pl.DataFrame:
        stay = parts.join(again, on=["cohort", "sample_id"], how="anti", maintain_order="left")
        return pl.concat([stay, again])

    return Planted(
        case.with_parts(dealt),
        f"the patients of {len(chosen)} of {len(several)} sites are dealt out one by one",
        tuple(chosen),
    )  # fmt: skip
