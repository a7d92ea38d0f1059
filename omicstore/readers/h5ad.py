"""AnnData files of scverse (h5ad): samples in obs, features in var.

omicstore's own exports say in ``uns["omicstore"]`` what they hold; of other files the study file says modality and
unit. ``part:`` takes a layer, or ``raw``, in place of X. anndata reads the tables and sparse matrices, h5py the dense
ones: only what is needed, some samples at a time.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import SourceError, StudyError, nearest
from omicstore.extras import extra
from omicstore.formats import ABOUT
from omicstore.modalities import MODALITIES, get_modality
from omicstore.progress import task
from omicstore.readers.delimited import duplicates
from omicstore.readers.matrix_plan import selected
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    import pandas as pd
    from numpy.typing import NDArray

    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = [
    "described",
    "element",
    "expand",
    "facts_of",
    "names_of",
    "opened",
    "profile_ids",
    "read",
    "read_group",
    "recognise",
]

_BLOCK_BYTES = 64 << 20
_HDF5 = b"\x89HDF\r\n\x1a\n"


def expand(source: Source) -> list[Source]:
    """Return the source with the modality, unit, upstream fit and platform that the file or the study says.

    Raises
    ------
    SourceError
        If the file is no AnnData, or has no such layer.
    StudyError
        If nothing tells modality or unit.
    """
    with opened(source.path, "anndata") as file:
        matrix_of(source.path, file, source.part)
        return [described(source, facts_of(file), whole=source.part is None)]


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read X, or the layer that ``part:`` names.

    Raises
    ------
    SourceError
        If the file is damaged or no AnnData, there is no such layer, it holds no numbers, or a feature comes twice.
    """
    del sampling  # obs are samples, whatever their ids look like
    with opened(source.path, "anndata") as file:
        return [read_group(source, file, source.part)]


def profile_ids(source: Source) -> list[str]:
    """Return the names of the samples."""
    with opened(source.path, "anndata") as file:
        return names_of(source.path, file, "obs")


def recognise(head: Head) -> Guess | None:
    """Tell an AnnData by what it says of itself."""
    if head.is_dir or not head.start.startswith(_HDF5):
        return None
    try:
        with opened(head.path, "anndata") as file:
            facts = facts_of(file)
    except SourceError:
        return None
    modality, cohort = facts.get("modality"), facts.get("cohorts", "")
    return Guess(
        "h5ad",
        modality=modality if modality in MODALITIES else None,
        unit=facts.get("unit"),
        cohort=cohort if cohort and "," not in cohort else None,
        specific=10,
    )


@contextmanager
def opened(path: Path, kind: str) -> Iterator[h5py.File]:
    """Open an HDF5 file that says it is an ``anndata`` or a ``MuData``.

    Raises
    ------
    SourceError
        If it is damaged, or something else.
    """
    import h5py

    expected = {"anndata": "an h5ad file, as anndata writes it", "MuData": "an h5mu file, as mudata writes it"}[kind]
    try:
        with h5py.File(path) as file:
            found = str(file.attrs.get("encoding-type", ""))
            if found != kind and not (kind == "anndata" and not found and {"X", "obs", "var"} <= set(file)):
                what = f"it is {found!r}" if found else f"it has {', '.join(sorted(file)[:5]) or 'nothing in it'}"
                raise SourceError(
                    path, f"this is no {kind} file: {what}", expected=expected, run="correct format: in the study file"
                )
            yield file
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).partition("(")[2].rstrip(")").split()) or str(error)
        raise SourceError(
            path, f"this is no whole HDF5 file ({reason})", expected=expected, run="make or download the file again"
        ) from None


def facts_of(group: h5py.Group) -> dict[str, str]:
    """Return what omicstore's export said of a matrix; nothing of other files."""
    held = group.get(f"uns/{ABOUT}")
    if held is None or not hasattr(held, "items"):
        return {}
    facts = {}
    for name, value in held.items():
        if getattr(value, "shape", None) == ():
            cell = value[()]
            facts[name] = cell.decode() if isinstance(cell, bytes) else str(cell)
    return facts


def described(source: Source, facts: dict[str, str], *, whole: bool, what: str = "") -> Source:
    """Return a source with what the file says, where the study file says nothing.

    Parameters
    ----------
    source
        As in the study file.
    facts
        From `facts_of`.
    whole
        Whether X is taken; what the file says of its unit is not true of a layer.
    what
        Which part of the file, for the message.

    Raises
    ------
    StudyError
        If neither tells the modality, or the unit.
    """
    name = f"{source.path.name}{what}"
    modality = source.modality or facts.get("modality")
    if modality is None:
        raise StudyError(
            f"{name} does not say what it measures",
            expected="modality: in the study file",
            run=f"add modality: {', '.join(list(MODALITIES)[:4])}, ... to this source",
        )
    unit = source.unit or (facts.get("unit") if whole else None)
    if unit is None:
        raise StudyError(
            f"{name} does not say in which unit {modality} is",
            expected="unit: in the study file",
            run="add unit: tpm, log2(tpm+1), beta, zscore, ... to this source",
        )
    return replace(
        source, modality=get_modality(modality).name, unit=unit,
        upstream_fit=source.upstream_fit or facts.get("upstream_fit"),
        platform=source.platform or facts.get("platform"),
    )  # fmt: skip


def names_of(path: Path, group: h5py.Group, axis: str) -> list[str]:
    """Return the names of the samples (``obs``) or the features (``var``).

    Raises
    ------
    SourceError
        If there are none.
    """
    table = group.get(axis)
    if table is None or not hasattr(table, "keys") or "_index" not in table.attrs:
        raise SourceError(
            path,
            f"{axis} is not a table as anndata has written it since version 0.7",
            expected="an h5ad file of this decade",
            run="read it with anndata and write it again",
        )
    return [str(name) for name in element(path, table[table.attrs["_index"]])]


