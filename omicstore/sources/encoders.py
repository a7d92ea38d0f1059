"""The keys of a source in the study file that say what is to be encoded, by which model, and what that has seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from omicstore.errors import StudyError, mistyped, nearest
from omicstore.identifiers import COHORT_UNIONS, DISEASES
from omicstore.paths import below

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.formats import Format

__all__ = ["encoder_keys"]

#: What reports may say too, and what only slides and patches may.
SHARED = ("encoder", "exposure")
OF_SLIDES = ("magnification", "level0_magnification", "tile_size", "keep_tiles")

#: What a mistyped data set was meant to be, and names that are as near and are others.
_DATASETS = ("none", "unknown", "TCGA", "CPTAC", "CCLE", "GTEx", "METABRIC")
_NEAR_AND_REAL = frozenset({"TCIA", "CPTAC2", "CPTAC3", "CPTAC-2", "CPTAC-3"})
_COHORTS = frozenset(DISEASES.values()) | frozenset(COHORT_UNIONS)

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def encoder_keys(entry: dict[str, Any], form: Format, root: Path, where: str) -> dict[str, Any]:
    """Return those of the keys that a source has, checked.

    Parameters
    ----------
    entry
        The source, as the study file has it.
    form
        Its format.
    root
        What paths are relative to; an encoder's folder becomes an absolute path.
    where
        The place in the study file, for messages.

    Raises
    ------
    StudyError
        If a value cannot be, or slides would be stored without features and without tiles.
    """
    allowed = {"patches": (*SHARED, *OF_SLIDES), "report": SHARED}.get(form.kind, ())
    if given := [key for key in (*SHARED, *OF_SLIDES) if entry.get(key) is not None and key not in allowed]:
        raise StudyError(f"{where}: {given[0]} is for patches, not for {form.name}", expected="format: tiles")
    if not isinstance(entry.get("keep_tiles", False), bool):
        raise StudyError(f"{where}: keep_tiles is {entry['keep_tiles']!r}", expected="true or false")
    if form.name == "tiles" and entry.get("encoder") is None and entry.get("keep_tiles") is not True:
        raise StudyError(
            f"{where}: neither features nor tiles of {entry['path']} would be stored",
            expected="encoder: a folder or a Hugging Face id of a vision model; or keep_tiles: true, or both",
        )
    found: dict[str, Any] = {key: _number(entry, key, where) for key in OF_SLIDES[:3] if entry.get(key) is not None}
    if entry.get("exposure") is not None:
        found["exposure"] = _exposure(entry["exposure"], where)
    if entry.get("encoder") is not None:
        # Of features that are there already it is a name alone.
        made_here = form.name in ("tiles", "reports")
        found["encoder"] = _model(str(entry["encoder"]), root, where) if made_here else str(entry["encoder"])
    return found


def _number(entry: dict[str, Any], key: str, where: str) -> float:
    value, whole = entry[key], key == "tile_size"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value <= 0:
        expected = "a number of pixels, such as 256" if whole else "a number over 0, such as 20"
        raise StudyError(f"{where}: {key} is {value!r}", expected=expected)
    return int(value) if whole else float(value)


def _exposure(said: Any, where: str) -> tuple[str, ...]:
    if not isinstance(said, str | list):
        raise StudyError(f"{where}: exposure is {said!r}", expected="a list of data sets, none, or unknown")
    names = (said,) if isinstance(said, str) else tuple(map(str, said))
    if [name.casefold() for name in names] == ["none"]:
        return ()
    for name in names:
        _refuse_mistyped(name, where)
    return names


def _refuse_mistyped(name: str, where: str) -> None:
    """Refuse a mistyped data set, which would pass leak L6 as one that holds none of the patients."""
    programme, _, cohort = name.partition("-")
    fine = name.upper() in _NEAR_AND_REAL or name.casefold() in map(str.casefold, _DATASETS)
    if not fine and (near := mistyped(name, _DATASETS)):
        raise StudyError(f"{where}: exposure names {name!r}", expected=f"{' or '.join(near)}, or another data set")
    if programme.upper() == "TCGA" and cohort and cohort.upper() not in _COHORTS:
        close = ", ".join(f"TCGA-{code}" for code in nearest(cohort.upper(), sorted(_COHORTS)))
        raise StudyError(f"{where}: exposure names {name!r}, which is no cohort of TCGA", expected=f"one of {close}")


def _model(encoder: str, root: Path, where: str) -> str:
    folder = below(root, encoder)
    if folder.is_dir():
        return str(folder.absolute())
    if not _HUB_ID.fullmatch(encoder):
        raise StudyError(
            f"{where}: there is no folder {folder}",
            expected="encoder: a folder with config.json, or a Hugging Face id such as facebook/dinov2-base",
        )
    return encoder
