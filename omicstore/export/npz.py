"""NumPy: ``<modality>/values`` with its ids beside, in one file."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.export.csv import write_table
from omicstore.export.matrices import blocks, matrices_of, measured, text_array

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.store.cohort import Cohort

__all__ = ["write"]

#: No time of the clock: the same values give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``cohort.npz`` and ``samples.csv``.

    For each modality ``<modality>/values`` (float32, samples that were measured by features, NaN where missing),
    ``<modality>/sample_ids``, ``<modality>/feature_ids`` and ``<modality>/symbols`` (empty where a feature has none).
    The members of the archive are written one after the other, since `numpy.savez` wants all of them in memory.
    """
    modalities, left_out = matrices_of(cohort, "npz")
    with zipfile.ZipFile(folder / "cohort.npz", "w", zipfile.ZIP_STORED) as archive:
        for modality in modalities:
            ids, features = measured(cohort, modality), cohort.features(modality)
            _write_values(archive, cohort, modality, (len(ids), features.height))
            _write_array(archive, f"{modality}/sample_ids", text_array(ids))
            _write_array(archive, f"{modality}/feature_ids", text_array(features["feature_id"].to_list()))
            _write_array(archive, f"{modality}/symbols", text_array(features["symbol"].fill_null("").to_list()))
    write_table(cohort.samples, folder / "samples.csv")
    return left_out


def _write_values(archive: zipfile.ZipFile, cohort: Cohort, modality: str, shape: tuple[int, int]) -> None:
    with archive.open(_member(f"{modality}/values"), "w", force_zip64=True) as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for _, block in blocks(cohort, modality):
            stream.write(np.ascontiguousarray(block, "<f4").view(np.uint8).data)


def _write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(_member(name), "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"{name}.npy", _TIME)
