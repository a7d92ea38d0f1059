"""The encodings behind every hash, written a second time.

A verifier that calls the code that wrote the files would repeat its mistakes; so this follows the format's description
(omicstore/store/README.md, docs/splits.md) and shares no line with `omicstore.files` or `omicstore.store`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import polars as pl

__all__ = ["body_hash", "canonical", "file_hash", "frame_hash", "row_hash"]


def canonical(body: Any) -> bytes:
    """Return `body` as the canonical JSON file: UTF-8, sorted keys, indent of one, a line feed at the end."""
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def body_hash(body: Mapping[str, Any], seal: str) -> str:
    """Return the sha256 (hex) of a JSON object without the key `seal`, which holds this very hash."""
    return hashlib.sha256(canonical({k: body[k] for k in body if k != seal})).hexdigest()


def file_hash(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def row_hash(sample_ids: Iterable[str]) -> str:
    """Return the sha256 (hex) of a set of sample ids: sorted, each with a line feed."""
    digest = hashlib.sha256()
    for name in sorted(set(sample_ids)):
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def frame_hash(frame: pl.DataFrame) -> str:
    """Return the sha256 (hex) of a table: columns by name, rows in the order of all columns, a JSON line per column."""
    names = sorted(frame.columns)
    ordered = frame.select(names).sort(names, nulls_last=True)
    digest = hashlib.sha256()
    for name in names:
        digest.update(json.dumps([name, ordered.get_column(name).to_list()], ensure_ascii=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()
