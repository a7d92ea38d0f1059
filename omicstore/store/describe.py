"""What a store holds, in numbers that a person asks for first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.store.catalog import profile_column
from omicstore.store.where import COLUMNS

if TYPE_CHECKING:
    from omicstore.store.reader import Store

__all__ = ["describe_columns", "describe_store"]


def describe_store(store: Store) -> dict[str, Any]:
    """Return per cohort and modality: patients, samples, profiles, features, unit, and how many patients have it."""
    samples, patients = store.samples(), store.table("patients")
    cohorts: dict[str, Any] = {}
    for cohort in store.cohorts:
        mine = samples.filter(pl.col("cohort") == cohort)
        n_patients = patients.filter(pl.col("cohort") == cohort).height or mine["patient_id"].n_unique()
        types = mine.group_by("sample_type").len().sort("sample_type")
        cohorts[cohort] = {
            "n_patients": n_patients,
            "n_samples": mine.height,
            "sample_types": dict(zip(types["sample_type"].to_list(), types["len"].to_list(), strict=True)),
            "modalities": {
                m: entry for m in store.modalities if (entry := _modality(store, cohort, m, mine, n_patients))
            },
        }
    return {
        "release": store.release,
        "dataset": store.dataset,
        "simulated": store.simulated,
        "modalities": store.modalities,
        "cohorts": cohorts,
    }


def _modality(
    store: Store, cohort: str, modality: str, samples: pl.DataFrame, n_patients: int
) -> dict[str, Any] | None:
    have = samples.filter(has_modality(samples, modality))
    if have.is_empty():
        return None
    matrix = store.body["matrices"][cohort].get(modality, {})
    with_it = have["patient_id"].n_unique()
    return {
        "n_patients": with_it,
        "n_samples": have.height,
        "n_profiles": int(have[profile_column(modality)].sum()),
        "n_features": matrix.get("n_features"),
        "unit": matrix.get("unit"),
        "upstream_fit": matrix.get("upstream_fit"),
        "availability_percent": round(100 * with_it / n_patients, 1) if n_patients else 0.0,
    }


def has_modality(samples: pl.DataFrame, modality: str) -> pl.Expr:
    """Return which samples have a modality."""
    name = f"row_{modality}"
    return pl.col(name).is_not_null() if name in samples.columns else pl.lit(value=False)


def describe_columns(store: Store) -> pl.DataFrame:
    """Return column, table, level, type, the number of filled cells and of distinct values, and the commonest value."""
    rows = []
    for table, names in COLUMNS.items():
        frame = store.samples() if table == "samples" else store.table(table)
        for name in names:
            column = frame[name].drop_nulls()
            common = (
                column.value_counts(sort=True).sort(["count", name], descending=[True, False]) if len(column) else None
            )
            rows.append(
                {
                    "column": name,
                    "table": table,
                    "level": {"samples": "sample", "patients": "patient", "profiles": "profile"}[table],
                    "type": str(frame.schema[name]),
                    "n_filled": len(column),
                    "n_distinct": column.n_unique(),
                    "example": None if common is None else str(common[name][0]),
                }
            )
    return pl.DataFrame(rows)
