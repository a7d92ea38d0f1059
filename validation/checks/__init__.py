"""All checks, in the order of the report. The same table stands in ``validation/README.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from validation.checks.outcomes import OUTCOMES
from validation.checks.people import PEOPLE
from validation.checks.profiles import PROFILES
from validation.checks.store import STORE
from validation.checks.units import UNITS
from validation.checks.values import VALUES

if TYPE_CHECKING:
    from validation.rules import Check

__all__ = ["CHECKS", "TOPICS"]

#: Checks by topic.
TOPICS: dict[str, tuple[Check, ...]] = {
    "Units": UNITS,
    "Values": VALUES,
    "People": PEOPLE,
    "Profiles": PROFILES,
    "Outcomes and labels": OUTCOMES,
    "Store": STORE,
}

CHECKS: tuple[Check, ...] = tuple(check for checks in TOPICS.values() for check in checks)
