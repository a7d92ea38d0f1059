"""``omicstore fetch``: open-access files from GDC, UCSC Xena and the keepers of reference tables."""

from __future__ import annotations

import shlex
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import DryRun, Output, command, counted, subcommands
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from omicstore.fetch.http import Http
    from omicstore.fetch.plan import Plan

app = subcommands("Download open-access files, with resume and checksums, and write the study file to go with them.")


@dataclass(frozen=True, slots=True)
class Where:
    """Where files come from and go to; the fields are options of the command line."""

    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the files and study.yaml.")] = Path(
        "data/raw"
    )
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=32, help="How many downloads at a time.")] = 4
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            metavar="URL",
            envvar="OMICSTORE_ENDPOINT",
            show_envvar=False,
            help="A mirror, instead of the portal's own address; OMICSTORE_ENDPOINT does the same.",
        ),
    ] = None
    dry_run: DryRun = False


@app.command("gdc")
@command()
def gdc_(
    out: Output,
    *,
    project: Annotated[
        list[str], typer.Option("--project", metavar="NAME,...", help="TCGA-BLCA, CPTAC-3, ...; or repeated.")
    ],
    modalities: Annotated[
        list[str] | None,
        typer.Option(
            "--modalities",
            metavar="NAME,...",
            help="rna, meth, prot, mirna, cnv, mut, clinical, slides. [rna,meth,prot,mirna,clinical]",
        ),
    ] = None,
    where: Where,
) -> None:
    r"""Fetch a project's open files from GDC.

    They are laid out as gdc-client leaves them: each project and modality becomes a folder with a file per aliquot and
    the sample sheet that says whose it is.

    \b
    Example:
      omicstore fetch gdc --project TCGA-BLCA --modalities rna,clinical --dry-run
    """
    from omicstore.fetch import gdc
    from omicstore.fetch.names import listed

    projects = listed(project, "--project")
    names = listed(modalities, "--modalities") if modalities else list(gdc.DEFAULT)
    _run(out, where, lambda http: gdc.plan(http, projects, names, where.endpoint or gdc.ENDPOINT))


@app.command("xena")
@command()
def xena_(
    out: Output,
    *,
    cohort: Annotated[
        list[str] | None, typer.Option("--cohort", metavar="NAME,...", help="BRCA, BLCA, ...; or repeated.")
    ] = None,
    modalities: Annotated[
        list[str] | None,
        typer.Option(
            "--modalities",
            metavar="NAME,...",
            help="rna, meth, meth27, prot, mirna, cnv, mut, clinical, survival. "
            "[rna,meth,prot,mirna,clinical,survival]",
        ),
    ] = None,
    hub: Annotated[
        str, typer.Option("--hub", metavar="gdc|legacy|toil", help="hg38 of GDC; TCGA's own level 3; all of TCGA.")
    ] = "gdc",
    where: Where,
) -> None:
    r"""Fetch cohorts' matrices from UCSC Xena.

    There is one file per cohort and modality; the clinical tables are among them.

    \b
    Example:
      omicstore fetch xena --cohort BRCA --modalities rna,clinical,survival --dry-run
    """
    from omicstore.fetch import xena
    from omicstore.fetch.names import listed

    if cohort is None and hub != "toil":
        raise UsageError("no cohort is named", expected="--cohort BRCA, or several joined by commas")
    cohorts = listed(cohort, "--cohort") if cohort else []
    names = listed(modalities, "--modalities") if modalities else []
    _run(out, where, lambda http: xena.plan(http, cohorts, names, hub, where.endpoint, where.jobs))


@app.command("references")
@command()
def references_(
    out: Output,
    *,
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--tables",
            metavar="NAME,...",
            help="genes, symbols, hm450, hm27, epic, sites. [genes,symbols,hm450,hm27,sites]",
        ),
    ] = None,
    where: Where,
) -> None:
    r"""Fetch the reference tables of a build.

    They say which gene an id, a symbol or a probe is. Fetched into the folder of the sources, they stand in the same
    study.yaml.

    \b
    Example:
      omicstore fetch references
    """
    from omicstore.fetch import references
    from omicstore.fetch.names import listed

    names = listed(tables, "--tables") if tables else list(references.DEFAULT)
    _run(out, where, lambda http: references.plan(http, names, where.endpoint))


