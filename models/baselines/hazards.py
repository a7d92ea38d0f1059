"""Survival from many features: ridge Cox on leading components, and the survival forest. scikit-survival fits both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.rowspace import RowSpace
from omicstore.extras import extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]
    Rows = tuple[Array, Array, Array]

__all__ = ["COX_PENALTIES", "RidgeCox", "SurvivalForest", "breslow", "outcome", "steps"]

#: Penalties tried on components scaled to a total variance of 1.
COX_PENALTIES: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0)

#: Components that ridge Cox reads; trees, the fewest patients in a leaf, and the times that a forest tells apart.
_COMPONENTS, _TREES, _LEAF, _TIMES = 50, 100, 15, 50


def outcome(time: Array, event: Array) -> NDArray[np.void]:
    """Return times and events as scikit-survival wants them."""
    out = np.empty(len(time), dtype=[("event", bool), ("time", np.float64)])
    out["event"], out["time"] = np.asarray(event) == 1, time
    return out


def steps(known: Array, values: NDArray[np.float64], times: Array, before: float) -> NDArray[np.float64]:
    """Return a step function at other times: (..., K) from (..., T), `before` until the first of the T known times."""
    place = np.searchsorted(known, np.asarray(times, dtype=np.float64), side="right")
    first = np.full((*values.shape[:-1], 1), before)
    return np.asarray(np.concatenate([first, values], axis=-1)[..., place])


def breslow(risk: Array, time: Array, event: Array, new: Array, times: Array) -> NDArray[np.float64]:
    """Return (m, K), the probability of surviving K times, from log partial hazards.

    The baseline hazard is Breslow's (1974, Biometrics 30:89), by scikit-survival, on the rows that were fitted on.

    Parameters
    ----------
    risk, time, event
        (n,) of the rows that were fitted on.
    new
        (m,) log partial hazards to tell.
    times
        (K,) days.
    """
    baseline = extra("sksurv.linear_model.coxph", "bench").BreslowEstimator().fit(risk, np.asarray(event) == 1, time)
    hazard = baseline.cum_baseline_hazard_
    return np.asarray(np.exp(-np.exp(new)[:, None] * steps(hazard.x, hazard.y, times, 0.0)))


class RidgeCox:
    """Ridge-penalised Cox regression on the 50 leading principal components of many features.

    Components and the candidates are fitted on train; the penalty of `COX_PENALTIES` with the highest Harrell's C on
    val is taken, and the model fitted with it on train and val. Of penalties alike on val, the strongest is taken.

    Parameters
    ----------
    train, val
        (n, p) inputs, (n,) days above 0, and (n,) 1 = event, of the two parts.
    """

    def __init__(self, train: Rows, val: Rows) -> None:
        from models.evaluate.concordance import harrell

        self.space = RowSpace.fit(train[0])
        own = self.space.scores(train[0])[:, :_COMPONENTS]
        self.scale = 1 / np.sqrt(max(float(own.var(axis=0).sum()), 1e-30))
        best = -1.0
        for penalty in sorted(COX_PENALTIES, reverse=True):
            risk = self._fitted(train, penalty).predict(self._scores(val[0])) if len(val[0]) else np.zeros(0)
            c = float(np.nan_to_num(harrell(val[1], val[2], risk, np.ones((1, len(risk))))[0]))
            if c > best:
                best, self.penalty = c, penalty
        both: Rows = tuple(np.concatenate(each) for each in zip(train, val, strict=True))  # type: ignore[assignment]
        self.model = self._fitted(both, self.penalty)

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (m,) log partial hazards."""
        return np.asarray(self.model.predict(self._scores(inputs)), dtype=np.float64)

    def _scores(self, inputs: Array) -> NDArray[np.float64]:
        return np.asarray(self.space.scores(inputs)[:, :_COMPONENTS] * self.scale)

    def _fitted(self, rows: Rows, penalty: float):  # type: ignore[no-untyped-def]
        cox = extra("sksurv.linear_model", "bench").CoxPHSurvivalAnalysis(alpha=penalty, ties="efron")
        return cox.fit(self._scores(rows[0]), outcome(rows[1], rows[2]))


class SurvivalForest:
    """A random survival forest (Ishwaran et al. 2008, Ann. Appl. Stat. 2:841) of 100 trees.

    Times are told apart at 50 quantiles of the times fitted on, each rounded up to the next: its cost grows with them.

    Parameters
    ----------
    inputs, time, event
        (n, p), (n,) days above 0, and (n,) 1 = event.
    seed
        Of rows and features drawn.
    """

    def __init__(self, inputs: Array, time: Array, event: Array, seed: int) -> None:
        forest = extra("sksurv.ensemble", "bench").RandomSurvivalForest
        grid = np.unique(np.quantile(time, np.linspace(0, 1, _TIMES), method="higher"))
        coarse = grid[np.searchsorted(grid, time)]
        self.model = forest(_TREES, min_samples_leaf=_LEAF, random_state=seed).fit(inputs, outcome(coarse, event))

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (m,) risks: the sum over time of the cumulative hazard."""
        return np.asarray(self.model.predict(inputs), dtype=np.float64)

    def survival(self, inputs: Array, times: Array) -> NDArray[np.float64]:
        """Return (m, K), the probability of surviving K times, in days."""
        curves = self.model.predict_survival_function(inputs, return_array=True)
        return steps(self.model.unique_times_, np.asarray(curves, dtype=np.float64), times, 1.0)
