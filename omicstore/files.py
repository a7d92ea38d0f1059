"""Files that are there whole or not at all, and that hold the same bytes whenever they hold the same content."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "TEMPORARY",
    "canonical_cell",
    "canonical_json",
    "sha256_of",
    "staged",
    "sync",
    "write_bytes",
    "write_if_changed",
]

#: What is not finished yet has a name that starts with this.
TEMPORARY = ".tmp-"


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; afterwards it is on disk and named `target`, or it is gone.

    The name changes only once the bytes are on disk, so whoever kills the process leaves either the old file or the
    new one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    try:
        yield beside
        sync(beside)
        os.replace(beside, target)  # noqa: PTH105 - one name for the one call that makes a file visible
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync(target.parent)


def write_bytes(target: Path, content: bytes) -> None:
    """Write a small file in one step."""
    with staged(target) as beside:
        beside.write_bytes(content)


def write_if_changed(target: Path, content: bytes) -> bool:
    """Write a small file in one step, unless it is there already; return whether it was written."""
    if target.is_file() and target.read_bytes() == content:
        return False
    write_bytes(target, content)
    return True


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(body: Any) -> bytes:
    r"""Return `body` as a JSON file: UTF-8, sorted keys and one line feed at the end; NaN is refused.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [None, 0.5]})
    b'{\n "a": [\n  null,\n  0.5\n ],\n "b": 1\n}\n'
    """
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def canonical_cell(value: Any) -> str:
    """Return `value` as JSON for a cell of a table: sorted keys, no spaces; what JSON lacks, such as dates, as text.

    Examples
    --------
    >>> canonical_cell({"b": 1, "a": ["é"]})
    '{"a":["é"],"b":1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
