"""Hashes of what a table says, whatever the file that holds it.

A column is hashed as its values in key order in one canonical encoding: integers as 64-bit, floats in their own width
with one bit pattern for NaN, text as UTF-8 with its lengths, and which cells are null. Columns make tables, tables make
the store. Compression, row groups, dictionary encoding, integer width and library versions do not enter.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import StoreError
from omicstore.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from omicstore.diskmatrix import Rows
    from omicstore.schema import Table

__all__ = ["column_hash", "in_key_order", "node_hash", "release_hash", "table_hash", "values_hash"]

#: Rows of a matrix are hashed in blocks of about this many bytes, so that no copy of the whole is made.
_BLOCK_BYTES = 8 << 20


def node_hash(kind: str, children: Mapping[str, Any]) -> str:
    """Return the hash of a node of the tree: its kind and its children, by name.

    Parameters
    ----------
    kind
        What the node is: ``table``, ``matrix``, ``store``, ...
    children
        Hashes, or facts that JSON can hold; their order does not matter.

    Examples
    --------
    >>> node_hash("table", {"a": "1", "b": "2"}) == node_hash("table", {"b": "2", "a": "1"})
    True
    """
    return hashlib.sha256(canonical_json([kind, dict(children)])).hexdigest()


def release_hash(body: Mapping[str, Any]) -> str:
    """Return the release id of what a ``store.json`` says: the root of the tree.

    Facts, catalogue tables, and per cohort its matrices, reports and patches enter; the index and the table of samples
    are made from these, so they do not.

    Parameters
    ----------
    body
        What ``store.json`` says, or will say.
    """
    hash_of = {path: entry["hash"] for path, entry in body["files"].items()}
    held = {
        cohort: {
            "matrices": {m: entry["hash"] for m, entry in body["matrices"][cohort].items()},
            "reports": hash_of[body["reports"][cohort]] if cohort in body["reports"] else None,
            "patches": body["patches"][cohort]["hash"] if cohort in body["patches"] else None,
        }
        for cohort in body["cohorts"]
    }
    tables = {name: hash_of[path] for name, path in body["tables"].items()}
    facts = {name: body[name] for name in ("format", "dataset", "simulated")}
    return node_hash("store", {**facts, "tables": tables, "cohorts": held})


def values_hash(values: Rows) -> str:
    """Return the hash of an (n, F) float32 matrix, rows in key order; every NaN counts as the same."""
    digest = hashlib.sha256(f"float32[{values.shape[0]},{values.shape[1]}]".encode())
    step = max(1, _BLOCK_BYTES // max(4 * values.shape[1], 1))
    for start in range(0, values.shape[0], step):
        digest.update(_one_nan(values[start : start + step]).astype("<f4", copy=False).data)
    return digest.hexdigest()


def column_hash(column: pl.Series) -> str:
    """Return the hash of a column in the order it has.

    Raises
    ------
    StoreError
        If the column's type is none that a store holds.

    Examples
    --------
    >>> column_hash(pl.Series([1, None], dtype=pl.Int8)) == column_hash(pl.Series([1, None], dtype=pl.Int64))
    True
    >>> column_hash(pl.Series(["ab", "c"])) == column_hash(pl.Series(["a", "bc"]))
    False
    """
    kind, payload = _encode(column)
    digest = hashlib.sha256(f"{kind}[{len(column)}]".encode())
    digest.update(np.packbits(column.is_not_null().to_numpy()).data)
    for part in payload:
        digest.update(part)
    return digest.hexdigest()


def in_key_order(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return the rows sorted by the table's key and then by all other columns, so that their order is unique."""
    others = (c for c in table.columns if c not in table.key and frame.schema.get(c, pl.List).is_nested() is False)
    return frame.sort([*table.key, *others], nulls_last=True)


def table_hash(frame: pl.DataFrame, table: Table) -> str:
    """Return the hash of a table's content; the order of its rows does not matter, unhashed columns do not enter.

    Parameters
    ----------
    frame
        Rows with the columns of `table`.
    table
        Its schema, key and unhashed columns.
    """
    left_out = {*table.unhashed, *(name for name in table.optional if name not in frame.columns)}
    hashed = [name for name in table.columns if name not in left_out]
    by_hashed = frame.select(hashed).sort([*table.key, *(c for c in hashed if c not in table.key)], nulls_last=True)
    return node_hash(f"table {table.name}", {name: column_hash(by_hashed[name]) for name in hashed})


def _encode(column: pl.Series) -> tuple[str, list[Any]]:
    dtype = column.dtype
    if dtype == pl.String or dtype == pl.Binary:
        blob = column.cast(pl.Binary)
        lengths = blob.bin.size().fill_null(0).to_numpy().astype("<i8")
        return ("text" if dtype == pl.String else "bytes"), [lengths.data, b"".join(blob.drop_nulls().to_list())]
    if dtype == pl.Boolean:
        return "bool", [column.fill_null(value=False).to_numpy().astype("u1").data]
    if dtype.is_integer():
        return "int", [column.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8", copy=False).data]
    if dtype in (pl.Float32, pl.Float64):
        width = "<f4" if dtype == pl.Float32 else "<f8"
        return f"float{width[2]}", [_one_nan(column.fill_null(0.0).to_numpy()).astype(width, copy=False).data]
    if isinstance(dtype, pl.Array) and dtype.inner == pl.Float32:
        return f"float4[{dtype.size}]", [_one_nan(column.to_numpy()).astype("<f4", copy=False).data]
    raise StoreError(
        f"column {column.name!r} has the type {dtype}", expected="text, numbers, booleans or float vectors"
    )


def _one_nan(values: NDArray[Any]) -> NDArray[Any]:
    """Return `values` in C order with one bit pattern for NaN; a copy only where one is needed."""
    values = np.ascontiguousarray(values)
    missing = np.isnan(values)
    return np.where(missing, values.dtype.type(np.nan), values) if missing.any() else values
