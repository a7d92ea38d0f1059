"""``omicstore info``: cohorts by modalities.

With --json one object: release, dataset, simulated, modalities (names), warnings and notes (sentences), and cohorts,
which per cohort has n_patients, n_samples, sample_types (type to number of samples) and modalities: per modality that
the cohort has here (whether its numbers are on this machine), n_patients, n_samples, n_profiles, n_features, unit,
upstream_fit and availability_percent (of patients).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from omicstore.cli.common import Output, ReleaseOption, StoreOption, command, counted, find_store
from omicstore.cli.query import not_pulled, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from omicstore.store.reader import Store

#: What the first three columns of the table take, and each modality's column.
_FIXED, _EACH = 30, 12


@command(warns=True)
def info(out: Output, *, store: StoreOption = None, release: ReleaseOption = None) -> None:
    """Show cohorts x modalities: patients, samples and availability.

    Each cell is the number of samples, of any type, and the share of the cohort's patients that have the modality.
    """
    import omicstore

    with omicstore.open(find_store(store), release=release) as opened:
        body, absent = opened.info(), opened.not_here()
        for cohort, held in body["cohorts"].items():
            for modality, found in held["modalities"].items():
                found["here"] = modality not in absent.get(cohort, ())
        warnings, notes = mixed_units(body), _build_warnings(opened)
        if lacking := not_pulled(opened, opened.cohorts, opened.modalities):
            notes.append(f"(x) {'; '.join(lacking)} brings it")
        warnings += [retraction.sentence for retraction in opened.retracted()]
    body = {**body, "warnings": warnings, "notes": notes}
    out.result(body, lambda: _show(out, body))
    for warning in warnings:
        out.warn(warning)


def mixed_units(body: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each modality whose unit differs between cohorts."""
    found = []
    for modality, units in _units(body).items():
        if len(units) > 1:
            text = "; ".join(f"{unit} in {', '.join(cohorts)}" for unit, cohorts in units.items())
            found.append(f"{modality} has different units, so a query over these cohorts is refused: {text}")
    return found


def _units(body: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return modality -> unit -> cohorts."""
    units: dict[str, dict[str, list[str]]] = {modality: {} for modality in body["modalities"]}
    for cohort, held in body["cohorts"].items():
        for modality, found in held["modalities"].items():
            if found["unit"] is not None:
                units[modality].setdefault(found["unit"], []).append(cohort)
    return units


def _build_warnings(store: Store) -> list[str]:
    count = sum(len(json.loads(cell)) for cell in store.table("provenance")["warnings"].drop_nulls())
    if not count:
        return []
    return [
        f"{counted(count, 'warning')} from the build: omicstore sql 'SELECT cohort, modality, warnings FROM provenance'"
    ]


def _show(out: Output, body: Mapping[str, Any]) -> None:
    out.text(f"{body['dataset']}, release {body['release'][:12]}", style="bold")
    if body["simulated"]:
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    # As many modalities side by side as the terminal is wide.
    beside = max(1, (out.console.width - _FIXED) // _EACH)
    modalities = body["modalities"]
    for start in range(0, max(1, len(modalities)), beside):
        out.print(_table(body, modalities[start : start + beside]))
    out.text("samples, and the share of the cohort's patients that have the modality", style="dim")
    for modality, units in _units(body).items():
        if len(units) == 1:
            out.text(f"{modality}: {next(iter(units))}", style="dim")
    for note in body["notes"]:
        out.text(note)


def _table(body: Mapping[str, Any], modalities: Sequence[str]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("cohort", no_wrap=True)
    for name in ("patients", "samples", *modalities):
        table.add_column(name, justify="right", no_wrap=True)
    total = dict.fromkeys(("n_patients", "n_samples", *modalities), 0)
    with_it = dict.fromkeys(modalities, 0)
    for cohort, held in body["cohorts"].items():
        cells = []
        for modality in modalities:
            found = held["modalities"].get(modality)
            cell = _cell(found["n_samples"], found["n_patients"], held["n_patients"]) if found else "-"
            cells.append(cell if not found or found["here"] else f"x {cell}")
            if found:
                total[modality] += found["n_samples"]
                with_it[modality] += found["n_patients"]
        total["n_patients"] += held["n_patients"]
        total["n_samples"] += held["n_samples"]
        table.add_row(cohort, f"{held['n_patients']:,}", f"{held['n_samples']:,}", *cells)
    if len(body["cohorts"]) > 1:
        cells = [_cell(total[m], with_it[m], total["n_patients"]) for m in modalities]
        table.add_row("all", f"{total['n_patients']:,}", f"{total['n_samples']:,}", *cells, style="bold")
    return table


def _cell(samples: int, patients: int, of: int) -> str:
    return f"{samples:,} {percent(patients, of):>5}"
