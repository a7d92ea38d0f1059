"""Time to event: the embedding and the tuned heads beside the clinic and what is simple, under every name of C."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines.hazards import RidgeCox, SurvivalForest, breslow
from models.baselines.survival import ClinicalCovariates
from models.evaluate.bootstrap import patient_weights
from models.evaluate.censoring import Censoring
from models.evaluate.concordance import cohort_concordance, cohorts_dropped, harrell
from models.evaluate.curves import antolini
from models.evaluate.sealing import fitted_on, risk_rows
from models.evaluate.survival import Followed, cox_probes, probe_inputs, probe_space
from models.evaluate.tables import method_rows
from models.evaluate.trial import PARTS, joined, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.evaluate.tables import Tables
    from models.evaluate.trial import Trial
    from models.settings import Survival
    from models.tune.saved import Tuned

    Floats = NDArray[np.float64]

__all__ = ["Cohorts", "Risk", "batch_of", "cohorts_of", "judge_survival"]

#: Decimals of a risk.
_DECIMALS = 9

#: What the scores and baselines of the extra ``bench`` need.
_SKSURV = "scikit-survival is not installed; pip install 'omicstore[bench]'"


@dataclass(frozen=True, slots=True)
class Risk:
    """What a method says of the test patients.

    Attributes
    ----------
    test
        (n,) risks, higher = earlier event.
    survival
        Gives for (K,) times, days, the (n, K) probability of surviving them; None where it has no curves.
    """

    test: Floats
    survival: Callable[[NDArray[np.floating]], Floats] | None = None


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The patients of a trial with follow-up: one row each, the first.

    Attributes
    ----------
    train
        The training patients, followed or not, on whom components are found.
    fit_on, judge_on
        Those of train and val with a time above 0, and those of test.
    n_from_train
        So many of `fit_on` are training patients; they come first.
    at_zero
        Patients of train and val with a time of 0, who are left out.
    """

    train: Followed
    fit_on: Followed
    judge_on: Followed
    n_from_train: int
    at_zero: int


def cohorts_of(trial: Trial) -> Cohorts:
    """Return the followed patients of a trial."""
    train, val, test = (Followed.of(trial.parts[p], trial.z[p], trial.patients).first_per_patient() for p in PARTS)
    both = Followed.join(train, val)
    return Cohorts(
        train,
        both.take(both.time > 0),
        test.take(~np.isnan(test.time)),
        int((train.time > 0).sum()),
        int((both.time == 0).sum()),
    )


def judge_survival(trial: Trial, tables: Tables) -> None:
    """Add the table of survival, fitted on train and val and judged on test.

    Times of 0 are left out of fitting and counted. Risks are rounded to nine decimals before they are judged: what is
    written down is what was judged, and risks that differ by rounding alone are equal. Every C has its own name: ``c``
    is Harrell's, ``c_within_cohorts`` the mean of the cohorts' own, ``c_uno`` and ``c_antolini`` theirs; ``ibs`` is the
    integrated Brier score. The curves of a Cox model have Breslow's baseline on the rows that it was fitted on.
    """
    survival = trial.settings.survival
    if isinstance(survival, str):
        tables.add("survival", {"not_applicable": survival}, plots={"survival": []})
        return
    rows = cohorts_of(trial)
    fit_on, judge_on = rows.fit_on, rows.judge_on
    about: dict[str, Any] = {
        "endpoint": survival.endpoint,
        "concordance": "Harrell",
        "n_fit": len(fit_on.time),
        "events_fit": int(fit_on.event.sum()),
        "n_test": len(judge_on.time),
        "events_test": int(judge_on.event.sum()),
        "left_out_time_zero": rows.at_zero,
    }
    if reason := _too_little(about, survival):
        tables.add("survival", about | {"not_applicable": reason}, plots={"survival": []})
        return
    risks, chosen_high = _risks(trial, rows, survival)
    judged = {name: Risk(risk.test.round(_DECIMALS), risk.survival) for name, risk in risks.items()}
    weights = patient_weights(judge_on.patients["patient_id"].to_list(), trial.settings.bootstrap, trial.settings.seed)
    censoring = Censoring(fit_on.time, fit_on.event, judge_on.time, judge_on.event) if find_spec("sksurv") else None
    scores = {name: _scores(judge_on, risk, weights, censoring) for name, risk in judged.items()}
    dropped = cohorts_dropped(judge_on.time, judge_on.event, judge_on.patients["cohort"].to_list())
    more = {
        "cohorts_dropped": dropped,
        "notes": _notes(trial, survival),
        "horizon_days": round(censoring.horizon, 3) if censoring else None,
        "components": min(survival.components, trial.width),
        "clinical_covariates": list(ClinicalCovariates.fit(fit_on.patients).columns),
        "fitted_on": fitted_on(["train", "val"], fit_on.patients["sample_id"].to_list()),
        "components_fitted_on": fitted_on(["train"], rows.train.patients["sample_id"].to_list()),
    }
    task, whose = f"survival.{survival.endpoint}", judge_on.patients
    made_of = risk_rows(task, whose, judge_on.time, judge_on.event, {name: risk.test for name, risk in judged.items()})
    tables.add(
        "survival",
        about | _paired(scores) | more,
        predictions=[made_of],
        plots={"survival": _kaplan_meier(judge_on, chosen_high)},
    )


