"""``omicstore validate``: judge a store and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, StoreOption, command, find_store, find_study
from omicstore.errors import ValidationFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: So many offenders of a check are named on the terminal; the report names more.
_SHOWN = 3


@command()
def validate(
    out: Output,
    *,
    store: StoreOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write; reports/ of the study where absent."),
    ] = None,
) -> None:
    """Check a store; write reports/validation.json and reports/validation.html.

    Exit code 1 says that a check failed that is an error; the report is written nevertheless. Warnings are in the
    report and fail only with --strict.
    """
    import omicstore
    from validation.report import check_store, offenders, write_report

    place = find_store(store)
    if folder is None:
        folder = find_study() / "reports" if store is None else Path("reports")
    with omicstore.open(place) as opened:
        n_matrices = sum(len(matrices) for matrices in opened.body["matrices"].values())
        with out.progress("reading matrices", n_matrices) as advance:
            body = check_store(opened, advance=advance)
    json_path, html_path = write_report(body, folder)
    broken = {status: [c for c in body["checks"] if c["status"] == status] for status in ("error", "warning")}
    first = {check["id"]: offenders(body, check["id"], _SHOWN) for found in broken.values() for check in found}
    brief = {
        **{name: body[name] for name in ("release", "dataset", "simulated", "passed", "n_checks")},
        "errors": [_brief(check, first) for check in broken["error"]],
        "warnings": [_brief(check, first) for check in broken["warning"]],
        "report": {"json": str(json_path), "html": str(html_path)},
    }
    out.result(brief, lambda: _show(out, brief))
    if broken["warning"]:
        plural = "check has a warning" if len(broken["warning"]) == 1 else "checks have warnings"
        out.warn(f"{len(broken['warning'])} {plural}; see {html_path}")
    if broken["error"]:
        raise ValidationFailedError(
            f"the store fails {len(broken['error'])} of {len(body['checks'])} checks",
            expected="; ".join(f"{check['title']}, but found {first[check['id']][0]}" for check in broken["error"]),
            run=f"read {html_path}, which names all offenders and says what to do",
        )


def _brief(check: Mapping[str, Any], first: Mapping[str, list[str]]) -> dict[str, Any]:
    facts = {name: check[name] for name in ("id", "title", "failed", "examined", "mend")}
    return {**facts, "offenders": first[check["id"]]}


def _show(out: Output, brief: Mapping[str, Any]) -> None:
    n = brief["n_checks"]
    if brief["simulated"]:
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    verdict = "passed" if brief["passed"] else "failed"
    out.text(
        f"{brief['dataset']}, release {brief['release'][:12]}: {verdict}. {n['error']} errors, "
        f"{n['warning']} warnings, {n['pass']} passed, {n['not checked']} not checked",
        style="bold",
    )
    for kind, sign, style in (("errors", "✕", "red"), ("warnings", "!", "yellow")):
        for check in brief[kind]:
            count = f"{check['failed']:,} of {check['examined']:,}"
            out.text(f"{sign} expected: {check['title']}; not so: {count}", style=style)
            for offender in check["offenders"]:
                out.text(f"    {offender}")
            if check["failed"] > len(check["offenders"]):
                out.text(f"    and {check['failed'] - len(check['offenders']):,} more")
            if kind == "errors":
                out.text(f"    {check['mend']}")
    out.text(f"Report: {brief['report']['html']}")
