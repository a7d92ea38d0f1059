"""Correlations of the profiles of two batches: a quick look at all of them, and the exact value of some."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.splits.batches import SKETCH, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from omicstore.splits.batches import Batch, Scale

__all__ = ["LEAST_FEATURES", "Comparison", "Sketches", "shared"]

#: Fewer features in common say nothing.
LEAST_FEATURES = 50

#: Of two thinned batches, so many features have to be left in common for a first look.
_LEAST_LOOK = 256

#: Where two batches share this much of their features, each is centred over its own for the first look.
_MOSTLY = 0.95

#: Rows at a time: of the first look, and of the exact one.
_LOOK_ROWS, _EXACT_ROWS = 2048, 256


class Rows:
    """Standardised profiles, ready for products: rows centred, missing values 0."""

    def __init__(self, x: NDArray[Any]) -> None:
        missing = np.isnan(x)
        self.seen: NDArray[Any] | None = None
        if missing.any():
            x[missing] = 0
            self.seen = (~missing).astype(x.dtype)
            n = np.maximum(self.seen.sum(axis=1, keepdims=True), 1)
            x -= x.sum(axis=1, keepdims=True) / n
            x[missing] = 0
        else:
            x -= x.mean(axis=1, keepdims=True)
        self.x = x
        length = np.sqrt(np.einsum("ij,ij->i", x, x))
        x /= np.where(length > 0, length, 1)[:, None]

    def part(self, rows: slice) -> Rows:
        """Return some of the rows."""
        return self._some(rows)

    def columns(self, columns: NDArray[np.intp]) -> Rows:
        """Return some of the features; the rows stay as they were centred."""
        if columns.size == self.x.shape[1]:
            return self
        return self._some((slice(None), columns))

    def _some(self, at: Any) -> Rows:
        some = object.__new__(Rows)
        some.x, some.seen = self.x[at], None if self.seen is None else self.seen[at]
        return some


def correlation(a: Rows, b: Rows, least: int = 0) -> NDArray[Any]:
    """Return (rows of a, rows of b) Pearson correlations over the features that both observed; 0 if under `least`."""
    r: NDArray[Any] = a.x @ b.x.T
    if a.seen is not None or b.seen is not None:
        # Of each row, the length that it has over what the other one observed.
        mine = 1.0 if b.seen is None else (a.x * a.x) @ b.seen.T
        theirs = 1.0 if a.seen is None else a.seen @ (b.x * b.x).T
        lengths = np.sqrt(mine * theirs)
        np.divide(r, lengths, out=r, where=lengths > np.finfo(r.dtype).eps)
        if least:
            everywhere = np.ones((1, a.x.shape[1]), r.dtype)
            both = (everywhere if a.seen is None else a.seen) @ (everywhere if b.seen is None else b.seen).T
            r[np.broadcast_to(both < least, r.shape)] = 0
    return r


class Sketches:
    """What is held of the batches of a modality between comparisons.

    A batch of enough profiles is held on its own scale; of a smaller one the numbers are kept as they are, to be put on
    the scale of what it is compared with.
    """

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self._scales: dict[int, Scale] = {}
        self._sketches: dict[int, tuple[NDArray[np.float32], Scale]] = {}
        self._rows: dict[int, tuple[NDArray[np.intp], Rows]] = {}

    def scale(self, i: int) -> Scale:
        """Return the scale of all features of a batch."""
        if i not in self._scales:
            self._scales[i] = self.batches[i].scale()
        return self._scales[i]

    def sketch(self, i: int) -> tuple[NDArray[np.float32], Scale]:
        """Return (n, first features) numbers, standardised where the batch is sound, and their scale."""
        if i not in self._sketches:
            batch = self.batches[i]
            self._sketches[i] = self.taken(i, batch.first)
        return self._sketches[i]

    def taken(self, i: int, columns: NDArray[np.intp]) -> tuple[NDArray[np.float32], Scale]:
        """Read some features of a batch; as `sketch` does."""
        batch = self.batches[i]
        x = np.empty((len(batch), columns.size), np.float32)
        for part, block in batch.blocks(np.arange(len(batch)), columns, np.float32):
            x[part] = block
        scale = scale_of([(x, batch.normal)], columns.size)
        if batch.sound:
            scale.apply(x, batch.normal)
        return x, scale

    def rows(self, i: int) -> tuple[NDArray[np.intp], Rows]:
        """Return which of the first features of a sound batch tell something, and its profiles on them."""
        if i not in self._rows:
            x, scale = self.sketch(i)
            told = np.flatnonzero(scale.there)
            self._rows[i] = told, Rows(x[:, told])
        return self._rows[i]


class Comparison:
    """The comparison of two batches, or of one with itself.

    Attributes
    ----------
    a, b
        The batches; at least one is large enough to have a scale, which then serves both where the other is not.
    """

    def __init__(self, sketches: Sketches, i: int, j: int) -> None:
        self._held, self._at = sketches, (i, j)
        self.a, self.b = sketches.batches[i], sketches.batches[j]
        self._on = (i if self.a.sound else j, j if self.b.sound else i)

    def look(self, cut: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows of `a` and of `b` that belong to two patients and correlate by about `cut` or more."""
        left, right = self._first()
        found: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        for start in range(0, len(self.a), _LOOK_ROWS):
            rows = slice(start, start + _LOOK_ROWS)
            base = start if self.a is self.b else 0  # of a symmetric product, the upper half
            i, j = np.nonzero(correlation(left.part(rows), right.part(slice(base, None))) >= cut)
            i, j = i + start, j + base
            kept = self.a.patients[i] != self.b.patients[j]
            if self.a is self.b:
                kept &= i < j
            found.append((i[kept], j[kept]))
        return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])

    def r(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return (rows of `a`, rows of `b`) correlations over all common features, to 3 decimals."""
        return self._exact(0, rows, columns)

    def others(self, rows: NDArray[np.intp], *, swapped: bool) -> NDArray[np.float64]:
        """Return the correlations of rows of `a` with all of `b`; or of rows of `b` with all of `a`."""
        return self._exact(int(swapped), rows, np.arange(len(self.a if swapped else self.b)))

    @property
    def n_features(self) -> int:
        """How many features both batches have and tell something in both."""
        return self._common[0].size

    def _first(self) -> tuple[Rows, Rows]:
        """Return both batches for the first look."""
        (i, j), (a, b) = self._at, (self.a, self.b)
        if a.sound and b.sound:
            (mine, left), (theirs, right) = self._held.rows(i), self._held.rows(j)
            at, to = shared(a.features[a.first[mine]], b.features[b.first[theirs]])
            if at.size and at.size >= _MOSTLY * max(mine.size, theirs.size):
                return left.columns(at), right.columns(to)
        at, to = shared(a.features[a.first], b.features[b.first])
        n = self._both[0].size
        if at.size >= min(_LEAST_LOOK, n):
            (x, first), (y, second) = self._held.sketch(i), self._held.sketch(j)
            x, first, y, second = x[:, at], first.of(at), y[:, to], second.of(to)
        else:
            at, to = (ends[:: max(1, n // SKETCH)] for ends in self._both)
            (x, first), (y, second) = self._held.taken(i, at), self._held.taken(j, to)
        if not a.sound:
            first = second
            second.apply(x, a.normal)
        elif not b.sound:
            second = first
            first.apply(y, b.normal)
        told = first.there & second.there
        return Rows(x[:, told]), Rows(y[:, told])

    @cached_property
    def _both(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return shared(self.a.features, self.b.features)

    @cached_property
    def _common(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        at, to = self._both
        told = self._scale(0).there[at if self.a.sound else to]
        told = told & self._scale(1).there[to if self.b.sound else at]
        return at[told], to[told]

    def _scale(self, end: int) -> Scale:
        return self._held.scale(self._on[end])

    def _blocks(self, end: int, rows: NDArray[np.intp]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield standardised rows of `a` (0) or `b` (1), on the common features."""
        batch, columns = (self.a, self.b)[end], self._common[end]
        on = self._common[end if batch.sound else 1 - end]
        scale = self._scale(end).of(on)
        for part, x in batch.blocks(rows, columns):
            scale.apply(x, batch.normal[rows[part]])
            yield part, x

    def _exact(self, end: int, rows: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float64]:
        out = np.empty((rows.size, others.size))
        for start in range(0, rows.size, _EXACT_ROWS):
            some = rows[start : start + _EXACT_ROWS]
            x = np.empty((some.size, self.n_features))
            for part, block in self._blocks(end, some):
                x[part] = block
            mine = Rows(x)
            for part, block in self._blocks(1 - end, others):
                out[start : start + some.size, part] = correlation(mine, Rows(block), LEAST_FEATURES)
        return np.round(out, 3) + 0.0


def shared(ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the numbers that two ascending arrays share are in each.

    Examples
    --------
    >>> [at.tolist() for at in shared(np.array([1, 3, 4]), np.array([3, 4, 9]))]
    [[1, 2], [0, 1]]
    """
    if ours is theirs:
        return np.arange(ours.size), np.arange(theirs.size)
    n = 1 + max(ours.max(initial=-1), theirs.max(initial=-1))
    mine, other = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    mine[ours], other[theirs] = True, True
    return np.flatnonzero(other[ours]), np.flatnonzero(mine[theirs])
