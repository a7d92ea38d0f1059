"""Files that hold the same bytes whenever they hold the same content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RowsHash", "hash_array", "hash_ids", "write_json"]

#: As many numbers are copied at once to be hashed.
_CELLS = 1 << 20


def write_json(path: Path, value: Any) -> None:
    """Write `value` as canonical JSON, making the folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(canonical_json(value))


def hash_ids(ids: Iterable[str]) -> str:
    """Return the sha256 of identifiers in their order, hexadecimal.

    Examples
    --------
    >>> hash_ids(["a", "b"]) == hash_ids(["ab"])
    False
    """
    return hashlib.sha256("".join(f"{i}\n" for i in ids).encode()).hexdigest()


class RowsHash:
    """The `hash_array` of a matrix of which some rows come at a time.

    Parameters
    ----------
    shape
        Of the whole matrix.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._digest = hashlib.sha256(repr(shape).encode())

    def add(self, rows: NDArray[np.floating]) -> None:
        """Take the next rows."""
        exact = np.array(rows, dtype="<f4", order="C")
        exact[np.isnan(exact)] = np.nan
        self._digest.update(exact.data)

    def hexdigest(self) -> str:
        """Return the hash."""
        return self._digest.hexdigest()


def hash_array(values: NDArray[np.floating]) -> str:
    """Return the sha256 of shape and float32 content, with one bit pattern for NaN, hexadecimal.

    What is hashed is the shape as ``repr`` gives it, such as ``(2, 3)``, then the rows one after the other, each number
    in four bytes, the least significant first.
    """
    digest = RowsHash(values.shape)
    step = max(1, _CELLS // max(1, values.shape[-1])) if values.ndim else 1
    for start in range(0, len(values), step):
        digest.add(values[start : start + step])
    return digest.hexdigest()
