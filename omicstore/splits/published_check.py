"""What the ids of published folds tell without any store: people and sites on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.splits.results import CheckResult, offenders, straddling
from omicstore.splits.sharing import shared_sites, worst
from omicstore.splits.spec import CHECKS

if TYPE_CHECKING:
    from omicstore.splits.published import Published

__all__ = ["check_published"]


def check_published(folds: Published) -> list[CheckResult]:
    """Look for patients and sites on both sides of a fold.

    Everything else that `omicstore split check` looks for needs the data: import the folds into a store for it.
    """
    rows = folds.rows
    crossing = straddling(rows, "patient_id")
    counted = {"n_folds": folds.k, "n_patients": len(folds.patients)}
    by_person = CheckResult(
        "L1",
        CHECKS["L1"],
        "fail" if crossing else "pass",
        why="no patient is in train and val of a fold, by their barcodes",
        evidence=counted | offenders(crossing),
    )
    tested = rows.filter(pl.col("part") == "test").group_by("patient_id").agg(n=pl.col("fold").n_unique())
    odd = len(folds.patients) - tested.filter(pl.col("n") == 1).height
    once = CheckResult(
        "assignments",
        "every patient is tested once",
        "fail" if odd and folds.k > 1 else "pass",
        "warning",
        f"{odd} of {len(folds.patients)} patients are tested in no fold or in several" if odd and folds.k > 1 else "",
    )
    return [once, by_person, _by_site(folds)]


def _by_site(folds: Published) -> CheckResult:
    found = shared_sites(folds.rows)
    if not found:
        return CheckResult("L3", CHECKS["L3"], "not_applicable", "warning", "the ids name no site")
    evidence = {
        "n_sites": folds.rows["site"].drop_nulls().n_unique(),
        "shared_by_fold": {str(s.fold): f"{s.n_shared} of {s.n_sites}" for s in found},
    }
    most = worst(found)
    if most is None:
        return CheckResult("L3", CHECKS["L3"], "pass", "warning", "no site is in train and val of a fold", evidence)
    sharing = [s.sentence for s in found if s.n_shared]
    why = "a model may know the site, and what is usual there"
    return CheckResult("L3", CHECKS["L3"], "fail", "warning", why, evidence | offenders(sharing))
