"""``omicstore release``: freeze the store under a name.

With --json one object: name, release, date, notes, new (false where the store had the name already), written, files
(what git ought to keep).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from omicstore.cli.common import DryRun, Output, StoreOption, command, find_store


@command()
def release(
    out: Output,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that stays, such as v1.2 or 2026-11.")],
    notes: Annotated[str, typer.Option("--notes", metavar="TEXT", help="What is to be known of it.")] = "",
    store: StoreOption = None,
    dry_run: DryRun = False,
) -> None:
    r"""Freeze the store as it is under a name.

    The name means this content for ever: the store keeps its files, and --release NAME reads it again. What is written
    to the folder releases of the study belongs into git.

    \b
    Examples:
      omicstore release v1.2 --notes "follow-up of November"
      omicstore query --release v1.2 --cohort BRCA
    """
    import omicstore
    from omicstore.releases import release as freeze

    with omicstore.open(find_store(store)) as opened:
        frozen = freeze(opened, name, date=now(), notes=notes, dry_run=dry_run)
    named, files = frozen.named, [str(path) for path in frozen.files]
    body = {
        "name": named.name, "release": named.release, "date": named.date, "notes": named.notes,
        "new": frozen.new, "written": frozen.new and not dry_run, "files": files,
    }  # fmt: skip
    if not frozen.new:
        said = f"{named.name} is this release since {named.date} ({named.release[:12]}); nothing to do"
    else:
        said = f"{'would release' if dry_run else 'released'} {named.name} ({named.release[:12]})"
    out.result(body, lambda: out.text(said))
    if frozen.new and not dry_run:
        out.note(f"keep it with git: git add {' '.join(_from_here(path) for path in files)}")


def now() -> str:
    """Return the time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _from_here(path: str) -> str:
    from pathlib import Path

    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
