"""``omicstore retract``: say that a release or a patient must not be used any more.

With --json one object: kind (release or patient), release or patient, name, reason, replaced_by, new, written; with
--undo also restored (the reason to take it back).
"""

from __future__ import annotations

from typing import Annotated

import typer

from omicstore.cli.common import DryRun, Output, StoreOption, command, find_store
from omicstore.cli.release import now
from omicstore.errors import UsageError


@command()
def retract(
    out: Output,
    *,
    what: Annotated[str, typer.Argument(metavar="RELEASE|PATIENT", help="A release's name or id, or a patient.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown wherever it is used.")],
    replaced_by: Annotated[
        str | None, typer.Option("--replaced-by", metavar="NAME", help="What to use instead.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the retraction back.")] = False,
    store: StoreOption = None,
    dry_run: DryRun = False,
) -> None:
    r"""Say that a release or a patient must not be used any more.

    Nothing is deleted: query, export, info, split check and audit of what is retracted warn, with the reason. A
    patient's numbers stay until the study is built from sources without them.

    \b
    Examples:
      omicstore retract v1.0 --reason "BRCA's rna was in log2" --replaced-by v1.1
      omicstore retract TCGA-AB-2803 --reason "consent withdrawn"
      omicstore retract TCGA-AB-2803 --undo --reason "consent was renewed"
    """
    import omicstore
    from omicstore.releases import restore
    from omicstore.releases import retract as retract_it

    if undo:
        if replaced_by is not None:
            raise UsageError("--undo and --replaced-by are both given", expected="one of them")
        with omicstore.open(find_store(store)) as opened:
            back = restore(opened, what, reason=reason, date=now(), dry_run=dry_run)
        body = {**back.to_json(), "new": False, "written": not dry_run, "restored": reason.strip()}
        said = f"{back.kind} {back.name} is no longer retracted: {reason.strip()}"
        out.result(body, lambda: out.text(f"would be: {said}" if dry_run else said))
        return
    with omicstore.open(find_store(store)) as opened:
        found, new = retract_it(
            opened, what, reason=reason, date=now(), replaced_by=replaced_by, dry_run=dry_run
        )  # fmt: skip
    body = {**found.to_json(), "new": new, "written": new and not dry_run}
    said = found.sentence if new else f"{found.sentence}; it was before"
    out.result(body, lambda: out.text(f"would be: {said}" if dry_run and new else said))
    if found.kind == "patient":
        out.note("its numbers stay in the store and in every release; queries that find it say that it is retracted")
        out.note(
            "to take it out: remove its rows from the sources that `omicstore ids "
            f"{found.what}` names, then omicstore build and omicstore release"
        )
