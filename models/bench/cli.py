"""The command ``omicstore bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.bench.registry import TABLES, get_table
from omicstore.cli.common import DryRun, Output, StudyMissingError, command, find_study
from omicstore.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from rich.table import Table as Shown

    from models.bench.registry import Table

__all__ = ["bench"]

#: Measures of which a person sees the rows; the file has all.
_SHOWN = ("pearson", "r2", "mse", "c_harrell", "accuracy")


@command()
def bench(
    out: Output,
    *,
    table: Annotated[str, typer.Argument(metavar="TABLE", help=f"{', '.join(sorted(TABLES))}.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Real data; its study is made in studies/ here. [the study here or above]"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The table. [reports/bench/TABLE.json of the study]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One seed and fold, few epochs: to see that it runs.")] = False,
    preset: Annotated[
        str | None, typer.Option(help="The model's, such as default on a GPU. [the table's own, for two cores]")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many. [the table's own number]")] = None,
    dry_run: DryRun = False,
) -> None:
    """Reproduce a table of a model's paper, beside ours.

    Trains the model in every fold, judges it beside simple predictors on the same rows, and writes rows with a value
    per fold or seed, mean, standard deviation and interval, the differences in pairs, the figures that the paper and
    others printed, and what of these can be compared. Every read of a test part is logged.
    """
    wanted = get_table(table)
    _need("torch", "lightning", "sklearn", *(("sksurv", "lifelines") if wanted.model == "imputmae" else ()))
    from models.bench.run import make

    if data is not None and not data.is_dir():
        raise UsageError(
            f"the real data is not here: there is no folder {data}",
            expected="the folder of real data, which is not part of the repository",
            run="name it with --data DIR, or as data in tables/params.yaml",
        )
    root = _root(wanted, data)
    path = file or (root or Path()) / "reports" / "bench" / f"{table}.json"
    if dry_run:
        out.result({"would_write": str(path)}, lambda: out.text(f"would write {path}"))
        return
    body = make(table, path, root=root, data=data, seeds=seeds, preset=preset, quick=quick, say=out.note)
    out.result(body, lambda: _show(out, body))
    out.note(f"written: {path}")


def _need(*packages: str) -> None:
    """Check that packages are there, and settle how their threads wait before any of them is imported."""
    import os
    from importlib.util import find_spec

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(package, "bench" if package == "sksurv" else "models")


def _root(wanted: Table, data: Path | None) -> Path | None:
    """Return the study here or above, where the table is made in one and none is to be made of real data."""
    if data is not None:
        return None
    try:
        return find_study()
    except StudyMissingError:
        if wanted.study is None:
            return None
        raise


def _show(out: Output, body: dict[str, Any]) -> None:
    if body["simulated"]:
        out.text("Simulated data.")
    if body["quick"]:
        out.text("Quick: not to be quoted.")
    out.print(_rows(body))
    for sentence in body["comparable"]:
        out.text(sentence)


def _rows(body: dict[str, Any]) -> Shown:
    from rich.table import Table as Shown

    shown = Shown(title=body["title"], title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("task", "method", "measure", "mean", "95%", "sd"):
        shown.add_column(column)
    for row in body["rows"]:
        if row["measure"] in _SHOWN:
            low, high = (_number(row[end]) for end in ("low", "high"))
            mean, sd = _number(row["mean"]), _number(row["sd"])
            shown.add_row(row["task"], row["method"], row["measure"], mean, f"[{low}, {high}]", sd)
    return shown


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
