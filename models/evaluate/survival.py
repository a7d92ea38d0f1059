"""The survival probe: what the embedding knows of time to event, beside what the clinic knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines.rowspace import RowSpace
from models.baselines.survival import ClinicalCovariates, cox_risk
from models.evaluate.bootstrap import estimate, patient_weights
from models.evaluate.concordance import cohort_concordance, harrell
from models.evaluate.sealing import fitted_on, risk_rows

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from models.settings import EvaluateSettings, Survival

__all__ = ["Followed", "probe_inputs", "survival_probe"]

#: Decimals of a risk.
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Followed:
    """Patients with an embedding and, some of them, with follow-up.

    Attributes
    ----------
    z
        (n, D) embedding.
    time, event
        (n,) days and 1 = event; NaN where there is no follow-up.
    patients
        n rows: sample_id, patient_id, cohort, age_years, sex, stage.
    """

    z: NDArray[np.floating]
    time: NDArray[np.floating]
    event: NDArray[np.floating]
    patients: pl.DataFrame

    def take(self, rows: NDArray[np.bool_]) -> Followed:
        """Return the patients where `rows`, (n,) bool, is True."""
        import polars as pl

        return Followed(self.z[rows], self.time[rows], self.event[rows], self.patients.filter(pl.Series(rows)))

    def first_per_patient(self) -> Followed:
        """Return one row per patient, the first."""
        return self.take(self.patients["patient_id"].is_first_distinct().to_numpy())

    @classmethod
    def join(cls, one: Followed, other: Followed) -> Followed:
        """Return the rows of both."""
        return cls(
            np.concatenate([one.z, other.z]),
            np.concatenate([one.time, other.time]),
            np.concatenate([one.event, other.event]),
            one.patients.vstack(other.patients),
        )


def survival_probe(
    train: Followed, val: Followed, test: Followed, survival: Survival, settings: EvaluateSettings
) -> tuple[dict[str, Any], list[dict[str, Any]], list[pl.DataFrame]]:
    """Fit Cox models on train and val, judge them on test.

    The embedding's principal components are found on the training rows. Times of 0 are left out of fitting and counted.
    Risks are rounded to nine decimals before they are judged: what is written down is what was judged, and risks that
    differ by rounding alone are equal.

    Parameters
    ----------
    train, val, test
        The three parts.
    survival
        Endpoint, components, penalty, events needed.
    settings
        Resamples and seed.

    Returns
    -------
    The comparison, Kaplan-Meier curves of the test patients above and below the median fitted risk, and the rows of
    predictions.parquet.
    """
    train, val, test = (part.first_per_patient() for part in (train, val, test))
    both = Followed.join(train, val)
    at_zero = int((both.time == 0).sum())
    fit_on = both.take(both.time > 0)
    judge_on = test.take(~np.isnan(test.time))
    about: dict[str, Any] = {
        "endpoint": survival.endpoint,
        "concordance": "Harrell",
        "n_fit": len(fit_on.time),
        "events_fit": int(fit_on.event.sum()),
        "n_test": len(judge_on.time),
        "events_test": int(judge_on.event.sum()),
        "left_out_time_zero": at_zero,
    }
    reason = _too_little(about, survival)
    if reason:
        return about | {"not_applicable": reason}, [], []
    inputs = probe_inputs(train, fit_on, judge_on, survival)
    risks = {
        name: [
            cox_risk(x, fit_on.time, fit_on.event, rows, penalizer=survival.penalizer).round(_DECIMALS)
            for rows in (x, new)
        ]
        for name, (x, new) in inputs.items()
    }
    judged = {name: risk[1] for name, risk in risks.items()}
    scores = _scores(judge_on, judged, settings)
    chosen = risks["embedding"]
    curves = _kaplan_meier(judge_on, chosen[1] > np.median(chosen[0]))
    clinical = list(ClinicalCovariates.fit(fit_on.patients).columns)
    more = {
        "components": min(survival.components, train.z.shape[1]),
        "clinical_covariates": clinical,
        "fitted_on": fitted_on(["train", "val"], fit_on.patients["sample_id"].to_list()),
        "components_fitted_on": fitted_on(["train"], train.patients["sample_id"].to_list()),
    }
    rows = risk_rows(f"survival.{survival.endpoint}", judge_on.patients, judge_on.time, judge_on.event, judged)
    return about | scores | more, curves, [rows]


def _too_little(about: dict[str, Any], survival: Survival) -> str:
    if about["n_fit"] + about["n_test"] == 0:
        return f"the store holds no follow-up for {survival.endpoint}"
    needed = survival.min_events, -(-survival.min_events // 3)
    if about["events_fit"] < needed[0] or about["events_test"] < needed[1]:
        return (
            f"{about['events_fit']} events to fit on and {about['events_test']} to test on; "
            f"at least {needed[0]} and {needed[1]} are needed"
        )
    return ""


def probe_inputs(
    train: Followed, fit_on: Followed, judge_on: Followed, survival: Survival
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return, for each Cox model of the probe, what it is fitted on and what it is judged on.

    Parameters
    ----------
    train
        The training rows, on which the components of the embedding are found.
    fit_on, judge_on
        The rows that the Cox models are fitted and judged on.
    survival
        How many components.

    Returns
    -------
    dict
        ``embedding``, and where anything clinical is known ``clinical`` and ``clinical + embedding``: two arrays each.
    """
    space = RowSpace.fit(train.z)
    sd = space.scores(train.z)[:, : survival.components].std(axis=0)
    z_fit, z_new = (space.scores(part.z)[:, : survival.components] / sd for part in (fit_on, judge_on))
    inputs = {"embedding": (z_fit, z_new)}
    clinical = ClinicalCovariates.fit(fit_on.patients)
    if clinical.columns:
        c_fit, c_new = (clinical.matrix(part.patients) for part in (fit_on, judge_on))
        inputs["clinical"] = (c_fit, c_new)
        inputs["clinical + embedding"] = (np.hstack([c_fit, z_fit]), np.hstack([c_new, z_new]))
    return inputs


