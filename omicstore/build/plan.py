"""What each cohort is made of: ``plan/<cohort>.json``.

A plan holds the sources, references and sample rules of one cohort with the content hash of every file. Its bytes
change only when something that the cohort depends on does, so DVC rebuilds that cohort and no other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omicstore.build.files import FileHashes
from omicstore.errors import StudyError, UnknownNameError
from omicstore.files import canonical_json, write_if_changed
from omicstore.paths import below, relative
from omicstore.sources import FollowUp, Reference, Sampling, Source, Study, load_study

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BUILD_FORMAT", "Planned", "load_plan", "plan", "plan_digest"]

#: Raised when a change of the code changes what a build makes of the same files, so that DVC builds again.
BUILD_FORMAT = "omicstore.plan/2"


class Planned:
    """A cohort's plan, read back: the study as this cohort sees it, the hash and size of its files, its own hash."""

    def __init__(self, study: Study, hashes: dict[Path, tuple[str, int]], digest: str) -> None:
        self.study, self._hashes, self.digest = study, hashes, digest

    def sha256(self, source: Source) -> str:
        """Return the content hash of a source."""
        return self._hashes[source.path][0]

    def bytes(self, source: Source) -> int:
        """Return the size of a source in bytes."""
        return self._hashes[source.path][1]

    def encoder_sha256(self, source: Source) -> str | None:
        """Return the content hash of the folder of a source's encoder; None if it has none."""
        return self._hashes.get(Path(source.encoder or ""), (None, 0))[0]


def plan(root: Path) -> dict[str, bool]:
    """Write ``plan/<cohort>.json`` for every cohort of the study at `root`.

    Parameters
    ----------
    root
        The study's folder, which holds params.yaml.

    Returns
    -------
    dict
        Cohort to whether its plan changed.
    """
    study = load_study(root / "params.yaml")
    hashes = FileHashes(root / ".omicstore" / "hashes.json")
    changed = {}
    for cohort in study.cohorts:
        body = _body(study, cohort, root, hashes.describe)
        changed[cohort] = write_if_changed(root / "plan" / f"{cohort}.json", canonical_json(body))
    for stale in (root / "plan").glob("*.json"):
        if stale.stem not in study.cohorts:
            stale.unlink()
    hashes.save()
    return changed


def load_plan(root: Path, cohort: str) -> Planned:
    """Read a cohort's plan.

    Raises
    ------
    UnknownNameError
        If there is no plan for the cohort; names the nearest ones.
    StudyError
        If a file has changed since the plan was made.
    """
    path = root / "plan" / f"{cohort}.json"
    if not path.is_file():
        known = sorted(p.stem for p in (root / "plan").glob("*.json"))
        raise UnknownNameError(
            "cohort", cohort, known, run="omicstore plan, after naming it in study.cohorts of params.yaml"
        )
    body = json.loads(path.read_text(encoding="utf-8"))
    hashes: dict[Path, tuple[str, int]] = {}
    now = FileHashes(root / ".omicstore" / "hashes.json")

    def located(entry: dict[str, Any]) -> Path:
        file = below(root, entry.pop("path"))
        found = now.describe(file)
        if found[0] != entry.pop("sha256") or found[1] != entry.pop("bytes"):
            raise StudyError(
                f"{file} changed since the plan was made",
                expected="the file as planned",
                run="omicstore plan, or dvc repro",
            )
        hashes[file] = found
        return file

    def source(entry: dict[str, Any]) -> Source:
        file = located(entry)
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
        if isinstance(values["encoder"], dict):
            folder = located(values["encoder"])
            hashes[folder.absolute()] = hashes[folder]
            values["encoder"] = str(folder.absolute())
        values["outcomes"] = {endpoint: FollowUp(**columns) for endpoint, columns in values["outcomes"].items()}
        return Source(path=file, **values)

    sources = tuple(source(s) for s in body["sources"])
    references = tuple(Reference(path=located(r), **r) for r in body["references"])
    samples = body["samples"]
    if samples is not None and samples.get("path"):
        samples["path"] = located(samples["path"])
    study = Study(
        dataset=body["dataset"],
        cohorts=(cohort,),
        sources=sources,
        references=references,
        samples=Sampling(**samples) if samples is not None else None,
        simulated=body["simulated"],
        root=root,
    )
    return Planned(study, hashes, plan_digest(root, cohort))


def plan_digest(root: Path, cohort: str) -> str:
    """Return the sha256 (hex) of a cohort's plan."""
    return hashlib.sha256((root / "plan" / f"{cohort}.json").read_bytes()).hexdigest()


def _body(study: Study, cohort: str, root: Path, describe: Callable[[Path], tuple[str, int]]) -> dict[str, Any]:
    def file(path: Path) -> dict[str, Any]:
        sha, size = describe(path)
        return {"path": relative(path, root), "sha256": sha, "bytes": size}

    samples = None
    if study.samples is not None:
        samples = asdict(study.samples)
        samples["path"] = file(study.samples.path) if study.samples.path else None

    def source(source: Source) -> dict[str, Any]:
        values = {k: v for k, v in asdict(source).items() if k != "sha256"} | file(source.path)
        if source.encoder is not None and Path(source.encoder).is_absolute():  # a folder, which the features depend on
            values["encoder"] = file(Path(source.encoder))
        return values

    own = [source(s) for s in study.sources_of(cohort)]
    for each in study.sources_of(cohort):
        if each.sha256 and describe(each.path)[0] != each.sha256.lower():
            raise StudyError(
                f"{each.path} has sha256 {describe(each.path)[0]}",
                expected=f"{each.sha256}, as study.sources says",
                run="fetch the file again",
            )
    return {
        "format": BUILD_FORMAT,
        "cohort": cohort,
        "dataset": study.dataset,
        "simulated": study.simulated,
        "sources": own,
        "references": [asdict(r) | file(r.path) for r in study.references],
        "samples": samples,
    }
