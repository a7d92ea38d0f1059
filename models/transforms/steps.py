"""The steps that transforms are made of: each learns from training rows alone, column by column, or learns nothing.

A fitted step is its parameters: arrays of one number per feature. NaN means "not observed"; no step reads it, and
the pipeline puts it back. A `SampleStep` works within a row, on the features that the pipeline gives out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Params = dict[str, Array]

__all__ = [
    "AMOUNTS",
    "PIPELINES",
    "ClampZero",
    "Log1p",
    "MedianImpute",
    "MinMax",
    "SampleRank",
    "SampleStep",
    "Step",
    "UpperQuartile",
    "Winsorize",
    "ZScore",
    "column_quantiles",
]


class Step(Protocol):
    """One step."""

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


class MinMax:
    """Subtract the training minimum, divide by the training range (MODIS)."""

    name: ClassVar[str] = "minmax"

    def fit(self, values: Array) -> Params:
        """Learn the least and the greatest value of each feature."""
        return {"low": np.fmin.reduce(values, axis=0), "high": np.fmax.reduce(values, axis=0)}

    def apply(self, values: Array, params: Params) -> Array:
        """Return 0 to 1 on training rows; a feature without range gives 0 and is left out by the pipeline anyway."""
        span = params["high"] - params["low"]
        return np.asarray((values - params["low"]) / np.where(span > 0, span, np.float32(1)), dtype=np.float32)


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


class SampleStep:
    """Base of the steps that compare a sample's features with each other; other samples make no difference."""

    def fit(self, values: Array) -> Params:  # noqa: ARG002 - nothing to learn
        """Learn nothing."""
        return {}


class UpperQuartile(SampleStep):
    """Divide a sample by the 75th percentile of its observed features (Bullard et al. 2010, BMC Bioinformatics 11:94).

    A sample whose percentile is not above 0 is left as it is.

    Examples
    --------
    >>> UpperQuartile().apply(np.array([[0.0, 1.0, 2.0, 3.0, 4.0]], dtype=np.float32), {}).round(2).tolist()
    [[0.0, 0.33..., 0.67..., 1.0, 1.33...]]
    """

    name: ClassVar[str] = "upper_quartile"

    def apply(self, values: Array, params: Params) -> Array:  # noqa: ARG002 - nothing was learned
        """Return the scaled rows."""
        quartile = column_quantiles(values.T, (0.75,))[0]
        divisor = np.where(quartile > 0, quartile, np.float32(1))
        return np.asarray(values / divisor[:, None], dtype=np.float32)


class SampleRank(SampleStep):
    """Replace each value by its rank among the sample's observed features, from 0 (lowest) to 1 (highest).

    Equal values share the mean of their ranks. A logarithm or a scale of the sample before it changes nothing.

    Examples
    --------
    >>> SampleRank().apply(np.array([[5.0, 5.0, np.nan, 9.0]], dtype=np.float32), {}).tolist()
    [[0.25, 0.25, nan, 1.0]]
    """

    name: ClassVar[str] = "sample_rank"

    def apply(self, values: Array, params: Params) -> Array:  # noqa: ARG002 - nothing was learned
        """Return the ranks."""
        from scipy.stats import rankdata

        out = np.full(values.shape, np.nan, dtype=np.float32)
        for i, row in enumerate(values):
            seen = ~np.isnan(row)
            out[i, seen] = (rankdata(row[seen]) - 1) / max(int(seen.sum()) - 1, 1)
        return out


#: Transforms by name. `default`, `minmax` and `upper_quartile` leave out the steps in `AMOUNTS` where the unit is not
#: in `LINEAR_UNITS`: a share of methylated copies has no library size.
PIPELINES: dict[str, tuple[Step, ...]] = {
    "default": (Log1p(), Winsorize(), ZScore()),
    "paper": (MedianImpute(), Winsorize(), ZScore(), ClampZero(), Log1p()),
    "minmax": (Log1p(), MinMax()),
    "upper_quartile": (Log1p(), UpperQuartile(), Winsorize(), ZScore()),
    "sample_rank": (SampleRank(),),
}

#: Steps that mean something for amounts alone.
AMOUNTS: tuple[type[Step], ...] = (Log1p, UpperQuartile)
