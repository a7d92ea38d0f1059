"""``omicstore sources``: what upstream files are, and a study section to start from.

With --json one object: files (a list: path, kind, format, modality, unit, orientation, features, profiles, cohort,
n_samples, parts, keys, unsure (field to what would settle it), notes, reason), study (the section, or null) and
warnings (sentences). ``kind`` is source, reference, other, unknown or damaged.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import DryRun, Output, command, counted, find_study
from omicstore.errors import StudyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from omicstore.recognise import Finding, Section

#: The doubts of a field that are shown one by one; more are counted.
_NAMES = 2


@command(warns=True)
def sources(
    out: Output,
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, or folders to look through.")],
    references: Annotated[
        list[Path] | None,
        typer.Option("--references", metavar="FILE", help="A table of tissue source sites, which tells cohorts."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the study section to a file.")] = None,
    dry_run: DryRun = False,
) -> None:
    r"""Tell what files are, from their first part, and print a study section to start from.

    What is unsure is marked with ? and ends in exit code 3. A folder that is one source (a cBioPortal study, files of
    the GDC, patches of slides) is told as a whole; others are looked through.

    \b
    Example:
      omicstore sources downloads/*.gz --out study.yaml
      omicstore init my-study --sources study.yaml
    """
    from omicstore.recognise import make_section, section_text, survey

    findings = survey(files, references or (), _study())
    section = make_section(findings, to.parent if to is not None else Path())
    warnings = _warnings(findings, section)
    written = _written(to, section_text(section)) if section is not None else False
    body = {
        "files": [_json(finding) for finding in findings],
        "study": section.body if section is not None else None,
        "warnings": warnings,
    }
    out.result(body, lambda: _show(out, findings, section, printed=to is None))
    for warning in warnings:
        out.warn(warning)
    if to is not None and section is not None:
        _write(out, to, section_text(section), same=written, dry_run=dry_run)
    damaged = [finding for finding in findings if finding.kind == "damaged"]
    for finding in damaged:
        out.messages.print(f"error: {finding.reason}", soft_wrap=True)
    if to is not None and section is None:
        raise StudyError("no source is among these files", expected="at least one file that a study can have")
    if damaged:
        raise typer.Exit(1)


def _study() -> Path | None:
    try:
        return find_study()
    except StudyError:
        return None


def _written(to: Path | None, text: str) -> bool:
    """Whether the file to write is there and is the same.

    Raises
    ------
    UsageError
        If it is there and is another.
    """
    if to is None:
        return False
    if not to.exists():
        return False
    if not to.is_file() or to.read_bytes() != text.encode():
        raise UsageError(f"{to} exists already", expected="a file that is not there yet", run="choose another name")
    return True


def _write(out: Output, to: Path, text: str, *, same: bool, dry_run: bool) -> None:
    out.stop_if_strict()
    if not (same or dry_run):
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(text.encode())
    what = f"{to} is as it would be written" if same else f"{'Would write' if dry_run else 'Wrote'} {to}"
    out.note(f"{what}. Next: look at what is marked with ?, then omicstore init DIR --sources {to}")


def _warnings(findings: Sequence[Finding], section: Section | None) -> list[str]:
    unsure = [f for f in findings if f.unsure]
    count = sum(len(f.unsure) for f in unsure)
    found = [] if findings else ["there is no file"]
    if unsure:
        found.append(
            f"{count:,} {'guess' if count == 1 else 'guesses'} in {counted(len(unsure), 'file')}, marked with ?:"
            " check them before a build"
        )
    if section is not None and section.left_out:
        left = counted(len(section.left_out), "source")
        found.append(f"{left} left out of the study section, whose last comments say why")
    return found


def _json(finding: Finding) -> dict[str, Any]:
    return {
        "path": str(finding.path),
        "kind": finding.kind,
        "format": finding.format,
        "modality": finding.modality,
        "unit": finding.unit,
        "orientation": finding.orientation,
        "features": finding.features,
        "profiles": finding.profiles,
        "cohort": finding.cohort,
        "n_samples": finding.n_samples,
        "reference": finding.reference,
        "keys": finding.keys,
        "parts": [{"modality": p.modality, "unit": p.unit, "part": p.part} for p in finding.parts],
        "unsure": finding.unsure,
        "notes": finding.notes,
        "reason": finding.reason,
    }


def _show(out: Output, findings: Sequence[Finding], section: Section | None, *, printed: bool) -> None:
    from omicstore.recognise import section_text

    known = [f for f in findings if f.kind in ("source", "reference")]
    names = _names(findings)
    if known:
        _tables(out, known, names)
    rest = [f for f in findings if f.kind in ("other", "unknown")]
    if rest:
        out.text()
        out.text("not a source:", style="bold")
        _list(out, [(names[f.path], f.reason + (" ?" if f.kind == "unknown" else "")) for f in rest], show=3)
    doubts = [(names[f.path], f"{key}: {why}") for f in known for key, why in f.unsure.items()]
    if doubts:
        out.text()
        out.text("unsure, and what would settle it:", style="bold")
        _list(out, doubts, show=_NAMES)
    notes = [(names[f.path], note) for f in known for note in f.notes]
    if notes:
        out.text()
        _list(out, notes, show=_NAMES)
    if section is not None and printed:
        out.text()
        out.text("# a study section to start from (--out FILE writes it)", style="dim")
        for line in section_text(section).splitlines():
            out.text(line)


def _list(out: Output, pairs: Iterable[tuple[str, str]], *, show: int) -> None:
    """Print what is said of files, each saying once with the files that it is true of."""
    by_text: dict[str, list[str]] = {}
    for name, text in pairs:
        by_text.setdefault(text, []).append(name)
    for text, names in by_text.items():
        more = len(names) - show
        shown = ", ".join(names if more <= 1 else names[:show]) + (f" and {more} more" if more > 1 else "")
        for line in textwrap.wrap(
            f"{shown}: {text}", out.console.width - 1, initial_indent="  ", subsequent_indent="    "
        ):
            out.text(line)


def _names(findings: Sequence[Finding]) -> dict[Path, str]:
    """Return the paths as a table shows them: without the folders that all of them lie in."""
    paths = [finding.path for finding in findings]
    folders = [path.parent.parts for path in paths]
    shared = 0
    while folders and all(len(f) > shared and f[shared] == folders[0][shared] for f in folders):
        shared += 1
    return {path: Path(*path.parts[shared:]).as_posix() for path in paths}


def _tables(out: Output, findings: Sequence[Finding], names: dict[Path, str]) -> None:
    """Print a table for each folder, all with the same columns: as many as the terminal is wide."""
    from rich.table import Table

    rows = [_row(found, Path(names[found.path]).name) for found in findings]
    heads = [name for name in _COLUMNS if name in _ALWAYS or any(row[name] for row in rows)]
    width = {name: max(len(name), *(len(line) for row in rows for line in row[name].split("\n"))) + 2 for name in heads}
    for name in reversed(_COLUMNS):
        if name not in _ALWAYS and name in heads and sum(width[n] for n in heads) - 2 > out.console.width:
            heads.remove(name)
    # What still does not fit is taken from the names of the files, which fold.
    rest = out.console.width - sum(width[n] for n in heads if n != "file") + 2
    width["file"] = min(width["file"], max(rest, 14))
    folders = [Path(names[found.path]).parent.as_posix() for found in findings]
    for folder in dict.fromkeys(folders):
        first = folder == folders[0]
        table = Table(box=None, pad_edge=False, show_header=first, header_style="bold", padding=(0, 2, 0, 0))
        for name in heads:
            right = "right" if name == "samples" else "left"
            size = max(1, width[name] - 2)
            table.add_column(name, overflow="fold", justify=right, width=size)  # type: ignore[arg-type]
        for row, place in zip(rows, folders, strict=True):
            if place == folder:
                table.add_row(*(row[name] for name in heads))
        if len(set(folders)) > 1:
            out.text(f"{'' if first else chr(10)}{folder}/", style="dim")
        out.print(table)


#: In the order of the table; where the terminal is narrow, those not in `_ALWAYS` go, the last first.
_COLUMNS = ("file", "format", "modality", "unit", "cohort", "samples in", "samples", "features", "profiles")
_ALWAYS = frozenset(_COLUMNS[:5])


def _row(found: Finding, name: str) -> dict[str, str]:
    modality, unit = found.modality or found.reference, found.unit
    if measured := [part for part in found.parts if part.modality]:
        modality = "\n".join(part.modality or "" for part in measured)
        unit = "\n".join(part.unit or "" for part in measured)
    if found.reference is not None:
        unit = found.keys.get("platform")
    samples_in = {"features_in_rows": "columns", "features_in_columns": "rows"}.get(found.orientation or "")
    return {
        "file": name + ("/" if found.path.is_dir() else ""),
        "format": _cell(found, "format", found.format),
        "modality": _cell(found, "modality", modality),
        "unit": _cell(found, "unit", unit),
        "cohort": _cell(found, "cohort", found.cohort),
        "samples in": _cell(found, "orientation", samples_in),
        "samples": f"{found.n_samples:,}" if found.n_samples else "",
        "features": found.features or "",
        "profiles": found.profiles or "",
    }


def _cell(found: Finding, key: str, value: str | None) -> str:
    unsure = key in found.unsure or (key == "unit" and found.reference is not None and "platform" in found.unsure)
    return f"{value or ''}{' ?' if unsure else ''}"
