"""AnnData: one file per modality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.export.matrices import blocks, matrices_of, measured
from omicstore.store.scverse import to_anndata

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["fill", "write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.h5ad``: what `Cohort.to_anndata` gives, with the values read and written a block at a time."""
    modalities, left_out = matrices_of(cohort, "h5ad")
    for modality in modalities:
        path = folder / f"{modality}.h5ad"
        to_anndata(cohort, modality, values=False).write_h5ad(path)
        fill(path, "/", cohort, modality)
    return left_out


def fill(path: Path, group: str, cohort: Cohort, modality: str) -> None:
    """Write the values of a modality into a file of an AnnData without values.

    anndata writes an array that is in memory whole, or one of dask; the attributes are those of its on-disk format.

    Parameters
    ----------
    path
        The file.
    group
        Where in it the AnnData stands.
    cohort, modality
        Whose values.
    """
    import h5py

    shape = (len(measured(cohort, modality)), cohort.features(modality).height)
    with h5py.File(path, "r+") as file:
        place = file[group]
        if "X" in place:
            del place["X"]  # stands for None
        values = place.create_dataset("X", shape, "<f4", track_times=False)
        values.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for rows, block in blocks(cohort, modality):
            values[rows] = block
