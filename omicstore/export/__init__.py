"""Write what a query found to files in a format that other tools read.

`EXPORTERS` is the registry: a new format is one module and one line in it. A module's function writes files into an
empty folder and returns what it had to leave out; `export` gives it that folder, adds the sources with their terms
(``provenance``, ``CITATION.md``), ``croissant.json`` and ``manifest.json``, and moves all into place in one step.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from omicstore.store.cohort import Cohort

    Exporter = Callable[[Cohort, Path], list[str]]

__all__ = ["EXPORTERS", "export", "get_exporter"]

#: Format -> "module:function", imported when it is asked for.
EXPORTERS: dict[str, str] = {
    "parquet": "omicstore.export.parquet:write",
    "arrow": "omicstore.export.arrow:write",
    "csv": "omicstore.export.csv:write",
    "h5ad": "omicstore.export.h5ad:write",
    "h5mu": "omicstore.export.h5mu:write",
    "npz": "omicstore.export.npz:write",
    "safetensors": "omicstore.export.safetensors:write",
    "cbioportal": "omicstore.export.cbioportal:write",
    "mae": "omicstore.export.mae:write",
}


def get_exporter(name: str) -> Exporter:
    """Return the function that writes a format.

    Raises
    ------
    UnknownNameError
        If there is no such format; names the nearest ones.
    """
    target = EXPORTERS.get(name.strip().lower())
    if target is None:
        raise UnknownNameError("format", name, EXPORTERS, run=f"choose from {', '.join(EXPORTERS)}")
    module, _, function = target.partition(":")
    found: Exporter = getattr(importlib.import_module(module), function)
    return found


def export(cohort: Cohort, format: str, out: Path, *, overwrite: bool = False) -> list[str]:  # noqa: A002
    """Write a cohort to a folder.

    Parameters
    ----------
    cohort
        What `Store.query` returned.
    format
        One of `EXPORTERS`.
    out
        The folder to make. It appears complete or not at all.
    overwrite
        Replace an earlier export in `out`.

    Returns
    -------
    list of str
        What the format cannot hold and was left out, one sentence each.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    ExportError
        If `out` is a file or lies in the store, or holds something that is no export, or an earlier export without
        `overwrite`; or if the format can hold none of the modalities.
    """
    from omicstore.export.croissant import write_croissant
    from omicstore.export.folder import check_outside, new_folder, write_manifest
    from omicstore.export.terms import write_terms

    write, name = get_exporter(format), format.strip().lower()
    check_outside(out, cohort.store)
    with new_folder(out, overwrite=overwrite) as folder:
        left_out = write(cohort, folder)
        terms = write_terms(cohort, name, folder)
        write_croissant(cohort, folder, terms)
        write_manifest(cohort, name, folder, left_out)
    return left_out
