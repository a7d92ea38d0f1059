"""Which files of a release are needed for some of its cohorts and modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.errors import UnknownNameError, UsageError
from omicstore.modalities import MODALITIES, get_modality

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["needed"]


def needed(
    body: Mapping[str, Any], cohorts: Sequence[str] | None = None, modalities: Sequence[str] | None = None
) -> list[str]:
    """Return the files to bring, sorted.

    The catalogue and the table of samples are always among them, so that a query tells what there is. A modality's
    index goes over all cohorts: it comes where all cohorts that have the modality are asked for, and readers do
    without it otherwise.

    Parameters
    ----------
    body
        What ``store.json`` of the release says.
    cohorts, modalities
        Names, in any case; all where None.

    Raises
    ------
    UnknownNameError
        If the release has no such cohort or modality; the nearest ones are named.
    UsageError
        If none of the cohorts has one of the modalities.
    """
    if cohorts is None and modalities is None:
        return sorted(body["files"])
    asked = [*body["cohorts"]] if cohorts is None else _cohorts(body, cohorts)
    kinds = [m for m in MODALITIES if any(m in _held(body, c) for c in body["cohorts"])]
    if modalities is not None:
        kinds = _modalities(body, modalities, asked, kinds)
    found = {body["samples"], *body["tables"].values()}
    for kind in kinds:
        for cohort in asked:
            found.update(_files(body, cohort, kind))
        found.update(_index(body, kind, asked))
    return sorted(found)


def _held(body: Mapping[str, Any], cohort: str) -> set[str]:
    others = {kind for kind, key in (("report", "reports"), ("patches", "patches")) if cohort in body[key]}
    return {*body["matrices"][cohort], *others}


def _cohorts(body: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    known = {cohort.casefold(): cohort for cohort in body["cohorts"]}
    for name in names:
        if name.casefold() not in known:
            raise UnknownNameError("cohort", name, known.values(), run="choose from the cohorts of the release")
    return sorted({known[name.casefold()] for name in names})


def _modalities(
    body: Mapping[str, Any], names: Sequence[str], cohorts: Sequence[str], known: Sequence[str]
) -> list[str]:
    found = list(dict.fromkeys(get_modality(name).name for name in names))
    for name in found:
        if not any(name in _held(body, cohort) for cohort in cohorts):
            raise UsageError(
                f"{name} is not measured in {', '.join(cohorts)}",
                expected=f"one of {', '.join(m for m in known if any(m in _held(body, c) for c in cohorts))}",
                run="omicstore info lists what each cohort has",
            )
    return found


def _files(body: Mapping[str, Any], cohort: str, kind: str) -> Iterator[str]:
    if kind == "report":
        if cohort in body["reports"]:
            yield body["reports"][cohort]
    elif kind == "patches":
        if cohort in body["patches"]:
            folder = body["patches"][cohort]["path"] + "/"
            yield from (path for path in body["files"] if path.startswith(folder))
    elif kind in body["matrices"][cohort]:
        entry = body["matrices"][cohort][kind]
        yield from (entry["values"], entry["features"])


def _index(body: Mapping[str, Any], kind: str, cohorts: Sequence[str]) -> Iterator[str]:
    if kind in body["index"]:
        yield body["index"][kind]["features"]
        if all(cohort in cohorts for cohort in body["cohorts"] if kind in body["matrices"][cohort]):
            yield body["index"][kind]["path"]
