"""What models reach on the test part of one fold: each number with its resamples of the patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.prediction import Ridge, TrainMean
from models.baselines.rowspace import RowSpace
from models.baselines.survival import cox_risk
from models.evaluate.bootstrap import patient_weights
from models.evaluate.concordance import cohort_concordance
from models.evaluate.labels import labels_of
from models.evaluate.metrics import prediction_metrics
from models.evaluate.prediction import FEWEST_TEST, FEWEST_TRAIN
from models.evaluate.survival import Followed, people, probe_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.datamodule import CohortDataModule
    from models.module import MultiOmicsModule
    from models.settings import EvaluateSettings, Impute, Survival
    from omicstore.store.reader import Store

__all__ = ["CLASSES", "Measured", "balanced_accuracy", "by_imputation", "by_label", "by_survival"]

#: A class with fewer training rows than this is neither learned nor judged.
CLASSES = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """One task in one fold.

    Attributes
    ----------
    values
        Per method (1 + B,): the metric, then its resamples, as `patient_weights` orders them.
    n_test
        Rows judged.
    absent
        Why nothing could be measured; empty where something was.
    """

    values: dict[str, NDArray[np.float64]]
    n_test: int = 0
    absent: str = ""


def by_imputation(
    name: str, module: MultiOmicsModule, data: CohortDataModule, impute: Impute, settings: EvaluateSettings
) -> Measured:
    """Predict one modality from others: mean Pearson r over features, of the model, ridge and the training mean."""
    needed = [*impute.source, impute.target]
    fit_on, judge_on = (_having(data.part(part), needed) for part in ("train", "test"))
    if len(fit_on) < FEWEST_TRAIN or len(judge_on) < FEWEST_TEST:
        return Measured({}, absent=f"{len(fit_on)} training and {len(judge_on)} test samples have {', '.join(needed)}")
    x_fit, x_new = (np.hstack([part.measured(m) for m in impute.source]) for part in (fit_on, judge_on))
    y_fit, truth = (part.measured(impute.target) for part in (fit_on, judge_on))
    guesses: dict[str, NDArray[np.floating]] = {
        name: module.predict_arrays([judge_on.only(impute.source)], [impute.target])[impute.target],
        "ridge": Ridge(x_fit, y_fit).predict(x_new),
        "train_mean": TrainMean(y_fit).predict(x_new),
    }
    weights = patient_weights(judge_on.patient_id, settings.bootstrap, settings.seed)
    values = {method: prediction_metrics(truth, guess, weights)["pearson"] for method, guess in guesses.items()}
    return Measured(values, len(judge_on))


def by_survival(
    name: str,
    module: MultiOmicsModule,
    data: CohortDataModule,
    store: Store,
    survival: Survival,
    settings: EvaluateSettings,
) -> Measured:
    """Predict time to event: Harrell's C within cohorts, of Cox models on the embedding, on the clinic, and on both."""
    patients = people(store)
    train, val, test = (
        Followed.of(data.part(part), module.export_embeddings(data.batches(part))[1], patients).first_per_patient()
        for part in ("train", "val", "test")
    )
    both = Followed.join(train, val)
    fit_on, judge_on = both.take(both.time > 0), test.take(~np.isnan(test.time))
    events = int(np.nansum(fit_on.event)), int(judge_on.event.sum())
    if events[0] < survival.min_events or events[1] < -(-survival.min_events // 3):
        return Measured({}, absent=f"{events[0]} events to fit on and {events[1]} to test on")
    weights = patient_weights(judge_on.patients["patient_id"].to_list(), settings.bootstrap, settings.seed)
    cohorts = judge_on.patients["cohort"].to_list()
    values = {}
    for inputs, (x, new) in probe_inputs(train, fit_on, judge_on, survival).items():
        risk = cox_risk(x, fit_on.time, fit_on.event, new, penalizer=survival.penalizer)
        method = inputs.replace("embedding", name)
        values[method] = cohort_concordance(judge_on.time, judge_on.event, risk, cohorts, weights)
    values["chance"] = np.full(len(weights), 0.5)
    return Measured(values, len(judge_on.time))


def by_label(
    name: str, module: MultiOmicsModule, data: CohortDataModule, store: Store, task: str, settings: EvaluateSettings
) -> Measured:
    """Predict a label: balanced accuracy of logistic regression on the embedding and on PCA, and of the majority class.

    Classes with fewer than `CLASSES` training rows, and rows without a label, are left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    labels = {part: labels_of(store, data.part(part), task) for part in ("train", "test")}
    known, counts = np.unique(labels["train"][labels["train"] != ""], return_counts=True)
    classes = known[counts >= CLASSES]
    rows = {part: np.isin(found, classes) for part, found in labels.items()}
    y_fit, truth = (labels[part][rows[part]] for part in ("train", "test"))
    if len(np.unique(y_fit)) < 2 or len(np.unique(truth)) < 2 or len(truth) < FEWEST_TEST:
        return Measured({}, absent=f"the training and test rows do not share two classes of {task}")
    width = module.export_embeddings([data.part("train").take([0])])[1].shape[1]
    inputs: dict[str, list[NDArray[np.floating]]] = {
        name: [module.export_embeddings(data.batches(part))[1][rows[part]] for part in ("train", "test")],
        "pca": _components(data, rows, width),
    }
    patients = [p for p, kept in zip(data.part("test").patient_id, rows["test"], strict=True) if kept]
    weights = patient_weights(patients, settings.bootstrap, settings.seed)
    values = {}
    for method, (x, new) in inputs.items():
        scale = StandardScaler().fit(x)
        probe = LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced").fit(scale.transform(x), y_fit)
        values[method] = balanced_accuracy(truth, probe.predict(scale.transform(new)), weights)
    names, n = np.unique(y_fit, return_counts=True)
    values["majority"] = balanced_accuracy(truth, np.full(len(truth), names[n.argmax()]), weights)
    return Measured(values, len(truth))


def balanced_accuracy(
    truth: NDArray[np.str_], guess: NDArray[np.str_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over the classes of `truth` of the share that is guessed right, under each row of weights.

    scikit-learn's ``balanced_accuracy_score``, for all resamples in one matrix product.

    Examples
    --------
    >>> truth, guess = np.array(["a", "a", "b"]), np.array(["a", "b", "b"])
    >>> balanced_accuracy(truth, guess, np.ones((1, 3))).tolist()
    [0.75]
    """
    _, which = np.unique(truth, return_inverse=True)
    member = np.eye(which.max() + 1)[which]
    total = weights @ member
    right = (weights * (truth == guess)) @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nanmean(np.where(total > 0, right / total, np.nan), axis=1))


def _components(data: CohortDataModule, rows: dict[str, NDArray[np.bool_]], width: int) -> list[NDArray[np.floating]]:
    """Return the leading components of all modalities side by side, found on the training rows; 0 where missing."""
    whole = {part: np.nan_to_num(np.hstack([data.part(part).measured(m) for m in data.modalities])) for part in rows}
    space = RowSpace.fit(whole["train"])
    return [space.scores(whole[part])[:, :width][rows[part]] for part in ("train", "test")]


def _having(batch: MultiOmicsBatch, modalities: list[str]) -> MultiOmicsBatch:
    both = np.logical_and.reduce([batch.has(m).numpy() for m in modalities])
    return batch.take(np.flatnonzero(both).tolist())
