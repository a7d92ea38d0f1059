"""Patch features of slides, as TRIDENT and CLAM leave them: a folder with one HDF5 file for each slide.

A file has the datasets ``features``, (patches, dim) or (1, patches, dim), and ``coords``, (patches, 2): x and y of the
upper left corner in pixels of level 0. TRIDENT writes ``<job>/20x_256px_0px_overlap/features_<encoder>/<slide>.h5`` and
tells the magnification in the attributes of ``coords``; beside these lie ``patches``, coordinates without features, and
``slide_features_<encoder>``, one vector for each slide. CLAM writes ``h5_files/<slide>.h5`` without attributes, and the
features alone once more as ``pt_files/<slide>.pt``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SourceError
from omicstore.identifiers import find_barcode
from omicstore.readers.hdf5 import damaged
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from omicstore.readers.recognise import Head
    from omicstore.slides.cache import FeatureCache
    from omicstore.sources import Sampling, Source

__all__ = ["iter_patches", "read_slides", "recognise"]

_EXPECTED = "a file with the datasets coords and features, as TRIDENT and CLAM write it"

#: Patches that are read at once.
BATCH = 1024

_SCHEMA = {
    "raw_id": pl.String,
    "slide_id": pl.String,
    "path": pl.String,
    "encoder": pl.String,
    "n_patches": pl.Int64,
    "dim": pl.Int64,
}


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
        If the folder has no such file, a file is damaged, coords and features differ in number, a slide is there twice,
        or the files are of several encoders.
    """
    paths = _files(source.path)
    drops = Drops()
    rows: list[dict[str, Any]] = []
    for path in paths:
        slide_id = path.stem
        barcode = find_barcode(slide_id)
        if barcode is None and sampling is None:
            drops.add("no barcode", [slide_id])
            continue
        held = _look(path)
        if held.lacks is not None:
            drops.add(held.lacks, [str(path.relative_to(source.path))])
        elif held.n_patches == 0:
            drops.add("no patch", [slide_id])
        else:
            raw_id = barcode.text if barcode is not None else slide_id
            encoder = source.encoder or held.encoder
            rows.append(
                dict(
                    zip(_SCHEMA, (raw_id, slide_id, str(path), encoder, held.n_patches, held.dim), strict=True),
                )
            )
    if not rows:
        raise SourceError(
            source.path,
            f"none of {len(paths)} files has a barcode in its name and a patch with features",
            expected="names such as TCGA-XX-XXXX-01Z-00-DX1.h5, with coords and features in them",
            run="give study.samples for other names",
        )
    frame = pl.DataFrame(rows, schema=_SCHEMA).sort("slide_id", "encoder", "path")
    _refuse_mixed(source, frame)
    return [
        RawTable(
            "patches", source, source.modality, frame=frame, rows_in=len(paths), columns_in=len(_SCHEMA), drops=drops
        )
    ]


def iter_patches(source: Source, slide: Mapping[str, Any], cache: FeatureCache) -> Iterator[pl.DataFrame]:
    """Read the patches of one slide, some at a time; see `omicstore.readers.iter_patches`.

    Raises
    ------
    SourceError
        If a number is NaN or infinite, or the file is damaged.
    """
    import h5py
    import numpy as np

    del cache  # nothing is computed
    path = Path(slide["path"])
    held = _look(path)
    magnification = source.magnification or held.magnification
    try:
        with h5py.File(path) as file:
            coords, features = file["coords"], file["features"]
            stacked = features.ndim == 3
            for start in range(0, held.n_patches, BATCH):
                rows = slice(start, min(start + BATCH, held.n_patches))
                at = np.asarray(coords[rows])
                values = np.asarray(features[0, rows] if stacked else features[rows], np.float32)
                bad = ~(np.isfinite(values).all(axis=1) & np.isfinite(at).all(axis=1))
                if bad.any():
                    raise SourceError(
                        path,
                        f"patch {start + int(bad.argmax())} has a number that is NaN or infinite",
                        expected="finite coordinates and features",
                        run="make the features of this slide again",
                    )
                yield pl.DataFrame(
                    {
                        "patch": np.arange(rows.start, rows.stop, dtype=np.int64),
                        "x": at[:, 0].astype(np.int64),
                        "y": at[:, 1].astype(np.int64),
                        "magnification": pl.Series([magnification] * len(at), dtype=pl.Float64),
                        "encoder": [slide["encoder"]] * len(at),
                        "features": pl.Series(np.ascontiguousarray(values), dtype=pl.Array(pl.Float32, held.dim)),
                    }
                )
    except OSError as error:
        raise damaged(path, error, _EXPECTED) from None


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    paths = sorted([*folder.rglob("*.h5"), *folder.rglob("*.hdf5")])
    if paths:
        return paths
    found, run = "there is no .h5 file in the folder", "mend the path in the study file"
    if not folder.exists():
        found = "no such folder"
    elif next(folder.rglob("*.pt"), None) is not None:
        found = "there are .pt files but no .h5 file in the folder; .pt files have no coordinates"
        run = "name the folder h5_files, which CLAM writes beside pt_files"
    raise SourceError(folder, found, expected="one .h5 file for each slide", run=run)


