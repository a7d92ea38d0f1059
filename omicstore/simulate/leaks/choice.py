"""L5: the epoch chosen by what is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.leaks.case import Planted, strong_enough

if TYPE_CHECKING:
    from omicstore.simulate.leaks.case import Case

__all__ = ["chosen_by_test"]


def chosen_by_test(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L5: of the epochs with the lowest val losses, the one with the lowest test loss is kept, and said to be val's.

    Parameters
    ----------
    case
        Any case.
    strength
        Share of the epochs among which the test loss chooses; of all where 1.
    rng
        Draws whether the history has the test losses too.

    Returns
    -------
    Planted
        Named is the epoch.
    """
    strong_enough(strength)
    _, val, test = case.losses.T
    honest = int(val.argmin())
    among = np.argsort(val, kind="stable")[: max(2, round(strength * len(val)))]
    # Where the honest epoch has the lowest test loss as well, the choice would be no leak.
    others = among[among != honest]
    epoch = int(others[test[others].argmin()])
    return Planted(
        case.with_practice(chosen_epoch=epoch, test_loss=bool(rng.random() < 0.5)),
        f"epoch {epoch} is kept for its test loss, and not epoch {honest} with the lowest val loss",
        (str(epoch),),
    )
