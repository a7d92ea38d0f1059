"""The profile tables: what every matrix, feature and sample looks like, read one matrix at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from validation.expression import expressed_sex
from validation.integrity import UNREADABLE, Integrity
from validation.profiles import describe_features, describe_matrix, describe_rows, describe_samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.store.reader import Store

__all__ = ["profile_matrices"]

_STATISTICS = {
    name: pl.Float64 if column.dtype.kind == "f" else pl.Int64
    for name, column in describe_rows(np.zeros((1, 1), np.float32), (None, None)).items()
}
_WHERE = {"cohort": pl.String, "modality": pl.String, "unit": pl.String}

_SCHEMAS: dict[str, dict[str, Any]] = {
    "features": _WHERE | {"feature_id": pl.String, "symbol": pl.String} | _STATISTICS,
    "samples": _WHERE | {"sample_id": pl.String, "profile_id": pl.String} | _STATISTICS,
    "matrices": _WHERE
    | {"upstream_fit": pl.String, "platform": pl.String, "n_samples": pl.Int64, "n_features": pl.Int64}
    | {"observed": pl.Int64}
    | dict.fromkeys(("missing", "min", "max", "range", "mean", "sd", "median_abs", "zeros"), pl.Float64)
    | {"features_in_order": pl.Boolean, "first_feature_out_of_order": pl.String}
    | {"samples_in_order": pl.Boolean, "first_sample_out_of_order": pl.String},
    "expressed_sex": {"cohort": pl.String, "sample_id": pl.String, "expressed": pl.String}
    | {"xist": pl.Float64, "y_genes": pl.Float64},
}


def profile_matrices(store: Store, advance: Callable[[], None]) -> dict[str, pl.DataFrame]:
    """Read every matrix once and describe it.

    Parameters
    ----------
    store
        The open store.
    advance
        Called after each matrix.

    Returns
    -------
    dict
        features, samples, matrices (see `validation.profiles.describe_rows`), expressed_sex and files (see
        `validation.integrity`). A matrix that cannot be read is in files alone.
    """
    parts: dict[str, list[pl.DataFrame]] = {name: [pl.DataFrame(schema=s)] for name, s in _SCHEMAS.items()}
    integrity = Integrity(store)
    for cohort, matrices in sorted(store.body["matrices"].items()):
        for modality in sorted(matrices):
            for name, frame in _profile(store, cohort, modality, integrity).items():
                where = [pl.lit(cohort).alias("cohort"), pl.lit(modality).alias("modality")]
                unit = pl.lit(matrices[modality]["unit"], pl.String).alias("unit")
                parts[name].append(_conform(frame.with_columns(*where, unit), _SCHEMAS[name]))
            advance()
    integrity.rest()
    return {name: pl.concat(frames) for name, frames in parts.items()} | {"files": integrity.table()}


def _conform(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    return frame.with_columns(pl.lit(None).alias(c) for c in schema if c not in frame.columns).select(
        pl.col(c).cast(dtype).fill_nan(None) if dtype == pl.Float64 else pl.col(c).cast(dtype)
        for c, dtype in schema.items()
    )


def _profile(store: Store, cohort: str, modality: str, integrity: Integrity) -> dict[str, pl.DataFrame]:
    entry = store.body["matrices"][cohort][modality]
    path = entry["features"]
    try:
        axis = store.files.table(path)
        integrity.axis(cohort, modality, axis)
        path = entry["values"]
        file = store.matrix(path)
        rows = pl.DataFrame(file.keys(["sample_id", "profile_id"]))
        values = np.empty((file.n_rows, file.width), np.float32)
        file.read(np.arange(file.n_rows), values)
        if values.shape[1] != axis.height:
            raise ValueError(f"{values.shape[1]} columns, and an axis of {axis.height} features")
    except UNREADABLE as error:
        integrity.broken(path, cohort, error)
        return {}
    integrity.matrix(cohort, modality, values, rows)
    features, samples = describe_features(values, entry["unit"]), describe_samples(values, entry["unit"])
    found = {
        "features": pl.concat([axis.select("feature_id", "symbol"), features], how="horizontal"),
        "samples": pl.concat([rows, samples], how="horizontal"),
        "matrices": pl.DataFrame([_matrix(entry, axis, rows, samples)]),
    }
    if modality == "rna":
        calls = expressed_sex(values, axis, entry["unit"])
        if not calls.is_empty():
            found["expressed_sex"] = pl.concat([rows.select("sample_id"), calls], how="horizontal")
    return found


def _matrix(entry: dict[str, Any], axis: pl.DataFrame, rows: pl.DataFrame, samples: pl.DataFrame) -> dict[str, Any]:
    feature, sample = _first_out_of_order(axis["feature_id"]), _first_out_of_order(rows["sample_id"])
    return {
        "upstream_fit": entry["upstream_fit"],
        "platform": entry["platform"],
        "n_samples": rows.height,
        "n_features": axis.height,
        **describe_matrix(samples),
        "features_in_order": feature is None,
        "first_feature_out_of_order": feature,
        "samples_in_order": sample is None,
        "first_sample_out_of_order": sample,
    }


def _first_out_of_order(names: pl.Series) -> str | None:
    """Return the first name that is missing, or not after the one before it."""
    late = (names.is_null() | (names <= names.shift()).fill_null(value=False)).arg_true()
    return str(names[int(late[0])]) if len(late) else None