def _refuse_mixed(source: Source, frame: pl.DataFrame) -> None:
    folders = (
        sorted({Path(p).parent.relative_to(source.path).as_posix() for p in frame["path"]})
        if (source.path.is_dir())
        else []
    )
    run = f"make each folder a source of its own: {', '.join(folders[:5])}"
    kinds = frame.select("encoder", "dim").unique().sort("encoder", "dim")
    if kinds.height > 1:
        named = ", ".join(f"{encoder} ({dim} numbers)" for encoder, dim in kinds.iter_rows())
        raise SourceError(source.path, f"features of several encoders: {named}", expected="one encoder", run=run)
    twice = frame.group_by("slide_id").len().filter(pl.col("len") > 1)["slide_id"].sort()
    if len(twice):
        raise SourceError(
            source.path, f"{len(twice)} slides are there twice, e.g. {twice[0]}", expected="each slide once", run=run
        )


def recognise(head: Head) -> Guess | None:
    """Tell a slide's file by its datasets, and a folder by its first file."""
    names = [name for name in head.names if name.lower().endswith((".h5", ".hdf5"))]
    # Folders of pictures and .pt files lie beside those of features.
    rest = [n for n in head.names if not n.lower().endswith((".h5", ".hdf5", ".pt", ".png", ".jpg", ".csv", ".txt"))]
    if head.is_dir and (not names or len(rest) > len(names)):
        return None
    if not head.is_dir and not head.start.startswith(b"\x89HDF\r\n"):
        return None
    try:
        held = _look(head.path / names[0] if head.is_dir else head.path)
    except SourceError:
        return None
    if held.lacks is not None:
        return None
    note = f"the first slide has {held.n_patches:,} patches of {held.dim} numbers, encoder {held.encoder}"
    return Guess("patches-h5", modality="patches", specific=10, notes=(note,))


@dataclass(frozen=True, slots=True)
class _Held:
    """What a slide's file holds; `lacks` says why it is not one of patch features, though whole."""

    n_patches: int = 0
    dim: int = 0
    encoder: str = "unknown"
    magnification: float | None = None
    lacks: str | None = None


def _look(path: Path) -> _Held:
    import h5py

    try:
        with h5py.File(path) as file:
            if "features" not in file:
                if "coords" in file:
                    return _Held(lacks="coordinates without features")
                raise SourceError(
                    path,
                    "there is no dataset coords and features",
                    expected=_EXPECTED,
                    run="name the folder of features",
                )
            coords, features = file.get("coords"), file["features"]
            if coords is None:
                if features.ndim == 1 or features.shape[0] == 1:
                    return _Held(lacks="features of a whole slide, not of patches")
                raise SourceError(path, "there is no dataset coords", expected=_EXPECTED, run="make the file again")
            shape = features.shape[1:] if features.ndim == 3 and features.shape[0] == 1 else features.shape
            if len(shape) != 2 or len(coords.shape) != 2 or coords.shape[0] != shape[0] or coords.shape[1] < 2:
                raise SourceError(
                    path,
                    f"coords has the shape {coords.shape} and features {features.shape}",
                    expected="(patches, 2) and (patches, dim)",
                    run="make the file again",
                )
            if features.dtype.kind not in "fiu":
                raise SourceError(path, f"features are {features.dtype}", expected="numbers")
            told = features.attrs.get("encoder")
            encoder = _text(told) if told is not None else _encoder_of(path)
            magnification = _number(coords.attrs.get("target_magnification")) or _magnification_of(path)
            return _Held(int(shape[0]), int(shape[1]), encoder, magnification)
    except OSError as error:
        raise damaged(path, error, _EXPECTED) from None


def _encoder_of(path: Path) -> str:
    """Return the encoder that the nearest folder ``features_<encoder>`` names."""
    named = (re.fullmatch(r"features_(.+)", folder.name) for folder in path.parents)
    return next((found[1] for found in named if found), "unknown")


def _magnification_of(path: Path) -> float | None:
    """Return the magnification that a folder such as ``20x_256px_0px_overlap`` names."""
    named = (re.match(r"(\d+(?:\.\d+)?)x_\d+px", folder.name) for folder in path.parents)
    return next((float(found[1]) for found in named if found), None)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
