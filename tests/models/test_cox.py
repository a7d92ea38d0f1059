"""The Cox model minimises what its docstring says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from models.baselines.survival import cox_risk


@pytest.mark.parametrize("penalty", [0.01, 0.1, 1.0])
def test_cox_ridge_is_the_penalised_partial_likelihood(penalty: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3)) * [1.0, 5.0, 0.2]
    time = rng.exponential(np.exp(-x[:, 0]))
    event = (rng.random(60) < 0.6).astype(float)
    z = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    at_risk = time[None, :] >= time[:, None]

    def objective(beta: np.ndarray) -> float:
        risk = z @ beta
        likelihood = event @ (risk - np.log(at_risk @ np.exp(risk)))
        return float(-likelihood / len(time) + penalty / 2 * beta @ beta)

    beta = minimize(objective, np.zeros(3)).x
    found = cox_risk(x, time, event, x, penalizer=penalty)
    np.testing.assert_allclose(found - found.mean(), z @ beta, atol=1e-3)
