"""Not written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.audit.finding import Finding, not_applicable

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle


def sites(bundle: Bundle) -> Finding:
    """Not written yet."""
    del bundle
    return not_applicable("L3", "not written yet", "NOT WRITTEN YET")
