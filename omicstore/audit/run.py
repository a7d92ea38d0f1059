"""Run every check on a split or a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from omicstore.audit.bundle import Bundle
from omicstore.audit.finding import Finding, failed
from omicstore.audit.reading import BROKEN, at, because
from omicstore.audit.render import plain
from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["CHAIN", "CHECKS", "LEAKS", "SUSPECTS", "Audit", "audit"]

_CHAIN, _LEAKS, _SUSPECTS = (f"omicstore.audit.{room}" for room in ("chain", "leaks", "suspects"))

#: The links from the release to the metric: each is ``module:function``, which takes a `Bundle` and gives a `Finding`.
CHAIN: dict[str, str] = {
    "release": f"{_CHAIN}.release:release",
    "split": f"{_CHAIN}.split:split",
    "people": f"{_CHAIN}.split:people",
    "state": f"{_CHAIN}.state:state",
    "checkpoint": f"{_CHAIN}.checkpoint:checkpoint",
    "evaluation": f"{_CHAIN}.evaluation:evaluation",
    "retractions": f"{_CHAIN}.retractions:retractions",
}

#: The leaks.
LEAKS: dict[str, str] = {
    "L1": f"{_LEAKS}.people:one_patient",
    "L2": f"{_LEAKS}.people:sample_types",
    "L3": f"{_LEAKS}.blocks:sites",
    "L4": f"{_LEAKS}.fitting:fitting",
    "L5": f"{_LEAKS}.choice:choice",
    "L6": f"{_LEAKS}.overlap:overlap",
    "L7": f"{_LEAKS}.names:names",
    "L8": f"{_LEAKS}.similarity:similarity",
    "L9": f"{_LEAKS}.proxies:proxies",
    "L10": f"{_LEAKS}.later:later",
    "L11": f"{_LEAKS}.openings:openings",
    "L12": f"{_LEAKS}.missingness:missingness",
    "L13": f"{_LEAKS}.fingerprint:fingerprint",
}

#: What is no leak and spoils a result all the same.
SUSPECTS: dict[str, str] = {
    "swaps": f"{_SUSPECTS}.swaps:swaps",
    "wrong_cohort": f"{_SUSPECTS}.cohorts:wrong_cohort",
}

CHECKS: dict[str, str] = CHAIN | LEAKS | SUSPECTS


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    about
        What was audited: target, release, split, folds, model.
    findings
        In the order of `CHECKS`.
    """

    about: dict[str, Any]
    findings: list[Finding]

    def __getitem__(self, name: str) -> Finding:
        return next(f for f in self.findings if f.id == name)

    @property
    def failures(self) -> list[Finding]:
        """What failed and is an error."""
        return [f for f in self.findings if f.status == "fail" and f.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What failed and is a warning."""
        return [f for f in self.findings if f.status == "fail" and f.severity == "warning"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types; a number that JSON lacks is null."""
        found = [plain(finding.to_json()) for finding in self.findings]
        return {"format": "omicstore.audit/1", **self.about, "ok": not self.failures, "findings": found}


def audit(
    target: Path,
    store: Path | None = None,
    checks: Iterable[str] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Audit:
    """Audit a split or a trained model from its files.

    Parameters
    ----------
    target
        A split (its folder or manifest.json) or a trained model (its folder or sidecar.json).
    store
        The store's folder; by default ``data/store`` of the study that `target` lies in.
    checks
        Of `CHECKS`; all where None.
    tell
        Called with the name of each check before it is made.

    Raises
    ------
    OmicstoreError
        If `target` is neither, or there is no store at `store`.
    UnknownNameError
        If there is no such check.
    """
    wanted = list(CHECKS if checks is None else checks)
    for name in wanted:
        if name not in CHECKS:
            raise UnknownNameError("check", name, CHECKS, run=f"choose from {', '.join(CHECKS)}")
    bundle = Bundle(target, store)
    found = []
    for name in (name for name in CHECKS if name in wanted):
        if tell is not None:
            tell(name)
        found.append(_waived(_made(name, bundle), bundle))
    about = {
        "target": str(target),
        "release": bundle.named_release,
        "split": bundle.split.name if bundle.split else None,
        "folds": bundle.folds,
        "model": at(bundle.sidecar, "model"),
    }
    return Audit(about, found)


def _made(name: str, bundle: Bundle) -> Finding:
    """Make a check; what it cannot read is a finding as well."""
    try:
        return _function(CHECKS[name])(bundle)
    except BROKEN as error:
        broken = f"the check broke off: a file does not hold what it should ({type(error).__name__}: {because(error)})"
        return failed(name, "this check", [broken], "it was begun, and not made to its end")


def _function(where: str) -> Callable[[Bundle], Finding]:
    module, name = where.split(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


def _waived(finding: Finding, bundle: Bundle) -> Finding:
    """Return a failure as waived where the split says so, and why; what is sealed cannot be waived."""
    reason = at(bundle.params, "waive", finding.id)
    if finding.status != "fail" or reason is None or finding.id not in LEAKS:
        return finding
    evidence = finding.evidence | {"who": "split.waive in params.yaml"}
    return Finding(finding.id, finding.what, "waived", finding.severity, str(reason), evidence)