def _scores(
    judge_on: Followed, risks: dict[str, NDArray[np.float64]], settings: EvaluateSettings
) -> dict[str, list[dict[str, Any]]]:
    weights = patient_weights(judge_on.patients["patient_id"].to_list(), settings.bootstrap, settings.seed)
    cohorts = judge_on.patients["cohort"].to_list()
    pooled = {m: harrell(judge_on.time, judge_on.event, risk, weights) for m, risk in risks.items()}
    within = {m: cohort_concordance(judge_on.time, judge_on.event, risk, cohorts, weights) for m, risk in risks.items()}
    rows = [{"method": m, "c": estimate(pooled[m]), "c_within_cohorts": estimate(within[m])} for m in risks]
    pairs = [("embedding", "clinical"), ("clinical + embedding", "clinical")] if "clinical" in risks else []
    differences = [
        {
            "method": m,
            "against": other,
            "c": estimate(pooled[m] - pooled[other]),
            "c_within_cohorts": estimate(within[m] - within[other]),
        }
        for m, other in pairs
    ]
    return {"methods": rows, "differences": differences}


def _kaplan_meier(judge_on: Followed, high: NDArray[np.bool_]) -> list[dict[str, Any]]:
    from lifelines import KaplanMeierFitter

    curves = []
    for name, rows in (("higher risk", high), ("lower risk", ~high)):
        if not rows.any():
            continue
        curve = KaplanMeierFitter().fit(judge_on.time[rows], judge_on.event[rows]).survival_function_
        curves += [
            {
                "group": f"{name} (n = {int(rows.sum())})",
                "time_days": round(float(t), 3),
                "survival": round(float(s), 6),
            }
            for t, s in zip(curve.index, curve.iloc[:, 0], strict=True)
        ]
    return curves
