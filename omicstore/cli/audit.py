"""``omicstore audit``: check a split or a trained model for leaks, from its files.

With --json one object: format (``omicstore.audit/1``), target, release, split, folds, model, ok, and findings, each
with id, what, status, severity, how and evidence.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, StoreOption, command, find_study
from omicstore.errors import OmicstoreError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from omicstore.audit import Audit

_STYLES = {"pass": "green", "FAIL": "red", "warning": "yellow", "waived": "yellow", "not made": "dim"}

#: What is no split and no trained model, by a file in its folder: what it is, and what to run.
_OTHERS = {
    "store.json": ("a store", "omicstore validate, or audit a split or a model of it with --store"),
    "params.yaml": ("a study", "omicstore audit with the name of a split or a model in it"),
    "evaluation.json": ("an evaluation", "omicstore audit artifacts/MODEL, which checks it with its model"),
}

_EXPECTED = "a split (splits/NAME) or a trained model (artifacts/MODEL)"


@command(warns=True)
def audit(
    out: Output,
    *,
    target: Annotated[
        str, typer.Argument(metavar="CHECKPOINT|MANIFEST", help="A trained model or a split: its folder, file or name.")
    ],
    store: StoreOption = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="ID,ID", help="Only these checks: L1 to L13, release, split, ...")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write what was found as an HTML file too.")
    ] = None,
) -> None:
    r"""Check a split or a trained model for leaks, from its files.

    Follows the chain from the store's numbers over split, fitted state and weights to the metric, looks for the leaks
    L1 to L13, and shares no code with what wrote the files. Exit code 1 if a check fails, 3 if one only warns.

    \b
    Examples:
      omicstore audit artifacts/aro
      omicstore audit default --only L3,L8 --json
      omicstore audit splits/default/manifest.json --store /data/store --html audit.html
    """
    from omicstore.audit import audit as run
    from omicstore.audit.html import to_html
    from omicstore.files import write_bytes
    from omicstore.progress import task

    if html is not None and html.is_dir():
        raise UsageError(f"--html {html} is a folder", expected="a file to write", run=f"--html {html / 'audit.html'}")
    checks, place = _checks(only), _target(target)
    with task("auditing", len(checks), "checks") as advance, ExitStack() as current:

        def tell(name: str) -> None:
            current.close()  # the check before is done
            current.enter_context(task(name))
            current.callback(advance)

        found = run(place, _store(store), checks, tell)
    if html is not None:
        write_bytes(html, to_html(found).encode())
    out.result(found.to_json(), lambda: _show(out, found))
    if html is not None:
        out.note(f"written to {html}")
    for finding in found.findings:
        if finding.status == "waived" or finding in found.warnings:
            out.warn(f"{finding.id}: {finding.found or finding.how}")
    for finding in found.failures:
        out.messages.print(f"error: {finding.id}: {finding.found}", style="red", soft_wrap=True)
    if found.failures:
        raise typer.Exit(1)


def _checks(only: str | None) -> list[str]:
    """Return the asked checks; the nearest ones are named where there is none of a name."""
    from omicstore.audit.run import CHECKS

    if only is None:
        return list(CHECKS)
    by_fold = {name.casefold(): name for name in CHECKS}
    asked = [name.strip() for name in only.split(",") if name.strip()]
    if not asked:
        raise UsageError("--only names nothing", expected="checks, such as L1,L13", run="leave it out to make all")
    for name in asked:
        if name.casefold() not in by_fold:
            raise UnknownNameError("check", name, CHECKS, run=f"choose from {', '.join(CHECKS)}")
    return [by_fold[name.casefold()] for name in asked]


def _store(store: str | None) -> Path | None:
    if store is None:
        return None
    if "://" in store:
        raise UsageError(f"--store {store} is not on this machine", expected="a folder", run="omicstore pull it first")
    return Path(store)


def _target(given: str) -> Path:
    """Return the split or the trained model that a path or a name means.

    Raises
    ------
    UsageError
        If it is something else; says what.
    UnknownNameError
        If there is none; names the nearest ones.
    """
    path = Path(given)
    if path.exists():
        return _known(path)
    root = find_study()
    named = {
        **{p.parent.relative_to(root / "splits").as_posix(): p.parent for p in _split_manifests(root)},
        **{p.parent.name: p.parent for p in sorted((root / "artifacts").glob("*/sidecar.json"))},
    }
    if given not in named:
        raise UnknownNameError("split or trained model", given, named, run="omicstore split make, or omicstore train")
    return named[given]


def _split_manifests(root: Path) -> list[Path]:
    return sorted((root / "splits").rglob("manifest.json"))


def _known(path: Path) -> Path:
    """Return an existing path, if it is a split or a trained model, or a file of one."""
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name in _OTHERS:
        raise _other(path, path.name)
    for above in (folder, *folder.absolute().parents[:2]):
        if (above / "sidecar.json").is_file():
            return above  # a state lies two folders below its model
    if not (folder / "manifest.json").is_file():
        other = next((name for name in _OTHERS if (folder / name).is_file()), None)
        raise _other(path, other) if other else UsageError(f"{path} is neither a split nor a model", expected=_EXPECTED)
    try:
        said = json.loads((folder / "manifest.json").read_bytes())
        kind = said.get("format") if isinstance(said, dict) else None
    except (OSError, ValueError):
        kind = None  # a broken manifest is for the audit to find
    if isinstance(kind, str) and not kind.startswith("omicstore.split/"):
        what = kind.removeprefix("omicstore.").split("/")[0]
        article = "an" if what[:1] in "aeiou" else "a"
        raise UsageError(f"{path} is {article} {what} ({kind})", expected=_EXPECTED, run="omicstore audit NAME")
    return folder


def _other(path: Path, name: str) -> OmicstoreError:
    what, run = _OTHERS[name]
    return UsageError(f"{path} is {what}", expected=_EXPECTED, run=run)


def _show(out: Output, found: Audit) -> None:
    from omicstore.audit.render import checked, details, title

    out.text(title(found), style="bold")
    for finding in [*found.failures, *found.warnings]:
        failed = finding.severity == "error"
        out.text()
        out.text(f"{'FAIL' if failed else 'warning'} {finding.id}: {finding.what}", style="red" if failed else "yellow")
        for sentence in details(finding):
            out.text(f"  {sentence}")
        out.text(f"  how: {finding.how}", style="dim")
    out.text()
    out.print(_table(found))
    out.text()
    out.text(checked(found))


def _table(found: Audit) -> Any:
    from rich.table import Table
    from rich.text import Text

    from omicstore.audit.render import said, status

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("id", no_wrap=True)
    table.add_column("what", overflow="fold", ratio=2)
    table.add_column("status", no_wrap=True)
    table.add_column("evidence", overflow="fold", ratio=3)
    for finding in found.findings:
        word = status(finding)
        table.add_row(finding.id, finding.what, Text(word, style=_STYLES[word]), said(finding))
    return table
