"""From each modality to each other: what a model predicts of one when it reads another alone, beside what is simple."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.prediction import Ridge, TrainMean
from models.evaluate.prediction import FEWEST_TEST, FEWEST_TRAIN, compare
from models.evaluate.sealing import fitted_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.evaluate.tables import Tables
    from models.evaluate.trial import Trial

__all__ = ["group_means", "judge_translation"]


def judge_translation(trial: Trial, tables: Tables) -> None:
    """Add a table for each ordered pair of modalities: MSE, R2 and mean Pearson r on the rows that have both.

    All but the source is taken out of the batch before the model reads it. Beside it stand the training mean, the mean
    of the cohort, ridge regression from the same source, and the mean of the training rows of the row's own class,
    which alone is told that class: where modalities share nothing but the class, no translator can do better.
    """
    said = trial.settings.translate
    modalities = trial.test.modalities
    if isinstance(said, str) or len(modalities) < 2:
        tables.add("translation", {"not_applicable": said if isinstance(said, str) else "the model has one modality"})
        return
    for source in modalities:
        for target in modalities:
            if source != target:
                _judge(trial, tables, source, target)


def _judge(trial: Trial, tables: Tables, source: str, target: str) -> None:
    name = f"{source}_to_{target}"
    rows = {
        part: np.flatnonzero((batch.has(source) & batch.has(target)).numpy())
        for part, batch in trial.parts.items()
        if part != "val"
    }
    fit_on, judge_on = (trial.parts[part].take(own.tolist()) for part, own in rows.items())
    about = {"from": [source], "to": target}
    if len(fit_on) < FEWEST_TRAIN or len(judge_on) < FEWEST_TEST:
        reason = (
            f"{len(fit_on)} training and {len(judge_on)} test samples have both; "
            f"at least {FEWEST_TRAIN} and {FEWEST_TEST} are needed"
        )
        tables.add("translation", about | {"not_applicable": reason}, name=name)
        return
    x_fit, x_new = (part.measured(source) for part in (fit_on, judge_on))
    y_fit, truth = (part.measured(target) for part in (fit_on, judge_on))
    guesses: dict[str, NDArray[np.floating]] = {
        trial.name: predict_from(trial, judge_on, source, target),
        "train_mean": TrainMean(y_fit).predict(x_new),
    }
    cohorts = [trial.cohorts(part) for part in (fit_on, judge_on)]
    if len(set(cohorts[0])) > 1:
        guesses["cohort_mean"] = group_means(y_fit, cohorts[0], cohorts[1])
    told: str | None = next(iter(trial.labelled), None)
    if told is not None:
        labels = [trial.labelled[told].names[part][own].tolist() for part, own in rows.items()]
        guesses["class_mean"] = group_means(y_fit, labels[0], labels[1])
    guesses["ridge"] = Ridge(x_fit, y_fit).predict(x_new)
    comparison = compare(f"translate.{name}", truth, guesses, judge_on, trial.settings)
    more = {
        "n_train": len(fit_on),
        "n_features": truth.shape[1],
        "class_of": told,
        "fitted_on": fitted_on(["train"], fit_on.sample_id),
    }
    tables.add("translation", about | comparison.body() | more, name=name, predictions=[comparison.predictions])


def predict_from(trial: Trial, batch: MultiOmicsBatch, source: str, target: str) -> NDArray[np.float32]:
    """Return (n, F) the model's prediction of one modality when it reads another alone."""
    return trial.module.predict_arrays(batch.only([source]).pieces(), [target])[target]


def group_means(targets: NDArray[np.floating], group: Sequence[str], new: Sequence[str]) -> NDArray[np.float64]:
    """Return, for each new row, the mean of the training rows of its group; of all where its group has none, or is "".

    Parameters
    ----------
    targets
        (n, F) training values, NaN = not observed; a feature that a group has not observed gets its mean over all.
    group, new
        The n groups of these rows, and those of the m to predict.

    Examples
    --------
    >>> group_means(np.array([[1.0], [3.0], [8.0]]), ["a", "a", "b"], ["a", "c"]).tolist()
    [[2.0], [4.0]]
    """
    every, names = TrainMean(targets).mean, np.asarray(group)
    means = {}
    for name in sorted(set(group) - {""}):
        own = targets[names == name]
        means[name] = np.where(np.isnan(own).all(axis=0), every, TrainMean(own).mean)
    return np.stack([means.get(name, every) for name in new])
