"""What became of people in each third of risk, and the hazard of everyone: lifelines' estimates at a few times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST", "baseline_hazard", "group_of", "observed_survival"]

#: People that a group needs for its survival to be said, and that must still be followed at the time.
FEWEST, FEWEST_LEFT = 10, 3


def group_of(training: NDArray[np.floating], risk: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return (n,) the third of the training risks that each risk falls into: 0 low, 1, 2 high.

    Examples
    --------
    >>> group_of(np.arange(9.0), np.array([-1.0, 4.0, 99.0])).tolist()
    [0, 1, 2]
    """
    return np.searchsorted(np.quantile(training, [1 / 3, 2 / 3]), risk).astype(np.int64)


def observed_survival(
    group: NDArray[np.int64], time: NDArray[np.floating], event: NDArray[np.floating], times: NDArray[np.floating]
) -> list[dict[str, Any]]:
    """Return, per third, n and Kaplan and Meier's survival at each time with its 90% interval.

    The interval is the exponential Greenwood one (log-log), which never leaves 0 to 1. A number is None where the group
    has fewer than `FEWEST` people, or fewer than `FEWEST_LEFT` are still followed at that time.

    Parameters
    ----------
    group, time, event
        (n,) third, days and 1 = event.
    times
        (T,) days.

    Returns
    -------
    Three of: n; survival, survival_low, survival_high: T numbers each.
    """
    from lifelines import KaplanMeierFitter

    found = []
    for third in range(3):
        own = group == third
        said: dict[str, Any] = {"n": int(own.sum())}
        lines: list[list[float | None]] = [[None] * len(times) for _ in range(3)]
        if own.sum() >= FEWEST:
            curve = KaplanMeierFitter(alpha=0.1).fit(time[own], event[own])
            band = curve.confidence_interval_survival_function_
            for j, when in enumerate(times):
                if (time[own] >= when).sum() < FEWEST_LEFT:
                    continue
                low, high = band.loc[:when].iloc[-1]
                for line, value in zip(lines, (curve.predict(when), low, high), strict=True):
                    # Before the first event the formula gives no interval.
                    line[j] = round(float(value), 4) if np.isfinite(value) else None
        found.append(said | dict(zip(("survival", "survival_low", "survival_high"), lines, strict=True)))
    return found


def baseline_hazard(
    log_hazard: NDArray[np.floating],
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    times: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return (T,) the cumulative hazard at log hazard 0, by Breslow's estimate (1972, J. R. Stat. Soc. B 34:216).

    Examples
    --------
    >>> baseline_hazard(np.zeros(2), np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.array([0.5, 1.0, 2.0])).tolist()
    [0.0, 0.5, 1.5]
    """
    order = np.argsort(time, kind="stable")
    ended, weight, events = time[order], np.exp(log_hazard[order]), event[order]
    at_risk = np.cumsum(weight[::-1])[::-1][np.searchsorted(ended, ended)]
    steps = np.where(events == 1, 1.0 / at_risk, 0.0)
    return np.array([steps[ended <= when].sum() for when in times])
