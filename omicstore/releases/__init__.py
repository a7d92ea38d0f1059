"""Releases of a store: freezing one under a name, comparing two, and retracting what turned out wrong.

What is on disk, and how it is read: `omicstore.store.registry`.
"""

from __future__ import annotations

from omicstore.releases.diff import diff
from omicstore.releases.freeze import release
from omicstore.releases.history import history
from omicstore.releases.retract import restore, retract

__all__ = ["diff", "history", "release", "restore", "retract"]