def _risks(trial: Trial, rows: Cohorts, survival: Survival) -> tuple[dict[str, Risk], NDArray[np.bool_]]:
    """Return what each method says, and which test patients the embedding puts above its median fitted risk."""
    fit_on, judge_on = rows.fit_on, rows.judge_on
    batches = {name: batch_of(trial, part) for name, part in (("fit", fit_on), ("test", judge_on))}
    read = probe_space(trial.components(batch_of(trial, rows.train)), survival.components)
    inputs = probe_inputs(rows.train, fit_on, judge_on, survival)
    inputs["pca"] = (read(trial.components(batches["fit"])), read(trial.components(batches["test"])))
    cox = cox_probes(inputs, fit_on, survival)
    found = {name: _of_cox(fit_on, *each) for name, each in cox.items()}
    high = cox["embedding"][1].round(_DECIMALS) > np.median(cox["embedding"][0].round(_DECIMALS))
    if find_spec("sksurv"):
        in_train = np.arange(len(fit_on.time)) < rows.n_from_train
        for modality in trial.test.modalities:
            if (one := _ridge(fit_on, batches, modality, in_train)) is not None:
                found[f"ridge_{modality}"] = one
        forest = SurvivalForest(side_by_side(batches["fit"]), fit_on.time, fit_on.event, trial.settings.seed)
        new = side_by_side(batches["test"])
        found["forest"] = Risk(forest.predict(new), lambda times: forest.survival(new, times))
    for name, head in trial.tuned.items():
        if head.head != "class" and head.task == survival.endpoint:
            found[f"tuned_{name}"] = _of_head(head, rows, batches)
    return found, high


def _of_cox(fit_on: Followed, fitted: Floats, new: Floats) -> Risk:
    if find_spec("sksurv") is None:
        return Risk(new)
    return Risk(new, lambda times: breslow(fitted, fit_on.time, fit_on.event, new, times))


def _of_head(head: Tuned, rows: Cohorts, batches: dict[str, MultiOmicsBatch]) -> Risk:
    test, n = batches["test"], rows.n_from_train
    if head.head == "discrete":
        return Risk(head.risk(test), lambda times: head.survival_at(test, times))
    if find_spec("sksurv") is None:
        return Risk(head.risk(test))
    # The head has learned from the training rows alone, and so does its baseline.
    own = head.risk(batches["fit"].take(list(range(n))))
    new, time, event = head.risk(test), rows.fit_on.time[:n], rows.fit_on.event[:n]
    return Risk(new, lambda times: breslow(own, time, event, new, times))


def _ridge(
    fit_on: Followed, batches: dict[str, MultiOmicsBatch], modality: str, in_train: NDArray[np.bool_]
) -> Risk | None:
    """Return ridge Cox on one modality; a patient without it gets the mean risk of those fitted on."""
    held = {name: batch.has(modality).numpy() for name, batch in batches.items()}
    inputs = {name: batch.input(modality).numpy() for name, batch in batches.items()}
    train, val = (
        (inputs["fit"][rows], fit_on.time[rows], fit_on.event[rows])
        for rows in (held["fit"] & in_train, held["fit"] & ~in_train)
    )
    if not train[2].any():
        return None
    model = RidgeCox(train, val)
    fitted, new = model.predict(inputs["fit"][held["fit"]]), model.predict(inputs["test"])
    return _of_cox(fit_on.take(held["fit"]), fitted, np.where(held["test"], new, fitted.mean()))


def batch_of(trial: Trial, whose: Followed) -> MultiOmicsBatch:
    """Return the rows of patients, whose parts come one after the other."""
    wanted = set(whose.patients["sample_id"].to_list())
    rows = {part: [i for i, s in enumerate(batch.sample_id) if s in wanted] for part, batch in trial.parts.items()}
    return joined([trial.parts[part].take(own) for part, own in rows.items() if own])


def _scores(judge_on: Followed, risk: Risk, weights: Floats, censoring: Censoring | None) -> dict[str, Floats]:
    time, event, cohorts = judge_on.time, judge_on.event, judge_on.patients["cohort"].to_list()
    found = {
        "c": harrell(time, event, risk.test, weights),
        "c_within_cohorts": cohort_concordance(time, event, risk.test, cohorts, weights),
    }
    if censoring is not None:
        found["c_uno"] = censoring.uno(risk.test, weights)
    if risk.survival is not None:
        found["c_antolini"] = antolini(time, event, risk.survival(time), weights)
        if censoring is not None and len(censoring.times):
            found["ibs"] = (weights @ censoring.brier(risk.survival(censoring.times))) / weights.sum(axis=1)
    # No event before the horizon: there is nothing to weigh.
    return {name: values for name, values in found.items() if name.startswith("c_w") or not np.isnan(values[0])}


def _paired(scores: dict[str, dict[str, Floats]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows and differences: the model's methods less the others, in the two scores that all have."""
    ours = [name for name in scores if name == "embedding" or name.startswith("tuned_")]
    others = [name for name in scores if name not in ours and name != "clinical + embedding"]
    pairs = [(one, other) for one in ours for other in others]
    if "clinical" in scores:
        pairs.insert(1, ("clinical + embedding", "clinical"))
    both = {name: {key: own[key] for key in ("c", "c_within_cohorts")} for name, own in scores.items()}
    return method_rows(scores, []) | {"differences": method_rows(both, pairs)["differences"]}


def _notes(trial: Trial, survival: Survival) -> list[str]:
    absent = f"ridge Cox, the survival forest, Uno's and Antolini's C and the Brier score are absent: {_SKSURV}"
    said = [] if find_spec("sksurv") else [absent]
    return said + [
        f"the head {name} was trained on {head.task} and is not judged: evaluate.survival asks for {survival.endpoint}"
        for name, head in trial.tuned.items()
        if head.head != "class" and head.task != survival.endpoint
    ]


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
