"""The log of reads of test parts, as bytes: a chain of lines, of which each has the hash of the one before."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omicstore.audit.reading import at

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.bundle import Bundle

__all__ = ["Read", "breaks", "log_path", "of_this_test_part", "own_weights", "reads"]

_READER = re.compile(r"(?P<model>[\w.+-]+), weights (?P<weights>[0-9a-f]{6,64})\b")


@dataclass(frozen=True, slots=True)
class Read:
    """A line of the log.

    Attributes
    ----------
    line
        Which, counted from 1.
    hash
        sha256 (hex) of its bytes without the line feed.
    body
        What it says; None where it is no JSON object.
    """

    line: int
    hash: str
    body: dict[str, Any] | None

    @property
    def reader(self) -> str:
        """Who read."""
        return str(at(self.body, "reader") or "somebody")

    @property
    def model(self) -> str | None:
        """The model that read, where the reader names its weights."""
        found = _READER.search(self.reader)
        return found["model"] if found else None

    @property
    def weights(self) -> str | None:
        """The first digits of the sha256 of its weights, where the reader names them."""
        found = _READER.search(self.reader)
        return found["weights"] if found else None

    def is_by(self, weights: str | None) -> bool:
        """Whether a weights file of this sha256 read."""
        return weights is not None and self.weights is not None and weights.startswith(self.weights)


def log_path(bundle: Bundle) -> Path | None:
    """Return where the log is, whether or not there is one; None without a split."""
    return bundle.split / "test_reads.jsonl" if bundle.split else None


def reads(bundle: Bundle) -> list[Read]:
    """Return the lines of the log, oldest first; none where there is no log."""
    path = log_path(bundle)
    if path is None or not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [Read(i + 1, hashlib.sha256(line).hexdigest(), _body(line)) for i, line in enumerate(lines)]


def of_this_test_part(bundle: Bundle, fold: int) -> list[Read]:
    """Return the reads of the test part of a fold of the split as it is now, oldest first."""
    made = at(bundle.manifest, "manifest_hash")
    return [
        read
        for read in reads(bundle)
        if at(read.body, "manifest_hash") in (made, None) and at(read.body, "fold") == fold and read.body is not None
    ]


def own_weights(bundle: Bundle) -> str | None:
    """Return the sha256 of the model's weights, as its sidecar has it."""
    found = at(bundle.sidecar, "weights", "sha256")
    return found if isinstance(found, str) else None


def breaks(lines: list[Read]) -> list[str]:
    """Say where the chain is broken: each line has the hash of the one before, but for an older first stretch."""
    found, chained = [], False
    for i, read in enumerate(lines):
        before = lines[i - 1].hash if i else ""
        if read.body is None:
            found.append(f"line {read.line} is no JSON object")
        elif "previous" in read.body:
            chained = True
            if read.body["previous"] != before:
                what = f"line {read.line - 1}" if i else "the first line of a log"
                found.append(
                    f"line {read.line} does not have the hash of {what}: a line was changed, taken out or put in"
                )
        elif chained:
            found.append(f"line {read.line} has no hash of the line before it, though earlier lines have")
    return found


def _body(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
