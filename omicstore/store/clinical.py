"""What is known of the people behind samples: patients, outcomes and labels, a row per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from omicstore.store.reader import Store

__all__ = ["clinical_table"]

_KEY = ["cohort", "patient_id"]


def clinical_table(store: Store, samples: pl.DataFrame) -> pl.DataFrame:
    """Join what the catalogue knows of each sample and its patient.

    Parameters
    ----------
    store
        The open store.
    samples
        Rows with the columns sample_id, patient_id and cohort.

    Returns
    -------
    polars.DataFrame
        The rows and columns of `samples`, then the columns of patients, ``<endpoint>_time_days`` (Float64) and
        ``<endpoint>_event`` (Int8: 1 where it was seen) of each endpoint, and ``label_<task>`` of each task: the
        sample's label, else its patient's. Columns that are empty for all rows are left out.
    """
    own = {"dataset", *samples.columns} - set(_KEY)
    table = samples.join(store.table("patients").drop(own, strict=False), on=_KEY, how="left", maintain_order="left")
    outcomes = store.table("outcomes")
    for endpoint in outcomes["endpoint"].unique().sort():
        columns = [pl.col("time_days").alias(f"{endpoint}_time_days"), pl.col("event").alias(f"{endpoint}_event")]
        found = outcomes.filter(pl.col("endpoint") == endpoint).select(*_KEY, *columns)
        table = table.join(found, on=_KEY, how="left", maintain_order="left")
    labels = store.table("labels")
    for task in labels["task"].unique().sort():
        table = _with_label(table, labels.filter(pl.col("task") == task), f"label_{task}")
    kept = [c.name for c in table if c.name in samples.columns or c.null_count() < len(c)]
    return table.select(kept)


def _with_label(table: pl.DataFrame, labels: pl.DataFrame, name: str) -> pl.DataFrame:
    label = pl.col("label").first()
    by_sample = labels.drop_nulls("sample_id").group_by("cohort", "sample_id").agg(label.alias(name))
    by_patient = labels.filter(pl.col("sample_id").is_null()).group_by(_KEY).agg(label.alias("label"))
    return (
        table.join(by_sample, on=["cohort", "sample_id"], how="left", maintain_order="left")
        .join(by_patient, on=_KEY, how="left", maintain_order="left")
        .with_columns(pl.coalesce(name, "label").alias(name))
        .drop("label")
    )
