"""``omicstore simulate``: the demo study's files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from omicstore.cli.common import DryRun, Output, StudyMissingError, command, find_study, read_section
from omicstore.errors import UsageError


@command()
def simulate(
    out: Output,
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")] = Path("data/raw"),
    seed: Annotated[int | None, typer.Option(help="Another seed gives another study.")] = None,
    scale: Annotated[float | None, typer.Option(help="2 gives twice the patients.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Write the demo study: four simulated cohorts with known truth, in the layouts of the portals.

    Seed and scale come from the section `simulate` of params.yaml where there is one.
    """
    from omicstore.simulate import simulate as write

    chosen = _params() | {k: v for k, v in {"seed": seed, "scale": scale}.items() if v is not None}
    _check(**chosen)
    if dry_run:
        body = {"study": str(folder / "study.yaml"), "simulated": True, **chosen}
        out.result(body, lambda: out.text(f"would write simulated data to {folder}"))
        return
    study = write(folder, **chosen)
    body = {"study": str(study), "simulated": True, **chosen}
    out.result(body, lambda: out.text(f"Wrote simulated data to {folder}. Next: omicstore init DIR --sources {study}"))


def _check(seed: Any = 0, scale: Any = 1.0) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"the seed of the simulation is {seed!r}", expected="a whole number of at least 0")
    if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < math.inf:
        raise UsageError(f"the scale of the simulation is {scale!r}", expected="a number above 0")


def _params() -> dict[str, Any]:
    try:
        section = read_section(find_study(), "simulate") or {}
    except StudyMissingError:
        return {}  # outside a study the defaults hold
    return {key: section[key] for key in ("seed", "scale") if key in section}
