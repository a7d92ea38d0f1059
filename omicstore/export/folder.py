"""The folder that an export makes: complete or not there, and with a manifest of what it holds."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omicstore.errors import ExportError
from omicstore.files import canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.store.cohort import Cohort
    from omicstore.store.reader import Store

__all__ = ["FORMAT", "MANIFEST", "check_outside", "check_target", "new_folder", "sweep", "write_manifest"]

FORMAT = "omicstore.export/1"
MANIFEST = "manifest.json"


def check_target(out: Path, *, overwrite: bool) -> None:
    """Raise `ExportError` if an export must not be written to `out`.

    What is no export is never overwritten: a mistyped folder is not lost.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ExportError(f"{out} is no folder", expected="a new folder", run="name another folder with --out")
    if not out.exists() or not any(out.iterdir()):
        return
    if not _is_export(out):
        raise ExportError(
            f"{out} holds files that are no export", expected="a new folder", run="name another folder with --out"
        )
    if not overwrite:
        raise ExportError(
            f"{out} holds an earlier export",
            expected="a new folder",
            run="add --overwrite to replace it, or name another folder with --out",
        )
    if added := _added(out):
        raise ExportError(
            f"{out} holds an earlier export and what was put beside it: {', '.join(added[:3])}",
            expected="an export alone",
            run="move your own files elsewhere, or name another folder with --out",
        )


def check_outside(out: Path, store: Store) -> None:
    """Raise `ExportError` if `out` lies in the store's own folder: what no release names is swept there."""
    if isinstance(store.root, Path) and out.resolve().is_relative_to(store.root.resolve()):
        raise ExportError(
            f"{out} lies in the store", expected=f"a folder outside {store.root}", run="name another with --out"
        )


@contextmanager
def new_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder beside `out` that takes its place when the block ends well, and goes when it does not.

    What a killed export to the same place left is swept first.
    """
    sweep(out)
    check_target(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = out.with_name(f".{out.name}.{os.getpid()}.new")
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    lock = None
    try:
        made.mkdir()
        lock = _lock(made)
        yield made
        check_target(out, overwrite=overwrite)  # another export may have come first
        if out.exists():
            out.rename(old)
        made.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def sweep(out: Path) -> None:
    """Remove the hidden folders of exports to `out` that were killed; one of a living process stays.

    An earlier export that was moved aside and not yet replaced is put back.
    """
    if not out.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(out.name)}\.(\d+)\.(new|old)")
    for path in sorted(out.parent.iterdir()):
        found = name.fullmatch(path.name)
        if found is None or not path.is_dir() or (int(found[1]) != os.getpid() and _lives(int(found[1]))):
            continue
        lock = _lock(path)
        if lock is None:
            continue  # of a process on another machine
        if found[2] == "old" and not out.exists():
            path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None if another process holds it. The system drops the lock when a process ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_manifest(cohort: Cohort, name: str, folder: Path, left_out: list[str]) -> None:
    """Write ``manifest.json``: release, query, what was found, and the size and sha256 of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    body: dict[str, Any] = {
        "format": FORMAT,
        "written_as": name,
        "release": cohort.store.release,
        "simulated": cohort.store.simulated,
        "query": cohort.question.as_json(),
        "found": cohort.summary(),
        "left_out": left_out,
        "files": {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for path in files
        },
    }
    (folder / MANIFEST).write_bytes(canonical_json(body))


def _added(folder: Path) -> list[str]:
    """Return the files of an export's folder that are none of the export's, sorted."""
    own = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("files", {})
    held = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in held if name != MANIFEST and name not in own)


def _is_export(folder: Path) -> bool:
    try:
        body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(body, dict) and body.get("format") == FORMAT
