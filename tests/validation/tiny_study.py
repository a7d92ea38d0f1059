"""A tiny study whose store passes every check, and what it takes to spoil it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

import omicstore
from omicstore.store.matrixfile import MatrixFile, MatrixWriter
from validation.report import check_store

PARAMS = """\
study:
  dataset: tiny
  cohorts: [BRCA, OV, LGG]
  sources:
    - {path: rna.tsv, format: matrix, modality: rna, cohort: BRCA, unit: tpm}
  references:
    sites: {path: tss.csv, format: tcga-tss}
"""

DISEASES = {
    "A1": "Breast invasive carcinoma",
    "A2": "Breast invasive carcinoma",
    "B1": "Ovarian serous cystadenocarcinoma",
    "B2": "Ovarian serous cystadenocarcinoma",
    "C1": "Brain Lower Grade Glioma",
    "C2": "Brain Lower Grade Glioma",
}
SITES = {"BRCA": ("A1", "A2"), "OV": ("B1", "B2"), "LGG": ("C1", "C2")}
SEX_GENES = ("XIST", "RPS4Y1", "DDX3Y")
Cohorts = dict[str, Any]


def clean_cohorts(factory: ModuleType) -> Cohorts:
    """BRCA: rna, meth, prot and reports; OV: rna and metab; LGG: rna as z-scores, counts and mutation calls."""
    cohorts = {}
    for cohort, sites in SITES.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(factory, "SITES", sites)
            modalities = {"BRCA": ("rna", "meth", "prot"), "OV": ("rna", "metab"), "LGG": ("rna",)}[cohort]
            data = factory.make_cohort(
                cohort, n_patients=12, n_normals=2, missing=0.0, modalities=modalities, reports=cohort == "BRCA"
            )
        _unlike(data, cohort)
        cohorts[cohort] = data
    _name_sex_genes(cohorts["BRCA"])
    _zscores(cohorts["LGG"])
    add_matrix(cohorts["LGG"], "mirna", "counts", lambda rng, shape: rng.poisson(30.0, shape))
    add_matrix(cohorts["LGG"], "mut", "mutated", lambda rng, shape: rng.random(shape) < 0.4)
    edit(cohorts["OV"], "patients", sex=pl.lit("female"))
    return cohorts


def _unlike(data: Any, cohort: str) -> None:
    """Give every profile a content hash of its own and a nearest neighbour, and every patient a vital status."""
    profiles = data.tables["profiles"]
    data.tables["profiles"] = profiles.with_columns(
        pl.format("{}-{}-{}", pl.lit(cohort), "modality", pl.int_range(pl.len())).alias("content_hash"),
        nearest_profile=pl.col("profile_id").first().over("modality"),
        nearest_r=pl.lit(0.71),
    )
    event = data.tables["outcomes"].filter(pl.col("endpoint") == "OS").select("patient_id", dead="event")
    status = pl.when(pl.col("dead") == 1).then(pl.lit("dead")).otherwise(pl.lit("alive"))
    data.tables["patients"] = (
        data.tables["patients"].join(event, on="patient_id").select(pl.exclude("dead"), vital_status=status)
    )


def _name_sex_genes(data: Any) -> None:
    rna, sex = data.parts["rna"], dict(data.tables["patients"].select("patient_id", "sex").iter_rows())
    symbols = rna.features["symbol"].to_list()
    symbols[: len(SEX_GENES)] = SEX_GENES
    rna.features = rna.features.with_columns(pl.Series("symbol", symbols))
    female = np.array([sex[sample[:12]] == "female" for sample in rna.rows["sample_id"]])
    rna.values[:, 0] = np.where(female, 300.0, 0.1)
    rna.values[:, 1:3] = np.where(female, 0.1, 300.0)[:, None]


def _zscores(data: Any) -> None:
    rna = data.parts["rna"]
    rna.values = np.random.default_rng(5).normal(size=rna.values.shape).astype(np.float32)
    rna.unit = "zscore"


def add_matrix(data: Any, modality: str, unit: str, draw: Any) -> None:
    """Add a matrix of the samples and features of the RNA, with values from ``draw(rng, shape)``."""
    rna, profiles = data.parts["rna"], data.tables["profiles"]
    values = draw(np.random.default_rng(7), rna.values.shape).astype(np.float32)
    rows = rna.rows.with_columns(pl.col("profile_id").str.replace("rna", modality))
    data.parts[modality] = replace(rna, modality=modality, values=values, rows=rows, unit=unit)
    mine = profiles.filter((pl.col("modality") == "rna") & pl.col("chosen")).with_columns(
        pl.col("profile_id").str.replace("rna", modality),
        pl.lit(modality).alias("modality"),
        pl.col("content_hash").str.replace("rna", modality),
    )
    data.tables["profiles"] = pl.concat([profiles, mine])


def edit(data: Any, table: str, where: pl.Expr | None = None, **columns: pl.Expr) -> None:
    """Change columns of the rows of a table that meet a condition."""
    frame = data.tables[table]
    at = pl.lit(value=True) if where is None else where
    old = {name: pl.col(name) if name in frame.columns else pl.lit(None) for name in columns}
    data.tables[table] = frame.with_columns(
        pl.when(at).then(new).otherwise(old[name]).alias(name) for name, new in columns.items()
    )


def repeat(data: Any, table: str, where: pl.Expr, of: Any, **columns: pl.Expr) -> None:
    """Add the rows of a table of the cohort `of` that meet a condition, with other values in some columns."""
    frame = data.tables[table]
    more = of.tables[table].filter(where).with_columns(**columns)
    data.tables[table] = pl.concat([frame, more], how="diagonal_relaxed")


def write_study(root: Path, cohorts: Cohorts, factory: ModuleType, *, sites: bool = True) -> Path:
    """Write a study and its store, and return the store's folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(PARAMS if sites else PARAMS.partition("  references")[0])
    rows = [f"{code},Site {code},{disease}" for code, disease in DISEASES.items()]
    (root / "tss.csv").write_text("\n".join(["TSS Code,Source Site,Disease type", *rows, ""]))
    store = root / "data" / "store"
    for cohort, data in cohorts.items():
        data.write(store, cohort)
    factory.assemble(store, list(cohorts), dataset="tiny", simulated=True)
    return store


def report_of(store: Path) -> dict[str, Any]:
    """Return the report of a store."""
    with omicstore.open(store) as opened:
        return check_store(opened)


def body_of(store: Path) -> dict[str, Any]:
    """Return what store.json says."""
    return json.loads((store / "store.json").read_bytes())


def rewrite(path: Path, change: Any) -> None:
    """Write a matrix file again after `change(keys, values)`, which changes both in place."""
    from omicstore.store.filesystem import LocalRoot

    file = MatrixFile(LocalRoot(path.parent), path.name)
    names = [name for name in ("sample_id", "profile_id", "feature_id", "symbol") if name in _columns(path)]
    keys = {name: column.to_pylist() for name, column in zip(names, file.keys(names).columns, strict=True)}
    values = np.empty((file.n_rows, file.width), np.float32)
    file.read(np.arange(file.n_rows), values)
    file.close()
    change(keys, values)
    with MatrixWriter(path, names, values.shape[1]) as out:
        out.write(keys, values)


def _columns(path: Path) -> list[str]:
    return pq.read_schema(path).names
