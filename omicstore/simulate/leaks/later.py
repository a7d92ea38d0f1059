"""L10: what was known only later, served as if it had been known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case

__all__ = ["LATER", "followed_on"]

#: The file of the later follow-up, and how many days of it there may be after a patient's last day.
LATER = "follow_up_later.csv"

_LONGEST, _HAZARD = 1500.0, 1 / 1200.0


def followed_on(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L10: in a split by years, training patients are followed beyond the day when the first test patient came.

    Parameters
    ----------
    case
        A case of `draw_case(temporal=True)`.
    strength
        Share of the patients diagnosed before the cut, and alive at it.
    rng
        Draws who, and how they went on.

    Returns
    -------
    Planted
        Named are the patients.
    """
    named: list[str] = []
    made = case
    for name, cohort in case.cohorts.items():
        cut = next(c["test_from"] for c in case.placed.says["years"] if name in c["cohorts"])
        years = cohort.patients.select("patient_id", "diagnosis_year")
        last = ((cut - pl.col("diagnosis_year") - 0.5) * 365.25).floor()
        here = (pl.col("diagnosis_year") < cut) & (pl.col("event") == 0) & (pl.col("time_days") == last)
        known = cohort.outcomes.join(years, on="patient_id", maintain_order="left").with_columns(censored=here)
        alive = known.filter(pl.col("censored") & (pl.col("endpoint") == "OS"))
        chosen = share_of(alive["patient_id"].to_list(), strength, rng)
        named += chosen
        # Beyond the end of the year of the cut, so that it is later wherever in its year the diagnosis was.
        more = {p: float(366 + round(rng.uniform(0.0, _LONGEST))) for p in chosen}
        dies = {p: bool(rng.random() < 1.0 - 2.0 ** (-days * _HAZARD)) for p, days in more.items()}
        days = pl.col("patient_id").replace_strict(more, default=0.0, return_dtype=pl.Float64)
        died = pl.col("patient_id").replace_strict(dies, default=False, return_dtype=pl.Boolean)
        own = pl.col("censored") & pl.col("patient_id").is_in(chosen)
        outcomes = known.with_columns(
            time_days=pl.when(own).then(pl.col("time_days") + days).otherwise("time_days"),
            event=pl.when(own & died).then(1).otherwise("event").cast(pl.Int8),
            source=pl.when(own).then(pl.lit(LATER)).otherwise("source"),
        ).drop("diagnosis_year", "censored")
        made = made.with_cohort(name, replace(cohort, outcomes=outcomes))
    return Planted(made, f"{len(named)} training patients are followed beyond the cut", tuple(sorted(named)))
