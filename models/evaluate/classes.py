"""Classes: what the embedding and the tuned heads know of them, beside what is simple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.baselines.classes import Forest, Frequencies, Logistic, Neighbours
from models.evaluate.bootstrap import patient_weights
from models.evaluate.prediction import FEWEST_TEST, FEWEST_TRAIN
from models.evaluate.resampled import resampled_scores
from models.evaluate.sealing import class_rows, fitted_on
from models.evaluate.tables import method_rows
from models.evaluate.trial import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.evaluate.labels import Labelled
    from models.evaluate.tables import Tables
    from models.evaluate.trial import Trial

    Guess = Callable[[MultiOmicsBatch], NDArray[np.float64]]

__all__ = ["judge_classes", "model_methods", "probe", "too_little"]

#: Decimals of a probability.
_DECIMALS = 9


def judge_classes(trial: Trial, tables: Tables) -> None:
    """Add a table of classes for each task: probe, neighbours and heads, each beside trivial and simple predictors.

    All is fitted on the labelled training rows, and judged on the test rows of a class that these have. Val chooses the
    strength of the logistic regressions' penalty.
    """
    if isinstance(trial.settings.classes, str):
        tables.add("classes", {"not_applicable": trial.settings.classes})
        return
    if not trial.labelled:
        tables.add("classes", {"not_applicable": "the store has no labels"})
    for task, labelled in trial.labelled.items():
        if reason := too_little(labelled):
            tables.add("classes", {"not_applicable": reason}, name=task)
            continue
        index = labelled.index("test")
        rows = np.flatnonzero(index >= 0)
        test, truth = trial.test.take(rows.tolist()), index[rows]
        ours = model_methods(trial, labelled)
        simple = baselines(trial, labelled)
        guesses = {name: guess(test).round(_DECIMALS) for name, guess in (ours | simple).items()}
        weights = patient_weights(test.patient_id, trial.settings.bootstrap, trial.settings.seed)
        scores = {name: resampled_scores(truth, guess, weights) for name, guess in guesses.items()}
        pairs = [(one, other) for one in ours for other in simple]
        table = _about(trial, labelled) | method_rows(scores, pairs)
        more = {"n_samples": len(rows), "n_patients": len(set(test.patient_id)), "ours": list(ours)}
        tables.add(
            "classes", table | more, name=task,
            predictions=[class_rows(f"class.{task}", test, labelled.classes, truth, guesses)],
        )  # fmt: skip


def too_little(labelled: Labelled) -> str:
    """Return why the classes of a task cannot be judged; empty where they can."""
    train, test = labelled.index("train"), labelled.index("test")
    n_train, n_test = int((train >= 0).sum()), int((test >= 0).sum())
    if len(labelled.classes) < 2:
        return f"the training samples have {len(labelled.classes)} classes of {labelled.task}"
    if n_train < FEWEST_TRAIN or n_test < FEWEST_TEST:
        return (
            f"{n_train} training and {n_test} test samples have a class of {labelled.task}; "
            f"at least {FEWEST_TRAIN} and {FEWEST_TEST} are needed"
        )
    if len(set(test[test >= 0].tolist())) < 2:
        return f"the test samples have one class of {labelled.task}"
    return ""


def model_methods(trial: Trial, labelled: Labelled) -> dict[str, Guess]:
    """Return, by name, what says the classes of a batch and rests on the model.

    ``embedding`` is logistic regression on it, ``knn5`` its five nearest training rows; then the model's own classes
    where it has learned any, and ``tuned_NAME``, a head that was trained with the model.
    """
    knn = Neighbours(trial.z["train"], labelled.index("train"), len(labelled.classes))
    found: dict[str, Guess] = {
        "embedding": probe(trial, labelled, "embedding"),
        "knn5": lambda batch: knn.predict(trial.embed(batch)),
    }
    if trial.own_task == labelled.task:
        found[trial.name] = lambda batch: _own(trial, batch)
    return found | {
        f"tuned_{name}": _aligned(head.class_probabilities, head.classes, labelled.classes)
        for name, head in trial.tuned.items()
        if head.head == "class" and head.task == labelled.task
    }


def baselines(trial: Trial, labelled: Labelled) -> dict[str, Guess]:
    """Return, by name, the trivial and simple predictors.

    ``majority`` says the frequencies of the classes, ``pca`` and ``pca_knn5`` are the model's methods on principal
    components, ``forest`` reads all modalities, ``logistic_M`` one of them.
    """
    train, index, n = trial.parts["train"], labelled.index("train"), len(labelled.classes)
    frequencies, forest = Frequencies(index, n), Forest(side_by_side(train), index, n, trial.settings.seed)
    knn = Neighbours(trial.components(train), index, n)
    found: dict[str, Guess] = {
        "majority": frequencies.predict,
        "pca": probe(trial, labelled, "pca"),
        "pca_knn5": lambda batch: knn.predict(trial.components(batch)),
        "forest": lambda batch: forest.predict(side_by_side(batch)),
    }
    return found | {f"logistic_{m}": _of_modality(trial, labelled, m, frequencies) for m in train.modalities}


def probe(trial: Trial, labelled: Labelled, reader: str) -> Guess:
    """Return logistic regression on what `Trial.readers` give."""
    read = trial.readers[reader]
    inputs = {part: trial.z[part] if reader == "embedding" else read(trial.parts[part]) for part in ("train", "val")}
    model = Logistic(
        inputs["train"], labelled.index("train"), inputs["val"], labelled.index("val"), len(labelled.classes)
    )
    return lambda batch: model.predict(read(batch))


def _of_modality(trial: Trial, labelled: Labelled, modality: str, otherwise: Frequencies) -> Guess:
    """Return logistic regression on one modality; a row without it gets the frequencies of the classes."""
    held = {part: trial.parts[part].has(modality).numpy() for part in ("train", "val")}
    label = {part: np.where(held[part], labelled.index(part), -1) for part in held}
    if len(set(label["train"][label["train"] >= 0].tolist())) < 2:
        return otherwise.predict
    inputs = {part: trial.parts[part].input(modality).numpy() for part in held}
    model = Logistic(inputs["train"], label["train"], inputs["val"], label["val"], len(labelled.classes))

    def guess(batch: MultiOmicsBatch) -> NDArray[np.float64]:
        said = model.predict(batch.input(modality).numpy())
        return np.where(batch.has(modality).numpy()[:, None], said, otherwise.predict(batch))

    return guess


def _aligned(said: Guess, theirs: tuple[str, ...], classes: tuple[str, ...]) -> Guess:
    """Return a head's probabilities in the order of the table's classes; of one that it has not learned, 0."""
    turn = np.array([[float(own == name) for name in classes] for own in theirs])
    return lambda batch: said(batch) @ turn


@torch.inference_mode()
def _own(trial: Trial, batch: MultiOmicsBatch) -> NDArray[np.float64]:
    """Return what a model with classes of its own says; they are the sorted labels of the training rows."""
    own: Callable[[MultiOmicsBatch], torch.Tensor] = trial.module.class_probabilities  # type: ignore[assignment]
    return np.concatenate([own(part.to(trial.module.device)).double().cpu().numpy() for part in batch.pieces()])


def _about(trial: Trial, labelled: Labelled) -> dict[str, Any]:
    ids = {
        part: [s for s, i in zip(trial.parts[part].sample_id, labelled.index(part), strict=True) if i >= 0]
        for part in ("train", "val")
    }
    return {
        "classes": list(labelled.classes),
        "counts": {part: labelled.counts(part) for part in ("train", "test")},
        "notes": labelled.notes(),
        "fitted_on": fitted_on(["train"], ids["train"]),
        "penalty_chosen_on": fitted_on(["val"], ids["val"]),
    }
