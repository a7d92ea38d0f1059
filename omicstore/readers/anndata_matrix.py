"""The matrices and tables of an AnnData in HDF5: dense, sparse, or a layer, some rows at a time."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import SourceError, nearest
from omicstore.extras import extra
from omicstore.progress import task

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray


__all__ = ["element", "matrix_of", "read_values"]

_BLOCK_BYTES = 64 << 20


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


def read_values(path: Path, matrix: Any, shape: tuple[int, int], columns: NDArray[np.int64]) -> NDArray[np.float32]:
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
