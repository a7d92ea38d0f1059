"""``omicstore pull``: bring a release, or some cohorts and modalities of it, from a remote.

With --json one object: release, name, source, n_files and n_bytes (needed and not here), n_moved, n_resumed, n_there,
seconds and replaced, as `omicstore.remote.Pulled`; and written.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.common import DryRun, Output, StoreOption, command, counted, find_store
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.remote import Pulled

#: ``--remote``, for the commands that move a store.
RemoteOption = Annotated[
    str | None,
    typer.Option("--remote", metavar="NAME|URL", help="A remote of DVC, a URL or a folder. [DVC's default]"),
]
#: ``--jobs``, for the commands that move a store.
JobsOption = Annotated[int, typer.Option("--jobs", min=1, max=64, metavar="N", help="Files that move side by side.")]


@command()
def pull(
    out: Output,
    *,
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="A name, id, latest or stable. [what the remote has now]")
    ] = None,
    cohort: Annotated[
        list[str] | None, typer.Option("--cohort", metavar="NAME,...", help="Only these cohorts. [all]")
    ] = None,
    modalities: Annotated[
        list[str] | None, typer.Option("--modalities", metavar="NAME,...", help="Only these: rna, meth, ... [all]")
    ] = None,
    remote: RemoteOption = None,
    store: StoreOption = None,
    jobs: JobsOption = 8,
    dry_run: DryRun = False,
) -> None:
    r"""Bring a release from a remote, or only some cohorts and modalities of it.

    What is here already is not moved, what came broken is refused, and a transfer that was cut off goes on when the
    command is run again. The catalogue always comes, so that omicstore query tells what there is.

    \b
    Examples:
      omicstore pull --cohort BRCA --modalities rna
      omicstore pull v1.0 --remote s3://bucket/prefix
    """
    from omicstore.remote import pull as bring

    where = local_store(store)
    found = bring(
        where, release, remote=remote, cohorts=_names(cohort), modalities=_names(modalities), dry_run=dry_run, jobs=jobs
    )
    out.result({**asdict(found), "written": not dry_run}, lambda: _show(out, found, dry_run=dry_run))


def local_store(store: str | None) -> Path:
    """Return the folder of the store that --store names, or of the study here or above."""
    from omicstore.store.filesystem import open_root

    place = find_store(store)
    folder = open_root(place).local
    if folder is None:
        raise UsageError(f"{place} is not on this machine", expected="--store with a folder of this machine")
    return folder


def _names(given: list[str] | None) -> list[str] | None:
    if given is None:
        return None
    names = [name.strip() for entry in given for name in entry.split(",") if name.strip()]
    if not names:
        raise UsageError("an option names nothing", expected="at least one name", run="leave it out to take all")
    return names


def _show(out: Output, found: Pulled, *, dry_run: bool) -> None:
    what = f"{found.name} ({found.release[:12]})" if found.name else f"release {found.release[:12]}"
    there = f"; {counted(found.n_there, 'file')} here already" if found.n_there else ""
    if not found.n_files:
        out.text(f"{what}: nothing to do{there}")
    elif dry_run:
        out.text(
            f"would pull {what} from {found.source}: {counted(found.n_files, 'file')}, {size(found.n_bytes)}{there}"
        )
    else:
        resumed = f", {size(found.n_resumed)} of them left by an earlier transfer" if found.n_resumed else ""
        moved = speed(found.n_moved, found.seconds)
        out.text(f"pulled {what} from {found.source}: {counted(found.n_files, 'file')}, {moved}{resumed}{there}")
    if found.replaced is not None:
        out.text(f"store.json held release {found.replaced[:12]} before")
    if found.name is not None and not dry_run:
        out.note(f"read it with --release {found.name}")


def size(n: float) -> str:
    """Return a number of bytes as a person says it.

    Examples
    --------
    >>> size(532), size(20_500_000)
    ('532 bytes', '20.5 MB')
    """
    for unit, each in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= each:
            return f"{n / each:,.1f} {unit}"
    return f"{n:,.0f} bytes"


def speed(n: float, seconds: float) -> str:
    """Return how much moved in which time.

    Examples
    --------
    >>> speed(5_000_000, 2.0)
    '5.0 MB in 2.0 s (2.5 MB/s)'
    """
    return f"{size(n)} in {seconds:.1f} s ({size(n / max(seconds, 1e-3))}/s)"
