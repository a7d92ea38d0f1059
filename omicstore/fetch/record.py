"""What a folder of fetched files remembers: ``fetched.jsonl``, a line per file, source and reference.

A line is added as soon as a file is whole, so nothing is forgotten when a fetch is interrupted; the last line on a path
counts. A fetch that ends in order writes the record again, sorted.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from omicstore.errors import FetchError, LockedError
from omicstore.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["NAME", "Record"]

NAME = "fetched.jsonl"


class Record:
    """The record of one folder.

    Parameters
    ----------
    folder
        The folder of a fetch; it need not exist.

    Raises
    ------
    FetchError
        If the record is there and something else than a record.

    Examples
    --------
    >>> import tempfile; from pathlib import Path
    >>> record = Record(Path(tempfile.mkdtemp()))
    >>> record.add("file", "BLCA/rna.tsv.gz", {"size": 3, "sha256": "..."})
    >>> Record(record.folder).get("file", "BLCA/rna.tsv.gz")["size"]
    3
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._adding = threading.Lock()
        self._known: dict[tuple[str, str], dict[str, Any]] = {}
        path = folder / NAME
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                self._known[entry.pop("what"), entry.pop("path")] = entry
            except (ValueError, KeyError, AttributeError):
                if number == len(lines):
                    break  # the last line was being written when the machine stopped
                raise FetchError(
                    f"{path}, line {number} is no line of a record",
                    expected="the record that omicstore fetch writes",
                    run=f"delete {path}; what a checksum of the portal vouches for is not fetched again",
                ) from None

    def get(self, what: str, path: str) -> dict[str, Any] | None:
        """Return what is known of a file, source or reference."""
        return self._known.get((what, path))

    def all(self, what: str) -> dict[str, dict[str, Any]]:
        """Return all that is known of files, sources or references: path to entry, sorted."""
        return {path: entry for (kind, path), entry in sorted(self._known.items()) if kind == what}

    def add(self, what: str, path: str, entry: dict[str, Any]) -> None:
        """Remember something, on disk at once; safe to call from any thread."""
        with self._adding:
            self._known[what, path] = entry
            with (self.folder / NAME).open("a", encoding="utf-8") as handle:
                handle.write(_line(what, path, entry))

    def forget(self, what: str, path: str) -> None:
        """Forget something; on disk with the next `tidy`."""
        self._known.pop((what, path), None)

    def tidy(self) -> None:
        """Write the record again, sorted and without what is out of date."""
        lines = "".join(_line(*key, entry) for key, entry in sorted(self._known.items()))
        write_bytes(self.folder / NAME, lines.encode())

    @classmethod
    @contextmanager
    def writing(cls, folder: Path) -> Iterator[Self]:
        """Open the record of a folder for one writer.

        Raises
        ------
        LockedError
            If another fetch writes to the folder.
        """
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockedError(
                    f"another omicstore fetch is writing to {folder}",
                    expected="one at a time",
                    run="wait for it, or choose another folder with --out",
                ) from None
            yield cls(folder)
        finally:
            os.close(handle)


def _line(what: str, path: str, entry: dict[str, Any]) -> str:
    return json.dumps({"what": what, "path": path} | entry, ensure_ascii=False, sort_keys=True) + "\n"
