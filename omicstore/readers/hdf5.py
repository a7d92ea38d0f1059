"""What all readers of HDF5 files share: one message for a file that HDF5 cannot open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["damaged"]


def damaged(path: Path, error: Exception, expected: str) -> SourceError:
    """Return the error of a file that is cut short or no HDF5; h5py gives the reason in parentheses."""
    reason = " ".join(str(error).partition("(")[2].rstrip(")").split()) or str(error)
    return SourceError(
        path, f"this is no whole HDF5 file ({reason})", expected=expected, run="make or download the file again"
    )
