"""``omicstore simulate``: the demo study's files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from omicstore.cli.common import DryRun, Output, command
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

    if scale is not None and not 0 < scale < math.inf:
        raise UsageError(f"--scale is {scale:g}", expected="a number above 0; 1 gives 530 patients")
    chosen = _params() | {k: v for k, v in {"seed": seed, "scale": scale}.items() if v is not None}
    if dry_run:
        body = {"study": str(folder / "study.yaml"), "simulated": True, **chosen}
        out.result(body, lambda: out.text(f"would write simulated data to {folder}"))
        return
    with out.progress("simulating"):
        study = write(folder, **chosen)
    body = {"study": str(study), "simulated": True, **chosen}
    out.result(body, lambda: out.text(f"Wrote simulated data to {folder}. Next: omicstore init DIR --sources {study}"))


def _params() -> dict[str, Any]:
    import yaml

    from omicstore.cli.common import find_study
    from omicstore.errors import StudyError

    try:
        params = find_study() / "params.yaml"
    except StudyError:
        return {}  # outside a study the defaults hold
    section = (yaml.safe_load(params.read_text(encoding="utf-8")) or {}).get("simulate") or {}
    return {key: section[key] for key in ("seed", "scale") if key in section}
