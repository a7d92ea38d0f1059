"""What readers and makers of a split agree on: its parts, and the hashes that seal it.

It lies with the store, which enforces splits at every read and may not know the room that makes them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from omicstore.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

__all__ = ["PARTS", "body_hash", "frame_hash", "row_hash"]

#: The parts of every fold.
PARTS: tuple[str, ...] = ("train", "val", "test")


def body_hash(body: Mapping[str, Any], seal: str = "manifest_hash") -> str:
    """Return the sha256 (hex) of a JSON object, the key that holds this very hash left out.

    Parameters
    ----------
    body
        What JSON can hold.
    seal
        The key.

    Examples
    --------
    >>> body_hash({"name": "cv", "manifest_hash": "x"}) == body_hash({"name": "cv"})
    True
    """
    return hashlib.sha256(canonical_json({k: v for k, v in body.items() if k != seal})).hexdigest()


def row_hash(sample_ids: Iterable[str]) -> str:
    """Return the sha256 (hex) of a set of sample ids, whatever their order.

    Examples
    --------
    >>> row_hash(["b", "a"]) == row_hash(["a", "b", "a"])
    True
    """
    return hashlib.sha256("".join(f"{s}\n" for s in sorted(set(sample_ids))).encode()).hexdigest()


def frame_hash(frame: pl.DataFrame) -> str:
    """Return the sha256 (hex) of a table's content: columns by name, rows in the order of all columns.

    Neither the order of rows or columns nor the library that wrote the table enters it.
    """
    ordered = frame.select(sorted(frame.columns))
    ordered = ordered.sort(ordered.columns, nulls_last=True)
    digest = hashlib.sha256()
    for name in ordered.columns:
        digest.update(json.dumps([name, ordered[name].to_list()], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()
