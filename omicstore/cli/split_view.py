"""What a person sees of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.cli.common import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from omicstore.cli.common import Output
    from omicstore.splits import CheckResult, Manifest

__all__ = ["check_table", "inner_names", "show_split", "summary"]

_STYLES = {"pass": "green", "fail": "red", "waived": "yellow", "not_applicable": "dim"}

#: As many solutions are shown one by one, and as many labels or tested sites by name.
_SOLUTIONS, _LABELS, _NAMES = 8, 4, 3


def inner_names(manifest: Manifest) -> list[str]:
    """Return the names of the inner splits, for ``--split``."""
    nested = manifest.body["params"].get("nested")
    return [] if nested is None else [f"{manifest.name}/inner/{fold}" for fold in range(manifest.k)]


def summary(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """Return what --json prints of a split."""
    body = manifest.body
    keys = ("name", "simulated", "manifest_hash", "cohort", "strategy", "blocks", "per_fold", "checks")
    shown = {"split": str(folder), "release": manifest.release, **{key: body[key] for key in keys}}
    return shown | {"inner": inner_names(manifest)}


def show_split(out: Output, manifest: Manifest, where: str) -> None:
    """Print a split: who is in which part, how well it is balanced, what could not be honoured, and its checks."""
    from omicstore.splits import in_order

    body = manifest.body
    cohort, strategy = body["cohort"], body["strategy"]
    out.text(
        f"split {manifest.name}: {strategy['name']}, {counted(manifest.k, 'fold')}, seed {strategy['seed']}",
        style="bold",
    )
    if body["simulated"]:
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    out.text(
        f"{cohort['n_patients']:,} patients, {cohort['n_samples']:,} samples of {', '.join(cohort['query']['cohorts'])}"
        + (f"; {cohort['n_excluded']:,} excluded" if cohort["n_excluded"] else "")
    )
    out.print(_fold_table(body))
    if (worst := _worst_difference(body["per_fold"])) is not None:
        out.text(worst, style="dim")
    for line in _solved(strategy["solutions"]):
        out.text(line, style="dim")
    for sentence in body["blocks"]["not_honoured"]:
        out.text(sentence, style="yellow")
    if names := inner_names(manifest):
        inner = counted(body["params"]["nested"], "inner fold")
        out.text(f"{inner} within each, as --split {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else ""))
    counts: dict[str, list[str]] = {}
    for check in in_order(body["checks"]):
        counts.setdefault(check.status, []).append(check.id)
    out.text("; ".join(f"{status.replace('_', ' ')}: {', '.join(names)}" for status, names in counts.items()))
    out.text(f"{where} ({manifest.manifest_hash[:12]})")


def check_table(results: Sequence[CheckResult]) -> Table:
    """Return the checks of a split, a row each."""
    from rich.text import Text

    table = _table()
    for column in ("check", "found", "what", "how"):
        table.add_column(column, overflow="fold")
    for result in results:
        found = Text(result.status.replace("_", " "), style=_STYLES[result.status])
        table.add_row(result.id, found, result.what, result.why)
    return table


def _fold_table(body: dict[str, Any]) -> Table:
    outcome = body["cohort"]["outcome"] or {}
    labels = sorted({label for e in body["per_fold"] for held in e["parts"].values() for label in held["labels"]})
    tested = _tested(body)
    columns = ["patients", "samples"]
    if outcome.get("kind") == "endpoint":
        columns += [f"{outcome['name']} events", "follow-up, days"]
    elif 0 < len(labels) <= _LABELS:
        columns += labels
    elif labels:
        columns.append(f"rarest of {len(labels)} labels")
    columns.append("sites")
    table = _table()
    table.add_column("fold", justify="right")
    table.add_column("part")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    if tested:
        table.add_column("tested", overflow="fold")
    for entry in body["per_fold"]:
        for part in ("train", "val", "test"):
            held = entry["parts"][part]
            cells = [f"{held['n_patients']:,}", f"{held['n_samples']:,}"]
            if outcome.get("kind") == "endpoint":
                days = held.get("median_follow_up_days")
                cells += [f"{held['n_events']:,}", "" if days is None else f"{days:,.0f}"]
            elif labels:
                counts = [held["labels"].get(label, 0) for label in labels]
                cells += [f"{n:,}" for n in (counts if len(labels) <= _LABELS else [min(counts)])]
            cells.append(f"{len(held['sites']):,}")
            if tested:
                cells.append(tested[entry["fold"]] if part == "test" else "")
            table.add_row(str(entry["fold"]) if part == "train" else "", part, *cells)
    return table


def _tested(body: dict[str, Any]) -> list[str]:
    """Return whom each fold tests, where the strategy names them: cohorts, sites, or the years they were found in."""
    strategy = body["strategy"]
    rounds = int(strategy["repeats"])
    if years := strategy.get("years"):
        cuts = [f"{', '.join(y['cohorts'])} from {y['test_from']}" for y in years]
        return ["; ".join(cuts)] * (int(strategy["k"]) * rounds)
    return [_some(names) for names in strategy.get("tests", [])] * rounds


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _worst_difference(per_fold: Sequence[dict[str, Any]]) -> str | None:
    """Say in which fold, and in what, a held-out part differs most from train."""
    found = [(-e["largest_smd"]["smd"], e["fold"], e["largest_smd"]) for e in per_fold if e["largest_smd"]]
    if not found:
        return None
    _, fold, most = min(found, key=lambda f: f[:2])
    between = " and ".join(most["between"])
    return f"{between} differ most in fold {fold}: {most['covariate']}, by {most['smd']:.2f} standard deviations"


def _solved(solutions: Sequence[dict[str, Any]]) -> list[str]:
    if len(solutions) > _SOLUTIONS:
        imbalances = [s["objective"] for s in solutions]
        gaps = [s["gap"] for s in solutions if s["gap"] is not None]
        gap = f", at most {100 * max(gaps):.0f}% from the best" if gaps else ""
        return [f"{len(solutions)} times solved, imbalance {min(imbalances):.3f} to {max(imbalances):.3f}{gap}"]
    lines = []
    for solved in solutions:
        gap = "" if solved["gap"] is None else f", at most {100 * solved['gap']:.0f}% from the best"
        solver = f"{solved['n_blocks']} blocks, {solved['solver']}, imbalance {solved['objective']:.3f}{gap}"
        lines.append(f"{', '.join(solved['cohorts'])}: {solver}")
    return lines


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
