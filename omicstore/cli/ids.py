"""``omicstore ids``: what became of an identifier, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, ReleaseOption, StoreOption, StudyMissingError, command, find_store, find_study
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.explain.trace import Tracer
    from omicstore.harmonize.references import References
    from omicstore.sources import Study


@command()
def ids(
    out: Output,
    *,
    names: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Barcodes, sample or patient ids, genes, probes, ...")
    ],
    store: StoreOption = None,
    release: ReleaseOption = None,
) -> None:
    r"""Say what became of an identifier, and why.

    Tells what its form says, looks among patients, samples and profiles (chosen or not, and why not), the features of
    every matrix, what was dropped from the source files, and the study's references. Without a store or a study it
    tells what it can. Exit code 1: one of them was found nowhere.

    \b
    Example:
      omicstore ids TCGA-BH-A18V-01 TP53 7157 cg00000292 HER2_pY1248-R-C C00031
    """
    import omicstore
    from omicstore.explain.trace import Tracer

    asked = {name: name.strip(" \t\r\n'\"") for name in names}
    if not all(asked.values()):
        raise UsageError("an identifier is empty", expected="a barcode, a gene or a probe")
    place = store or _nearest()
    if place is None and release is not None:
        raise UsageError(
            f"release {release} is asked for, and there is no store here", expected="a store", run="--store PATH"
        )
    if place is None:
        out.note("there is no store here, so only names and references are looked at")
        tracer = Tracer(None, *_study(out))
        found = {name: tracer.trace(plain) for name, plain in asked.items()}
    else:
        with omicstore.open(place, release=release) as opened:
            tracer = Tracer(opened, *_study(out))
            found = {name: tracer.trace(plain) for name, plain in asked.items()}
    near = {name: tracer.nearest(plain) for name, plain in asked.items() if not found[name]}
    out.result({"ids": found} | ({"nearest": near} if near else {}), lambda: _show(out, found, near, tracer))
    if not all(tracer.is_known(findings) for findings in found.values()):
        raise typer.Exit(1)


def _nearest() -> str | None:
    """Return the store of the study here or above, or None where there is no study or it has no store yet."""
    from pathlib import Path

    try:
        place = find_store(None)
    except StudyMissingError:
        return None
    return place if (Path(place) / "store.json").is_file() else None


def _study(out: Output) -> tuple[Study | None, References | None]:
    """Return the study here or above and its references; None where there is none, or it cannot be read."""
    from omicstore.errors import OmicstoreError
    from omicstore.harmonize.references import References
    from omicstore.sources import load_study

    try:
        study = load_study(find_study() / "params.yaml")
    except StudyMissingError:
        return None, None
    except OmicstoreError as error:
        out.note(f"without the study's references: {error}")
        return None, None
    return study, References.load(study)


def _show(
    out: Output, found: Mapping[str, list[dict[str, Any]]], near: Mapping[str, list[str]], tracer: Tracer
) -> None:
    looked = "not in the store, and not among the names kept of what was dropped"
    if tracer.store is None:
        looked = "its form says nothing, and there is no store here"
    for name, findings in found.items():
        out.text(name, style="bold")
        for finding in findings:
            for line in _lines(finding["text"], out):
                out.text(line)
        if not findings:
            out.text(f"  found nowhere: {looked}")
            if near.get(name):
                out.text(f"  the nearest names: {', '.join(near[name])}")


def _lines(text: str, out: Output) -> list[str]:
    """Return a finding in lines of the terminal; one line where it is no terminal, for grep."""
    import textwrap

    if not out.console.is_terminal:
        return [f"  {text}"]
    return textwrap.wrap(text, max(out.console.width, 40), initial_indent="  ", subsequent_indent="    ")
