"""What an audit found, for a person: a row per check, what failed in detail, and what was checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from omicstore.audit.finding import Finding
    from omicstore.audit.run import Audit

__all__ = ["checked", "details", "plain", "said", "status", "title"]

#: Statuses as they are shown; a failure that is a warning has a word of its own.
_WORDS = {"pass": "pass", "fail": "FAIL", "waived": "waived", "not_applicable": "not made"}

#: Of a list in the evidence, so many things are shown.
_FEW = 3

#: No evidence that makes the line longer than this is shown in it.
_WIDE = 100

#: Hashes are cut to so many digits.
_DIGITS = 12


def plain(value: Any) -> Any:
    """Return what JSON can hold: numpy's numbers as Python's, NaN and infinities as null, sets and tuples as lists.

    Examples
    --------
    >>> plain({"a": np.float64(0.5), "b": (float("nan"), {2, 1})})
    {'a': 0.5, 'b': [None, [1, 2]]}
    """
    if isinstance(value, dict):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, set | frozenset):
        return [plain(held) for held in sorted(value)]
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(held) for held in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def status(finding: Finding) -> str:
    """Return the status of a check in a word: pass, FAIL, warning, waived, or not made."""
    warned = finding.status == "fail" and finding.severity == "warning"
    return "warning" if warned else _WORDS[finding.status]


def title(audit: Audit) -> str:
    """Return what was audited, in a line."""
    about = audit.about
    parts = [f"model {about['model']}"] if about["model"] else []
    if about["split"]:
        folds = ", ".join(map(str, about["folds"]))
        parts.append(f"split {about['split']}, fold{'s' if len(about['folds']) > 1 else ''} {folds}")
    if about["release"]:
        parts.append(f"release {about['release'][:_DIGITS]}")
    return f"{about['target']}: {'; '.join(parts) or 'names neither model nor split'}"


def said(finding: Finding) -> str:
    """Return the evidence of a check in a few words; of one that was not made or is waived, why."""
    if finding.status in ("not_applicable", "waived"):
        return finding.how
    if finding.status == "fail":
        n = finding.evidence.get("n_offenders", 0)
        return f"{n} found" if n else finding.found
    words: list[str] = []
    for name, held in plain(finding.evidence).items():
        if (short := _short(held)) and len(", ".join([*words, f"{name} {short}"])) <= _WIDE:
            words.append(f"{name.replace('_', ' ')} {short}")
    return ", ".join(words)


def details(finding: Finding) -> list[str]:
    """Return what a failed check found, a sentence each, and how many more there are."""
    offenders = [str(sentence) for sentence in finding.evidence.get("offenders", [])]
    more = finding.evidence.get("n_offenders", len(offenders)) - len(offenders)
    return [*offenders, f"and {more} more"] if more > 0 else offenders


def checked(audit: Audit) -> str:
    """Return which checks were made and which were not, and what a pass means; it never says that there is no leak."""
    by: dict[str, list[str]] = {}
    for finding in audit.findings:
        by.setdefault(status(finding), []).append(finding.id)
    made = [f.id for f in audit.findings if f.status != "not_applicable"]
    words = [f"{name} {', '.join(by[name])}" for name in ("FAIL", "warning", "waived") if name in by]
    outcome = "; ".join(words) if words else "none of them found anything" if made else ""
    left = f". Not made: {', '.join(by['not made'])}" if "not made" in by else ""
    return (
        f"Checked: {', '.join(made) or 'nothing'}{f' ({outcome})' if outcome else ''}{left}. "
        "A pass says that this check found nothing in the way that it looked, and no more"
    )


def _short(value: Any) -> str:
    """Return a number, a name or a short list as text; nothing for what has parts, which --json and --html show."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return value[:_DIGITS] if len(value) == 64 else value
    if isinstance(value, list) and not any(isinstance(held, list | dict) for held in value):
        shown = ", ".join(_short(held) for held in value[:_FEW])
        return f"{shown}, ... ({len(value)})" if len(value) > _FEW else shown
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "yes" if value is True else "no" if value is False else ""
