"""L4: transforms that have seen what they are to be applied to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case

__all__ = ["fitted_on_all"]


def fitted_on_all(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L4: scaling and selection of features are fitted on held-out rows too, and say that they saw the training rows.

    Parameters
    ----------
    case
        A case whose folds take turns.
    strength
        Share of the held-out samples of fold 0 that joined.
    rng
        Draws which.

    Returns
    -------
    Planted
        Named are the samples.
    """
    held = case.placed.parts.filter((pl.col("fold") == 0) & (pl.col("part") != "train"))
    chosen = share_of(held["sample_id"].to_list(), strength, rng)
    return Planted(
        case.with_practice(fitted_too=frozenset(chosen)),
        f"transforms are fitted on {len(chosen)} held-out samples beside the training rows",
        tuple(chosen),
    )
