"""``omicstore simulate``: the demo study's files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from omicstore.cli.common import Output, command


@command()
def simulate(
    out: Output,
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")] = Path("data/raw"),
    seed: Annotated[int | None, typer.Option(help="Another seed gives another study.")] = None,
    scale: Annotated[float | None, typer.Option(help="2 gives twice the patients.")] = None,
) -> None:
    """Write the demo study: four simulated cohorts with known truth, in the layouts of the portals.

    Seed and scale come from the section `simulate` of params.yaml where there is one.
    """
    from omicstore.simulate import simulate as write

    chosen = _params() | {k: v for k, v in {"seed": seed, "scale": scale}.items() if v is not None}
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
