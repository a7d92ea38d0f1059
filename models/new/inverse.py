"""From the transformed scale back to the unit of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.transforms.steps import ClampZero, Log1p, MedianImpute, MinMax, SampleStep, Winsorize, ZScore
from omicstore.errors import OmicstoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.transforms.pipeline import FittedPipeline

__all__ = ["can_undo", "limits", "to_unit"]


def can_undo(pipeline: FittedPipeline) -> bool:
    """Whether values can be brought back: not where a step used a sample's other values, which nobody knows."""
    return not any(isinstance(step, SampleStep) for step in pipeline.steps)


def to_unit(pipeline: FittedPipeline, values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Undo a fitted transform, step by step from the last.

    Nothing leaves the range that the transform has: beyond the limits to which it pulls values (percentiles 1 and 99 of
    the training rows), and below the mean where it sets negative z-scores to 0, it does not tell values apart. An
    amount is never negative.

    Parameters
    ----------
    pipeline
        What was fitted.
    values
        (n, F) on the transformed scale, infinite or not; NaN stays NaN.

    Returns
    -------
    (n, F) float32 in ``pipeline.unit``.

    Raises
    ------
    OmicstoreError
        If a step cannot be undone.
    """
    done = np.asarray(values, dtype=np.float64)
    for step, params in reversed(list(zip(pipeline.steps, pipeline.params, strict=True))):
        if isinstance(step, Log1p):
            with np.errstate(over="ignore"):
                done = np.expm1(np.maximum(done, 0.0))
        elif isinstance(step, ZScore):
            done = done * params["sd"] + params["mean"]
        elif isinstance(step, MinMax):
            done = done * (params["high"] - params["low"]) + params["low"]
        elif isinstance(step, Winsorize):
            done = np.clip(done, params["low"], params["high"])
        elif isinstance(step, ClampZero):
            done = np.maximum(done, 0.0)
        elif not isinstance(step, MedianImpute):
            raise OmicstoreError(f"the step {step.name} of the transform cannot be undone")
    return done.astype(np.float32)


def limits(pipeline: FittedPipeline) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and the highest value of each feature, (F,), that `to_unit` can give."""
    ends = to_unit(pipeline, np.array([[-np.inf], [np.inf]]) * np.ones(len(pipeline.features)))
    return ends[0], ends[1]
