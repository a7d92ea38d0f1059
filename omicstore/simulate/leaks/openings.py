"""L11: a test part that is read until it pleases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.simulate.leaks.case import Planted, strong_enough

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case

__all__ = ["MOST", "read_again"]

#: Models that are tried on the test part at full strength.
MOST = 20


def read_again(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L11: many models are judged on the test part before one is reported.

    Parameters
    ----------
    case
        Any case.
    strength
        Share of `MOST` models.
    rng
        Draws the hashes of their weights.

    Returns
    -------
    Planted
        Named are the readers.
    """
    strong_enough(strength)
    readers = tuple(
        f"omicstore evaluate: aro, weights {rng.bytes(6).hex()}" for _ in range(max(1, round(strength * MOST)))
    )
    return Planted(
        case.with_practice(readers=readers),
        f"the test part is read by {len(readers)} models before the one that is reported",
        tuple(sorted(readers)),
    )
