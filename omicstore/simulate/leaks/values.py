"""Whose values lie where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omicstore.simulate.leaks.case import CohortCase, Measured

__all__ = ["primaries", "rows_of"]


def rows_of(own: Measured, patient: str) -> NDArray[np.int64]:
    """Return the rows of a patient's primary tumour, all its aliquots."""
    here = (pl.col("patient_id") == patient) & (pl.col("sample_type") == "primary")
    return own.profiles.with_row_index("at").filter(here)["at"].to_numpy().astype(np.int64)


def primaries(cohort: CohortCase, *modalities: str) -> list[str]:
    """Return the patients whose primary tumour has these modalities, sorted."""
    found: set[str] | None = None
    for modality in modalities:
        own = cohort.assays[modality].profiles.filter(pl.col("sample_type") == "primary")
        people = set(own["patient_id"].to_list())
        found = people if found is None else found & people
    return sorted(found or ())
