"""What a build would make of a case: matrices with one chosen profile per sample, and the tables of the catalogue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.files import canonical_cell
from omicstore.harmonize.assay import Assay, content_hashes
from omicstore.harmonize.combine import combine
from omicstore.schema import PROFILES, PROVENANCE
from omicstore.sources import Source
from omicstore.splits.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.harmonize.assay import Matrix
    from omicstore.simulate.leaks.case import CohortCase, Measured

__all__ = ["Built", "built", "catalogue_of"]


@dataclass(frozen=True, slots=True)
class Built:
    """What the store holds of a cohort.

    Attributes
    ----------
    matrices
        In the order of the cohort's assays.
    tables
        patients, outcomes, labels, profiles and provenance.
    reports
        The report texts.
    """

    matrices: list[Matrix]
    tables: dict[str, pl.DataFrame]
    reports: pl.DataFrame


def built(name: str, cohort: CohortCase) -> Built:
    """Return what a build makes of a cohort: replicates chosen, profiles hashed, and the nearest one of each named."""
    matrices = [combine([_assay(name, modality, own)]) for modality, own in cohort.assays.items()]
    reports = cohort.reports.with_columns(
        sample_id=pl.format("{}-01", "patient_id"),
        source=pl.lit("reports.csv"),
        raw_hash=_hashes(cohort.reports["text"]),
        redactions=pl.lit("{}"),
    )
    profiles = [*(m.profiles for m in matrices), _report_profiles(name, cohort, reports)]
    tables = {
        "patients": cohort.patients,
        "outcomes": cohort.outcomes,
        "labels": cohort.labels,
        "profiles": pl.concat([PROFILES.conform(p) for p in profiles]),
        "provenance": _provenance(name, cohort),
    }
    return Built(matrices, tables, reports)


def catalogue_of(cohorts: Mapping[str, CohortCase]) -> Catalogue:
    """Return the catalogue of a case that is in no store yet."""
    tables = [built(name, cohort).tables for name, cohort in cohorts.items()]
    frames = {n: pl.concat([t[n] for t in tables], how="diagonal_relaxed") for n in tables[0]}
    return Catalogue(**frames, simulated=True)  # type: ignore[arg-type]


def _assay(name: str, modality: str, own: Measured) -> Assay:
    order = own.profiles.with_row_index("at").sort("sample_id", "profile_id", "at")["at"].to_numpy().astype(np.intp)
    values = np.ascontiguousarray(own.values[order])
    profiles = own.profiles[order].with_columns(
        cohort=pl.lit(name),
        modality=pl.lit(modality),
        raw_id="profile_id",
        source_id=pl.lit(_source_id(name, modality)),
        platform=pl.lit(own.platform, dtype=pl.String),
        content_hash=pl.Series(content_hashes(values, own.features["feature_id"].to_list())),
        n_features=pl.lit(values.shape[1]),
        n_missing=pl.Series(np.isnan(values).sum(axis=1)),
    )
    return Assay(
        modality=modality,
        cohort=name,
        unit=own.unit,
        unit_in=own.unit,
        upstream_fit=own.upstream_fit,
        platform=own.platform,
        values=values,
        profiles=profiles,
        features=own.features,
        source=Source(Path(f"{name}.{modality}.tsv"), "matrix"),
        source_id=_source_id(name, modality),
    )


def _report_profiles(name: str, cohort: CohortCase, reports: pl.DataFrame) -> pl.DataFrame:
    sites = cohort.patients.select("patient_id", "site")
    return reports.join(sites, on="patient_id", how="left", maintain_order="left").select(
        "profile_id", "sample_id", "patient_id", "site",
        cohort=pl.lit(name), modality=pl.lit("report"), raw_id="profile_id",
        source_id=pl.lit(_source_id(name, "report")),
        sample_type=pl.lit("primary"), sample_type_code=pl.lit("01"), sample_type_inferred=pl.lit(value=True),
        chosen=pl.lit(value=True), content_hash="raw_hash",
    )  # fmt: skip


def _provenance(name: str, cohort: CohortCase) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        _file(name, modality)
        | {
            "unit_in": own.unit, "unit": own.unit, "upstream_fit": own.upstream_fit, "platform": own.platform,
            "rows_in": own.features.height, "columns_in": own.profiles.height,
            "profiles_kept": own.profiles.height, "features_kept": own.features.height,
        }
        for modality, own in cohort.assays.items()
    ]  # fmt: skip
    told = {"profiles_kept": cohort.reports.height, "encoder": cohort.encoder}
    tasks = canonical_cell(sorted(cohort.labels["task"].unique().to_list()))
    rows.append(_file(name, "report") | told | {"redacted": tasks})
    rows.append(_file(name, "clinical") | {"profiles_kept": cohort.patients.height})
    return PROVENANCE.conform(pl.DataFrame(rows, infer_schema_length=None))


def _file(name: str, modality: str) -> dict[str, Any]:
    file = f"{name}.{modality}.tsv"
    return {
        "source_id": _source_id(name, modality), "cohort": name, "modality": modality, "name": file,
        "path": f"data/raw/{file}", "sha256": hashlib.sha256(file.encode()).hexdigest(), "reader": "matrix",
    }  # fmt: skip


def _source_id(name: str, modality: str) -> str:
    return hashlib.sha256(f"{name}.{modality}.tsv".encode()).hexdigest()[:12]


def _hashes(texts: pl.Series) -> pl.Series:
    return pl.Series([hashlib.sha256(t.encode()).hexdigest() for t in texts.to_list()], dtype=pl.String)
