"""Simple predictors of a class, fitted on the training rows; val chooses a penalty where there is one to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.rowspace import RowSpace

if TYPE_CHECKING:
    from collections.abc import Sized

    from numpy.typing import NDArray

    Array = NDArray[np.floating]
    Labels = NDArray[np.integer]

__all__ = ["INVERSE_PENALTIES", "Forest", "Frequencies", "Logistic", "Neighbours"]

#: Strengths tried, scikit-learn's C, of inputs scaled to a total variance of 1.
INVERSE_PENALTIES: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)

_TREES = 300


class Frequencies:
    """Says of every row how frequent the classes are among the training rows: the majority class is its label.

    Parameters
    ----------
    label
        (n,) int of the training rows, from 0; below 0 where unlabelled.
    n_classes
        C.
    """

    def __init__(self, label: Labels, n_classes: int) -> None:
        counts = np.bincount(label[label >= 0], minlength=n_classes)
        self.shares = counts / counts.sum()

    def predict(self, inputs: Sized) -> NDArray[np.float64]:
        """Return (n, C), all rows alike."""
        return np.tile(self.shares, (len(inputs), 1))


class Logistic:
    """Multinomial logistic regression with a squared penalty, by scikit-learn.

    Inputs are centred and scaled as a whole to a total variance of 1, which leaves the directions their weight; with
    all principal axes, the penalty is that on the inputs themselves. The strength is the one of `INVERSE_PENALTIES`
    with the least log loss on the validation rows, or the first where none of these is labelled.

    Parameters
    ----------
    inputs, label
        (n, p) of the training rows and (n,) int, from 0; below 0 where unlabelled: such rows are not fitted on.
    val, val_label
        The same of the validation rows.
    n_classes
        C; a class without a training row has probability 0.
    """

    def __init__(self, inputs: Array, label: Labels, val: Array, val_label: Labels, n_classes: int) -> None:
        from sklearn.linear_model import LogisticRegression

        known, chosen_on = label >= 0, val_label >= 0
        self.n_classes = n_classes
        self.space = RowSpace.fit(inputs[known])
        scores = self._scores(inputs[known])
        self.scale = 1 / np.sqrt(max(float(scores.var(axis=0).sum()), 1e-30))
        best, self.model, self.strength = np.inf, None, 0.0
        for strength in INVERSE_PENALTIES if chosen_on.any() else INVERSE_PENALTIES[:1]:
            model = LogisticRegression(C=strength, max_iter=5000).fit(scores * self.scale, label[known])
            loss = _log_loss(self._spread(model, val[chosen_on]), val_label[chosen_on]) if chosen_on.any() else 0.0
            if loss < best:
                best, self.model, self.strength = loss, model, strength

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, C)."""
        return self._spread(self.model, inputs)

    def _spread(self, model: object, inputs: Array) -> NDArray[np.float64]:
        return _in_place(model, self._scores(inputs) * self.scale, self.n_classes)

    def _scores(self, inputs: Array) -> NDArray[np.float64]:
        scores = self.space.scores(inputs)
        return scores if scores.shape[1] else np.zeros((len(inputs), 1))  # an embedding that is the same for all rows


class Neighbours:
    """The share of each class among the nearest training rows, by Euclidean distance; scikit-learn finds them.

    Parameters
    ----------
    inputs, label
        (n, p) of the training rows and (n,) int, from 0; below 0 where unlabelled: such rows have no vote.
    n_classes
        C.
    k
        How many neighbours.
    """

    def __init__(self, inputs: Array, label: Labels, n_classes: int, k: int = 5) -> None:
        from sklearn.neighbors import KNeighborsClassifier

        voters = label >= 0
        self.n_classes = n_classes
        self.model = KNeighborsClassifier(min(k, int(voters.sum()))).fit(inputs[voters], label[voters])

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, C)."""
        return _in_place(self.model, inputs, self.n_classes)


class Forest:
    """A random forest (Breiman 2001, Mach. Learn. 45:5) of 300 trees, by scikit-learn.

    Parameters
    ----------
    inputs, label
        (n, p) of the training rows and (n,) int, from 0; below 0 where unlabelled: such rows are not fitted on.
    n_classes
        C.
    seed
        Of rows and features drawn.
    """

    def __init__(self, inputs: Array, label: Labels, n_classes: int, seed: int) -> None:
        from sklearn.ensemble import RandomForestClassifier

        known = label >= 0
        self.n_classes = n_classes
        self.model = RandomForestClassifier(_TREES, random_state=seed).fit(inputs[known], label[known])

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, C)."""
        return _in_place(self.model, inputs, self.n_classes)


def _in_place(model: object, inputs: Array, n_classes: int) -> NDArray[np.float64]:
    """Return a model's probabilities with a column for each class, those that it has not met included."""
    out = np.zeros((len(inputs), n_classes))
    if len(inputs):
        out[:, model.classes_] = model.predict_proba(inputs)  # type: ignore[attr-defined]
    return out


def _log_loss(probabilities: NDArray[np.float64], label: Labels) -> float:
    return float(-np.log(np.maximum(probabilities[np.arange(len(label)), label], 1e-12)).mean())
