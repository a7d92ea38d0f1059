"""``omicstore init``: a new study's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.common import DryRun, Output, command

if TYPE_CHECKING:
    from omicstore.study.defaults import Defaults


@command()
def init(
    out: Output,
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new study's folder; made if absent.")] = Path(),
    sources: Annotated[
        Path | None, typer.Option("--sources", metavar="FILE", help="A study file: which upstream file is what.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    r"""Make a new study: params.yaml, dvc.yaml and a DVC repository, ready for `dvc repro`.

    The study file says which upstream file is what; its relative paths are rewritten. Without one, params.yaml gets an
    empty section to fill in. A folder that has a params.yaml is left as it is.

    \b
    Example:
      omicstore init my-study --sources my-study.yaml && cd my-study && dvc repro
    """
    from omicstore.study.create import create_study

    defaults = create_study(folder, sources, dry_run=dry_run)
    body = {"study": str(folder), "sections": defaults.sections, "reasons": defaults.reasons}
    out.result(body, lambda: _show(out, folder, defaults, filled=sources is not None, dry_run=dry_run))
    if not defaults.pipeline:
        out.note("DVC is not installed: for dvc repro, pip install 'omicstore[pipeline]' and run dvc init there")


def _show(out: Output, folder: Path, defaults: Defaults, *, filled: bool, dry_run: bool) -> None:
    out.text(f"{'Would make' if dry_run else 'Made'} the study {folder}: params.yaml, dvc.yaml")
    for section, lines in defaults.reasons.items():
        for line in lines:
            out.text(f"  {section}: {line}")
    if dry_run:
        return
    into = "" if folder.resolve() == Path.cwd().resolve() else f"cd {folder} && "
    first = "" if filled else "fill in study.sources of params.yaml, then "
    out.text(f"Next: {first}{into}{'dvc repro' if defaults.pipeline else 'omicstore build'}")
