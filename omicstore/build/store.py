"""Assemble the cohorts of a study, and do all three stages at once where there is no DVC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from omicstore.build.cohort import PARTS, STORE, build_cohort
from omicstore.build.plan import plan
from omicstore.errors import StoreError
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
        If a cohort of the study has not been built.
    """
    from omicstore.store.writer import assemble

    study = load_study(root / "params.yaml")
    for cohort in study.cohorts:
        if not (root / PARTS / f"{cohort}.json").is_file():
            raise StoreError(
                f"cohort {cohort} has not been built",
                expected=f"{root / PARTS / cohort}.json",
                run=f"omicstore build {cohort}",
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
    changed = plan(root)
    for cohort, is_new in changed.items():
        part = root / PARTS / f"{cohort}.json"
        if not is_new and part.is_file() and _whole(root, part):
            say(f"{cohort}: unchanged")
            continue
        say(f"{cohort}: building")
        build_cohort(root, cohort)
    return assemble_study(root)


def _whole(root: Path, part: Path) -> bool:
    cohort_json = root / STORE / f"cohort={part.stem}" / "cohort.json"
    return cohort_json.is_file() and json.loads(cohort_json.read_text("utf-8")) == json.loads(part.read_text("utf-8"))
