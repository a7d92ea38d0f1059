"""Follow-up of patients, as targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from models.batch import Targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.store.reader import Store

__all__ = ["outcomes_of"]


def outcomes_of(store: Store, patient_ids: Sequence[str], endpoint: str) -> Targets:
    """Return the follow-up of patients, NaN where there is none.

    Parameters
    ----------
    store
        An open store.
    patient_ids
        B patients, one per row.
    endpoint
        OS, DSS, PFI or DFI.
    """
    import polars as pl

    rows = pl.DataFrame({"patient_id": list(patient_ids)}, schema={"patient_id": pl.String})
    known = (
        store.table("outcomes")
        .filter(pl.col("endpoint") == endpoint)
        .unique("patient_id", keep="first", maintain_order=True)
    )
    joined = rows.join(
        known.select("patient_id", "time_days", "event"), on="patient_id", how="left", maintain_order="left"
    )
    both = pl.col("time_days").is_not_null() & pl.col("event").is_not_null()
    joined = joined.with_columns(
        pl.when(both).then(pl.col(c)).otherwise(None).cast(pl.Float32).alias(c) for c in ("time_days", "event")
    )
    empty = Targets.empty(len(patient_ids))
    time, event = (
        torch.from_numpy(joined[c].fill_null(float("nan")).to_numpy().copy()) for c in ("time_days", "event")
    )
    return Targets(empty.label, time, event)
