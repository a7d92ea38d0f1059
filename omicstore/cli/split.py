"""``omicstore split``: make, import, check and show splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import (
    DryRun,
    Output,
    StoreOption,
    command,
    counted,
    find_store,
    find_study,
    read_section,
    subcommands,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.splits import CheckResult, Manifest, SplitSpec

app = subcommands("Make, import, check and show splits into train, val and test that no patient crosses.")

_Folder = Annotated[
    str | None,
    typer.Argument(metavar="SPLIT", help="A split's name or folder; what split.name in params.yaml says where absent."),
]
_From = Annotated[
    str | None,
    typer.Option("--from", metavar="ORIGIN", help="survpath, mcat or preserved-site-cv."),
]
_Column = Annotated[
    str | None, typer.Option("--column", metavar="NAME", help="Of a file with several sets of folds, which one.")
]
_STYLES = {"pass": "green", "fail": "red", "waived": "yellow", "not_applicable": "dim"}


@app.command("make")
@command()
def make_(
    out: Output,
    *,
    store: StoreOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Instead of split.name.")] = None,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Instead of splits/NAME of the study.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Split the store as the section split of params.yaml says.

    Writes manifest.json, assignments.parquet and identity.parquet. Without that section, a split that the data can
    bear is chosen.

    split.strategy is site_preserved_kfold or grouped_kfold (split.k folds of whole sites or people); leave_site_out
    (each site is tested, small ones together: split.min_test); cross_cohort (each cohort is tested); external (those
    of split.test_cohorts are); temporal (the latest years are, or from split.test_from on); random (rows whoever they
    are of, with split.price_list: true, to show what that is worth). What is imported comes by omicstore split import.
    split.repeats makes so many rounds.
    """
    import omicstore
    from omicstore.splits import in_order, make

    root = find_study()
    with omicstore.open(find_store(store)) as opened:
        spec, reasons = _spec(root, opened, name)
        folder = to if to is not None else root / "splits" / spec.name
        for reason in reasons:
            out.note(reason)
        manifest = make(opened, spec, None if dry_run else folder, root=root)
    wrote = "would be written to" if dry_run else "written to"
    out.result(_summary(manifest, folder), lambda: _show(out, manifest, f"{wrote} {folder}"))
    for check in in_order(manifest.body["checks"]):
        if check.status == "fail":
            out.warn(check.sentence)


