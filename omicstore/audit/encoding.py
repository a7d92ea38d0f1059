"""The encodings behind every hash, written a second time.

A verifier that calls the code that wrote the files would repeat its mistakes; so this follows the format's description
(omicstore/store/README.md, docs/splits.md) and shares no line with `omicstore.files` or `omicstore.store`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "NAN_BITS",
    "array_hash",
    "axis_hash",
    "body_hash",
    "canonical",
    "column_hash",
    "file_hash",
    "frame_hash",
    "node_hash",
    "one_nan",
    "row_hash",
    "store_hash",
]

#: The bits of the one NaN that hashes and files hold.
NAN_BITS = int(np.float32(np.nan).view(np.uint32))


def canonical(body: Any) -> bytes:
    """Return `body` as the canonical JSON file: UTF-8, sorted keys, indent of one, a line feed at the end."""
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def body_hash(body: Mapping[str, Any], seal: str) -> str:
    """Return the sha256 (hex) of a JSON object without the key `seal`, which holds this very hash."""
    return hashlib.sha256(canonical({k: body[k] for k in body if k != seal})).hexdigest()


def file_hash(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def row_hash(sample_ids: Iterable[str]) -> str:
    """Return the sha256 (hex) of a set of sample ids: sorted, each with a line feed."""
    digest = hashlib.sha256()
    for name in sorted(set(sample_ids)):
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def axis_hash(feature_ids: Iterable[str]) -> str:
    """Return the sha256 (hex) of feature ids in their order, each with a line feed."""
    digest = hashlib.sha256()
    for name in feature_ids:
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def frame_hash(frame: pl.DataFrame) -> str:
    """Return the sha256 (hex) of a table: columns by name, rows in the order of all columns, a JSON line per column."""
    names = sorted(frame.columns)
    ordered = frame.select(names).sort(names, nulls_last=True)
    digest = hashlib.sha256()
    for name in names:
        digest.update(json.dumps([name, ordered.get_column(name).to_list()], ensure_ascii=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def one_nan(values: NDArray[Any]) -> NDArray[np.uint32]:
    """Return the bits of float32 numbers, those of every NaN made one."""
    exact = np.ascontiguousarray(values, dtype="<f4")
    bits = exact.view(np.uint32)
    missing = np.isnan(exact)
    return np.where(missing, np.uint32(NAN_BITS), bits) if missing.any() else bits


def array_hash(values: NDArray[np.floating]) -> str:
    """Return the sha256 (hex) of shape and float32 numbers of what a transform gave out."""
    digest = hashlib.sha256(repr(tuple(int(n) for n in values.shape)).encode())
    digest.update(one_nan(values).tobytes())
    return digest.hexdigest()


def node_hash(kind: str, children: Mapping[str, Any]) -> str:
    """Return the hash of a node of the store's tree: canonical JSON of its kind and its children.

    Examples
    --------
    >>> node_hash("table", {"a": "1"}) == hashlib.sha256(canonical(["table", {"a": "1"}])).hexdigest()
    True
    """
    return hashlib.sha256(canonical([kind, dict(children)])).hexdigest()


def column_hash(column: pl.Series) -> str:
    """Return the hash of a column as it is ordered: its kind and length, which cells are not null, then the cells.

    Raises
    ------
    TypeError
        If no store holds such a column.
    """
    kind, payload = _cells(column)
    digest = hashlib.sha256(f"{kind}[{column.len()}]".encode())
    digest.update(np.packbits(~column.is_null().to_numpy()).tobytes())
    for part in payload:
        digest.update(part)
    return digest.hexdigest()


def _cells(column: pl.Series) -> tuple[str, list[bytes]]:
    dtype = column.dtype
    if dtype in (pl.String, pl.Binary):
        cells = [b"" if cell is None else cell for cell in column.cast(pl.Binary).to_list()]
        lengths = np.array([len(cell) for cell in cells], dtype="<i8")
        return ("text" if dtype == pl.String else "bytes"), [lengths.tobytes(), b"".join(cells)]
    if dtype == pl.Boolean:
        return "bool", [bytes(bytearray(1 if cell else 0 for cell in column.to_list()))]
    if dtype.is_integer():
        return "int", [column.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes()]
    if dtype == pl.Float32:
        return "float4", [one_nan(column.fill_null(0.0).to_numpy()).tobytes()]
    if dtype == pl.Float64:
        numbers = column.fill_null(0.0).to_numpy().astype("<f8")
        numbers[np.isnan(numbers)] = np.nan
        return "float8", [numbers.tobytes()]
    raise TypeError(f"column {column.name} has the type {dtype}, which no store holds")


def store_hash(body: Mapping[str, Any]) -> str:
    """Return the release id that the hashes in a ``store.json`` give: the root of the tree."""
    files = {path: entry["hash"] for path, entry in body["files"].items()}
    cohorts = {}
    for cohort in body["cohorts"]:
        report, patches = body["reports"].get(cohort), body["patches"].get(cohort)
        cohorts[cohort] = {
            "matrices": {m: entry["hash"] for m, entry in body["matrices"].get(cohort, {}).items()},
            "reports": None if report is None else files[report],
            "patches": None if patches is None else patches["hash"],
        }
    tables = {name: files[path] for name, path in body["tables"].items()}
    facts = {name: body[name] for name in ("format", "dataset", "simulated")}
    return node_hash("store", {**facts, "tables": tables, "cohorts": cohorts})
