"""``omicstore plan``, ``build`` and ``assemble``: the stages from source files to a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.common import DryRun, Output, command, counted, find_study

if TYPE_CHECKING:
    from omicstore.sources import Study


@command()
def plan(out: Output, *, dry_run: DryRun = False) -> None:
    """Say what each cohort is made of: plan/<cohort>.json, by content hash."""
    from omicstore.build.plan import plan as make_plan

    if dry_run:
        _would(out, "would_plan", "plan")
        return
    with out.progress("hashing the sources"):
        changed = make_plan(find_study())
    new = [cohort for cohort, is_new in changed.items() if is_new]
    out.result(
        {"cohorts": list(changed), "changed": new},
        lambda: out.text(f"{counted(len(changed), 'cohort')} planned; changed: {', '.join(new) if new else 'none'}"),
    )


@command()
def build(
    out: Output,
    *,
    cohort: Annotated[str | None, typer.Argument(metavar="COHORT", help="One planned cohort.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Build one planned cohort; without COHORT, plan, build what changed, and assemble the store."""
    from omicstore.build.cohort import build_cohort
    from omicstore.build.plan import load_plan
    from omicstore.build.store import build_study

    root = find_study()
    if dry_run:
        _would(out, "would_build", "build", None if cohort is None else load_plan(root, cohort.upper()).study)
        return
    if cohort is None:
        release = build_study(root, out.note)
        out.result({"release": release}, lambda: out.text(f"release {release}"))
        return
    with out.progress(f"building {cohort.upper()}"):
        body = build_cohort(root, cohort)
    out.result(body, lambda: _show_cohort(out, body))


@command()
def assemble(out: Output, *, dry_run: DryRun = False) -> None:
    """Join the built cohorts into one store: catalogue, index and store.json."""
    from omicstore.build.store import assemble_study

    if dry_run:
        _would(out, "would_assemble", "assemble")
        return
    with out.progress("assembling"):
        release = assemble_study(find_study())
    out.result({"release": release}, lambda: out.text(f"release {release}"))


def _would(out: Output, key: str, verb: str, study: Study | None = None) -> None:
    """Say which cohorts a command would be about, and from how many files."""
    from omicstore.sources import load_study

    study = study or load_study(find_study() / "params.yaml")
    files = [str(source.path) for source in study.sources]
    out.result(
        {key: list(study.cohorts), "files": files},
        lambda: out.text(f"would {verb} {', '.join(study.cohorts)} from {counted(len(files), 'file')}"),
    )


def _show_cohort(out: Output, body: dict[str, object]) -> None:
    from typing import cast

    matrices = cast("dict[str, dict[str, object]]", body["matrices"])
    parts = [f"{m} {v['n_profiles']} x {v['n_features']} {v['unit']}" for m, v in matrices.items()]
    out.text(f"{body['cohort']}: {', '.join(parts) if parts else 'no matrices'}")
