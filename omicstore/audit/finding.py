"""What one check of an audit found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["STATUSES", "Finding", "failed", "not_applicable", "passed", "result"]

STATUSES = ("pass", "fail", "waived", "not_applicable")

#: As many offenders are named; all are counted.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    id
        L1 to L13 for leaks; a name for a link of the chain (``release``, ``split``, ...) or a suspicion (``swaps``).
    what
        What is looked for.
    status
        One of `STATUSES`.
    severity
        Whether a failure is an ``error`` or a ``warning``.
    how
        How it was checked; or why it could not be, or was waived.
    evidence
        Numbers and names, as JSON holds them. ``offenders`` has the first few of what breaks the check, as sentences,
        and ``n_offenders`` counts them all.
    """

    id: str
    what: str
    status: str
    severity: str = "error"
    how: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> str:
        """What breaks the check, the first few; empty where nothing does."""
        offenders = self.evidence.get("offenders", [])
        more = self.evidence.get("n_offenders", len(offenders)) - len(offenders)
        return "; ".join(offenders) + (f"; and {more} more" if more else "")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def result(name: str, what: str, offenders: list[str], how: str, severity: str = "error", **evidence: Any) -> Finding:
    """Return a pass where there is no offender, else a failure that names the first few.

    Examples
    --------
    >>> result("L1", "one patient on both sides", ["P1 is in train and test"], "by barcode").found
    'P1 is in train and test'
    """
    if not offenders:
        return passed(name, what, how, **evidence)
    return failed(name, what, offenders, how, severity, **evidence)


def passed(name: str, what: str, how: str, **evidence: Any) -> Finding:
    """Return a pass."""
    return Finding(name, what, "pass", "error", how, evidence)


def failed(name: str, what: str, offenders: list[str], how: str, severity: str = "error", **evidence: Any) -> Finding:
    """Return a failure."""
    evidence |= {"offenders": offenders[:_SHOWN], "n_offenders": len(offenders)}
    return Finding(name, what, "fail", severity, how, evidence)


def not_applicable(name: str, what: str, why: str, **evidence: Any) -> Finding:
    """Return that a check does not apply, or could not be made, and why."""
    return Finding(name, what, "not_applicable", "error", why, evidence)
