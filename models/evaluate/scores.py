"""How well classes are told apart: scores from labels, and the one that needs probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLASS_SCORES", "auroc", "class_scores"]

#: Name to title.
CLASS_SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "mcc": "MCC",
    "auroc": "AUROC, one class against the rest",
}


def class_scores(truth: NDArray[np.integer], probabilities: NDArray[np.floating]) -> dict[str, float]:
    """Return the scores of `CLASS_SCORES`; scikit-learn computes them.

    The label is the class of the highest probability. Macro-F1 is the mean over the classes that are found in the truth
    or in the labels, weighted F1 the mean by the truth's rows, balanced accuracy the mean recall of its classes.

    Parameters
    ----------
    truth
        (n,) int, from 0; below 0 where unlabelled: such rows are left out.
    probabilities
        (n, C), each row summing to 1.

    Raises
    ------
    UsageError
        As `auroc` does, or if no row is labelled.

    Examples
    --------
    >>> scores = class_scores(np.array([0, 0, 1, -1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]]))
    >>> {name: round(value, 3) for name, value in scores.items()}
    {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'macro_f1': 0.667, 'weighted_f1': 0.667, 'mcc': 0.5, 'auroc': 1.0}
    """
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, recall_score

    area = auroc(truth, probabilities)
    labelled = truth >= 0
    true, found = truth[labelled], np.asarray(probabilities)[labelled].argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(true, found)),
        # balanced_accuracy_score warns of classes found that are not in the truth; it is this mean of recalls.
        "balanced_accuracy": float(recall_score(true, found, labels=np.unique(true), average="macro", zero_division=0)),
        "macro_f1": float(f1_score(true, found, average="macro", zero_division=0)),
        "weighted_f1": float(f1_score(true, found, average="weighted", zero_division=0)),
        # Of one class alone it is 0 over 0: scikit-learn says 0, with a warning.
        "mcc": float(matthews_corrcoef(true, found)) if len(np.union1d(true, found)) > 1 else 0.0,
        "auroc": area,
    }


def auroc(truth: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """Return the area under the ROC curve, each class against the rest, averaged over the classes.

    A class that has no row, or all rows, has no curve and is left out of the mean; NaN where no class has one.

    Parameters
    ----------
    truth
        (n,) int, from 0; below 0 where unlabelled: such rows are left out.
    probabilities
        (n, C), each row summing to 1.

    Raises
    ------
    UsageError
        If these are labels and not probabilities: of those the area is the balanced accuracy of two classes, and
        cannot be compared with an area from probabilities. Also if rows do not sum to 1, or none is labelled.

    Examples
    --------
    >>> auroc(np.array([0, 1, 1]), np.array([[0.6, 0.4], [0.7, 0.3], [0.1, 0.9]]))
    0.5
    """
    from sklearn.metrics import roc_auc_score

    given = np.asarray(probabilities)
    labelled = np.asarray(truth) >= 0
    _check(given, labelled)
    true, given = truth[labelled], given[labelled]
    counts = np.bincount(true, minlength=given.shape[1])
    curves = np.flatnonzero((counts > 0) & (counts < len(true)))
    if not len(curves):
        return float("nan")
    return float(np.mean([roc_auc_score(true == c, given[:, c]) for c in curves]))


def _check(given: NDArray[np.floating], labelled: NDArray[np.bool_]) -> None:
    if not labelled.any():
        raise UsageError(
            "no row is labelled", expected="a label from 0 in at least one row", run="choose labelled rows"
        )
    if given.ndim != 2 or not np.issubdtype(given.dtype, np.floating) or np.isin(given, (0, 1)).all():
        raise UsageError(
            f"hard labels, {given.dtype} of shape {given.shape}, where probabilities are needed",
            expected="(rows, classes) of probabilities: the AUROC of labels is no area under a curve",
            run="give the softmax, not its largest class",
        )
    if not np.allclose(given.sum(axis=1), 1, atol=1e-4):
        raise UsageError(
            f"rows of probabilities that sum to {given.sum(axis=1).min():g} to {given.sum(axis=1).max():g}",
            expected="rows that sum to 1",
            run="take the softmax of the logits",
        )
