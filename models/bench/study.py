"""The study that a table is made in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omicstore.errors import StudyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["store_of", "study_of"]

#: Where studies are made of real data, beside the table's file.
_STUDIES = Path("studies")


def study_of(data: Path, name: str, say: Callable[[str], None]) -> Path:
    """Return the folder of a study made of real data: ``studies/NAME`` here, which is made and built where needed.

    Parameters
    ----------
    data
        The folder of real data, with ``studies/NAME.yaml``.
    name
        Which study.
    say
        Called with a line per step.

    Raises
    ------
    StudyError
        If the data is not there.
    """
    from omicstore.build.store import build_study
    from omicstore.study.create import create_study

    file = data / "studies" / f"{name}.yaml"
    if not file.is_file():
        raise StudyError(
            f"the real data of the study {name} is not here: there is no {file}",
            expected="the folder of real data, which is not part of the repository",
            run="name it: omicstore bench TABLE --data DIR, or data in tables/params.yaml",
        )
    root = _STUDIES / name
    if not (root / "params.yaml").is_file():
        create_study(root, file, repository=False)
        say(f"made the study {root}")
    build_study(root.resolve(), say)
    return root


def store_of(root: Path | None) -> tuple[Path, Path]:
    """Return the folder of a study and that of its store.

    Raises
    ------
    UsageError
        If the study has no store, or there is no study.
    """
    if root is None:
        raise UsageError("the table is made in a study", run="omicstore bench TABLE --data DIR, or run it in a study")
    path = root / "data" / "store"
    if not (path / "store.json").is_file():
        raise UsageError(f"the study {root} has no store", expected=str(path), run="omicstore build")
    return root, path
