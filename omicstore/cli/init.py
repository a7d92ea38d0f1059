"""``omicstore init``: a new study's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omicstore.cli.common import Output, command


@command()
def init(
    out: Output,
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new study's folder; made if absent.")] = Path(),
    sources: Annotated[
        Path | None, typer.Option("--sources", metavar="FILE", help="A study file: which upstream file is what.")
    ] = None,
) -> None:
    """Make a new study: params.yaml, dvc.yaml and a DVC repository, ready for `dvc repro`."""
    from omicstore.study.create import create_study

    with out.progress("looking at the files"):
        defaults = create_study(folder, sources)
    body = {"study": str(folder), "sections": defaults.sections, "reasons": defaults.reasons}
    out.result(body, lambda: _show(out, folder, defaults.reasons, filled=sources is not None))


def _show(out: Output, folder: Path, reasons: dict[str, list[str]], *, filled: bool) -> None:
    out.text(f"Made the study {folder}: params.yaml, dvc.yaml")
    for section, lines in reasons.items():
        for line in lines:
            out.text(f"  {section}: {line}")
    into = "" if folder.resolve() == Path.cwd().resolve() else f"cd {folder} && "
    first = "" if filled else "fill in study.sources of params.yaml, then "
    out.text(f"Next: {first}{into}dvc repro")
