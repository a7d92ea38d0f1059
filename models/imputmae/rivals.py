"""What a tuned ImpuTMAE stands beside: penalised Cox models and a survival forest, fitted on the same rows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.rowspace import RowSpace
from models.baselines.survival import ClinicalCovariates, cox_risk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.floating]

__all__ = ["clinical_risk", "component_risks", "factor_risk", "with_clinic"]

#: Share of the absolute penalty in the elastic net, the penalties tried, and the trees of the forest.
_L1, _N_ALPHAS, _TREES = 0.5, 50, 200

#: Strength of the squared penalty of the clinical model, as in the survival probe.
_PENALTY = 0.1


def clinical_risk(
    patients: pl.DataFrame, time: Array, event: Array, new: Sequence[pl.DataFrame]
) -> tuple[list[NDArray[np.float64]], tuple[str, ...]]:
    """Fit age, sex and stage and return the log hazards of each group of new patients, and what was used.

    Parameters
    ----------
    patients, new
        Columns age_years, sex, stage and cohort.
    time, event
        (n,) of `patients`; days, all above 0.
    """
    covariates = ClinicalCovariates.fit(patients)
    every = np.concatenate([covariates.matrix(group) for group in new])
    risk = cox_risk(covariates.matrix(patients), time, event, every, penalizer=_PENALTY)
    return np.split(risk, np.cumsum([len(group) for group in new])[:-1]), covariates.columns


def with_clinic(clinic: Array, risk: Array, time: Array, event: Array, new: tuple[Array, Array]) -> NDArray[np.float64]:
    """Return the log hazard of new patients by a clinical score and a model's risk together, (m,).

    Parameters
    ----------
    clinic, risk, time, event
        (n,) of patients that neither score was fitted on, or its weight would be too large.
    new
        Both scores of the new patients, (m,) each.
    """
    inputs = np.column_stack([clinic, risk])
    mean, sd = inputs.mean(axis=0), inputs.std(axis=0)
    scaled = [(part - mean) / np.where(sd > 0, sd, 1) for part in (inputs, np.column_stack(new))]
    return cox_risk(scaled[0], time, event, scaled[1], penalizer=_PENALTY)


def component_risks(
    train: tuple[Array, Array, Array],
    val: tuple[Array, Array, Array],
    new: Array,
    *,
    components: int,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """Fit models on principal components of the training rows and return the risks of new rows.

    ``ridge``: lifelines' Cox. Where scikit-survival is installed also ``coxnet``: the elastic net of Simon et al. 2011
    (J. Stat. Softw. 39:5), its penalty chosen on val; and ``forest``: random survival forest (Ishwaran et al. 2008,
    Ann. Appl. Stat. 2:841). All but the components are fitted on train and val.

    Parameters
    ----------
    train, val
        Values (n, p), NaN where not observed, times in days above 0, and events.
    new
        (m, p).
    components
        How many.
    seed
        Of the forest.
    """
    space = RowSpace.fit(np.nan_to_num(train[0]))
    fit_scores, val_scores, new_scores = (
        space.scores(np.nan_to_num(x))[:, :components] for x in (train[0], val[0], new)
    )
    sd = fit_scores.std(axis=0)
    fit_scores, val_scores, new_scores = (x / sd for x in (fit_scores, val_scores, new_scores))
    both = np.concatenate([fit_scores, val_scores])
    time, event = (np.concatenate([train[i], val[i]]) for i in (1, 2))
    risks = {"ridge": cox_risk(both, time, event, new_scores, penalizer=_PENALTY)}
    if find_spec("sksurv") is None:
        return risks
    from sksurv.ensemble import RandomSurvivalForest
    from sksurv.linear_model import CoxnetSurvivalAnalysis
    from sksurv.metrics import concordance_index_censored
    from sksurv.util import Surv

    path = CoxnetSurvivalAnalysis(n_alphas=_N_ALPHAS, l1_ratio=_L1, alpha_min_ratio=0.01)
    path.fit(fit_scores, Surv.from_arrays(train[2] == 1, train[1]))
    c = [
        concordance_index_censored(val[2] == 1, val[1], path.predict(val_scores, alpha=alpha))[0]
        for alpha in path.alphas_
    ]
    outcome = Surv.from_arrays(event == 1, time)
    net = CoxnetSurvivalAnalysis(alphas=[path.alphas_[int(np.argmax(c))]], l1_ratio=_L1).fit(both, outcome)
    forest = RandomSurvivalForest(_TREES, min_samples_leaf=5, random_state=seed).fit(both, outcome)
    return risks | {"coxnet": net.predict(new_scores), "forest": forest.predict(new_scores)}


def factor_risk(
    train: Mapping[str, Array],
    val: Mapping[str, Array],
    time: Array,
    event: Array,
    new: Mapping[str, Array],
    *,
    seed: int,
) -> NDArray[np.float64] | None:
    """Return the log hazards of new rows by a Cox model of the factors of MOFA2; None where mofapy2 is not installed.

    Parameters
    ----------
    train, val, new
        Per modality (n, F), NaN where not observed. Factors and their scale are fitted on `train`.
    time, event
        Of the rows of train, then val; days, all above 0.
    seed
        Of the factors.
    """
    if find_spec("mofapy2") is None:
        return None
    from models.outside.mofa import MOFA

    fitted = MOFA.fit(train, seed=seed)
    parts = [fitted.factors_of(rows) for rows in (train, val, new)]
    sd = parts[0].std(axis=0)
    fit_scores, val_scores, new_scores = (part / np.where(sd > 0, sd, 1) for part in parts)
    return cox_risk(np.concatenate([fit_scores, val_scores]), time, event, new_scores, penalizer=_PENALTY)
