"""``omicstore push``: send the store, or a release of it, to a remote.

With --json one object: release, name, target, n_files and n_bytes (what was not there), n_there, seconds and notes, as
`omicstore.remote.Pushed`; and written.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.common import DryRun, Output, StoreOption, command, counted
from omicstore.cli.pull import JobsOption, RemoteOption, local_store, size, speed

if TYPE_CHECKING:
    from omicstore.remote import Pushed


@command()
def push(
    out: Output,
    *,
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="A name, id, latest or stable. [the store and its releases]")
    ] = None,
    remote: RemoteOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Send also what seems to be there.")] = False,
    store: StoreOption = None,
    jobs: JobsOption = 8,
    dry_run: DryRun = False,
) -> None:
    r"""Send the store, or a release of it, to a remote.

    To a remote of DVC goes what dvc.lock names of the store; git carries dvc.lock and the releases. Under a URL the
    store lies as it lies here, so that omicstore query --store URL reads it. What is there already is not sent again.

    \b
    Examples:
      omicstore push
      omicstore push v1.0 --remote s3://bucket/prefix
    """
    from omicstore.remote import push as send

    found = send(local_store(store), release, remote=remote, overwrite=overwrite, dry_run=dry_run, jobs=jobs)
    out.result({**asdict(found), "written": not dry_run}, lambda: _show(out, found, dry_run=dry_run))
    for note in found.notes:
        out.note(note)


def _show(out: Output, found: Pushed, *, dry_run: bool) -> None:
    what = f"{found.name} ({found.release[:12]})" if found.name else f"release {found.release[:12]}"
    there = f"; {counted(found.n_there, 'file')} there already" if found.n_there else ""
    if not found.n_files:
        out.text(f"{what}: {found.target} has all of it{there}")
        return
    moved = size(found.n_bytes) if dry_run else speed(found.n_bytes, found.seconds)
    files = counted(found.n_files, "file")
    out.text(f"{'would push' if dry_run else 'pushed'} {what} to {found.target}: {files}, {moved}{there}")
