"""Content hashes of source files, remembered by size and time of change."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from omicstore.errors import StudyError
from omicstore.files import write_if_changed
from omicstore.progress import task

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileHashes"]

_BLOCK = 1 << 20


class FileHashes:
    """sha256 of files and folders, with a memory of those that have not changed since.

    Parameters
    ----------
    memory
        The JSON file that remembers; it need not exist. It holds nothing that cannot be computed again.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, list[object]] = {}
        self._dirty = False
        if memory.is_file():
            try:
                self._known = json.loads(memory.read_text(encoding="utf-8"))
            except ValueError:
                self._dirty = True  # a broken memory is rewritten

    def describe(self, path: Path) -> tuple[str, int]:
        """Return the sha256 (hex) and the size in bytes of a file, or of all files below a folder.

        Raises
        ------
        StudyError
            If there is nothing at `path`.
        """
        if path.is_dir():
            return self._folder(path)
        try:
            stat = path.stat()
        except FileNotFoundError:
            raise StudyError(
                f"{path} does not exist",
                expected="the file that study.sources or study.references in params.yaml names",
                run="put the file there, or correct its path in params.yaml",
            ) from None
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self._known.get(str(path))
        if known is not None and known[:3] == mark:
            return str(known[3]), stat.st_size
        digest = hashlib.sha256()
        with path.open("rb") as stream, task(f"hashing {path.name}", stat.st_size, "bytes") as advance:
            while block := stream.read(_BLOCK):
                digest.update(block)
                advance(len(block))
        self._known[str(path)] = [*mark, digest.hexdigest()]
        self._dirty = True
        return digest.hexdigest(), stat.st_size

    def _folder(self, path: Path) -> tuple[str, int]:
        digest, total = hashlib.sha256(), 0
        for entry in sorted(p for p in path.rglob("*") if p.is_file()):
            sha, size = self.describe(entry)
            digest.update(f"{entry.relative_to(path).as_posix()}\0{sha}\n".encode())
            total += size
        return digest.hexdigest(), total

    def save(self) -> None:
        """Write the memory, if it changed."""
        if self._dirty:
            write_if_changed(self._memory, json.dumps(self._known, sort_keys=True).encode())
