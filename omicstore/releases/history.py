"""The releases of a store, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError
from omicstore.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.store.filesystem import Root

__all__ = ["counts", "history"]


def history(root: Root) -> dict[str, Any]:
    """Return the releases of a store, newest first, and what was retracted.

    Parameters
    ----------
    root
        The store; of a fresh clone without data, where it will lie.

    Returns
    -------
    dict
        ``releases``: name, release, date, notes, written_by, simulated, n_files, cohorts (cohort to modality to number
        of samples; of patches, of slides), retracted (reason and replacement, or None); ``retractions``: those of
        patients.
    """
    registry = Registry(root)
    entries: dict[str, dict[str, Any]] = {}
    found = []
    for named in reversed(registry.names):
        if named.release not in entries:
            entries[named.release] = registry.entry(named.release)
        entry = entries[named.release]
        body = entry["store"]
        retracted = registry.retraction("release", named.release)
        found.append(
            {
                "name": named.name, "release": named.release, "date": named.date, "notes": named.notes,
                "dataset": body["dataset"], "simulated": body["simulated"], "written_by": entry["written_by"],
                "n_files": len(body["files"]), "cohorts": counts(body),
                "retracted": retracted and {**retracted.to_json(), "date": retracted.date},
            }
        )  # fmt: skip
    patients = [{**r.to_json(), "date": r.date} for r in registry.retractions if r.kind == "patient"]
    return {"current": _current(root), "releases": found, "retractions": patients}


def counts(body: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return cohort to modality to number of samples (of patches, of slides), from what ``store.json`` says."""
    found: dict[str, dict[str, int]] = {}
    for cohort in body["cohorts"]:
        held = {m: entry["n_profiles"] for m, entry in body["matrices"][cohort].items()}
        if cohort in body["patches"]:
            held["patches"] = body["patches"][cohort]["n_slides"]
        if cohort in body["reports"]:
            held["report"] = body["files"][body["reports"][cohort]]["rows"]
        found[cohort] = held
    return found


def _current(root: Root) -> str | None:
    """Return the release id that the store holds now; None where there is no store yet."""
    from omicstore.store.reader import Store

    if root.local is not None and not (root.local / "store.json").is_file():
        return None
    try:
        with Store(root) as store:
            return store.release
    except StoreError:
        if root.local is None:
            return None  # a prefix that holds the releases alone
        raise
