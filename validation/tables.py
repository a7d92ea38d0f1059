"""The tables that checks judge: the profile tables, and the catalogue with what follows from it as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.modalities import MATRIX_MODALITIES, MODALITIES
from omicstore.schema import matrix_rows
from validation.matrices import profile_matrices
from validation.people import expressed_sex_table, first_rows, patients_table, people_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.store.reader import Store
    from validation.sites import Sites

__all__ = ["TABLES", "make_tables"]

#: Table to the columns that name a row.
TABLES: dict[str, tuple[str, ...]] = {
    "matrices": ("cohort", "modality"),
    "features": ("cohort", "modality", "feature_id"),
    "samples": ("cohort", "modality", "sample_id"),
    "patients": ("cohort", "patient_id"),
    "people": ("cohort", "patient_id"),
    "expressed_sex": ("cohort", "sample_id"),
    "profiles": ("cohort", "modality", "profile_id"),
    "outcomes": ("cohort", "patient_id"),
    "labels": ("cohort", "patient_id"),
    "reports": ("cohort", "patient_id"),
    "files": ("cohort", "path"),
    "provenance": ("cohort", "modality", "name"),
}

#: A correlation over fewer features than this says nothing.
LEAST_FEATURES = 20

_SAMPLE = ["cohort", "modality", "sample_id"]
_PROFILE = [*_SAMPLE, "profile_id"]


def make_tables(store: Store, sites: Sites, advance: Callable[[], None]) -> dict[str, pl.DataFrame]:
    """Return all tables of `TABLES`, in the order of their names.

    Parameters
    ----------
    store
        The open store.
    sites
        What is known of tissue source sites.
    advance
        Called after each matrix.
    """
    tables = profile_matrices(store, advance)
    catalogue = {name: store.table(name) for name in ("patients", "outcomes", "labels", "profiles", "provenance")}
    catalogue["reports"] = store.table("reports")
    tables["profiles"] = _profiles(catalogue["profiles"], tables["samples"])
    tables["samples"] = tables["samples"].with_columns(
        is_chosen=_among(tables["samples"], matrix_rows(catalogue["profiles"]))
    )
    tables["patients"] = patients_table(catalogue["patients"], catalogue["labels"], sites)
    tables["people"] = people_table(catalogue)
    tables["expressed_sex"] = expressed_sex_table(tables["expressed_sex"], catalogue["profiles"], catalogue["patients"])
    tables["outcomes"] = _outcomes(catalogue["outcomes"], catalogue["patients"])
    tables["labels"] = catalogue["labels"].with_columns(
        n_labels=pl.col("label").n_unique().over("cohort", "patient_id", "sample_id", "task").cast(pl.Int64)
    )
    tables["reports"] = _reports(catalogue["reports"])
    sentences = pl.col("warnings").str.json_decode(pl.List(pl.String))
    tables["provenance"] = catalogue["provenance"].with_columns(
        n_warnings=sentences.list.len().fill_null(0).cast(pl.Int64), warnings=sentences.list.join("; ")
    )
    return {name: tables[name].sort(*key, nulls_last=True, maintain_order=True) for name, key in TABLES.items()}


def _among(rows: pl.DataFrame, others: pl.DataFrame) -> pl.Series:
    """Return for each row whether the others have the same profiles of the same sample, cohort and modality."""
    found = rows.select(_PROFILE).join(
        others.select(*_PROFILE, found=True).unique(_PROFILE), on=_PROFILE, how="left", maintain_order="left"
    )
    return found["found"].fill_null(value=False)


def _profiles(profiles: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    on_matrix = pl.col("modality").is_in(MATRIX_MODALITIES)
    # Profiles without a single value are all alike and no copies of each other, and so are calls of a few levels.
    telling = on_matrix & ~pl.col("modality").is_in([m.name for m in MODALITIES.values() if m.calls])
    some = telling & (pl.col("n_missing").fill_null(0) < pl.col("n_features").fill_null(1))
    one_hash = ["modality", "content_hash"]
    # Patients and samples that share a content hash, and for each profile the first that is not its own.
    alike = profiles.filter(some & pl.col("content_hash").is_not_null())
    others = (
        alike.join(
            alike.select(*one_hash, other_patient="patient_id", other_sample="sample_id", other="profile_id"),
            on=one_hash,
        )
        .group_by(_PROFILE)
        .agg(
            n_twins=pl.col("other_patient").filter(pl.col("other_patient") != pl.col("patient_id")).n_unique(),
            twin=pl.col("other").filter(pl.col("other_patient") != pl.col("patient_id")).min(),
            n_copies=_same_patient("other_sample").n_unique(),
            copy=_same_patient("other").min(),
        )
        .with_columns(pl.col("n_twins", "n_copies").cast(pl.Int64))
    )
    observed = pl.col("n_features").fill_null(LEAST_FEATURES) - pl.col("n_missing").fill_null(0)
    rows = matrix_rows(profiles)
    held = rows.select(*_SAMPLE, in_matrix=_among(rows, samples))
    joined = profiles.join(held, on=_SAMPLE, how="left").join(others, on=_PROFILE, how="left")
    side_by_side = [m.name for m in MODALITIES.values() if m.side_by_side]
    replicates = pl.len().over("cohort", "modality", "sample_id") > 1
    return joined.with_columns(
        # A sample has one row in a matrix, but may have several slides.
        has_row=pl.col("chosen") & on_matrix,
        # It may hold one profile of each platform.
        own_platform=pl.when(pl.col("modality").is_in(side_by_side)).then("platform").fill_null(""),
        has_values=pl.when(pl.col("chosen") & on_matrix).then(pl.col("in_matrix").fill_null(value=False)),
        n_patients_of_sample=pl.col("patient_id").n_unique().over("sample_id").cast(pl.Int64),
        r_of_other=pl.when(telling & (observed >= LEAST_FEATURES) & (pl.col("n_twins").fill_null(0) == 0)).then(
            "nearest_r"
        ),
        distinguishable=pl.when(replicates).then(pl.col("reason").fill_null("") != "indistinguishable"),
    ).drop("in_matrix")


def _same_patient(column: str) -> pl.Expr:
    mine = (pl.col("other_patient") == pl.col("patient_id")) & (pl.col("other_sample") != pl.col("sample_id"))
    return pl.col(column).filter(mine)


def _outcomes(outcomes: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    status = first_rows(patients, ["cohort", "patient_id"], "vital_status")
    time, event = pl.col("time_days"), pl.col("event")
    died = pl.col("vital_status").replace_strict({"dead": 1, "alive": 0}, default=None, return_dtype=pl.Int8)
    return outcomes.join(status, on=["cohort", "patient_id"], how="left", maintain_order="left").with_columns(
        time_not_negative=pl.when(time >= 0).then(time),
        complete=time.is_not_null() & event.is_not_null(),
        sources_agree=pl.col("disagrees").is_null(),
        vital_status_agrees=pl.when(pl.col("endpoint") == "OS").then(event == died),
    )


def _reports(reports: pl.DataFrame) -> pl.DataFrame:
    if reports.is_empty():
        columns = ("cohort", "patient_id", "profile_id", "twin")
        numbers = dict.fromkeys(("n_characters", "n_twins"), pl.Int64)
        return pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), **numbers})
    text = pl.col("text").fill_null("").str.strip_chars()
    sized = reports.with_columns(text=text, n_characters=text.str.len_chars().cast(pl.Int64))
    same = sized.filter(pl.col("n_characters") > 0).select("text", other_patient="patient_id", other="profile_id")
    differs = pl.col("other_patient") != pl.col("patient_id")
    keys = ["cohort", "patient_id", "profile_id"]
    twins = (
        sized.join(same, on="text")
        .group_by(keys)
        .agg(
            n_twins=pl.col("other_patient").filter(differs).n_unique().cast(pl.Int64),
            twin=pl.col("other").filter(differs).min(),
        )
    )
    return sized.select(*keys, "n_characters").join(twins, on=keys, how="left")
