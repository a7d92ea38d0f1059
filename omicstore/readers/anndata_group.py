"""An AnnData that stands in an HDF5 file, or in a part of one."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError, StudyError
from omicstore.formats import ABOUT
from omicstore.modalities import MODALITIES, get_modality
from omicstore.readers.anndata_matrix import element, matrix_of, read_values
from omicstore.readers.cells import mask_sentinels
from omicstore.readers.delimited import duplicates
from omicstore.readers.hdf5 import damaged
from omicstore.readers.matrix_plan import selected
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    import pandas as pd

    from omicstore.sources import Source

__all__ = ["described", "facts_of", "names_of", "opened", "read_group"]


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
        raise damaged(path, error, expected) from None


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
            expected="an h5ad file of anndata 0.7 or later",
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
    values = read_values(path, matrix, (len(ids), len(names)), columns)
    n_missing = mask_sentinels(values, source.missing)
    if not ids or not np.isfinite(values).any():
        found = "there is no sample in it" if not ids else "no cell holds a number"
        raise SourceError(path, found, expected="a matrix of numbers", run="name another file or format")
    if about is not None:
        obs = about.reindex(ids).join(obs.set_axis(ids).drop(columns=about.columns, errors="ignore"))
    raw = RawTable("matrix", source, source.modality, ids, [names[i] for i in columns], values, drops=drops)
    raw.rows_in, raw.columns_in = len(ids), len(names)
    raw.profile_info = _frame("raw_id", ids, obs)
    raw.feature_info = _frame("raw_feature", raw.features, features.iloc[columns])
    if n_missing:
        raw.warnings.append(f"{n_missing:,} cells hold {' or '.join(source.missing)} and were read as missing")
    if facts_of(group).get("simulated") == "True":
        raw.warnings.append("the file was exported from a store of simulated data")
    return raw


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
