"""The catalogue over all cohorts, and the table that joins samples to the rows of the matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import StoreError
from omicstore.identifiers import SAMPLE_TYPES
from omicstore.modalities import MODALITIES
from omicstore.schema import TABLES, Table, matrix_rows
from omicstore.store.hashing import in_key_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.store.filesystem import Root

__all__ = ["PATCHES", "join_tables", "profile_column", "row_column", "samples_table"]


@dataclass(frozen=True, slots=True)
class _Patches:
    """The columns of a slide's patches.

    The vectors' length is the encoder's; without an encoder there are none. The tiles themselves (JPEG) are optional.
    """

    name: str = "patches"

    def of(self, frame: pl.DataFrame) -> Table:
        """Return the table that `frame` is of.

        Raises
        ------
        StoreError
            If its features are no vectors of one length.
        """
        columns: dict[str, Any] = {
            "slide_id": pl.String, "sample_id": pl.String, "patch": pl.Int64, "x": pl.Int64, "y": pl.Int64,
            "magnification": pl.Float64, "encoder": pl.String,
        }  # fmt: skip
        if "features" in frame.columns:
            dtype = frame.schema["features"]
            if not isinstance(dtype, pl.Array):
                raise StoreError(f"a patch table: features are {dtype}", expected="vectors of one length")
            columns |= {"features": pl.Array(pl.Float32, dtype.size)}
        if "tile" in frame.columns:
            columns |= {"tile": pl.Binary}
        return Table(self.name, columns, ("slide_id", "encoder", "patch"))


PATCHES = _Patches()


def row_column(modality: str) -> str:
    """Return the column that says which row of its cohort's matrix a sample has; null where it has none."""
    return f"row_{modality}"


def profile_column(modality: str) -> str:
    """Return the column that says how many profiles a sample has before the replicate rule."""
    return f"profiles_{modality}"


