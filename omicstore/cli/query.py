"""``omicstore query``: what a store holds of the chosen cohorts and modalities."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.asking import Asking
from omicstore.cli.common import DryRun, Output, command, counted
from omicstore.modalities import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from omicstore.store.reader import Store

#: A longer list of genes is not spelled out in the lines of Python.
_GENES_SHOWN = 12
#: What the columns before the unit take.
_BESIDE = 42


@command(warns=True)
def query(
    out: Output,
    *,
    ask: Asking,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Export what is found to this folder, as parquet.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    dry_run: DryRun = False,
) -> None:
    r"""Show what there is of the chosen cohorts and modalities.

    A row is a sample; the default is primary tumours. Nothing is read but the catalogue, unless --out is given.
    Exit code 3 says that there were warnings, for example a modality that a cohort lacks.

    \b
    Examples:
      omicstore query --cohort BRCA --modalities rna,meth
      omicstore query --modalities rna --genes TP53,EGFR --where "sex = 'female' AND age_years < 50"
      omicstore query --sample-type primary,normal --require all
    """
    import omicstore

    with omicstore.open(ask.place, release=ask.release) as store:
        cohort = ask.of(store)
        for warning in cohort.warnings:
            out.warn(warning)
        body = cohort.summary()
        if lacking := not_pulled(store, body["cohorts"], body["modalities"]):
            out.warn(f"{'; '.join(lacking)} brings it")
        if "patches" in body["modalities"]:
            body = {**body, "notes": [*body["notes"], *_encoders(store, body["cohorts"])]}
        if folder is not None:
            from omicstore.cli.export import write

            write(out, cohort, "parquet", folder, overwrite=overwrite, dry_run=dry_run)
        out.result(body, lambda: _show(out, body, ask, exported=folder is not None))


def not_pulled(store: Store, cohorts: Iterable[str], modalities: Iterable[str]) -> tuple[str, str] | None:
    """Return what of these cohorts and modalities is not on this machine, and the command that brings it, if any is."""
    asked, everything = set(modalities), store.not_here()
    absent = {c: [m for m in everything.get(c, ()) if m in asked] for c in cohorts}
    absent = {c: names for c, names in absent.items() if names}
    if not absent:
        return None
    names = [m for m in MODALITIES if any(m in found for found in absent.values())]
    by_modality = [f"{m} of {', '.join(c for c, found in absent.items() if m in found)}" for m in names]
    words = ["omicstore pull", store.asked or "", f"--cohort {','.join(absent)} --modalities {','.join(names)}"]
    return f"not on this machine: {'; '.join(by_modality)}", " ".join(filter(None, words))


def _encoders(store: Store, cohorts: list[str]) -> list[str]:
    """Say by which encoders the patches of cohorts are; no slide needs to be opened for it."""
    import polars as pl

    made = store.table("provenance").filter(pl.col("cohort").is_in(cohorts) & (pl.col("modality") == "patches"))
    names = sorted({json.loads(text)["encoder"] for text in made["encoder"].drop_nulls()})
    if len(names) < 2:
        return [f"patches: encoder {name}" for name in names]
    return [f"patches: encoders {', '.join(names)}; cohort.prototypes and cohort.patches take one of them"]


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

    everything = body["sample_type"] == "all"
    kind = "" if everything else f"{body['sample_type'].replace(',', ', ')} "
    samples = counted(body["n_samples"], f"{kind}sample") + (" (all types)" if everything else "")
    head = f"{', '.join(body['cohorts'])}: {samples} of {counted(body['n_patients'], 'patient')}"
    out.text(head, style="bold")
    if body.get("simulated"):
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("modality", no_wrap=True)
    for column in ("samples", "coverage", "features"):
        table.add_column(column, justify="right", no_wrap=True)
    units = {name: unit_text(found, body["scale"]) for name, found in body["modalities"].items()}
    # A unit per cohort is too long for a cell, and so is any unit for a narrow terminal.
    beside = out.console.width >= _BESIDE + max(map(len, units.values()))
    if beside:
        table.add_column("unit", no_wrap=True)
    for name, found in body["modalities"].items():
        cells = (
            name,
            f"{found['n_samples']:,}",
            percent(found["n_samples"], body["n_samples"]),
            f"{found['n_features']:,}" if found["n_features"] is not None else "-",
        )
        table.add_row(*cells, *([units[name]] if beside else []))
    out.print(table)
    for name, unit in () if beside else units.items():
        out.text(f"{name}: {unit}")
    if (n := len(body["modalities"])) > 1:
        verb = "has" if body["n_complete"] == 1 else "have"
        out.text(f"{counted(body['n_complete'], 'sample')} {verb} {'both' if n == 2 else f'all {n}'} modalities.")
    for note in body.get("notes", ()):
        out.text(note)
    out.text(f"release {body['release'][:12]}", style="dim")


def percent(part: int, whole: int) -> str:
    """Return a share in percent; one that is not all is never shown as 100%."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return f"{min(share, 99.9):.1f}%" if 99.5 <= share < 100 else f"{share:.0f}%"


def unit_text(found: Mapping[str, Any], scale: str = "linear") -> str:
    """Return the unit on the asked scale, or each unit with its cohorts where they differ."""
    from omicstore.units import LINEAR_UNITS

    def scaled(unit: str) -> str:
        return unit if scale == "linear" or unit not in LINEAR_UNITS else f"{scale.removesuffix('p1')}({unit}+1)"

    if found["unit"] is not None:
        return scaled(found["unit"])
    cohorts: dict[str, list[str]] = {}
    for cohort, unit in found["units"].items():
        cohorts.setdefault(unit, []).append(cohort)
    return "; ".join(f"{scaled(unit)} ({', '.join(names)})" for unit, names in cohorts.items()) or "-"


def export_command(body: Mapping[str, Any], ask: Asking) -> str:
    """Return the command that writes what the query found."""
    name = "-".join(c.lower() for c in body["cohorts"]) if len(body["cohorts"]) < 4 else "cohorts"
    words = ["omicstore", "export", *ask.words(), "--format", "parquet", "--out", f"{name}-export"]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Quote a word for the shell; in double quotes where it holds single ones, as SQL does."""
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


def python_lines(ask: Asking) -> list[str]:
    """Return the same query in Python."""
    release = f", release={ask.release!r}" if ask.release else ""
    lines = ["import omicstore", f"store = omicstore.open({_from_here(ask.place)!r}{release})"]
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
    lines.append(f"cohort = store.query({arguments})")
    asked = given.get("modalities") or ()
    others = [name for name in asked if name in MODALITIES and MODALITIES[name].kind != "matrix"]
    if not asked or len(others) < len(asked):
        lines.append("arrays = cohort.to_numpy()")
    return [*lines, *(f"{name} = cohort.to_polars({name!r})" for name in others)]


def _from_here(place: str) -> str:
    """Return a path below the working folder as it is typed there."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place
