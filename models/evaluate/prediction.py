"""Reconstruction and imputation on the test part, beside what is simple."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines.prediction import PCAReconstruction, Ridge, TrainMean
from models.evaluate.bootstrap import estimate, patient_weights
from models.evaluate.metrics import METRICS, feature_pearson, prediction_metrics, sample_errors
from models.evaluate.sealing import error_rows, fitted_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.evaluate.tables import Tables
    from models.evaluate.trial import Trial
    from models.module import MultiOmicsModule
    from models.settings import EvaluateSettings, Impute

__all__ = [
    "FEWEST_TEST",
    "FEWEST_TRAIN",
    "Comparison",
    "compare",
    "imputation",
    "judge_imputation",
    "judge_reconstruction",
    "reconstruction",
]

#: Fewer rows than these give a number that means nothing.
FEWEST_TRAIN, FEWEST_TEST = 20, 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """Methods side by side on the same rows.

    Attributes
    ----------
    rows
        Per method a mapping with ``method`` and an estimate for each metric.
    differences
        The model less each other method, paired by resample: ``against``, and an estimate for each metric.
    n_samples, n_patients
        Of the test rows.
    predictions
        The rows of predictions.parquet, less the cohort.
    """

    rows: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    n_samples: int
    n_patients: int
    predictions: pl.DataFrame

    def body(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "methods": self.rows,
            "differences": self.differences,
            "n_samples": self.n_samples,
            "n_patients": self.n_patients,
        }


def compare(
    task: str,
    truth: NDArray[np.floating],
    guesses: dict[str, NDArray[np.floating]],
    rows: MultiOmicsBatch,
    settings: EvaluateSettings,
) -> Comparison:
    """Judge methods on the same rows and resamples; the first one is the model.

    Parameters
    ----------
    task
        Its name in predictions.parquet.
    truth
        (n, F), NaN = not observed.
    guesses
        Per method (n, F).
    rows
        The n test rows.
    settings
        Resamples and seed.
    """
    weights = patient_weights(rows.patient_id, settings.bootstrap, settings.seed)
    found = {method: prediction_metrics(truth, guess, weights) for method, guess in guesses.items()}
    model, *others = guesses
    return Comparison(
        rows=[{"method": m} | {name: estimate(found[m][name]) for name in METRICS} for m in guesses],
        differences=[
            {"against": m} | {name: estimate(found[model][name] - found[m][name]) for name in METRICS} for m in others
        ],
        n_samples=len(truth),
        n_patients=len(set(rows.patient_id)),
        predictions=error_rows(
            task, rows.sample_id, rows.patient_id, {m: sample_errors(truth, guess) for m, guess in guesses.items()}
        ),
    )


def reconstruction(
    name: str,
    module: MultiOmicsModule,
    train: MultiOmicsBatch,
    test: MultiOmicsBatch,
    width: int,
    settings: EvaluateSettings,
) -> tuple[dict[str, Any], list[pl.DataFrame]]:
    """Give each modality back from all that is present, over the test rows that have it.

    Parameters
    ----------
    name
        The model's, for the table.
    module
        The model.
    train, test
        Whole parts.
    width
        Dimensions of the model's embedding, which PCA gets as well.
    settings
        Resamples and seed.

    Returns
    -------
    Per modality the comparison with train-mean and PCA, and the rows of predictions.parquet.
    """
    modalities = list(module.axes)
    predicted = module.predict_arrays([test], modalities)
    side_by_side = {
        part: np.hstack([rows.measured(m) for m in modalities]) for part, rows in (("train", train), ("test", test))
    }
    pca = PCAReconstruction(side_by_side["train"], width)
    rebuilt = np.split(pca.predict(side_by_side["test"]), np.cumsum(list(module.axes.values()))[:-1], axis=1)
    result: dict[str, Any] = {}
    predictions = []
    for modality, by_pca in zip(modalities, rebuilt, strict=True):
        rows = test.has(modality).numpy()
        if rows.sum() < FEWEST_TEST:
            result[modality] = {
                "not_applicable": f"{int(rows.sum())} test samples have {modality}, fewer than {FEWEST_TEST}"
            }
            continue
        truth = test.measured(modality)[rows]
        guesses = {
            name: predicted[modality][rows],
            "train_mean": TrainMean(train.measured(modality)).predict(truth),
            "pca": by_pca[rows],
        }
        judged = test.take(np.flatnonzero(rows).tolist())
        comparison = compare(f"reconstruct.{modality}", truth, guesses, judged, settings)
        predictions.append(comparison.predictions)
        result[modality] = comparison.body() | {
            "pca_components": pca.rank,
            "fitted_on": fitted_on(["train"], train.sample_id),
        }
    return result, predictions


def imputation(
    name: str,
    module: MultiOmicsModule,
    train: MultiOmicsBatch,
    test: MultiOmicsBatch,
    features: Sequence[str],
    settings: EvaluateSettings,
    impute: Impute,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[pl.DataFrame]]:
    """Predict one modality from others, over the test rows that have them all; nothing else is shown to the model.

    Parameters
    ----------
    name
        The model's, for the table.
    module
        The model.
    train, test
        Whole parts.
    features
        Ids of the target's features.
    settings
        Resamples and seed.
    impute
        What from what.

    Returns
    -------
    The comparison with train-mean and ridge, per feature the Pearson r of model and ridge, and the rows of
    predictions.parquet.
    """
    needed = [*impute.source, impute.target]
    fit_on, judge_on = (part.take(np.flatnonzero(_has_all(part, needed)).tolist()) for part in (train, test))
    about = {"from": list(impute.source), "to": impute.target}
    if len(fit_on) < FEWEST_TRAIN or len(judge_on) < FEWEST_TEST:
        reason = (
            f"{len(fit_on)} training and {len(judge_on)} test samples have {', '.join(needed)}; "
            f"at least {FEWEST_TRAIN} and {FEWEST_TEST} are needed"
        )
        return about | {"not_applicable": reason}, [], []
    inputs = [np.hstack([part.measured(m) for m in impute.source]) for part in (fit_on, judge_on)]
    targets, truth = (part.measured(impute.target) for part in (fit_on, judge_on))
    guesses: dict[str, NDArray[np.floating]] = {
        name: module.predict_arrays([judge_on.only(impute.source)], [impute.target])[impute.target],
        "train_mean": TrainMean(targets).predict(inputs[1]),
        "ridge": Ridge(inputs[0], targets).predict(inputs[1]),
    }
    each = {method: feature_pearson(truth, guesses[method]) for method in (name, "ridge")}
    per_feature = [
        {"feature": feature, "model": round(float(ours), 6), "ridge": round(float(ridge), 6)}
        for feature, ours, ridge in zip(features, each[name], each["ridge"], strict=True)
    ]
    task = f"impute.{'+'.join(impute.source)}_to_{impute.target}"
    comparison = compare(task, truth, guesses, judge_on, settings)
    more = {
        "n_train": len(fit_on),
        "n_features": truth.shape[1],
        "fitted_on": fitted_on(["train"], fit_on.sample_id),
    }
    return about | comparison.body() | more, per_feature, [comparison.predictions]


def judge_reconstruction(trial: Trial, tables: Tables) -> None:
    """Add a table for each modality, as `reconstruction` makes it."""
    found, made_of = reconstruction(
        trial.name, trial.module, trial.parts["train"], trial.test, trial.width, trial.settings
    )
    tables.add("reconstruction", found, predictions=made_of)


def judge_imputation(trial: Trial, tables: Tables) -> None:
    """Add the table of the imputation that was asked for, as `imputation` makes it.

    Raises
    ------
    UnknownNameError
        If the model lacks one of its modalities.
    """
    asked = trial.settings.impute
    if isinstance(asked, str):
        tables.add("imputation", {"not_applicable": asked}, plots={"imputation": []})
        return
    found, features, made_of = imputation(
        trial.name, trial.module, trial.parts["train"], trial.test, trial.features[asked.target], trial.settings, asked
    )
    tables.add("imputation", found, predictions=made_of, plots={"imputation": features})


def _has_all(batch: MultiOmicsBatch, modalities: Sequence[str]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([batch.has(m).numpy() for m in modalities]))
