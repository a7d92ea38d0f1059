"""From a number back to the files it was measured in: `lineage` follows what each file says of the one before it.

It tells where a chain breaks (a file is absent, or is not the one that was named); `omicstore.audit` derives the
contents of every link again.
"""

from __future__ import annotations

from omicstore.lineage.node import Node
from omicstore.lineage.trace import lineage

__all__ = ["Node", "lineage"]
