"""The files that a store.json names, each read and hashed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.audit.reading import BROKEN, because

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["StoreFiles"]


def _no_cells(_: Path) -> list[str]:
    return []


class StoreFiles:
    """What is found of a store's files.

    Parameters
    ----------
    folder
        The store.
    body
        What its ``store.json`` says.

    Attributes
    ----------
    offenders
        What is wrong, as sentences.
    seen
        The paths that were looked at.
    n, n_cells
        How many files, and numbers of matrices.
    """

    def __init__(self, folder: Path, body: dict[str, Any]) -> None:
        self.folder, self._files = folder, body["files"] if isinstance(body.get("files"), dict) else {}
        self.offenders: list[str] = []
        self.seen: set[str] = set()
        self.n = self.n_cells = 0

    def stated(self, path: str) -> str | None:
        """Return the hash that store.json states of a file."""
        entry = self._files.get(path)
        return None if entry is None else str(entry["hash"])

    def say(self, sentence: str) -> None:
        """Note what is wrong."""
        self.offenders.append(sentence)

    def check(
        self,
        what: str,
        path: str,
        read: Callable[[Path], tuple[int, str]],
        cells: Callable[[Path], list[str]] = _no_cells,
    ) -> bool:
        """Hold a file against what store.json says of it; return whether it is there and can be read.

        Parameters
        ----------
        what
            Which file, for a person.
        path
            Where it lies.
        read
            What gives its number of rows and its content hash.
        cells
            What says, where the hash is another, what in it is not as it should be; nothing where that is not known.
        """
        self.seen.add(path)
        self.n += 1
        stated = self._files.get(path)
        if stated is None:
            self.say(f"{what}: {path} is not among the files of store.json")
            return False
        if not (self.folder / path).is_file():
            self.say(f"{what}: {path} is absent")
            return False
        try:
            rows, digest = read(self.folder / path)
        except BROKEN as error:
            self.say(f"{what}: {path} cannot be read ({because(error)})")
            return False
        if digest != stated["hash"]:
            named = cells(self.folder / path)
            self.offenders += [f"{what}: {cell}" for cell in named]
            if not named:
                self.say(f"{what}: {path} does not have the content that store.json states")
        elif rows != stated["rows"]:
            self.say(f"{what}: {path} has {rows} rows, and store.json says {stated['rows']}")
        return True