@app.command("import")
@command()
def import_(
    out: Output,
    *,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder or file of published folds.")],
    origin: _From = None,
    column: _Column = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the split; PATH's own name where absent.")] = None,
    store: StoreOption = None,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Instead of splits/NAME of the study.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make a split of published folds: their val is our test, and val is cut from their train.

    Sites stay whole where the published folds keep them apart. Who is in the folds and not in the store, or in the
    store and in no fold, is an exclusion that the manifest names.
    """
    import omicstore
    from omicstore.errors import UsageError
    from omicstore.splits import ORIGINS, Catalogue, import_folds, in_order, read_published

    if origin is None:
        raise UsageError(
            "--from says whose folds these are", expected=f"one of {', '.join(ORIGINS)}", run="--from survpath"
        )
    found = read_published(path, origin, column)
    if len(found) > 1:
        raise UsageError(
            f"{path.name} holds {len(found)} sets of folds",
            expected="one of " + ", ".join(f.name for f in found),
            run=f"--column {found[0].name}",
        )
    folds = found[0]
    called = name or f"{folds.origin}-{folds.name}"
    with omicstore.open(find_store(store)) as opened:
        manifest = import_folds(Catalogue.of(opened), folds, called)
    folder = to if to is not None else find_study() / "splits" / called
    if not dry_run:
        manifest.write(folder)
    lacking = len(folds.patients) - manifest.body["strategy"]["n_in_store"]
    if lacking:
        out.note(f"{counted(lacking, 'patient')} of {len(folds.patients):,} in the folds are not in the store")
    wrote = "would be written to" if dry_run else "written to"
    out.result(_summary(manifest, folder), lambda: _show(out, manifest, f"{wrote} {folder}"))
    for check in in_order(manifest.body["checks"]):
        if check.status == "fail":
            out.warn(check.sentence)


@app.command("check")
@command(warns=True)
def check_(
    out: Output, *, split: _Folder = None, store: StoreOption = None, origin: _From = None, column: _Column = None
) -> None:
    """Check a split again, from its files and against the store; or published folds, from their ids alone.

    Exit code 1 if a check fails, 3 if only a warning does or a failure was waived.
    """
    import omicstore
    from omicstore.splits import check, is_published

    if split is not None and (origin is not None or column is not None or is_published(Path(split))):
        _check_published(out, Path(split), origin, column)
        return
    folder = _folder(split)
    with omicstore.open(find_store(store)) as opened:
        results = check(folder, opened)
    body = {"split": str(folder), "ok": not _errors(results), "checks": [r.to_json() for r in results]}
    out.result(body, lambda: out.print(_check_table(results)))
    _conclude(out, results)


def _check_published(out: Output, path: Path, origin: str | None, column: str | None) -> None:
    from omicstore.splits import check_published, read_published

    found = [(folds, check_published(folds)) for folds in read_published(path, origin, column)]
    results = [r for _, checks in found for r in checks]
    body = {
        "published": [
            {"name": f.name, "folds": f.k, "patients": len(f.patients), "checks": [r.to_json() for r in checks]}
            for f, checks in found
        ],
        "ok": not _errors(results),
    }

    def show() -> None:
        for folds, checks in found:
            out.text(
                f"{folds.name}: {counted(folds.k, 'fold')}, {counted(len(folds.patients), 'patient')}", style="bold"
            )
            out.print(_check_table(checks))

    out.result(body, show)
    _conclude(out, results)


def _errors(results: Sequence[CheckResult]) -> list[CheckResult]:
    return [r for r in results if r.status == "fail" and r.severity == "error"]


def _conclude(out: Output, results: Sequence[CheckResult]) -> None:
    """Say what was found on stderr, and stop with 1 if some of it is an error."""
    for result in results:
        if result.status == "waived" or (result.status == "fail" and result.severity == "warning"):
            out.warn(result.sentence)
    if failed := _errors(results):
        for result in failed:
            out.messages.print(f"error: {result.sentence}", style="red", soft_wrap=True)
        raise typer.Exit(1)


@app.command("show")
@command()
def show(out: Output, *, split: _Folder = None) -> None:
    """Show a split: patients, events and sites in each part of each fold."""
    from omicstore.splits import load

    folder = _folder(split)
    manifest = load(folder)
    out.result(_summary(manifest, folder), lambda: _show(out, manifest, str(folder)))


def _spec(root: Path, store: Any, name: str | None) -> tuple[SplitSpec, list[str]]:
    """Return the split that params.yaml asks for, or one that the data can bear and why."""
    from omicstore.splits import SplitSpec, default_split

    section, reasons = read_section(root, "split"), []
    if section is None:
        section, chosen = default_split(store)
        reasons = ["params.yaml has no section split, so one was chosen:", *chosen]
    return SplitSpec.from_params(section | ({"name": name} if name is not None else {})), reasons


def _folder(split: str | None) -> Path:
    if split is None:
        root = find_study()
        return root / "splits" / str((read_section(root, "split") or {}).get("name", "default"))
    given = Path(split)
    if given.exists():
        return given.parent if given.name == "manifest.json" else given
    return find_study() / "splits" / split


def _summary(manifest: Manifest, folder: Path) -> dict[str, Any]:
    body = manifest.body
    keys = ("name", "simulated", "manifest_hash", "cohort", "strategy", "blocks", "per_fold", "checks")
    return {"split": str(folder), "release": manifest.release, **{key: body[key] for key in keys}}


def _show(out: Output, manifest: Manifest, where: str) -> None:
    from omicstore.splits import in_order

    body = manifest.body
    cohort, strategy = body["cohort"], body["strategy"]
    out.text(
        f"split {manifest.name}: {strategy['name']}, {counted(manifest.k, 'fold')}, seed {strategy['seed']}",
        style="bold",
    )
    if body["simulated"]:
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    out.text(
        f"{cohort['n_patients']:,} patients, {cohort['n_samples']:,} samples of {', '.join(cohort['query']['cohorts'])}"
        + (f"; {cohort['n_excluded']:,} excluded" if cohort["n_excluded"] else "")
    )
    out.print(_fold_table(body))
    for solved in strategy["solutions"]:
        gap = "" if solved["gap"] is None else f", at most {100 * solved['gap']:.0f}% from the best"
        solver = f"{solved['n_blocks']} blocks, {solved['solver']}, imbalance {solved['objective']:.3f}{gap}"
        out.text(f"{', '.join(solved['cohorts'])}: {solver}", style="dim")
    for sentence in body["blocks"]["not_honoured"]:
        out.text(sentence, style="yellow")
    counts: dict[str, list[str]] = {}
    for check in in_order(body["checks"]):
        counts.setdefault(check.status, []).append(check.id)
    out.text("; ".join(f"{status.replace('_', ' ')}: {', '.join(names)}" for status, names in counts.items()))
    out.text(f"{where} ({manifest.manifest_hash[:12]})")


def _fold_table(body: dict[str, Any]) -> Any:
    from rich.table import Table

    outcome = body["cohort"]["outcome"] or {}
    columns = ["patients", "samples"]
    if outcome.get("kind") == "endpoint":
        columns.append(f"{outcome['name']} events")
    columns.append("sites")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("fold", justify="right")
    table.add_column("part")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for entry in body["per_fold"]:
        for part in ("train", "val", "test"):
            held = entry["parts"][part]
            cells = [f"{held['n_patients']:,}", f"{held['n_samples']:,}"]
            if len(columns) == 4:
                cells.append(f"{held['n_events']:,}")
            cells.append(f"{len(held['sites']):,}")
            table.add_row(str(entry["fold"]) if part == "train" else "", part, *cells)
    return table


def _check_table(results: Sequence[CheckResult]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("check", "found", "what", "how"):
        table.add_column(column, overflow="fold")
    for result in results:
        found = Text(result.status.replace("_", " "), style=_STYLES[result.status])
        table.add_row(result.id, found, result.what, result.why)
    return table
