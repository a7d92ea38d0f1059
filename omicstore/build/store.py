"""Assemble the cohorts of a study, and do all three stages at once where there is no DVC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from omicstore.build.cohort import PARTS, STORE, build_cohort
from omicstore.build.plan import plan, plan_digest
from omicstore.errors import StoreError
from omicstore.progress import task
from omicstore.sources import load_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["assemble_study", "build_study"]


def assemble_study(root: Path) -> str:
    """Join the built cohorts of the study at `root` into one store and return its release id.

    Raises
    ------
    StoreError
        If a cohort of the study has not been built from its plan.
    """
    from omicstore.store.writer import assemble

    study = load_study(root / "params.yaml")
    for cohort in study.cohorts:
        if not _is_built(root, cohort):
            raise StoreError(
                f"cohort {cohort} has not been built from its plan as it is now",
                expected=f"{PARTS / cohort}.json, with the hash of plan/{cohort}.json",
                run=f"omicstore plan && omicstore build {cohort}",
            )
    return assemble(root / STORE, study.cohorts, dataset=study.dataset, simulated=study.simulated)


def build_study(root: Path, say: Callable[[str], None]) -> str:
    """Plan, build what changed, and assemble; return the release id.

    Parameters
    ----------
    root
        The study's folder.
    say
        Called with a line before each cohort.
    """
    cohorts = plan(root)
    with task("building", len(cohorts), "cohorts") as advance:
        for cohort in cohorts:
            if _is_built(root, cohort):
                say(f"{cohort}: unchanged")
            else:
                say(f"{cohort}: building")
                build_cohort(root, cohort)
            advance()
    return assemble_study(root)


def _is_built(root: Path, cohort: str) -> bool:
    """Whether what lies in the store was built from the plan as it is now; a plan whose build failed is not built."""
    part, written = root / PARTS / f"{cohort}.json", root / STORE / f"cohort={cohort}" / "cohort.json"
    if not (part.is_file() and written.is_file() and (root / "plan" / f"{cohort}.json").is_file()):
        return False
    record = json.loads(part.read_text("utf-8"))
    return bool(record == {"plan": plan_digest(root, cohort), "cohort": json.loads(written.read_text("utf-8"))})
