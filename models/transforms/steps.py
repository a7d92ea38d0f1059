"""The steps that transforms are made of: each works column by column and learns from training rows alone.

A fitted step is its parameters: arrays of one number per feature. NaN means "not observed"; no step reads it, and
`Pipeline` puts it back after the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Params = dict[str, Array]

__all__ = [
    "PIPELINES",
    "ClampZero",
    "Log1p",
    "MedianImpute",
    "Step",
    "Winsorize",
    "ZScore",
    "column_quantiles",
]


class Step(Protocol):
    """One column-wise step."""

    name: ClassVar[str]

    def fit(self, values: Array) -> Params:
        """Learn from (n, F) training values."""

    def apply(self, values: Array, params: Params) -> Array:
        """Return (n, F) transformed values."""


def column_quantiles(values: NDArray[np.floating], q: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the quantiles of each column over what is observed, by linear interpolation.

    Parameters
    ----------
    values
        (n, F), NaN = not observed.
    q
        Probabilities in [0, 1].

    Returns
    -------
    (len(q), F) float32; NaN for a column without any observed value.

    Examples
    --------
    >>> column_quantiles(np.array([[1.0, np.nan], [3.0, 5.0]]), (0.5,)).tolist()
    [[2.0, 5.0]]
    """
    ordered = np.sort(values, axis=0)  # NaN sorts last
    count = (~np.isnan(ordered)).sum(axis=0)
    position = np.asarray(q)[:, None] * np.maximum(count - 1, 0)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    at_low = np.take_along_axis(ordered, low, axis=0)
    at_high = np.take_along_axis(ordered, high, axis=0)
    return np.asarray(at_low + (at_high - at_low) * (position - low), dtype=np.float32)


class Log1p:
    """Natural logarithm of one plus the value."""

    name: ClassVar[str] = "log1p"

    def fit(self, values: Array) -> Params:  # noqa: ARG002 - nothing to learn
        """Learn nothing."""
        return {}

    def apply(self, values: Array, params: Params) -> Array:  # noqa: ARG002 - nothing was learned
        """Return ``log(1 + x)``."""
        return np.log1p(values)


class Winsorize:
    """Pull values beyond the training p1 and p99 to them."""

    name: ClassVar[str] = "winsorize"
    limits: ClassVar[tuple[float, float]] = (0.01, 0.99)

    def fit(self, values: Array) -> Params:
        """Learn the two percentiles of each feature."""
        low, high = column_quantiles(values, self.limits)
        return {"low": low, "high": high}

    def apply(self, values: Array, params: Params) -> Array:
        """Return the values within the limits."""
        return np.clip(values, params["low"], params["high"])


class ZScore:
    """Subtract the training mean, divide by the training standard deviation (n in the denominator)."""

    name: ClassVar[str] = "zscore"

    def fit(self, values: Array) -> Params:
        """Learn mean and standard deviation, in double precision."""
        seen = ~np.isnan(values)
        n = np.maximum(seen.sum(axis=0), 1)
        filled = np.where(seen, values, 0).astype(np.float64)
        mean = filled.sum(axis=0) / n
        variance = np.where(seen, (filled - mean) ** 2, 0).sum(axis=0) / n
        return {"mean": mean.astype(np.float32), "sd": np.sqrt(variance).astype(np.float32)}

    def apply(self, values: Array, params: Params) -> Array:
        """Return z-scores; a feature without spread gives 0 and is left out by the pipeline anyway."""
        sd = np.where(params["sd"] > 0, params["sd"], np.float32(1))
        return np.asarray((values - params["mean"]) / sd, dtype=np.float32)


class MedianImpute:
    """Put the training median where nothing was observed, so that later steps count it as data (ARO as published)."""

    name: ClassVar[str] = "median_impute"

    def fit(self, values: Array) -> Params:
        """Learn medians; 0 for a feature that was never observed."""
        return {"median": np.nan_to_num(column_quantiles(values, (0.5,))[0])}

    def apply(self, values: Array, params: Params) -> Array:
        """Return the values without NaN."""
        return np.where(np.isnan(values), params["median"], values)


class ClampZero:
    """Turn negative values into 0 (ARO as published: whatever lies below the mean is lost)."""

    name: ClassVar[str] = "clamp_zero"

    def fit(self, values: Array) -> Params:  # noqa: ARG002 - nothing to learn
        """Learn nothing."""
        return {}

    def apply(self, values: Array, params: Params) -> Array:  # noqa: ARG002 - nothing was learned
        """Return ``max(x, 0)``."""
        return np.maximum(values, np.float32(0))


#: Transforms by name; `default` leaves its log1p out where the unit is not in `LINEAR_UNITS`.
PIPELINES: dict[str, tuple[Step, ...]] = {
    "default": (Log1p(), Winsorize(), ZScore()),
    "paper": (MedianImpute(), Winsorize(), ZScore(), ClampZero(), Log1p()),
}
