"""The rows of a survival table: who is judged, with what outcome, and what is known of these patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import torch

from models.components.cox import followed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from omicstore.store.reader import Store

__all__ = ["after_zero", "judged_rows", "outcome", "patients_of"]


def judged_rows(test: MultiOmicsBatch) -> MultiOmicsBatch:
    """Return one row per patient, the first, of those with every modality and follow-up."""
    rows = test.present.all(dim=1) & followed(test.targets.time, test.targets.event)
    return test.take(torch.nonzero(rows)[:, 0]).first_per_patient()


def after_zero(rows: MultiOmicsBatch) -> MultiOmicsBatch:
    """Return the rows with a time above 0, which Cox models need."""
    return rows.take(torch.nonzero(rows.targets.time > 0)[:, 0])


def outcome(rows: MultiOmicsBatch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n,) times, days, and (n,) events, 1 = event."""
    return rows.targets.time.numpy(), rows.targets.event.numpy()


def patients_of(store: Store, rows: MultiOmicsBatch) -> pl.DataFrame:
    """Return a row per sample with patient_id, cohort, age_years, sex and stage."""
    columns = ["patient_id", "cohort", "age_years", "sex", "stage"]
    known = store.table("patients").select(columns).unique("patient_id", keep="first", maintain_order=True)
    mine = pl.DataFrame({"patient_id": rows.patient_id})
    return mine.join(known, on="patient_id", how="left", maintain_order="left").with_columns(
        pl.col("cohort").fill_null("")
    )
