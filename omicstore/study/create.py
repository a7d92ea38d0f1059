"""Make a new study's folder, ready for ``dvc repro``."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from omicstore.errors import OmicstoreError, StudyError, UsageError
from omicstore.files import write_if_changed
from omicstore.paths import relative
from omicstore.sources import load_study
from omicstore.study.defaults import Defaults, choose_defaults, defaults_for

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["create_study", "dvc_yaml", "params_text"]

_IGNORED = "/raw/\n/store/\n/parts/\n/fetched/\n"

_UNTRACKED = """\
# Grows with every read of a test part, and outlives dvc repro and dvc checkout.
test_reads.jsonl
"""

_HEADER = """\
# The one knob of this study: `dvc repro` does the rest (see dvc.yaml for the stages).
"""

_COMMENTS = {
    "simulate": "The demo study: another seed gives another study, scale 2 gives twice the patients.",
    "study": "Which upstream file is what.",
    "split": "Whole sites go to one fold where there are enough of them, else whole patients, and no patient is split.",
    "train": """\
The model, what it reads, and the fold whose training rows it is fitted on.
To learn labels or survival on top of it, name heads (class; cox or discrete; by probe or finetune), such as
tune: {subtype: {task: subtype, head: class}, death: {task: OS, head: cox, how: finetune}}""",
    "evaluate": "What is reported on the test part, each beside trivial predictors and with an interval.",
}


def create_study(folder: Path, study_file: Path | None, *, dry_run: bool = False, repository: bool = True) -> Defaults:
    """Make `folder` a study: params.yaml, dvc.yaml, data/.gitignore, and a DVC repository.

    Parameters
    ----------
    folder
        Made if absent. It may hold other files, but no params.yaml.
    study_file
        A YAML file with a ``study`` section; its relative paths are rewritten. Without it, params.yaml gets an empty
        section to fill in.
    dry_run
        Look at the files and choose, and write nothing.
    repository
        Whether the folder becomes a DVC repository, which it cannot where Git ignores it.

    Returns
    -------
    Defaults
        The split, train and evaluate sections chosen, and why.

    Raises
    ------
    UsageError
        If the folder is a study already.
    StudyError
        If the study file is wrong or names a file that is not there.
    """
    params = folder / "params.yaml"
    if params.exists():
        raise UsageError(
            f"{params} exists already",
            expected="a folder without a study",
            run="choose another folder, or edit that params.yaml",
        )
    section, defaults = _section(folder, study_file)
    if dry_run:
        return defaults
    folder.mkdir(parents=True, exist_ok=True)
    write_if_changed(folder / "dvc.yaml", dvc_yaml().encode())
    write_if_changed(folder / "data" / ".gitignore", _IGNORED.encode())
    write_if_changed(folder / ".gitignore", b"/.omicstore/\n/plan/\n/artifacts/\n/reports/\n/splits/\n")
    write_if_changed(folder / ".dvcignore", _UNTRACKED.encode())
    defaults.pipeline = repository and _init_dvc(folder)
    # Last, because its presence is what makes the folder a study.
    write_if_changed(params, params_text({"study": section, **defaults.sections}, defaults.reasons).encode())
    return defaults


def _section(folder: Path, study_file: Path | None) -> tuple[dict[str, Any], Defaults]:
    if study_file is None:
        return {"dataset": folder.resolve().name, "cohorts": [], "references": {}, "sources": []}, defaults_for(
            [], has_outcome=False
        )
    study = load_study(study_file)
    paths = [s.path for s in study.sources] + [r.path for r in study.references]
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        raise StudyError(
            f"{len(absent)} files that {study_file} names are not there: {', '.join(absent[:5])}",
            expected="paths relative to the study file",
            run=f"correct them in {study_file}",
        )
    if idle := [cohort for cohort in study.cohorts if not study.sources_of(cohort)]:
        named = sorted({source.cohort for source in study.sources if source.cohort})
        raise StudyError(
            f"{study_file}: no source is of cohort {', '.join(idle)}; they are of {', '.join(named)}",
            expected="a source for every entry of study.cohorts",
            run=f"correct study.cohorts, or the cohort of a source, in {study_file}",
        )
    section = yaml.safe_load(study_file.read_text(encoding="utf-8"))["study"]
    for entry in _paths(section):
        for key in ("path", "encoder"):
            if key == "path" or (key in entry and (study_file.parent / entry[key]).is_dir()):
                entry[key] = relative((study_file.parent / entry[key]).resolve(), folder.resolve())
    section["cohorts"] = list(study.cohorts)
    section.setdefault("references", {})
    return section, choose_defaults(study)


def _paths(section: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield every mapping of the section that has a path."""
    yield from (s for s in section["sources"] if "path" in s)
    for entries in (section.get("references") or {}).values():
        yield from entries if isinstance(entries, list) else [entries]
    if "path" in (section.get("samples") or {}):
        yield section["samples"]


def dvc_yaml(*, simulated: bool = False) -> str:
    """Return the text of dvc.yaml.

    If `simulated`, with the stage that makes the demo study's files in front, and with the price list at the end, which
    trains the model a dozen times: other studies run ``omicstore price`` when they want it.
    """
    here = resources.files("omicstore.study")
    text, first, last = (
        here.joinpath(f"{name}.yaml").read_text(encoding="utf-8") for name in ("stages", "simulate", "price")
    )
    if simulated:
        text = text.replace("stages:\n", f"stages:\n{first}\n", 1).replace("\nplots:\n", f"\n{last}\nplots:\n", 1)
        text = text.replace("    always_changed: true\n", "    always_changed: true\n    deps:\n      - data/raw\n", 1)
    return text


def params_text(sections: dict[str, Any], reasons: dict[str, list[str]]) -> str:
    """Return params.yaml: each section under a comment that says what it decides and why it is as it is."""
    parts = [_HEADER]
    for name, section in sections.items():
        lines = [f"# {line}" for line in [*_COMMENTS[name].splitlines(), *reasons.get(name, [])]]
        body = yaml.safe_dump({name: section}, sort_keys=False, width=200, allow_unicode=True, default_flow_style=None)
        parts.append("\n".join(lines) + "\n" + body)
    return "\n".join(parts)


def _init_dvc(folder: Path) -> bool:
    """Make the folder a DVC repository, and return whether it is one: without DVC, ``omicstore build`` still works."""
    if (folder / ".dvc").is_dir():
        return True
    if find_spec("dvc") is None:
        return False
    command = [sys.executable, "-m", "dvc", "init", "--quiet"]
    inside = (
        subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=folder, capture_output=True, text=True, check=False)
        if _has_git()
        else None
    )
    if inside is None or inside.returncode != 0:
        command.append("--no-scm")
    elif Path(inside.stdout.strip()).resolve() != folder.resolve():
        command.append("--subdir")
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
    )
    if done.returncode != 0:
        raise OmicstoreError(
            f"dvc init failed in {folder}: {' '.join(done.stderr.split())}", run=f"cd {folder} && dvc init"
        )
    return True


def _has_git() -> bool:
    import shutil

    return shutil.which("git") is not None
