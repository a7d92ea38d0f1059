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

__all__ = ["hash_array", "hash_ids", "write_json"]

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


def hash_array(values: NDArray[np.floating]) -> str:
    """Return the sha256 of shape and float32 content, with one bit pattern for NaN, hexadecimal.

    What is hashed is the shape as ``repr`` gives it, such as ``(2, 3)``, then the rows one after the other, each number
    in four bytes, the least significant first.
    """
    digest = hashlib.sha256(repr(values.shape).encode())
    step = max(1, _CELLS // max(1, values.shape[-1])) if values.ndim else 1
    for start in range(0, len(values), step):
        exact = np.array(values[start : start + step], dtype="<f4", order="C")
        exact[np.isnan(exact)] = np.nan
        digest.update(exact.tobytes())
    return digest.hexdigest()
