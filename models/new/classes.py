"""Sets of classes that hold the true one as often as promised, for models with a head for classes.

The score of a class is one minus its probability. With n labelled val rows, the set of a new patient has every class
whose score is at most the ``ceil((n + 1) * level)``-th smallest score of the val rows' true classes (Sadinle, Lei and
Wasserman 2019, J. Am. Stat. Assoc. 114:223): split-conformal prediction, as in `models.new.conformal`. As there, the
promise is an average over patients, and since val also chose the epoch it holds up to what that choice can spoil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.new.conformal import half_widths

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVEL", "ClassSets", "fit_class_sets"]

#: Of the sets.
LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class ClassSets:
    """How sure a model must be to leave a class out.

    Attributes
    ----------
    n_val, accuracy
        Labelled val rows, and the share of them whose likeliest class is the true one.
    threshold
        The highest score of a class in a set; None where the rows are too few, so that every class is in it.
    """

    n_val: int
    accuracy: float
    threshold: float | None

    def members(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return (n, C): which classes are in each row's set; the likeliest always is.

        Examples
        --------
        >>> ClassSets(20, 0.9, 0.5).members(np.array([[0.6, 0.4], [0.5, 0.5], [0.2, 0.8]])).tolist()
        [[True, False], [True, True], [False, True]]
        """
        if self.threshold is None:
            return np.ones(probabilities.shape, dtype=bool)
        likeliest = np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]
        return np.asarray((1 - probabilities <= self.threshold) | likeliest)


def fit_class_sets(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> ClassSets | None:
    """Calibrate on val rows.

    Parameters
    ----------
    probabilities
        (n, C).
    labels
        (n,) the true class; -1 where there is none.

    Returns
    -------
    ClassSets or None
        None where no row is labelled.
    """
    known = labels >= 0
    if not known.any():
        return None
    own, truth = np.asarray(probabilities[known], dtype=np.float64), labels[known]
    threshold = half_widths(1 - own[np.arange(len(truth)), truth][:, None], LEVEL)[0]
    return ClassSets(
        n_val=len(truth),
        accuracy=round(float((own.argmax(axis=1) == truth).mean()), 6),
        threshold=float(threshold) if np.isfinite(threshold) else None,
    )
