"""The scores of classes, derived again from the probabilities that an evaluation wrote down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.numbers import label_of
from omicstore.audit.reading import at
from omicstore.audit.refit import can_fit, fitting_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle

    Floats = NDArray[np.float64]

__all__ = ["PREFIX", "class_scores", "mislabelled", "to_be_classed"]

#: How the tasks of classes begin.
PREFIX = "class."


def class_scores(own: pl.DataFrame, weights: Floats) -> dict[str, Floats]:
    """Return each score under each row of weights, (B,).

    Parameters
    ----------
    own
        The predictions of one method: label, class and probability, for each sample all classes, sorted by sample.
    weights
        (B, n) how often each of the n samples counts.
    """
    names = sorted(set(own["class"].to_list()))
    order = {name: i for i, name in enumerate(names)}
    table = own.sort("sample_id", "class").select("sample_id", "label", "class", "probability")
    first = table.unique("sample_id", keep="first", maintain_order=True)
    said = table["probability"].to_numpy().reshape(first.height, len(names))
    truth = np.array([order[label] for label in first["label"].to_list()])
    guess = said.argmax(axis=1)
    total = weights.sum(axis=1)
    recalls, f1s, shares, areas, sums = [], [], [], [], []
    for c in range(len(names)):
        of_class, called = weights @ (truth == c), weights @ (guess == c)
        hit = weights @ ((truth == c) & (guess == c))
        recalls.append(_over(hit, of_class))
        f1s.append(_over(2 * hit, of_class + called))
        shares.append(of_class / total)
        areas.append(_area(said[:, c], truth == c, weights))
        sums.append((of_class, called))
    right = weights @ (truth == guess)
    chance = sum(a * b for a, b in sums)
    room = (total**2 - sum(a * a for a, _ in sums)) * (total**2 - sum(b * b for _, b in sums))
    f1 = np.array(f1s)
    return {
        "accuracy": right / total,
        "balanced_accuracy": _known_mean(recalls),
        "macro_f1": _known_mean(f1s),
        "weighted_f1": (np.nan_to_num(f1) * np.array(shares)).sum(axis=0),
        "mcc": np.nan_to_num(_over(total * right - chance, np.sqrt(room))),
        "auroc": _known_mean(areas),
    }


def _known_mean(values: list[Floats]) -> Floats:
    """Return the mean over the classes that have a number; NaN where none has."""
    known = ~np.isnan(values)
    return _over(np.nansum(values, axis=0), known.sum(axis=0))


def _area(score: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return the area under the ROC curve by the trapezoidal rule, NaN where one side has no weight."""
    cuts = np.unique(score)[::-1]
    found = score[:, None] >= cuts  # a column for each threshold, from the highest
    yes, no = weights * positive, weights * ~positive
    start = np.zeros((len(weights), 1))
    rate = np.hstack([start, yes @ found]), np.hstack([start, no @ found])
    area = np.trapezoid(rate[0], rate[1], axis=1)
    return _over(area, yes.sum(axis=1) * no.sum(axis=1))


def _over(top: Floats, bottom: Floats) -> Floats:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def to_be_classed(bundle: Bundle, test: set[str], task: str, table: dict[str, Any]) -> tuple[set[str], list[str]]:
    """Return the test samples whose class some training sample has, and where the table's classes are others.

    Parameters
    ----------
    bundle
        Of a trained model.
    test
        Samples of the test part.
    task, table
        The task's name in predictions.parquet, and what evaluation.json says of it.
    """
    fold = at(bundle.sidecar, "split", "fold")
    train = _labels(bundle, fitting_rows(bundle, fold), task)
    known = sorted({name for name in train.values() if name})
    said = [] if known == table["classes"] else [f"{task} has other classes than the {len(known)} of the training rows"]
    return {sample for sample, name in _labels(bundle, sorted(test), task).items() if name in known}, said


def mislabelled(bundle: Bundle, frame: pl.DataFrame, name: str) -> list[str]:
    """Return, as sentences, predictions whose own class is another than the store's."""
    said: list[str] = []
    if not can_fit(bundle) or "label" not in frame.columns:
        return said
    rows = frame.filter(pl.col("task").str.starts_with(PREFIX)).select("task", "sample_id", "label").unique()
    for (task,), own in rows.group_by(["task"], maintain_order=True):
        stored = _labels(bundle, sorted(set(own["sample_id"].to_list())), str(task))
        for _, sample, label in sorted(own.iter_rows()):
            if stored[sample] != label:
                said.append(f"{name}: the class of {sample} is {label}, and {stored[sample] or 'none'} in the store")
    return said


def _labels(bundle: Bundle, samples: list[str], task: str) -> dict[str, str]:
    found = label_of(bundle, np.array(samples, dtype=np.str_)).get(task.removeprefix(PREFIX))
    return dict.fromkeys(samples, "") if found is None else dict(zip(samples, found.tolist(), strict=True))
