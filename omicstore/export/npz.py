"""NumPy: ``<modality>/values`` with its ids beside, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.export.csv import write_table
from omicstore.modalities import MATRIX_MODALITIES

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.cohort import Cohort

__all__ = ["write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``cohort.npz`` and ``samples.csv``.

    For each modality ``<modality>/values`` (float32, samples that were measured by features, NaN where missing),
    ``<modality>/sample_ids``, ``<modality>/feature_ids`` and ``<modality>/symbols`` (empty where a feature has none).
    NumPy gives the members of the archive no time, so the same values give the same bytes.
    """
    arrays: dict[str, Any] = {}
    left_out = []
    for modality in cohort.modalities:
        if modality not in MATRIX_MODALITIES:
            left_out.append(f"{modality} is no matrix and npz cannot hold it; --format parquet can")
            continue
        measured = cohort.samples[f"has_{modality}"].to_numpy()
        features = cohort.features(modality)
        arrays[f"{modality}/values"] = cohort.to_numpy(modality)[measured]
        arrays[f"{modality}/sample_ids"] = _text(cohort.samples["sample_id"].to_list(), measured)
        arrays[f"{modality}/feature_ids"] = _text(features["feature_id"].to_list())
        arrays[f"{modality}/symbols"] = _text(features["symbol"].fill_null("").to_list())
    np.savez(folder / "cohort.npz", **arrays)
    write_table(cohort.samples, folder / "samples.csv")
    return left_out


def _text(values: list[str], chosen: Any = slice(None)) -> Any:
    # Fixed-width text: an array of objects would be a pickle.
    return np.asarray(values, dtype=np.str_)[chosen]
