"""All scores of a survival model on one test part, each under its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluate.concordance import harrell
from models.evaluate.curves import antolini, integrated_brier, uno, weighting_horizon

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["SURVIVAL_SCORES", "survival_scores"]

#: Name to title.
SURVIVAL_SCORES = {
    "c_harrell": "C (Harrell)",
    "c_uno": "C (Uno, weighted on train)",
    "c_antolini": "C (Antolini)",
    "ibs": "integrated Brier score",
}

#: At so many times is the Brier score taken.
_N_TIMES = 100


def survival_scores(
    train: tuple[NDArray[np.floating], NDArray[np.floating]],
    test: tuple[NDArray[np.floating], NDArray[np.floating]],
    risk: NDArray[np.floating],
    survival: Callable[[NDArray[np.floating]], NDArray[np.floating]] | None = None,
) -> dict[str, float]:
    """Return Harrell's and Uno's C and, where there are curves, Antolini's C and the integrated Brier score.

    Uno's C and the Brier score are taken up to `models.evaluate.curves.weighting_horizon`, which is given beside them
    in days as ``horizon``; the Brier score at times equally spaced from the shortest test time.

    Parameters
    ----------
    train, test
        Times, days, and events, 1 = event, of the rows with follow-up.
    risk
        (n,) of the test rows, higher = earlier event.
    survival
        Gives for (K,) times the (n, K) probabilities of surviving them; a Cox head without a baseline has none.

    Raises
    ------
    UsageError
        If there are curves, and no time lies between the shortest test time and the horizon.
    """
    (time, event), ones = test, np.ones((1, len(risk)))
    horizon = weighting_horizon(*train, time)
    scores = {
        "c_harrell": float(harrell(time, event, risk, ones)[0]),
        "c_uno": uno(*train, time, event, risk, horizon),
        "horizon": horizon,
    }
    if survival is not None:
        times = np.linspace(np.min(time), horizon, _N_TIMES, endpoint=False)
        scores["c_antolini"] = float(antolini(time, event, survival(time), ones)[0])
        scores["ibs"] = integrated_brier(*train, time, event, survival(times), times)
    return scores
