"""What one check of a split found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.splits.spec import CHECKS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SHOWN", "CheckResult", "elsewhere", "in_order", "offenders", "result", "straddling"]

#: Offenders that a result names; the others are counted.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes
    ----------
    id
        L1 to L13 for leaks; a name for the balance and for what concerns the files themselves.
    what
        What is looked for.
    status
        ``pass``, ``fail``, ``waived`` or ``not_applicable``.
    severity
        Whether a failure is an ``error`` or a ``warning``.
    why
        How it was checked, or why it could not be or was waived.
    evidence
        Numbers and names.
    """

    id: str
    what: str
    status: str
    severity: str = "error"
    why: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> str:
        """What breaks the check, the first few by name; empty where nothing does."""
        first = self.evidence.get("offenders", [])
        more = self.evidence.get("n_offenders", 0) - len(first)
        return "; ".join(first) + (f" and {more} more" if more else "")

    @property
    def sentence(self) -> str:
        """What was found and why it matters, for a line of text."""
        found = (
            f"{self.found}. {self.why[:1].upper()}{self.why[1:]}" if self.found and self.why else self.found or self.why
        )
        return f"{self.id} {self.what}: {self.status}, {found}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def straddling(rows: pl.DataFrame, column: str) -> list[str]:
    """Return the values of `column` that are in two parts of a fold, sorted."""
    parts = rows.drop_nulls(column).group_by("fold", column).agg(n=pl.col("part").n_unique())
    return sorted(parts.filter(pl.col("n") > 1)[column].unique().to_list())


def in_order(checks: Mapping[str, Mapping[str, Any]]) -> list[CheckResult]:
    """Return a manifest's ``checks`` in the order to show them."""
    return [CheckResult(id=name, **checks[name]) for name in CHECKS if name in checks]


def offenders(failed: list[str]) -> dict[str, Any]:
    """Return what evidence says of what breaks a check: the first few, and how many; nothing where nothing does."""
    return {"offenders": failed[:SHOWN], "n_offenders": len(failed)} if failed else {}


def result(name: str, failed: list[str], why: str, severity: str = "error", **evidence: Any) -> CheckResult:
    """Return that a check failed by these offenders, or passed where there is none."""
    return CheckResult(name, CHECKS[name], "fail" if failed else "pass", severity, why, evidence | offenders(failed))


def elsewhere(name: str, why: str) -> CheckResult:
    """Return that a check does not apply, and why."""
    return CheckResult(name, CHECKS[name], "not_applicable", "error", why)
