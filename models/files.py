"""Files that hold the same bytes whenever they hold the same content."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import OmicstoreError
from omicstore.files import TEMPORARY, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RowsHash", "hash_array", "hash_ids", "new_model", "write_json"]

#: As many numbers are copied at once to be hashed.
_CELLS = 1 << 20


def write_json(path: Path, value: Any) -> None:
    """Write `value` as canonical JSON, making the folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(canonical_json(value))


@contextmanager
def new_model(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that takes its place when the block ends well, and goes when it does not.

    The model that was there stays until then. What a process that was killed left is swept first.

    Raises
    ------
    OmicstoreError
        If the weights could not be written, on a full disk for one.
    """
    from safetensors import SafetensorError

    made, old = (folder.with_name(f"{TEMPORARY}{word}-{folder.name}") for word in ("new", "old"))
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (made, old):
        shutil.rmtree(left, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        yield made
        if folder.exists():
            folder.rename(old)
        made.rename(folder)
    except SafetensorError as error:  # no OSError, though it is one of the disk
        raise OmicstoreError(f"{folder} could not be written: {error}", run="make room on the disk") from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


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