def join_tables(root: Root, parts: Mapping[str, dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """Return the catalogue tables over all cohorts, in the order of their keys."""
    return {
        name: in_key_order(
            table.conform(pl.concat([root.table(part["tables"][name]) for part in parts.values()], how="diagonal")),
            table,
        )
        for name, table in TABLES.items()
    }


def samples_table(root: Root, body: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return one row per (cohort, sample): who it is and, per modality, its row and its number of profiles.

    Parameters
    ----------
    root
        The store.
    body
        What ``store.json`` will say; its matrices, reports and patches are read.
    frames
        The catalogue tables.

    Raises
    ------
    StoreError
        If a row of a matrix is not that of a sample's chosen profiles (`omicstore.schema.matrix_rows`).
    """
    profiles = frames["profiles"]
    known = (
        profiles.sort("cohort", "sample_id", "modality", "profile_id")
        .group_by("cohort", "sample_id", maintain_order=True)
        .agg(pl.col("patient_id", "sample_type", "sample_type_code", "site").drop_nulls().first())
    )
    reports = _report_samples(root, body, known)
    slides = _slide_samples(root, body)
    patients = frames["patients"].select("cohort", "patient_id", patient_site="site")
    samples = (
        pl.concat([known, reports.select(known.columns), slides.select(known.columns)])
        .unique(["cohort", "sample_id"], keep="first", maintain_order=True)
        .join(patients, on=["cohort", "patient_id"], how="left")
        .with_columns(site=pl.coalesce("site", "patient_site"))
        .drop("patient_site")
    )
    counts = profiles.group_by("cohort", "sample_id", "modality").agg(n=pl.len().cast(pl.Int32))
    modalities = {m for matrices in body["matrices"].values() for m in matrices}
    for modality in (m for m in MODALITIES if m in modalities):
        rows = _matrix_rows(root, body, modality, profiles)
        number = counts.filter(pl.col("modality") == modality).select("cohort", "sample_id", n="n")
        samples = _attach(samples, modality, rows, number)
    for modality, found in (("patches", slides), ("report", reports)):
        if not found.is_empty():
            number = found.group_by("cohort", "sample_id").agg(n=pl.len().cast(pl.Int32))
            samples = _attach(samples, modality, number.select("cohort", "sample_id", row=pl.lit(0, pl.Int32)), number)
    return samples.sort("cohort", "sample_id")


def _attach(samples: pl.DataFrame, modality: str, rows: pl.DataFrame, number: pl.DataFrame) -> pl.DataFrame:
    on = ["cohort", "sample_id"]
    return samples.join(rows.rename({"row": row_column(modality)}), on=on, how="left").join(
        number.rename({"n": profile_column(modality)}), on=on, how="left"
    )


def _matrix_rows(root: Root, body: Mapping[str, Any], modality: str, profiles: pl.DataFrame) -> pl.DataFrame:
    found = []
    for cohort, matrices in body["matrices"].items():
        if modality in matrices:
            keys = root.table(matrices[modality]["values"], ["sample_id", "profile_id"])
            found.append(
                keys.with_row_index("row").with_columns(pl.col("row").cast(pl.Int32), pl.lit(cohort).alias("cohort"))
            )
    rows = pl.concat(found)
    chosen = matrix_rows(profiles.filter(pl.col("modality") == modality))
    lost = rows.join(chosen, on=["cohort", "sample_id", "profile_id"], how="anti")
    if not lost.is_empty():
        cohort, profile = lost["cohort"][0], lost["profile_id"][0]
        raise StoreError(
            f"profile {profile} of the {modality} matrix of {cohort} is not a chosen profile of the sample map",
            expected="a row in the table profiles with chosen = true",
            run=f"omicstore build {cohort}",
        )
    return rows.select("cohort", "sample_id", "row")


def _report_samples(root: Root, body: Mapping[str, Any], known: pl.DataFrame) -> pl.DataFrame:
    """Return one row per report: it belongs to the patient's primary sample, or what comes nearest to it."""
    types = ["primary", "cell_line"]
    first = (
        known.with_columns(rank=pl.col("sample_type").replace_strict(types, range(len(types)), default=len(types)))
        .sort("cohort", "patient_id", "rank", "sample_id")
        .unique(["cohort", "patient_id"], keep="first", maintain_order=True)
        .select("cohort", "patient_id", first_id="sample_id", first_type="sample_type", first_code="sample_type_code")
    )
    found = [
        root.table(path, ["patient_id", "sample_id"]).with_columns(pl.lit(cohort).alias("cohort"))
        for cohort, path in body["reports"].items()
    ]
    if not found:
        return known.clear()
    code = pl.when(pl.col("cohort") == "LAML").then(pl.lit("03")).otherwise(pl.lit("01"))
    return (
        pl.concat(found)
        .join(first, on=["cohort", "patient_id"], how="left")
        .with_columns(
            sample_id=pl.coalesce("sample_id", "first_id", pl.col("patient_id") + "-" + code),
            sample_type=pl.coalesce("first_type", pl.lit("primary")),
            sample_type_code=pl.coalesce("first_code", code),
            site=pl.lit(None, pl.String),
        )
    )


def _slide_samples(root: Root, body: Mapping[str, Any]) -> pl.DataFrame:
    """Return one row per slide."""
    found = [
        root.table(path, ["sample_id"]).head(1).with_columns(pl.lit(cohort).alias("cohort"))
        for cohort, entry in body["patches"].items()
        for path in sorted(body["files"])
        if path.startswith(entry["path"] + "/")
    ]
    if not found:
        names = ("cohort", "sample_id", "patient_id", "sample_type", "sample_type_code", "site")
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    code = pl.col("sample_id").str.extract(r"-(\d\d)$")
    return pl.concat(found).with_columns(
        patient_id=pl.col("sample_id").str.replace(r"-\d\d$", ""),
        sample_type=code.replace_strict(SAMPLE_TYPES, default="primary"),
        sample_type_code=code,
        site=pl.lit(None, pl.String),
    )