def read_group(source: Source, group: h5py.Group, layer: str | None, about: pd.DataFrame | None = None) -> RawTable:
    """Read an AnnData that stands in a file or in a part of one.

    Parameters
    ----------
    source
        ``select`` and ``drop`` choose features.
    group
        The AnnData.
    layer
        Which layer, or ``raw``; X where None.
    about
        What is known of samples in place of, or beside, the AnnData's own obs; its index are their names.
    """
    path = source.path
    matrix, var = matrix_of(path, group, layer)
    ids = names_of(path, group, "obs")
    names_of(path, var.parent, var.name.rpartition("/")[2])
    features, obs = element(path, var), element(path, group["obs"])
    names = _feature_names(features, facts_of(group).get("modality"))
    drops = Drops()
    for name, places in duplicates(names).items():
        raise SourceError(
            path,
            f"the feature {name!r} comes {len(places)} times in var",
            expected="one column for each feature",
            run="make them one with anndata, or give them names of their own (var_names_make_unique)",
        )
    kept = selected(source, names, drops, what="features") if names else []
    columns = np.flatnonzero(np.array(kept, bool))
    values = _values(path, matrix, (len(ids), len(names)), columns)
    if not ids or not np.isfinite(values).any():
        found = "there is no sample in it" if not ids else "no cell holds a number"
        raise SourceError(path, found, expected="a matrix of numbers", run="name another file or format")
    if about is not None:
        obs = about.reindex(ids).join(obs.set_axis(ids).drop(columns=about.columns, errors="ignore"))
    raw = RawTable("matrix", source, source.modality, ids, [names[i] for i in columns], values, drops=drops)
    raw.rows_in, raw.columns_in = len(ids), len(names)
    raw.profile_info = _frame("raw_id", ids, obs)
    raw.feature_info = _frame("raw_feature", raw.features, features.iloc[columns])
    if facts_of(group).get("simulated") == "True":
        raw.warnings.append("the file was exported from a store of simulated data")
    return raw


def matrix_of(path: Path, group: h5py.Group, layer: str | None) -> tuple[Any, h5py.Group]:
    """Return the matrix that is asked for, and the table of its features.

    Raises
    ------
    SourceError
        If there is no such layer.
    """
    if layer is None and "X" in group:
        return group["X"], group["var"]
    if layer == "raw" and "raw" in group:
        return group["raw/X"], group["raw/var"]
    layers = group.get("layers", {})
    if layer is not None and layer in layers:
        return layers[layer], group["var"]
    known = [*layers, *(["raw"] if "raw" in group else [])]
    close = nearest(layer or "", known)
    raise SourceError(
        path,
        f"there is no layer {layer!r}" if layer is not None else "there is no X",
        expected=f"one of {', '.join(close)}" if known else "a matrix in X",
        run="correct part: of this source in the study file" if layer is not None else "add part: with a layer",
    )


def _values(path: Path, matrix: Any, shape: tuple[int, int], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read columns of a dense or sparse matrix, some rows (of CSC: some columns) at a time."""
    form = str(matrix.attrs.get("encoding-type", ""))
    dense = hasattr(matrix, "dtype")
    if not dense and form not in ("csr_matrix", "csc_matrix"):
        raise SourceError(path, f"its matrix is {form or 'of an unknown kind'}", expected="an array, CSR or CSC")
    reader = matrix if dense else _sparse(matrix)
    if tuple(reader.shape) != shape or reader.dtype.kind not in "fiub":
        found = f"its matrix has the shape {tuple(reader.shape)} and the type {reader.dtype}"
        raise SourceError(
            path, found, expected=f"{shape[0]} x {shape[1]} numbers, as obs and var say", run="make the file again"
        )
    out = np.empty((shape[0], len(columns)), np.float32)
    every = len(columns) == shape[1]
    along = 1 if form == "csc_matrix" else 0
    total = len(columns) if along else shape[0]
    step = max(1, _BLOCK_BYTES // (4 * max(1, shape[0] if along else shape[1])))
    with task(f"reading {path.name}", total, "features" if along else "samples") as advance:
        for start in range(0, total, step):
            part = slice(start, min(start + step, total))
            if along:
                out[:, part] = reader[:, columns[part]].toarray()
            else:
                block = reader[part] if dense else reader[part].toarray()
                out[part] = block if every else block[:, columns]
            advance(part.stop - part.start)
    return out


def _sparse(group: h5py.Group) -> Any:
    extra("anndata")
    from anndata.io import sparse_dataset

    return sparse_dataset(group)


def element(path: Path, element: Any) -> Any:
    """Read a table or its index as anndata does, without its notes on older files."""
    extra("anndata")
    from anndata.io import read_elem

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_elem(element)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SourceError(
            path,
            f"{element.name.strip('/')} cannot be read ({' '.join(str(error).split())[:150]})",
            expected="a file as anndata writes it",
            run="read it with anndata and write it again",
        ) from None


def _feature_names(features: pd.DataFrame, modality: str | None) -> list[str]:
    """Return the names in var; of our own exports without the modality before them."""
    if modality is not None and "feature_id" in features.columns:
        return [str(name) for name in features["feature_id"]]
    return [str(name) for name in features.index]


def _frame(first: str, ids: list[str], table: pd.DataFrame) -> pl.DataFrame | None:
    columns = {}
    for name in table.columns:
        cells = table[name].astype(object)
        columns[str(name)] = pl.Series(cells.where(table[name].notna(), None).tolist(), strict=False)
    return pl.DataFrame({first: ids} | {n: c for n, c in columns.items() if n != first}) if columns else None
