"""What is left of each score as one modality is taken from more and more of the test rows; nothing is trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines.prediction import PCAReconstruction, TrainMean
from models.baselines.survival import cox_coefficients
from models.evaluate.bootstrap import estimate, patient_weights
from models.evaluate.classes import model_methods, probe, too_little
from models.evaluate.concordance import harrell
from models.evaluate.dropping import DropPlan
from models.evaluate.metrics import prediction_metrics
from models.evaluate.prediction import FEWEST_TEST
from models.evaluate.resampled import resampled_scores
from models.evaluate.survival import probe_space
from models.evaluate.survival_table import batch_of, cohorts_of
from models.evaluate.trial import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.evaluate.survival_table import Cohorts
    from models.evaluate.tables import Tables
    from models.evaluate.trial import Trial
    from models.settings import Survival

    Floats = NDArray[np.float64]
    #: From a batch to (method, score) and its (1 + B,) values.
    Judge = Callable[[MultiOmicsBatch], dict[tuple[str, str], Floats]]

__all__ = ["SHARES", "judge_drop"]

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)

#: Decimals of a prediction, as in the tables.
_DECIMALS = 9


def judge_drop(trial: Trial, tables: Tables) -> None:
    """Add, for each modality, macro-F1, Harrell's C and R2 as it is taken from 0 to 100% of the test rows.

    Which rows lose it is drawn once and kept in ``plans``. With nothing taken, macro-F1 and C are those of the tables.
    R2 is that of the modality itself, over all test rows that have it: reconstruction at 0, imputation at 100%.
    """
    said: bool | str = trial.settings.drop
    if not isinstance(said, str) and len(trial.test.modalities) < 2:
        said = "the model has one modality"
    if isinstance(said, str):
        tables.add("drop", {"not_applicable": said}, plots={"drop": []})
        return
    judges = [judge for judge in (_classes(trial), _survival(trial, tables)) if judge is not None]
    rows: list[dict[str, Any]] = []
    plans = [DropPlan.draw(trial.test, m, trial.settings.seed) for m in trial.test.modalities]
    for plan in plans:
        own = [*judges, *_reconstruction(trial, plan.modality)]
        for share in SHARES:
            left, n = plan.apply(trial.test, share), round(share * len(plan.order))
            rows += [
                {"modality": plan.modality, "share": share, "n_rows": n, "method": method, "score": score}
                | estimate(values)
                for judge in own
                for (method, score), values in judge(left).items()
            ]
    drawn = [{"modality": p.modality, "seed": p.seed, "order": list(p.order)} for p in plans]
    table = {"shares": list(SHARES), "plans": drawn, "rows": rows}
    tables.add("drop", table, plots={"drop": [_flat(row) for row in rows]})


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("modality", "share", "method", "score", "value", "low", "high")
    return {key: row[key] for key in kept}


def _classes(trial: Trial) -> Judge | None:
    """Return what judges the classes of the first task that has enough: the model's methods and PCA's."""
    ready = [own for own in trial.labelled.values() if not too_little(own)]
    if not ready:
        return None
    labelled = ready[0]
    index = labelled.index("test")
    rows = np.flatnonzero(index >= 0)
    truth = index[rows]
    methods = model_methods(trial, labelled) | {"pca": probe(trial, labelled, "pca")}
    patients = [trial.test.patient_id[i] for i in rows.tolist()]
    weights = patient_weights(patients, trial.settings.bootstrap, trial.settings.seed)

    def judge(batch: MultiOmicsBatch) -> dict[tuple[str, str], Floats]:
        own = batch.take(rows.tolist())
        return {
            (name, "macro_f1"): resampled_scores(truth, guess(own).round(_DECIMALS), weights)["macro_f1"]
            for name, guess in methods.items()
        }

    return judge


def _survival(trial: Trial, tables: Tables) -> Judge | None:
    """Return what judges Cox models on the embedding and on components, and the tuned heads; None where none was."""
    survival = trial.settings.survival
    if isinstance(survival, str) or "methods" not in tables.body["survival"]:
        return None
    rows = cohorts_of(trial)
    judge_on = rows.judge_on
    ids = judge_on.patients["sample_id"].to_list()
    where = {s: i for i, s in enumerate(trial.test.sample_id)}
    at = [where[s] for s in ids]
    weights = patient_weights(judge_on.patients["patient_id"].to_list(), trial.settings.bootstrap, trial.settings.seed)
    read: dict[str, Callable[[MultiOmicsBatch], Floats]] = {
        name: _risk(trial, name, rows, survival) for name in trial.readers
    }
    read |= {
        f"tuned_{name}": head.risk
        for name, head in trial.tuned.items()
        if head.head != "class" and head.task == survival.endpoint
    }

    def judge(batch: MultiOmicsBatch) -> dict[tuple[str, str], Floats]:
        own = batch.take(at)
        return {
            (name, "c"): harrell(judge_on.time, judge_on.event, risk(own).round(_DECIMALS), weights)
            for name, risk in read.items()
        }

    return judge


def _risk(trial: Trial, reader: str, rows: Cohorts, survival: Survival) -> Callable[[MultiOmicsBatch], Floats]:
    """Return the Cox model of the table of survival on what a reader gives."""
    read = trial.readers[reader]
    space = probe_space(read(batch_of(trial, rows.train)), survival.components)
    fit_on = rows.fit_on
    x = space(read(batch_of(trial, fit_on)))
    found = cox_coefficients(x, fit_on.time, fit_on.event, penalizer=survival.penalizer)
    return lambda batch: np.asarray(space(read(batch)) @ found)


def _reconstruction(trial: Trial, modality: str) -> list[Judge]:
    """Return what judges how a modality is given back, by the model, by components and by the training mean."""
    rows = np.flatnonzero(trial.test.has(modality).numpy())
    if len(rows) < FEWEST_TEST:
        return []
    truth = trial.test.measured(modality)[rows]
    train = trial.parts["train"]
    pca = PCAReconstruction(side_by_side(train), trial.width)
    mean = TrainMean(train.measured(modality)).predict(truth)
    widths = [trial.test.values[m].shape[1] for m in trial.test.modalities]
    start = sum(widths[: trial.test.modalities.index(modality)])
    columns = slice(start, start + truth.shape[1])
    weights = patient_weights([trial.test.patient_id[i] for i in rows], trial.settings.bootstrap, trial.settings.seed)

    def judge(batch: MultiOmicsBatch) -> dict[tuple[str, str], Floats]:
        own = batch.take(rows.tolist())
        guesses: dict[str, NDArray[np.floating]] = {
            trial.name: trial.module.predict_arrays(own.pieces(), [modality])[modality],
            "pca": pca.predict(side_by_side(own))[:, columns],
            "train_mean": mean,
        }
        return {(n, "r2"): prediction_metrics(truth, guess, weights)["r2"] for n, guess in guesses.items()}

    return [judge]
