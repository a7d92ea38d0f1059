"""Patch features of slides, as TRIDENT and CLAM leave them: a folder with one HDF5 file for each slide.

A file has the datasets ``features``, (patches, dim) or (1, patches, dim), and ``coords``, (patches, 2): x and y of the
upper left corner in pixels of level 0. TRIDENT tells the magnification in the attributes of ``coords`` and the encoder
in those of ``features`` or in the folder's name, ``features_<encoder>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SourceError
from omicstore.identifiers import find_barcode
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from omicstore.sources import Sampling, Source

__all__ = ["iter_patches", "read_slides"]

_NO_SLIDE = "a file with the datasets coords and features, as TRIDENT and CLAM write it"


def read_slides(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """List the slides of a folder; their features are read later, by `iter_patches`.

    Returns
    -------
    list of RawTable
        One, with the columns raw_id (the barcode in the file's name, else the name), slide_id, path, encoder, n_patches
        and dim, sorted by slide.

    Raises
    ------
    SourceError
        If the folder has no such file, a file is damaged, or coords and features differ in number.
    """
    if source.path.is_file():
        paths = [source.path]
    else:
        paths = sorted([*source.path.rglob("*.h5"), *source.path.rglob("*.hdf5")])
    if not paths:
        found = "there is no .h5 file in the folder" if source.path.exists() else "no such folder"
        raise SourceError(
            source.path, found, expected="one .h5 file for each slide", run="mend the path in the study file"
        )
    drops = Drops()
    rows: list[dict[str, Any]] = []
    for path in paths:
        slide_id = path.stem
        barcode = find_barcode(slide_id)
        if barcode is None and sampling is None:
            drops.add("no barcode", [slide_id])
            continue
        n_patches, dim, encoder = _shape(path)
        if n_patches == 0:
            drops.add("no patch", [slide_id])
            continue
        raw_id = barcode.text if barcode is not None else slide_id
        rows.append(
            {
                "raw_id": raw_id,
                "slide_id": slide_id,
                "path": str(path),
                "encoder": encoder,
                "n_patches": n_patches,
                "dim": dim,
            }
        )
    if not rows:
        raise SourceError(
            source.path,
            f"none of {len(paths)} files has a barcode in its name and a patch",
            expected="names such as TCGA-XX-XXXX-01Z-00-DX1.h5",
            run="give study.samples for other names",
        )
    schema = {
        "raw_id": pl.String,
        "slide_id": pl.String,
        "path": pl.String,
        "encoder": pl.String,
        "n_patches": pl.Int64,
        "dim": pl.Int64,
    }
    frame = pl.DataFrame(rows, schema=schema).sort("slide_id", "encoder", "path")
    return [
        RawTable(
            "patches", source, source.modality, frame=frame, rows_in=len(paths), columns_in=len(schema), drops=drops
        )
    ]


def iter_patches(path: Path, batch: int = 4096) -> Iterator[pl.DataFrame]:
    """Read the patches of one slide, some at a time.

    Parameters
    ----------
    path
        The slide's file.
    batch
        The most patches of one frame.

    Yields
    ------
    polars.DataFrame
        patch (number from 0), x, y (pixels of level 0), magnification (null where not told), encoder, and features, an
        array of float32.
    """
    import h5py
    import numpy as np

    n_patches, dim, encoder = _shape(path)
    with h5py.File(path) as file:
        coords, features = file["coords"], file["features"]
        magnification = _number(coords.attrs.get("target_magnification"))
        stacked = features.ndim == 3
        for start in range(0, n_patches, batch):
            rows = slice(start, min(start + batch, n_patches))
            at = np.asarray(coords[rows]).astype(np.int64)
            values = np.asarray(features[0, rows] if stacked else features[rows], np.float32)
            yield pl.DataFrame(
                {
                    "patch": np.arange(rows.start, rows.stop, dtype=np.int64),
                    "x": at[:, 0],
                    "y": at[:, 1],
                    "magnification": pl.Series([magnification] * len(at), dtype=pl.Float64),
                    "encoder": [encoder] * len(at),
                    "features": pl.Series(np.ascontiguousarray(values), dtype=pl.Array(pl.Float32, dim)),
                }
            )


def _shape(path: Path) -> tuple[int, int, str]:
    """Return patches, dimensions and encoder of a slide's file."""
    import h5py

    try:
        with h5py.File(path) as file:
            absent = [name for name in ("coords", "features") if name not in file]
            if absent:
                found = f"there is no dataset {' and '.join(absent)}"
                raise SourceError(
                    path, found, expected=_NO_SLIDE, run="name the folder of the features, not of the coordinates alone"
                )
            coords, features = file["coords"].shape, file["features"].shape
            encoder = file["features"].attrs.get("encoder")
    except OSError as error:
        reason = str(error).partition("(")[2].rstrip(")") or str(error)
        found = f"this is no whole HDF5 file ({reason})"
        raise SourceError(path, found, expected=_NO_SLIDE, run="make or download the file again") from None
    if len(features) == 3 and features[0] == 1:
        features = features[1:]
    if len(features) != 2 or len(coords) != 2 or coords[0] != features[0] or coords[1] < 2:
        found = f"coords has the shape {coords} and features {features}"
        raise SourceError(path, found, expected="(patches, 2) and (patches, dim)", run="make the file again")
    folder = path.parent.name
    name = (
        str(encoder)
        if encoder is not None
        else folder.removeprefix("features_")
        if folder.startswith("features_")
        else "unknown"
    )
    return int(features[0]), int(features[1]), name


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