def _run(out: Output, where: Where, ask: Callable[[Http], Plan]) -> None:
    """Ask what there is, show it, and bring it unless this is a dry run."""
    from omicstore.fetch import bring
    from omicstore.fetch.http import Http

    with Http(threading.Event()) as http:
        plan = ask(http)
    if where.dry_run:
        body = _summary(plan, where.out)
        out.result(body, lambda: _show(out, plan, body))
        return
    _notes(out, plan)
    try:
        brought = bring(plan, where.out, jobs=where.jobs)
    except KeyboardInterrupt:
        out.messages.print(f"what came is kept in {where.out}; the same command goes on from there", soft_wrap=True)
        raise
    done = brought.done
    if brought.superseded:
        n = counted(len(brought.superseded), "file")
        out.note(f"{n} of earlier fetches that {plan.portal} no longer lists: moved to {where.out / 'superseded'}")
    body = {
        "out": str(where.out),
        "fetched": len(done.fetched),
        "kept": done.kept,
        "bytes": done.size,
        "superseded": len(brought.superseded),
        "study": str(where.out / "study.yaml") if brought.written else None,
        "section": brought.section,
    }

    def show() -> None:
        from omicstore.fetch.plan import size_text

        kept = f"; {counted(done.kept, 'file')} already here" if done.kept else ""
        out.text(f"{counted(len(done.fetched), 'file')} fetched into {where.out} ({size_text(done.size)}){kept}")
        if brought.written:
            out.text(f"Next: omicstore init DIR --sources {shlex.quote(str(where.out / 'study.yaml'))}")
            return
        if (where.out / "study.yaml").exists():
            out.text(f"{where.out / 'study.yaml'} was changed by hand and is left as it is; it would now be:")
        else:
            out.text("For the study file, whose paths are then relative to this folder:")
        out.text(brought.section.rstrip())

    out.result(body, show)


def _notes(out: Output, plan: Plan) -> None:
    for part in plan.parts:
        if part.note and not (part.items and part.entry is not None):
            out.note(f"{part.group} {part.name}: {part.note}")


def _summary(plan: Plan, folder: Path) -> dict[str, Any]:
    from omicstore.fetch.record import Record
    from omicstore.fetch.run import free_space, here

    record = Record(folder)
    parts = []
    for part in plan.parts:
        entry = part.entry or {}
        present = [here(item, folder, record) for item in part.items]
        parts.append(
            {
                "group": part.group,
                "name": part.name,
                "title": part.title,
                "modality": entry.get("modality"),
                "format": entry.get("format"),
                "unit": entry.get("unit"),
                "files": len(part.items),
                "bytes": part.size if all(item.size is not None for item in part.items) else None,
                "here": sum(present),
                "note": part.note,
                "items": [
                    {"path": i.path, "url": i.url, "bytes": i.size, "md5": i.md5, "here": h}
                    for i, h in zip(part.items, present, strict=True)
                ],
            }
        )
    return {
        "portal": plan.portal,
        "out": str(folder),
        "parts": parts,
        "files": len(plan.items),
        "here": sum(part["here"] for part in parts),
        "bytes": sum(item.size or 0 for item in plan.items),
        "unknown_sizes": sum(item.size is None for item in plan.items),
        "free": free_space(folder),
    }


def _show(out: Output, plan: Plan, body: dict[str, Any]) -> None:
    from omicstore.fetch.plan import size_text

    out.print(_table(body))
    unknown = f", and {counted(body['unknown_sizes'], 'file')} of unknown size" if body["unknown_sizes"] else ""
    out.text(
        f"{counted(body['files'], 'file')}, {size_text(body['bytes'])}{unknown}, would go to {body['out']}; "
        f"{counted(body['here'], 'file')} already here, {size_text(body['free'])} free"
    )
    _notes(out, plan)


def _table(body: dict[str, Any]) -> Table:
    from rich.table import Table

    from omicstore.fetch.plan import size_text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column, justify in (("from", "left"), ("name", "left"), ("files", "right"), ("size", "right")):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for column in ("here", "format", "unit"):
        table.add_column(column, justify="right" if column == "here" else "left", no_wrap=True)
    table.add_column("what", overflow="fold")
    for part in body["parts"]:
        size = size_text(part["bytes"]) if part["files"] else ""
        cells = [part["format"] or "", part["unit"] or "", part["title"]]
        table.add_row(part["group"], part["name"], f"{part['files']:,}", size, f"{part['here']:,}", *cells)
    return table
