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
from omicstore.cli.split_view import check_table, show_split, summary
from omicstore.errors import SplitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.splits import CheckResult, SplitSpec

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
_Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="NAME", help="Balance val on this; OS where absent and known.")
]
_Label = Annotated[str | None, typer.Option("--label", metavar="TASK", help="Or on the labels of this task.")]
#: The keys of the section split that hold for imported folds too.
_OF_STUDY = ("aliases", "near_duplicate_r", "not_same", "waive")
_Nested = Annotated[
    int | None, typer.Option("--nested", metavar="K", help="Make K inner folds of each fold's train and val.")
]


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

    Writes manifest.json, assignments.parquet and identity.parquet, and the inner splits of split.nested as
    inner/FOLD. Without that section, a split that the data can bear is chosen.

    split.strategy is site_preserved_kfold or grouped_kfold (split.k folds of whole sites or people); leave_site_out
    (each site is tested, small ones together: split.min_test); cross_cohort (each cohort is tested); external (those
    of split.test_cohorts are); temporal (the latest years are, or from split.test_from on); random (rows whoever they
    are of, with split.price_list: true, to show what that is worth). What is imported comes by omicstore split import.
    split.repeats makes so many rounds, split.nested so many inner folds of each fold's train and val, and
    split.preserve (plate, center, platform) keeps those whole too, as far as it can.
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
    out.result(summary(manifest, folder), lambda: show_split(out, manifest, f"{wrote} {folder}"))
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
    endpoint: _Endpoint = None,
    label: _Label = None,
    nested: _Nested = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the split; PATH's own name where absent.")] = None,
    store: StoreOption = None,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Instead of splits/NAME of the study.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make a split of published folds: their val is our test, and val is cut from their train.

    Val is like train in the endpoint or the label. Sites stay whole where the published folds keep them apart. Who is
    in the folds and not in the store, or in the store and in no fold, is an exclusion that the manifest names. Of the
    section split of params.yaml, aliases, not_same, near_duplicate_r and waive hold here too.
    """
    import omicstore
    from omicstore.errors import UsageError
    from omicstore.splits import (
        ORIGINS,
        SplitSpec,
        catalogue_of,
        import_folds,
        in_order,
        inner_splits,
        read_published,
        write,
    )

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
        # Who is who, and which findings are accepted, is of the study; all else is of the folds.
        root = find_study() if to is None or store is None else Path()
        known = (read_section(root, "split") or {}) if (root / "params.yaml").is_file() else {}
        known = {key: known[key] for key in _OF_STUDY if key in known}
        asked = {"name": called, "endpoint": endpoint, "label": label, "nested": nested}
        spec = SplitSpec.from_params({"strategy": "imported", **known, **asked})
        catalogue = catalogue_of(opened, spec.aliases, root)
        manifest = import_folds(catalogue, folds, called, spec)
        inner = inner_splits(catalogue, manifest)
    folder = to if to is not None else root / "splits" / called
    if not dry_run:
        write(manifest, inner, folder)
    lacking = len(folds.patients) - manifest.body["strategy"]["n_in_store"]
    if lacking:
        out.note(f"{counted(lacking, 'patient')} of {len(folds.patients):,} in the folds are not in the store")
    wrote = "would be written to" if dry_run else "written to"
    out.result(summary(manifest, folder), lambda: show_split(out, manifest, f"{wrote} {folder}"))
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
    out.result(body, lambda: out.print(check_table(results)))
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
            out.print(check_table(checks))

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
    out.result(summary(manifest, folder), lambda: show_split(out, manifest, str(folder)))


def _spec(root: Path, store: Any, name: str | None) -> tuple[SplitSpec, list[str]]:
    """Return the split that params.yaml asks for, or one that the data can bear and why."""
    from omicstore.splits import SplitSpec, default_split

    section, reasons = read_section(root, "split"), []
    if section is None:
        section, chosen = default_split(store)
        reasons = ["params.yaml has no section split, so one was chosen:", *chosen]
    return SplitSpec.from_params(section | ({"name": name} if name is not None else {})), reasons


def _folder(split: str | None) -> Path:
    """Return the folder of a split, by its path or its name in the study; names those that are there."""
    if split is not None and (given := Path(split)).exists():
        return given if given.is_dir() else given.parent  # one of its files
    root = find_study()
    name = str((read_section(root, "split") or {}).get("name", "default")) if split is None else split
    folder = root / "splits" / name
    if folder.is_dir():
        return folder
    there = [p.parent.relative_to(root / "splits").as_posix() for p in (root / "splits").rglob("manifest.json")]
    raise SplitError(
        f"there is no split {name!r}" + (f"; there are {', '.join(sorted(there))}" if there else ""),
        expected=f"{folder / 'manifest.json'}, or the path of another split",
        run="omicstore split make",
    )
