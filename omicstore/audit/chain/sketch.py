"""Whether an index holds the numbers of its matrices, in one pass over each and little memory.

Each matrix of a modality is (samples, features); the index is all of them turned, on the union of their axes. Both are
multiplied with the same random vectors, over samples and over features, in integers modulo 2^64 on the bits of the
numbers (Freivalds 1977, "Probabilistic machines can use less running time"). The weights are odd, so one changed cell
is always seen, and where its row and column differ is where it lies; several that cancel by chance are as likely as
2^-63. The vectors are drawn anew each time, so nobody can make a change that they do not see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.audit.encoding import NAN_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

__all__ = ["Sketch"]


class Sketch:
    """The sums of a modality, as its matrices and as its index give them.

    Parameters
    ----------
    n_profiles, n_features
        The shape of all matrices together, on the union of their axes.

    Examples
    --------
    >>> bits = np.array([[1, 2], [3, 4]], np.uint32)
    >>> sketch = Sketch(2, 2)
    >>> sketch.matrix(0, bits, np.array([0, 1]))
    >>> sketch.index(0, np.array([[1, 3], [2, 5]], np.uint32))
    >>> [place.tolist() for place in sketch.places()]
    [[1], [1]]
    """

    def __init__(self, n_profiles: int, n_features: int) -> None:
        self._n_features = n_features
        draw = np.random.default_rng()
        self._by_profile, self._by_feature = (
            draw.integers(0, 1 << 64, n, dtype=np.uint64) | np.uint64(1) for n in (n_profiles, n_features)
        )
        #: What the matrices sum up to, less what the index does.
        self._profiles, self._features = (np.zeros(n, np.uint64) for n in (n_profiles, n_features))

    def matrix(self, start: int, bits: NDArray[np.uint32], axis: NDArray[np.int64]) -> None:
        """Add rows of a matrix.

        Parameters
        ----------
        start
            Which profile, of all cohorts, the first row is.
        bits
            (n, F) rows.
        axis
            (F,) where the columns stand in the union.
        """
        wide, rows = bits.astype(np.uint64), slice(start, start + len(bits))
        weights, missing = self._by_profile[rows], np.uint64(NAN_BITS)
        absent = np.ones(self._n_features, dtype=bool)
        absent[axis] = False
        self._features[axis] += weights @ wide
        self._features[absent] += missing * weights.sum(keepdims=True)
        self._profiles[rows] += wide @ self._by_feature[axis] + missing * self._by_feature[absent].sum(keepdims=True)

    def index(self, start: int, bits: NDArray[np.uint32]) -> None:
        """Take away rows of the index: (n, P), from feature `start` on."""
        wide, rows = bits.astype(np.uint64), slice(start, start + len(bits))
        self._features[rows] -= wide @ self._by_profile
        self._profiles -= self._by_feature[rows] @ wide

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the profiles and the features in which index and matrices differ."""
        return np.flatnonzero(self._profiles), np.flatnonzero(self._features)
