"""The verifier, which asks of a split, a model or a number whether a leak could be behind it.

It imports nothing of the code that builds stores, splits and models (of ours: `omicstore.errors` and
`omicstore.identifiers` alone), reads files, and derives again what they claim. It never says that there is no leak: it
says which checks it made, how, and what it found.
"""

from __future__ import annotations

from omicstore.audit.bundle import Bundle
from omicstore.audit.finding import Finding
from omicstore.audit.run import Audit, audit

__all__ = ["Audit", "Bundle", "Finding", "audit"]
