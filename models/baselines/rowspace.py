"""Principal axes of a training matrix, by way of the smaller of its two Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RowSpace"]


@dataclass(frozen=True, slots=True)
class RowSpace:
    """Principal axes, largest first; with all of them, ridge on the scores is ridge on the matrix.

    Attributes
    ----------
    mean
        (p,) training means.
    axes
        (p, r) orthonormal columns.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> RowSpace:
        """Find the axes of (n, p) values without NaN."""
        mean = values.mean(axis=0, dtype=np.float64)
        centred = values - mean
        n, p = centred.shape
        if n <= p:
            roots, left = np.linalg.eigh(centred @ centred.T)
            keep = _positive(roots)
            axes = centred.T @ (left[:, keep] / np.sqrt(roots[keep]))
        else:
            roots, right = np.linalg.eigh(centred.T @ centred)
            axes = right[:, _positive(roots)]
        return cls(mean, np.ascontiguousarray(axes[:, ::-1]))

    def scores(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n, r) coordinates of (n, p) values."""
        return np.asarray((values - self.mean) @ self.axes)

    def rebuild(self, values: NDArray[np.floating], rank: int) -> NDArray[np.float64]:
        """Return (n, p) values as the first `rank` axes give them back."""
        axes = self.axes[:, :rank]
        return np.asarray(self.mean + ((values - self.mean) @ axes) @ axes.T)


def _positive(roots: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(roots > 1e-9 * max(float(roots[-1]), 1e-30))
