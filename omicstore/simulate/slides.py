"""Patch features of slides, in the files that TRIDENT leaves: one HDF5 file for each slide."""

from __future__ import annotations

import io
import uuid
from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.simulate.assays import Assays

__all__ = ["FEATURE_FOLDER", "write_slides"]

#: Where TRIDENT puts the features of an encoder, named by magnification, patch size and overlap.
FEATURE_FOLDER = "20x_256px_0px_overlap/features_simulated"
PATCH, PATCH_LEVEL0 = 256, 512


def write_slides(folder: Path, assays: Assays) -> Path:
    """Write the slides of a cohort below `folder`; one patient in twelve has two. Return the folder of the files."""
    people = assays.people
    rng = stream(assays.seed, people.design.name, "slides")
    target = folder / FEATURE_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.glob("SIMU-*.h5"):  # of an earlier run with another seed: the reader takes the whole folder
        stale.unlink()
    sites = sorted(set(people.patients["site"]))
    primary = people.primary
    for i, row in enumerate(people.patients.iter_rows(named=True)):
        if not row["has_patches"]:
            continue
        for number in range(2 if rng.random() < 1 / 12 else 1):
            name = f"{row['patient_id']}-01Z-00-DX{number + 1}.{uuid.UUID(bytes=rng.bytes(16), version=4)}".upper()
            patches = int(rng.integers(*assays.panel.patches, endpoint=True))
            features = assays.patches(int(primary[i]), sites.index(row["site"]), patches, rng)
            (target / f"{name}.h5").write_bytes(_file(name, features, rng))
    return target


def _file(name: str, features: NDArray[np.float32], rng: np.random.Generator) -> bytes:
    import h5py

    side = 24
    cells = np.sort(rng.choice(side * side, features.shape[0], replace=False))
    coords = np.stack([cells // side, cells % side], axis=1).astype(np.int64) * PATCH_LEVEL0
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        at = file.create_dataset("coords", data=coords, track_times=False)
        at.attrs["patch_size"] = PATCH
        at.attrs["patch_size_level0"] = PATCH_LEVEL0
        at.attrs["level0_magnification"] = 40
        at.attrs["target_magnification"] = 20
        at.attrs["overlap"] = 0
        at.attrs["name"] = name
        at.attrs["level0_width"] = side * PATCH_LEVEL0
        at.attrs["level0_height"] = side * PATCH_LEVEL0
        data = file.create_dataset("features", data=features, track_times=False)
        data.attrs["name"] = name
        data.attrs["note"] = "SIMULATED features of no real slide"
    return buffer.getvalue()
