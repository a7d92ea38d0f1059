"""SurvPath's published folds of BLCA, in the study that a table is made in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from models.bench.registry import Asked
    from omicstore.store.reader import Store

__all__ = ["survpath_split"]

_SPLIT = "bench-survpath"


def survpath_split(asked: Asked, root: Path, store: Store) -> Path:
    """Return the folder of the split: imported where the real data was named, else the study's own.

    Raises
    ------
    UsageError
        If the study has no such split.
    """
    from models.bench.folds import import_split

    folder = root / "splits" / _SPLIT
    if asked.data is not None:
        return import_split(root, store, asked.data / "splits" / "survpath" / "blca", _SPLIT, "survpath")
    if not (folder / "manifest.json").is_file():
        raise UsageError(
            f"the study has no split {_SPLIT}: SurvPath's folds of BLCA",
            expected=str(folder),
            run=f"omicstore split import DIR --from survpath --name {_SPLIT}, or omicstore bench --data DIR",
        )
    return folder
