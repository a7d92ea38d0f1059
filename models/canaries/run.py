"""Plant every known leak in many seeds, at several strengths, and count what the audit catches and raises in vain."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.canaries.study import write_study
from models.canaries.training import write_model
from models.processes import processes
from omicstore.audit import audit
from omicstore.audit.run import CHECKS
from omicstore.errors import UnknownNameError, UsageError
from omicstore.identifiers import parse_barcode
from omicstore.progress import task
from omicstore.simulate.leaks import CANARIES, draw_case
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from omicstore.audit import Finding
    from omicstore.simulate.leaks import Canary, Case

__all__ = ["FORMAT", "TRUE_OF", "Outcome", "canaries", "chosen", "one_seed"]

FORMAT = "omicstore.canaries/1"

#: What a clean case is audited as, and the checks whose failure there is true and no false alarm.
TRUE_OF: dict[str, dict[str, str]] = {
    "by site": {},
    "by year": {"L3": "who is tested in later years comes from sites that also train"},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the audits of one seed found.

    Attributes
    ----------
    seed
        What the cases were drawn with.
    clean
        By kind of clean case and check: the statuses of its audits, and the first offender.
    caught
        By canary and strength: the status, and whether an offender names something of what was planted.
    """

    seed: int
    clean: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    caught: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def canaries(seeds: int, strengths: Sequence[float], only: Sequence[str] = (), *, jobs: int = 1) -> dict[str, Any]:
    """Return the catch and false-alarm table.

    Parameters
    ----------
    seeds
        How many cases of each kind are drawn, from seed 0 on.
    strengths
        Over 0 and up to 1.
    only
        Canaries by name; all where empty. Clean cases are audited whatever is named, by the checks of the named.
    jobs
        Processes; they change nothing but the time.

    Returns
    -------
    dict
        Canonical in content: the same arguments give the same, whatever the machine's load.

    Raises
    ------
    UsageError, UnknownNameError
        If a strength, the number of seeds or a name is none.
    """
    if seeds < 1 or jobs < 1 or not strengths or not all(0.0 < s <= 1.0 for s in strengths):
        raise UsageError(
            f"{seeds} seeds, {jobs} jobs and the strengths {', '.join(f'{s:g}' for s in strengths)}",
            expected="at least one seed and one job, and strengths over 0 and up to 1",
        )
    names = [c.name for c in chosen(only)]
    levels = sorted(set(strengths))
    work = partial(one_seed, names=names, strengths=levels, checks=None if not only else _checks(names))
    with task("canaries", seeds, "seeds") as advance:
        outcomes = []
        for outcome in _run(work, seeds, jobs):
            outcomes.append(outcome)
            advance()
    return _table(outcomes, names, levels)


def chosen(only: Sequence[str]) -> list[Canary]:
    """Return canaries by name, all where none is named, in the order of the table.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    for name in only:
        if name not in CANARIES:
            raise UnknownNameError("canary", name, CANARIES)
    return [c for c in CANARIES.values() if not only or c.name in only]


def _checks(names: Sequence[str]) -> list[str]:
    return sorted({CANARIES[name].finding for name in names})


def _run(work: partial[Outcome], seeds: int, jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(work, range(seeds))
        return
    with processes(min(jobs, seeds)) as pool:
        yield from pool.map(work, range(seeds))


def one_seed(
    seed: int, names: Sequence[str], strengths: Sequence[float], checks: Sequence[str] | None = None
) -> Outcome:
    """Draw the clean cases of a seed, plant each canary at each strength, and audit all of them.

    Parameters
    ----------
    seed
        Of the cases and of the plants.
    names
        The canaries.
    strengths
        Over 0 and up to 1.
    checks
        Which checks the clean cases undergo; all where None.
    """
    outcome = Outcome(seed)
    with tempfile.TemporaryDirectory(prefix="omicstore-canaries-") as scratch:
        root = Path(scratch)
        clean = {"by site": draw_case(seed), "by year": draw_case(seed, temporal=True)}
        for kind, case in clean.items():
            study = root / kind.replace(" ", "-")
            targets = [write_study(study, case)]
            if kind == "by site":
                targets.append(write_model(study, case))
            outcome.clean[kind] = _judged(targets, list(CHECKS) if checks is None else list(checks))
        for name in names:
            canary = CANARIES[name]
            kind = "by year" if canary.temporal else "by site"
            outcome.caught[name] = {
                f"{strength:g}": _planted(root, clean[kind], kind, canary, strength) for strength in strengths
            }
    return outcome


def _judged(targets: Sequence[Path], checks: Sequence[str]) -> dict[str, dict[str, Any]]:
    audits = [audit(target, checks=checks) for target in targets]
    found = {}
    for check in checks:
        own = [a[check] for a in audits]
        failed = next((f for f in own if f.status == "fail"), None)
        made = any(f.status in ("pass", "fail") for f in own)
        found[check] = {"made": made, "raised": failed is not None, "found": "" if failed is None else failed.found}
    return found


def _planted(root: Path, case: Case, kind: str, canary: Canary, strength: float) -> dict[str, Any]:
    rng = stream(case.seed, "canary", canary.name)
    planted = canary.plant(case, strength, rng)
    study = root / f"{canary.name}-{strength:g}".replace(" ", "-")
    same = planted.case.cohorts is case.cohorts
    target = write_study(study, planted.case, root / kind.replace(" ", "-") / "data" / "store" if same else None)
    if canary.shown_by == "model":
        target = write_model(study, planted.case)
    finding = audit(target, checks=[canary.finding])[canary.finding]
    return {"status": finding.status, "named": finding.status == "fail" and _names(finding, planted.names)}


def _names(finding: Finding, names: Sequence[str]) -> bool:
    """Tell whether an offender names something of what was planted."""
    tokens = {token for name in names for token in name.split(" = ")}
    tokens |= {code.patient_id for token in tokens if (code := parse_barcode(token)) is not None}
    return any(token in sentence for sentence in finding.evidence.get("offenders", []) for token in tokens)


def _table(outcomes: Sequence[Outcome], names: Sequence[str], strengths: Sequence[float]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "seeds": len(outcomes),
        "strengths": list(strengths),
        "canaries": [_line(outcomes, CANARIES[name], strengths) for name in names],
        "clean": {kind: _alarms(outcomes, kind) for kind in TRUE_OF},
    }


def _line(outcomes: Sequence[Outcome], canary: Canary, strengths: Sequence[float]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "name": canary.name, "finding": canary.finding, "title": canary.title, "strength": canary.strength,
        "at": {},
    }  # fmt: skip
    for level in (f"{s:g}" for s in strengths):
        own = [(o.seed, o.caught[canary.name][level]) for o in outcomes]
        line["at"][level] = {
            "caught": sum(found["status"] == "fail" for _, found in own),
            "named": sum(found["named"] for _, found in own),
            "not_made": sum(found["status"] == "not_applicable" for _, found in own),
            "missed_seeds": [seed for seed, found in own if found["status"] != "fail"],
        }
    return line


def _alarms(outcomes: Sequence[Outcome], kind: str) -> dict[str, dict[str, Any]]:
    found = {}
    for check in outcomes[0].clean[kind]:
        own = [(o.seed, o.clean[kind][check]) for o in outcomes]
        raised = [(seed, f["found"]) for seed, f in own if f["raised"]]
        found[check] = {
            "made": sum(f["made"] for _, f in own),
            "raised": len(raised),
            "raised_seeds": [seed for seed, _ in raised],
            "example": raised[0][1] if raised else "",
        }
        if check in TRUE_OF[kind]:
            found[check]["true"] = TRUE_OF[kind][check]
    return found
