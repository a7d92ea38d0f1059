"""Reading small files that may be anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BROKEN", "at", "because", "json_object"]

#: What reading a file that is not what it should be may raise. Polars' panics are no exceptions of Python's.
BROKEN = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
    pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException,
)  # fmt: skip

#: Of what a library says of a broken file, so much is shown.
_MOST = 120


def because(error: BaseException) -> str:
    """Return what an error says, as one short line."""
    return " ".join(str(error).split())[:_MOST].rstrip(". ") or type(error).__name__


def json_object(path: Path | None) -> dict[str, Any] | None:
    """Return the JSON object in a file; None where there is none."""
    try:
        found = json.loads(path.read_bytes()) if path is not None else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def at(body: Any, *keys: str) -> Any:
    """Return what lies under keys in nested objects; None where something else lies on the way.

    Examples
    --------
    >>> at({"split": {"fold": 0}}, "split", "fold"), at({"split": []}, "split", "fold")
    (0, None)
    """
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body
