"""From scores per fold and seed to the rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.evaluate.bootstrap import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Scores", "differences", "rows_of"]

#: Task, method, part (a fold, or a fold and a seed) and measure to (1 + resamples,), the value itself first.
Scores: TypeAlias = dict[str, dict[str, dict[str, dict[str, NDArray[np.float64]]]]]


def rows_of(scores: Scores) -> list[dict[str, Any]]:
    """Return a row per task, method and measure.

    Parameters
    ----------
    scores
        What was measured.

    Returns
    -------
    Rows with ``task``, ``method``, ``measure``, ``mean`` over folds and seeds, ``sd`` over folds (None where there is
    one), ``low`` and ``high`` (95%, patient bootstrap within each fold) and ``each``.

    Examples
    --------
    >>> folds = {"fold 0": {"mse": np.array([1.0, 0.9, 1.1])}, "fold 1": {"mse": np.array([2.0, 1.9, 2.1])}}
    >>> row = rows_of({"a to b": {"ridge": folds}})[0]
    >>> row["mean"], round(row["sd"], 3), row["each"]
    (1.5, 0.707, {'fold 0': 1.0, 'fold 1': 2.0})
    """
    return [
        {"task": task, "method": method, "measure": measure, **_summary({k: v[measure] for k, v in parts.items()})}
        for task, methods in scores.items()
        for method, parts in methods.items()
        for measure in next(iter(parts.values()))
    ]


def differences(scores: Scores, model: str, decides: str = "pearson") -> list[dict[str, Any]]:
    """Return the model less every other method, resample by resample and fold by fold.

    Parameters
    ----------
    scores
        What was measured, every method on the same rows and resamples.
    model
        What the names of the model's own methods begin with.
    decides
        The measure by which one of the other methods is the best.

    Returns
    -------
    Rows as those of `rows_of`, with ``against``, and ``best``: whether that is the other method with the highest mean
    of the measure that decides.
    """
    found = []
    for task, methods in scores.items():
        by_fold = {name: _by_fold(parts) for name, parts in methods.items()}
        others = [name for name in methods if not name.startswith(model)]
        best = max(others, key=lambda name: np.mean([v[decides][0] for v in by_fold[name].values()]))
        for own in methods:
            if own in others:
                continue
            for other in others:
                for measure in next(iter(by_fold[own].values())):
                    apart = {k: v[measure] - by_fold[other][k][measure] for k, v in by_fold[own].items()}
                    found.append(
                        {"task": task, "method": own, "against": other, "best": other == best, "measure": measure}
                        | _summary(apart)
                    )
    return found


def _by_fold(parts: dict[str, dict[str, NDArray[np.float64]]]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the mean over the seeds of each fold."""
    folds: dict[str, list[dict[str, NDArray[np.float64]]]] = {}
    for part, measured in parts.items():
        folds.setdefault(_fold_of(part), []).append(measured)
    return {fold: {measure: _mean(m[measure] for m in each) for measure in each[0]} for fold, each in folds.items()}


def _summary(parts: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    folds: dict[str, list[NDArray[np.float64]]] = {}
    for part, values in parts.items():
        folds.setdefault(_fold_of(part), []).append(values)
    means = [_mean(each) for each in folds.values()]
    found = estimate(_mean(means))
    return {
        "mean": found["value"],
        "sd": round(float(np.std([m[0] for m in means], ddof=1)), 6) if len(means) > 1 else None,
        "low": found["low"],
        "high": found["high"],
        "each": {part: round(float(values[0]), 6) for part, values in parts.items()},
    }


def _fold_of(part: str) -> str:
    return part.partition(",")[0]


def _mean(arrays: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.mean(np.stack(list(arrays)), axis=0))
