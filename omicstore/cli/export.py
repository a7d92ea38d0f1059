"""``omicstore export``: write what a query finds to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.asking import Asking
from omicstore.cli.common import DryRun, Output, command
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from omicstore.store.cohort import Cohort


@command(warns=True)
def export(
    out: Output,
    *,
    ask: Asking,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    written_as: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="parquet, arrow, csv, h5ad, h5mu, npz, safetensors, cbioportal or mae.",
            show_default=True,
        ),
    ] = "parquet",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    dry_run: DryRun = False,
) -> None:
    r"""Write what a query finds to files.

    DIR appears complete or not at all. It holds the values of each modality, the samples and the features; where they
    come from, under which terms, and what to cite (provenance, CITATION.md); croissant.json; and manifest.json, which
    names the release, the query and the hash of every file.

    \b
    parquet, arrow, csv   a table per modality: a row per sample, a column per feature (csv: gzipped)
    npz, safetensors      arrays, with the ids beside
    h5ad, h5mu            for scverse: a file per modality, or all in one
    cbioportal            a study folder to import into a cBioPortal
    mae                   tables, and make.R, which makes a MultiAssayExperiment of them

    \b
    Examples:
      omicstore export --cohort BRCA --modalities rna,meth --out brca
      omicstore export --modalities rna --gene-set hallmark.gmt --scale log2p1 --format csv --out genes
      omicstore export --cohort BRCA --format cbioportal --out brca_study
    """
    import omicstore
    from omicstore.cli.query import show_found
    from omicstore.export import get_exporter
    from omicstore.export.folder import check_target

    written_as = written_as.strip().lower()
    get_exporter(written_as)
    if folder == Path():
        raise UsageError(
            f"--out is {str(folder)!r}, the working folder", expected="a new folder", run="name one with --out"
        )
    check_target(folder, overwrite=overwrite)
    with omicstore.open(ask.place, release=ask.release) as store:
        cohort = ask.of(store)
        for warning in cohort.warnings:
            out.warn(warning)
        write(out, cohort, written_as, folder, overwrite=overwrite, dry_run=dry_run)
        found = cohort.summary()
    body = {**found, "out": str(folder), "format": written_as, "written": not dry_run}
    out.result(body, lambda: show_found(out, found))


def write(out: Output, cohort: Cohort, written_as: str, folder: Path, *, overwrite: bool, dry_run: bool) -> None:
    """Export, and tell what the format cannot hold: a warning where it was asked for by name."""
    from omicstore.export import export as write_export
    from omicstore.export.folder import check_outside, check_target

    if dry_run:
        check_outside(folder, cohort.store)
        check_target(folder, overwrite=overwrite)
        out.note(f"would write {folder} ({written_as})")
        return
    out.stop_if_strict()
    with out.progress(f"writing {folder}"):
        left_out = write_export(cohort, written_as, folder, overwrite=overwrite)
    out.note(f"wrote {folder} ({written_as})")
    tell = out.warn if cohort.question.modalities_named else out.note
    for sentence in left_out:
        tell(sentence)
