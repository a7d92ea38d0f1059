"""Not written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.audit.finding import Finding, not_applicable

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle


def one_patient(bundle: Bundle) -> Finding:
    """Not written yet."""
    del bundle
    return not_applicable("L1", "not written yet", "NOT WRITTEN YET")


def sample_types(bundle: Bundle) -> Finding:
    """Not written yet."""
    del bundle
    return not_applicable("L2", "not written yet", "NOT WRITTEN YET")
