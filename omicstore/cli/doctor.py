"""``omicstore doctor``: what is wrong with this study or this machine, and what mends it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from omicstore.cli.common import Output, StoreOption, command, counted, find_study
from omicstore.errors import OmicstoreError, StudyError
from omicstore.store.layout import part_of

if TYPE_CHECKING:
    from omicstore.store.reader import Store

#: Packages that only some commands need, and the extra that brings each.
EXTRAS = {
    "dvc": "pipeline",
    "great-expectations": "validate",
    "torch": "models",
    "lightning": "models",
    "mudata": "scverse",
}

#: What ends a Parquet file.
_MAGIC = b"PAR1"
_MEND = "omicstore pull, dvc checkout, or omicstore build"

#: A store is written beside the old one, so a full disk is met early.
LEAST_FREE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and what mends it where it is not well."""

    what: str
    well: bool
    found: str
    mend: str = ""


@command()
def doctor(out: Output, *, store: StoreOption = None) -> None:
    """Look for what is wrong here: packages, the study, DVC's locks, the disk, the store."""
    findings = [*_packages(), *_study(), _disk(), _store(store)]
    body = {
        "well": all(f.well for f in findings),
        "findings": [{"what": f.what, "well": f.well, "found": f.found, "mend": f.mend} for f in findings],
    }
    out.result(body, lambda: _show(out, findings))
    ill = [f.what for f in findings if not f.well]
    if ill:
        raise OmicstoreError(f"not well: {', '.join(ill)}", run="what is named above")


def _show(out: Output, findings: list[Finding]) -> None:
    for finding in findings:
        out.text(f"{'ok ' if finding.well else 'BAD'}  {finding.what}: {finding.found}")
        if not finding.well:
            out.text(f"     to mend it: {finding.mend}")


def _packages() -> list[Finding]:
    found = []
    for package, extra in EXTRAS.items():
        try:
            found.append(Finding(package, well=True, found=metadata.version(package)))
        except metadata.PackageNotFoundError:
            found.append(Finding(package, well=True, found=f"not installed (pip install 'omicstore[{extra}]')"))
    return found


def _study() -> list[Finding]:
    from omicstore.sources import load_study

    try:
        root = find_study()
    except StudyError:
        return [Finding("study", well=True, found="none here")]
    findings = []
    try:
        study = load_study(root / "params.yaml")
        absent = [str(s.path) for s in study.sources if not s.path.exists()]
        # Who has pulled a store reads it, and needs no source files.
        only_read = len(absent) == len(study.sources) > 0 and (root / "data" / "store" / "store.json").is_file()
        well = not absent or only_read
        text = f"{counted(len(study.sources), 'source')}, {counted(len(study.cohorts), 'cohort')}"
        if only_read:
            text += "; no source file is here, so the store can be read and not built"
        elif absent:
            text = f"absent: {', '.join(absent[:5])}"
        findings.append(
            Finding(
                "study",
                well=well,
                found=text,
                mend="correct the paths in params.yaml; in a clone, dvc pull brings what DVC tracks",
            )
        )
    except OmicstoreError as error:
        findings.append(Finding("study", well=False, found=str(error), mend="edit params.yaml"))
    return [*findings, *_dvc(root)]


def _dvc(root: Path) -> list[Finding]:
    """Look at the file in which DVC notes who reads and writes: who is killed can leave it empty or cut off.

    Every later command of DVC then refuses to start.
    """
    place = next((folder for folder in (root, *root.parents) if (folder / ".dvc").is_dir()), root)
    lock = place / ".dvc" / "tmp" / "rwlock"
    if not lock.is_file():
        return []
    try:
        json.loads(lock.read_bytes())
    except ValueError:
        state = "broken" if lock.stat().st_size else "empty"
        found = f"{lock} is {state}: a DVC command was killed while it wrote it, and all others refuse to start"
        return [Finding("dvc", well=False, found=found, mend=f"rm {lock}, while no DVC command runs")]
    return []


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    return Finding("disk", well=free >= LEAST_FREE, found=f"{free / 2**30:.1f} GiB free", mend="make room")


def _store(store: str | None) -> Finding:
    import omicstore
    from omicstore.cli.common import find_store
    from omicstore.cli.query import not_pulled

    try:
        where = find_store(store)
    except StudyError:
        return Finding("store", well=True, found="none here")
    if store is None and not Path(where).exists():
        return Finding("store", well=True, found="not built yet")
    try:
        with omicstore.open(where) as opened:
            broken, lacking = _broken(opened), not_pulled(opened, opened.cohorts, opened.modalities)
            text = f"release {opened.release[:12]}, {counted(len(opened.cohorts), 'cohort')}"
            text += f", {counted(len(opened.body['files']), 'file')}"
            if lacking is not None:
                text += f"; {lacking[0]} ({lacking[1]})"
    except OmicstoreError as error:
        return Finding("store", well=False, found=str(error), mend=_MEND)
    if broken:
        return Finding("store", well=False, found=f"{text}; absent or cut short: {', '.join(broken[:5])}", mend=_MEND)
    return Finding("store", well=True, found=text)


def _broken(store: Store) -> list[str]:
    """Return the files of a release that are absent or do not end as Parquet does; of a bucket none is looked at.

    What was not pulled is not among them, and neither is an index, which readers can do without.
    """
    if store.files.local is None:
        return []
    left_out = {(cohort, modality) for cohort, names in store.not_here().items() for modality in names}
    missing = {modality for _, modality in left_out}
    found = []
    for path in sorted(store.body["files"]):
        cohort, modality = part_of(path)
        pulled = (cohort, modality) not in left_out and not (cohort is None and modality in missing)
        if (pulled or store.has(path)) and not _ends_well(store.files.local / path):
            found.append(path)
    return found


def _ends_well(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            stream.seek(-len(_MAGIC), os.SEEK_END)
            return stream.read() == _MAGIC
    except OSError:
        return False
