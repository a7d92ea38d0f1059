"""Croissant: what an export holds, in the JSON-LD vocabulary of MLCommons (version 1.0).

Who publishes an export adds ``url``, ``creator`` and ``datePublished``: it has none of them yet, and a date would give
the same cohort new bytes each day.
"""

from __future__ import annotations

import csv
import gzip
import re
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.export.citations import CITATIONS
from omicstore.export.matrices import measured
from omicstore.export.terms import SIMULATED, licences, provenance_of
from omicstore.export.text import plain_ids
from omicstore.files import canonical_json, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from omicstore.export.terms import Terms
    from omicstore.store.cohort import Cohort

__all__ = ["CROISSANT", "write_croissant"]

CROISSANT = "croissant.json"

_CR = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip

#: The context that the specification prescribes.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
} | {name: f"cr:{name}" for name in _CR}

_ENCODINGS = {
    ".parquet": "application/x-parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".csv": "text/csv",
    ".csv.gz": "text/csv",
    ".h5ad": "application/x-hdf5",
    ".h5mu": "application/x-hdf5",
    ".json": "application/json",
    ".md": "text/markdown",
    ".npz": "application/zip",
    ".txt": "text/tab-separated-values",
}

#: Tables that Croissant can point into.
_TABLES = (".parquet", ".csv", ".csv.gz")

#: A field for each of 20,000 genes would be a file of its own; beyond this the ids stand in the features' table alone.
_MOST_FIELDS = 100

#: What stands in no identifier of JSON-LD.
_UNFIT = re.compile(r"[^A-Za-z0-9._:-]")


def write_croissant(cohort: Cohort, folder: Path, terms: list[Terms]) -> None:
    """Write ``croissant.json``: what the export is, its files with their hashes, and the columns of its tables."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    store = cohort.store
    keys = list(dict.fromkeys(key for entry in terms for key in entry.cite))
    cohorts = ", ".join(cohort.question.cohorts)
    held = f"{', '.join(cohort.modalities)} of {len(cohort)} samples of {cohorts}"
    about = f"{held}, from release {store.release} of {store.dataset}"
    body = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"{store.dataset} {cohorts}",
        "description": f"{SIMULATED} {about}." if store.simulated else f"{about}.",
        "version": store.release,
        "license": licences(store, terms),
        "citeAs": " ".join([f"{store.dataset}, release {store.release}.", *(f"{CITATIONS[k].text}." for k in keys)]),
        "distribution": [_file(folder, name) for name in files],
        "recordSet": _record_sets(cohort, folder, files),
    }
    (folder / CROISSANT).write_bytes(canonical_json(body))


def _file(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _ENCODINGS.get(_suffix(name), "application/octet-stream"),
        "sha256": sha256_of(path),
    }


def _suffix(name: str) -> str:
    return ".csv.gz" if name.endswith(".csv.gz") else "." + name.rpartition(".")[2]


def _record_sets(cohort: Cohort, folder: Path, files: list[str]) -> list[dict[str, Any]]:
    schemas: dict[str, tuple[Mapping[str, Any], str]] = {
        "samples": (cohort.samples.schema, "who was measured: a row per sample"),
        "provenance": (
            provenance_of(cohort.store).schema,
            "where the numbers come from: a row per source file and cohort",
        ),
    }
    for modality in cohort.matrices:
        features = cohort.features(modality)
        schemas[modality] = _matrix(cohort, modality, turned=_is_turned(folder / f"{modality}.csv.gz"))
        schemas[f"features/{modality}"] = (features.schema, f"the features of {modality}: a row for each")
    sets = []
    for name, (schema, what) in sorted(schemas.items()):
        held = next((f"{name}{suffix}" for suffix in _TABLES if f"{name}{suffix}" in files), None)
        if held is not None:
            present = set(_header(folder / held)) if ".csv" in held else set(schema)
            sets.append(_record_set(name, held, {c: t for c, t in schema.items() if c in present}, what))
    return sets


def _matrix(cohort: Cohort, modality: str, *, turned: bool) -> tuple[Mapping[str, Any], str]:
    """Return the columns of a matrix as it was written, and what it is."""
    unit = cohort.facts(modality).get("unit", "mixed or unknown")
    rows, columns, key, table = "sample", "feature", "sample_id", f"features/{modality}"
    ids = cohort.features(modality)["feature_id"].to_list()
    if turned:
        rows, columns, key, table, ids = "feature", "sample", "feature_id", "samples", measured(cohort, modality)
    what = f"{modality}, unit {unit}: a row per {rows}, {key} and a float32 column per {columns}"
    if len(ids) > _MOST_FIELDS:
        what += f", whose {len(ids):,} ids are those of the table {table}"
    return {key: pl.String} | dict.fromkeys(ids if len(ids) <= _MOST_FIELDS else [], pl.Float32), what


def _is_turned(path: Path) -> bool:
    """Whether a matrix has features in rows, as R's assays have."""
    return path.exists() and _header(path)[0] == "feature_id"


def _header(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        return next(csv.reader(stream))


def _record_set(name: str, file: str, schema: Mapping[str, Any], what: str) -> dict[str, Any]:
    ids = {column: f"{name}/{plain}" for column, plain in zip(schema, plain_ids(schema, _UNFIT), strict=True)}
    fields = [
        {
            "@type": "cr:Field",
            "@id": ids[column],
            "name": column,
            "dataType": _data_type(dtype),
            "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
        }
        for column, dtype in schema.items()
    ]
    body: dict[str, Any] = {"@type": "cr:RecordSet", "@id": name, "name": name, "description": what, "field": fields}
    key = next((key for key in ("feature_id", "sample_id") if key in schema), None)
    if key is not None:
        body["key"] = {"@id": ids[key]}
    if key == "sample_id" and name != "samples":
        fields[0]["references"] = {"field": {"@id": "samples/sample_id"}}
    return body


def _data_type(dtype: Any) -> str:
    if dtype == pl.Boolean:
        return "sc:Boolean"
    if dtype.is_float():
        return "sc:Float"
    return "sc:Integer" if dtype.is_integer() else "sc:Text"
