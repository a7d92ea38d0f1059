"""The ways to make folds: one line each. A new one is a module with ``place`` and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.splits.placing import Placed, Task

__all__ = ["IMPORTED", "RANDOM", "STRATEGIES", "Strategy"]

#: What a split is called whose folds somebody else has published; `omicstore.splits.published` reads them.
IMPORTED = "imported"

#: Rows whoever they are of. No model is trained on it, but for the price list.
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to make folds.

    Attributes
    ----------
    name
        As ``split.strategy`` names it.
    place
        ``module:function`` that puts the samples of a `Task` into parts.
    title
        What it does, for help and reports.
    sites
        What becomes of sites: ``preserve`` (each in one part of a fold) or ``ignore``.
    time
        What becomes of the years of diagnosis: ``preserve`` or ``ignore``.
    turns
        Whether every fold has one k-th of the people as test and one as val, so that each sample is tested once and
        is val once in every round of k folds.
    """

    name: str
    place: str
    title: str
    sites: str = "ignore"
    time: str = "ignore"
    turns: bool = False

    def function(self) -> Callable[[Task], Placed]:
        """Import what makes the folds."""
        module, name = self.place.split(":")
        return cast("Callable[[Task], Placed]", getattr(import_module(module), name))


_HERE = "omicstore.splits"

#: Every strategy by name.
STRATEGIES: dict[str, Strategy] = {
    s.name: s
    for s in (
        Strategy("site_preserved_kfold", f"{_HERE}.assign:place", "k folds that share no site", "preserve", turns=True),
        Strategy("grouped_kfold", f"{_HERE}.assign:place", "k folds that share no person", turns=True),
        Strategy("leave_site_out", f"{_HERE}.leave_site_out:place", "each site is tested once", "preserve"),
        Strategy("cross_cohort", f"{_HERE}.cross_cohort:place", "each cohort is tested once"),
        Strategy("external", f"{_HERE}.external:place", "the cohorts of split.test_cohorts are tested"),
        Strategy("temporal", f"{_HERE}.temporal:place", "the latest years of diagnosis are tested", time="preserve"),
        Strategy(RANDOM, f"{_HERE}.random_rows:place", "rows at random, for the price list alone", turns=True),
        Strategy(IMPORTED, f"{_HERE}.imported:refuse", "published folds (omicstore split import)"),
    )
}
