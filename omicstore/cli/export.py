"""``omicstore export``: write what a query finds to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.asking import Asking
from omicstore.cli.common import DryRun, Output, command

if TYPE_CHECKING:
    from omicstore.cohort import Cohort


@command(warns=True)
def export(
    out: Output,
    *,
    ask: Asking,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    written_as: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="parquet, csv, npz or h5mu.")
    ] = "parquet",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Write what a query finds to files.

    DIR appears complete or not at all. It holds the values of each modality, the samples, the features and
    manifest.json, which names the release, the query and the hash of every file.
    """
    import omicstore
    from omicstore.cli.query import show_found
    from omicstore.export import get_exporter
    from omicstore.export.folder import check_target

    get_exporter(written_as)
    check_target(folder, overwrite=overwrite)
    with omicstore.open(ask.place) as store:
        cohort = ask.of(store)
        for warning in cohort.warnings:
            out.warn(warning)
        if dry_run:
            out.note(f"would write {folder} ({written_as})")
        else:
            write(out, cohort, written_as, folder, overwrite=overwrite)
        found = cohort.summary()
    body = {**found, "out": str(folder), "format": written_as, "written": not dry_run}
    out.result(body, lambda: show_found(out, found))


def write(out: Output, cohort: Cohort, written_as: str, folder: Path, *, overwrite: bool) -> None:
    """Export, and tell what the format cannot hold: a warning where it was asked for by name."""
    from omicstore.export import export as write_export

    out.stop_if_strict()
    with out.progress(f"writing {folder}"):
        left_out = write_export(cohort, written_as, folder, overwrite=overwrite)
    out.note(f"wrote {folder} ({written_as})")
    tell = out.warn if cohort.question.modalities_named else out.note
    for sentence in left_out:
        tell(sentence)
