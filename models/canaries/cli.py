"""The command ``omicstore canaries``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, command
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["canaries"]

#: One thread each: many small matrices take longer on several.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")

#: More false alarms than one in so many clean cases are too many.
_ONE_IN = 20


@command(warns=True)
def canaries(
    out: Output,
    *,
    seeds: Annotated[int, typer.Option(help="Cases of each kind.")] = 20,
    strengths: Annotated[str, typer.Option(help="Over 0 and up to 1, separated by commas.")] = "0.25,0.5,1",
    only: Annotated[str, typer.Option(metavar="L1,...", help="Only these canaries.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes. [as many as there are processors]")] = 0,
    file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the table as JSON.")] = None,
) -> None:
    """Plant every known leak in simulated studies and show which the audit catches.

    Each case is a study of its own: two cohorts of 72 patients, a store, a split, and a trained model where it takes
    one to see the leak. Clean cases are audited as well, and what is found there is a false alarm. A leak that is
    missed at full strength, or a check that raises more than one false alarm in twenty clean cases, is warned of.
    """
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    from models.canaries.run import canaries as run
    from omicstore.files import canonical_json, write_bytes

    try:
        levels = [float(s) for s in strengths.split(",")]
    except ValueError:
        raise UsageError(
            f"the strengths are {strengths!r}", expected="numbers over 0 and up to 1, separated by commas"
        ) from None
    names = [name.strip() for name in only.split(",") if name.strip()]
    body = run(seeds, levels, names, jobs=jobs or min(seeds, os.cpu_count() or 1))
    if file is not None:
        write_bytes(file, canonical_json(body))
    out.result(body, lambda: _show(out, body))
    for sentence in _short_of(body):
        out.warn(sentence)


def _show(out: Output, body: dict[str, Any]) -> None:
    out.print(_caught(body))
    out.text()
    out.print(_raised(body))


def _table(title: str) -> Table:
    from rich.table import Table

    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _caught(body: dict[str, Any]) -> Table:
    levels = [f"{s:g}" for s in body["strengths"]]
    table = _table(f"Caught, of {body['seeds']} seeds")
    numbers = [f"{float(s):.0%}" for s in levels]
    for column in ("canary", "what is planted", *numbers, "strength is the share of"):
        table.add_column(column, no_wrap=column in numbers or column == "canary")
    for line in body["canaries"]:
        cells = [_cell(line["at"][level]) for level in levels]
        table.add_row(line["name"], line["title"], *cells, line["strength"])
    return table


def _cell(found: dict[str, Any]) -> str:
    return "not made" if found["not_made"] and not found["caught"] else str(found["caught"])


def _raised(body: dict[str, Any]) -> Table:
    kinds = list(body["clean"])
    table = _table(f"False alarms, of {body['seeds']} clean cases")
    table.add_column("check", no_wrap=True)
    for kind in kinds:
        table.add_column(f"split {kind}")
    for check in body["clean"][kinds[0]]:
        cells = [body["clean"][kind][check] for kind in kinds]
        table.add_row(check, *(_alarm(found) for found in cells))
    return table


def _alarm(found: dict[str, Any]) -> str:
    if not found["made"]:
        return "not made"
    return f"{found['raised']}, all true: {found['true']}" if "true" in found else str(found["raised"])


def _short_of(body: dict[str, Any]) -> list[str]:
    """Say what was missed at full strength, and which checks cry out in vain."""
    found = []
    for line in body["canaries"]:
        full = line["at"].get("1")
        if full and full["missed_seeds"]:
            found.append(f"{line['name']} is caught in {full['caught']} of {body['seeds']} seeds at full strength")
    for kind, checks in body["clean"].items():
        found += [
            f"{check} is raised in {own['raised']} of {body['seeds']} clean cases split {kind}: {own['example']}"
            for check, own in checks.items()
            if own["raised"] * _ONE_IN > max(_ONE_IN, body["seeds"]) and "true" not in own
        ]
    return found
