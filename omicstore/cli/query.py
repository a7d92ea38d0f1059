"""``omicstore query``: what a store holds of the chosen cohorts and modalities."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.asking import Asking
from omicstore.cli.common import Output, command

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A longer list of genes is not spelled out in the lines of Python.
_GENES_SHOWN = 12


@command(warns=True)
def query(
    out: Output,
    *,
    ask: Asking,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Export what is found to this folder, as parquet.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Show what there is of the chosen cohorts and modalities.

    A row is a sample; the default is primary tumours. Nothing is read but the catalogue, unless --out is given.
    Exit code 3 says that there were warnings, for example a modality that a cohort lacks.
    """
    import omicstore

    with omicstore.open(ask.place) as store:
        cohort = ask.of(store)
        for warning in cohort.warnings:
            out.warn(warning)
        body = cohort.summary()
        if folder is not None:
            from omicstore.cli.export import write

            write(out, cohort, "parquet", folder, overwrite=overwrite)
        out.result(body, lambda: _show(out, body, ask, exported=folder is not None))


def _show(out: Output, body: Mapping[str, Any], ask: Asking, *, exported: bool) -> None:
    show_found(out, body)
    if not (exported or out.quiet):
        out.text()
        out.text("Export it:", style="bold")
        out.text(f"  {export_command(body, ask)}")
        out.text("In Python:", style="bold")
        for line in python_lines(ask):
            out.text(f"  {line}")


def show_found(out: Output, body: Mapping[str, Any]) -> None:
    """Print what a query found: a row per modality, the totals and what was left out."""
    from rich.table import Table

    kind = "samples (all types)" if body["sample_type"] == "all" else f"{body['sample_type']} samples"
    head = f"{', '.join(body['cohorts'])}: {body['n_samples']:,} {kind} of {body['n_patients']:,} patients"
    out.text(head, style="bold")
    if body.get("simulated"):
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("modality", no_wrap=True)
    for column in ("samples", "coverage", "features"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("unit")
    for name, found in body["modalities"].items():
        table.add_row(
            name,
            f"{found['n_samples']:,}",
            percent(found["n_samples"], body["n_samples"]),
            f"{found['n_features']:,}" if found["n_features"] is not None else "-",
            unit_text(found),
        )
    out.print(table)
    if len(body["modalities"]) > 1:
        out.text(f"{body['n_complete']:,} samples have all {len(body['modalities'])} modalities.")
    for note in body.get("notes", ()):
        out.text(note)
    out.text(f"release {body['release'][:12]}", style="dim")


def percent(part: int, whole: int) -> str:
    """Return a share in percent; one that is not all is never shown as 100%."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return f"{min(share, 99.9):.1f}%" if 99.5 <= share < 100 else f"{share:.0f}%"


def unit_text(found: Mapping[str, Any]) -> str:
    """Return the unit, or each unit with its cohorts where they differ."""
    if found["unit"] is not None:
        return str(found["unit"])
    cohorts: dict[str, list[str]] = {}
    for cohort, unit in found["units"].items():
        cohorts.setdefault(unit, []).append(cohort)
    return "; ".join(f"{unit} ({', '.join(names)})" for unit, names in cohorts.items()) or "-"


def export_command(body: Mapping[str, Any], ask: Asking) -> str:
    """Return the command that writes what the query found."""
    name = "-".join(c.lower() for c in body["cohorts"]) if len(body["cohorts"]) < 4 else "cohorts"
    return shlex.join(["omicstore", "export", *ask.words(), "--format", "parquet", "--out", f"{name}-export"])


def python_lines(ask: Asking) -> list[str]:
    """Return the same query in Python."""
    lines = ["import omicstore", f"store = omicstore.open({_from_here(ask.place)!r})"]
    given = ask.arguments()
    genes = given.get("genes", ())
    if len(genes) > _GENES_SHOWN:
        lines.append(f"genes = [{', '.join(map(repr, genes[:3]))}, ...]  # {len(genes)} of them")
    if isinstance(given.get("cohort"), list) and len(given["cohort"]) == 1:
        given["cohort"] = given["cohort"][0]
    arguments = ", ".join(
        f"{name}={'genes' if name == 'genes' and len(genes) > _GENES_SHOWN else repr(value)}"
        for name, value in given.items()
    )
    return [*lines, f"cohort = store.query({arguments})", "arrays = cohort.to_numpy()"]


def _from_here(place: str) -> str:
    """Return a path below the working folder as it is typed there."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place
