"""The log of test parts that were opened: ``test_reads.jsonl`` in the split's folder, a chain of lines.

A line is a JSON object with sorted keys, in ASCII, that ends in a line feed:

| key | holds |
| --- | --- |
| release, manifest_hash, fold | whose test part was opened |
| modalities, n_samples | what was asked of it, of how many samples |
| reader | who read: what the state says of itself in ``reader`` (`omicstore evaluate`: model, weights), else its type |
| previous | sha256 (hex) of the bytes of the line before, without its line feed; ``""`` in the first line of a file |

So a line that was changed, taken out or put in between does not fit the line after it. Lines without ``previous`` are
of an older version; they may stand only before the first line with one, which chains to the last of them, and nothing
but that last one is sealed. A line cut off the end leaves no trace in the log: it is missing to whatever cites it, as
``evaluation.json`` does by number and hash. A line that a killed process left unfinished is ended by the next, and is
part of the chain as it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["TEST_READS", "Opening", "append_opening", "read_openings"]

#: In the split's folder: one line per read of a test part.
TEST_READS = "test_reads.jsonl"


@dataclass(frozen=True, slots=True)
class Opening:
    """Where in the log an opening is recorded.

    Attributes
    ----------
    line
        Which line, counted from 1.
    hash
        sha256 (hex) of its bytes without the line feed.
    """

    line: int
    hash: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def append_opening(path: Path, entry: Mapping[str, Any]) -> Opening:
    """Add a line to the log, in one piece whoever else writes, and return the first line that says the same.

    A reading that is done again gives the same numbers, and so what is written of it cites the same line.

    Parameters
    ----------
    path
        The log; made if absent.
    entry
        The line, less ``previous``.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # until the handle is closed
        lines, ended = _lines(os.pread(handle, os.fstat(handle).st_size, 0))
        body = {**entry, "previous": _hash(lines[-1]) if lines else ""}
        line = json.dumps(body, sort_keys=True).encode()
        whole = (b"" if ended else b"\n") + line + b"\n"
        if os.write(handle, whole) != len(whole):
            raise OSError("no space is left for a whole line")
        os.fsync(handle)
    finally:
        os.close(handle)
    wanted = _said(line)
    first = next(i for i, held in enumerate([*lines, line]) if _said(held) == wanted)
    return Opening(first + 1, _hash([*lines, line][first]))


def read_openings(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log, oldest first; none where there is no log, and not those that are no JSON object."""
    lines, _ = _lines(path.read_bytes()) if path.is_file() else ([], True)
    return [body for line in lines if (body := _body(line)) is not None]


def _lines(content: bytes) -> tuple[list[bytes], bool]:
    """Return the lines without their line feeds, and whether the last one has its own."""
    lines = content.split(b"\n")
    ended = not lines[-1]
    return lines[:-1] if ended else lines, ended


def _body(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _said(line: bytes) -> dict[str, Any] | None:
    body = _body(line)
    return None if body is None else {k: v for k, v in body.items() if k != "previous"}


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
