"""``omicstore log``: the releases, newest first.

With --json one object: what `omicstore.releases.history` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.cli.common import Output, StoreOption, command, counted, find_store

if TYPE_CHECKING:
    from collections.abc import Mapping

#: So many cohorts are listed one by one.
_COHORTS = 12


@command()
def log(out: Output, *, store: StoreOption = None) -> None:
    """Show the releases, newest first: name, id, date, what each holds, notes and retractions."""
    from omicstore.releases import history
    from omicstore.store.filesystem import open_root

    body = history(open_root(find_store(store)))
    out.result(body, lambda: _show(out, body))


def _show(out: Output, body: Mapping[str, Any]) -> None:
    if not body["releases"]:
        out.text("nothing has been released; omicstore release NAME freezes the store as it is")
    for entry in body["releases"]:
        here = " (the store as it is)" if entry["release"] == body["current"] else ""
        out.text(f"{entry['name']}  {entry['release'][:12]}  {entry['date']}{here}", style="bold")
        if entry["simulated"]:
            out.text("  simulated data: nothing here was measured in a patient", style="yellow")
        if entry["retracted"]:
            out.text(f"  {_retracted(entry['retracted'])}", style="red")
        if entry["notes"]:
            out.text(f"  {entry['notes']}")
        for line in _held(entry["cohorts"]):
            out.text(f"  {line}", style="dim")
    for said in body["retractions"]:
        out.text(f"patient {said['name']}: {_retracted(said)}", style="red")
    if body["releases"] and body["current"] not in [entry["release"] for entry in body["releases"]] + [None]:
        out.text(f"the store as it is ({body['current'][:12]}) is not released: omicstore diff latest current")


def _retracted(said: Mapping[str, Any]) -> str:
    instead = f"; use {said['replaced_by']} instead" if said["replaced_by"] else ""
    return f"retracted on {said['date']}: {said['reason'].rstrip('.')}{instead}"


def _held(cohorts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a line per cohort, or of more than a few one line over all."""
    if len(cohorts) <= _COHORTS:
        return [f"{cohort}: {', '.join(f'{m} {n:,}' for m, n in held.items())}" for cohort, held in cohorts.items()]
    total: dict[str, int] = {}
    for held in cohorts.values():
        for modality, n in held.items():
            total[modality] = total.get(modality, 0) + n
    return [f"{counted(len(cohorts), 'cohort')}: {', '.join(f'{m} {n:,}' for m, n in total.items())}"]
