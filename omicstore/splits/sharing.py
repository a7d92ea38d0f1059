"""Sites on both sides of a fold: how many of a test part's sites train or choose the model too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Shared", "shared_sites", "worst"]


@dataclass(frozen=True, slots=True)
class Shared:
    """The sites of one fold.

    Attributes
    ----------
    fold
        Which.
    n_shared
        Sites of the test part that another part has too.
    n_sites
        All sites of the fold.
    """

    fold: int
    n_shared: int
    n_sites: int

    @property
    def sentence(self) -> str:
        """E.g. ``fold 0 shares 23 of 37 sites``."""
        return f"fold {self.fold} shares {self.n_shared} of {self.n_sites} sites between test and the other parts"


def shared_sites(rows: pl.DataFrame) -> list[Shared]:
    """Count the shared sites of each fold.

    Parameters
    ----------
    rows
        fold, site (null where unknown), part.
    """
    found = []
    for (fold,), own in rows.drop_nulls("site").sort("fold").group_by("fold", maintain_order=True):
        tested = own.filter(pl.col("part") == "test")["site"].unique()
        others = own.filter(pl.col("part") != "test")["site"].unique()
        shared = len(set(tested.to_list()) & set(others.to_list()))
        found.append(Shared(int(str(fold)), shared, own["site"].n_unique()))
    return found


def worst(found: Iterable[Shared]) -> Shared | None:
    """Return the fold that shares most, the first of equals; None where none shares any."""
    sharing = [s for s in found if s.n_shared]
    return max(sharing, key=lambda s: (s.n_shared, -s.fold), default=None)
