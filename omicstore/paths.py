"""Paths as a study file writes them: relative, lexical, with forward slashes."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["below", "relative"]


def below(root: Path, path: str) -> Path:
    """Return `path`, seen from `root`, without ``..`` in the middle; links stay links.

    Examples
    --------
    >>> below(Path("studies"), "../tcga/rna.tsv").as_posix()
    'tcga/rna.tsv'
    """
    return Path(os.path.normpath(root / path))  # noqa: TID251 - pathlib has no lexical normalisation


def relative(path: Path, root: Path) -> str:
    """Return `path` as seen from the folder `root`, with ``..`` where needed.

    Examples
    --------
    >>> relative(Path("data/raw/a.tsv"), Path("studies/blca"))
    '../../data/raw/a.tsv'
    """
    return Path(os.path.relpath(path, root)).as_posix()  # noqa: TID251 - Path.relative_to(walk_up) is 3.12
