"""What a manifest counts, counted again: an expert reads how many events a fold has before any metric of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.reading import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.audit.bundle import Bundle

__all__ = ["counts"]

_PERSON = ["cohort", "patient_id"]


def counts(bundle: Bundle) -> list[str]:
    """Return, as sentences, what the manifest counts of a part of a fold, or of the cohort, and there is not.

    Samples, patients, identity groups, sites and cohorts come from the assignments; who has the endpoint, and the
    events among them, from the store's outcomes: event 1 at a time over 0 is one, as the manifest's censoring rule has
    it.
    """
    known = _outcomes(bundle)
    said = []
    for entry in at(bundle.manifest, "per_fold") or []:
        for part, stated in (at(entry, "parts") or {}).items():
            own = bundle.assignments.filter((pl.col("fold") == entry["fold"]) & (pl.col("part") == part))
            where = f"the {part} part of fold {entry['fold']}"
            said += _differ(stated, _of_part(own) | _events(own, known, "n_with_outcome"), where)
    return said + list(_cohort(bundle, known))


def _of_part(own: pl.DataFrame) -> dict[str, Any]:
    return {
        "n_samples": own.height,
        "n_patients": own["patient_id"].n_unique(),
        "n_groups": own["group_id"].n_unique(),
        "sites": own["site"].drop_nulls().unique().sort().to_list(),
        "cohorts": dict(own.group_by("cohort").len().sort("cohort").iter_rows()),
    }


def _outcomes(bundle: Bundle) -> pl.DataFrame | None:
    """Return cohort, patient_id and event of who has the split's endpoint; None where that cannot be known."""
    endpoint, table = bundle.params.get("endpoint"), bundle.table("outcomes")
    if endpoint is None or table is None:
        return None
    known = table.filter(pl.col("event").is_not_null() & pl.col("time_days").is_not_null())
    own = known.filter(pl.col("endpoint") == endpoint).unique(_PERSON, keep="first", maintain_order=True)
    return own.select(*_PERSON, event=(pl.col("event") == 1) & (pl.col("time_days") > 0))


def _events(rows: pl.DataFrame, known: pl.DataFrame | None, with_outcome: str) -> dict[str, int]:
    if known is None:
        return {}
    own = rows.unique(_PERSON).join(known, on=_PERSON)
    return {with_outcome: own.height, "n_events": int(own["event"].sum())}


def _cohort(bundle: Bundle, known: pl.DataFrame | None) -> Iterator[str]:
    stated, rows = at(bundle.manifest, "cohort") or {}, bundle.assignments.unique(["cohort", "sample_id"])
    total = {"n_samples": rows.height, "n_patients": rows["patient_id"].n_unique()}
    yield from _differ(stated, total, "the cohort")
    yield from _differ(stated.get("outcome") or {}, _events(rows, known, "n_with"), "the cohort")


def _differ(stated: dict[str, Any], counted: dict[str, Any], where: str) -> list[str]:
    return [
        f"the manifest says {name} {stated[name]} of {where}, and there are {found}"
        for name, found in counted.items()
        if name in stated and stated[name] != found
    ]
