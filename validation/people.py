"""Tables about people: what all tables together say of a patient's cohort, site and sex."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from omicstore.identifiers import cohorts_agree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from validation.sites import Sites

__all__ = ["expressed_sex_table", "first_rows", "patients_table", "people_table"]

#: Cohorts of tumours of an organ that one sex has.
SEX_OF_COHORT: dict[str, str] = {
    "CESC": "female",
    "OV": "female",
    "PRAD": "male",
    "TGCT": "male",
    "UCEC": "female",
    "UCS": "female",
}

_SEX_COLUMNS = ("gender", "sex")
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}


def patients_table(patients: pl.DataFrame, labels: pl.DataFrame, sites: Sites) -> pl.DataFrame:
    """Return the patients with what their other rows, the labels and the table of sites say of them.

    Further columns: other_cohorts (with which this one cannot agree), sexes and n_sexes over all that says one,
    sex_fits_cohort, and site, site_known, site_agrees and site_collected_for (null where nothing can be said).
    """
    cohorts = dict(patients.group_by("patient_id").agg(pl.col("cohort").unique().sort()).iter_rows())
    claims = _sex_claims(patients, labels)
    rows = []
    for patient, cohort, site, sex in patients.select("patient_id", "cohort", "site", "sex").iter_rows():
        others = [c for c in cohorts[patient] if not cohorts_agree(c, cohort)]
        said = claims.get(patient, {})
        named = [f"{value} in {', '.join(sorted(where))}" for value, where in sorted(said.items())]
        needed = SEX_OF_COHORT.get(cohort)
        rows.append(
            {
                "n_other_cohorts": len(others),
                "other_cohorts": ", ".join(others) or None,
                "n_sexes": len(said) or None,
                "sexes": "; ".join(named) or None,
                "sex_fits_cohort": sex == needed if needed and sex in _SEXES else None,
                **sites.judge(cohort, patient, site),
            }
        )
    schema = {
        "n_other_cohorts": pl.Int64, "other_cohorts": pl.String, "n_sexes": pl.Int64, "sexes": pl.String,
        "sex_fits_cohort": pl.Boolean, "site": pl.String, "site_known": pl.Boolean, "site_agrees": pl.Boolean,
        "site_collected_for": pl.String,
    }  # fmt: skip
    return pl.concat([patients.drop("site"), pl.DataFrame(rows, schema=schema)], how="horizontal")


def _sex_claims(patients: pl.DataFrame, labels: pl.DataFrame) -> dict[str, dict[str, set[str]]]:
    """Return per patient which sex is said where."""
    claims: dict[str, dict[str, set[str]]] = {}

    def claim(patient: str, value: object, where: str) -> None:
        sex = _SEXES.get(str(value).strip().lower())
        if sex is not None:
            claims.setdefault(patient, {}).setdefault(sex, set()).add(where)

    for patient, cohort, sex, extra in patients.select("patient_id", "cohort", "sex", "extra").iter_rows():
        claim(patient, sex, f"patients of {cohort}")
        for name, value in (json.loads(extra) if extra else {}).items():
            if name.lower().rpartition(".")[2] in _SEX_COLUMNS:
                claim(patient, value, f"{name} of {cohort}")
    told = labels.filter(pl.col("task").str.to_lowercase().is_in(_SEX_COLUMNS))
    for patient, task, value in told.select("patient_id", "task", "label").iter_rows():
        claim(patient, value, f"labels ({task})")
    return claims


def first_rows(frame: pl.DataFrame, keys: list[str], column: str) -> pl.DataFrame:
    """Return `column` of the first row of each key."""
    return frame.select(*keys, column).unique(keys, keep="first", maintain_order=True)


def people_table(catalogue: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return one row per table, cohort and patient that the table names: known, cohort_of_patient, cohort_agrees."""
    parts = [
        catalogue[name].select(pl.lit(name).alias("table"), "cohort", "patient_id").unique()
        for name in ("profiles", "outcomes", "labels", "reports")
        if not catalogue[name].is_empty()
    ]
    empty = pl.DataFrame(schema=dict.fromkeys(("table", "cohort", "patient_id"), pl.String))
    people = pl.concat([empty, *parts]).drop_nulls("patient_id").sort("cohort", "patient_id", "table")
    cohorts = dict(catalogue["patients"].group_by("patient_id").agg(pl.col("cohort").unique().sort()).iter_rows())
    homes = [cohorts.get(patient, []) for patient in people["patient_id"]]
    agrees = [
        any(cohorts_agree(home, cohort) for home in mine) if mine else None
        for mine, cohort in zip(homes, people["cohort"], strict=True)
    ]
    return people.with_columns(
        pl.Series("known", [bool(mine) for mine in homes], pl.Boolean),
        pl.Series("cohort_of_patient", [", ".join(mine) or None for mine in homes], pl.String),
        pl.Series("cohort_agrees", agrees, pl.Boolean),
    )


def expressed_sex_table(calls: pl.DataFrame, profiles: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Join the calls of `validation.expression.expressed_sex` with the recorded sex; agrees is null without either."""
    owner = first_rows(profiles, ["cohort", "sample_id"], "patient_id")
    recorded = first_rows(patients, ["cohort", "patient_id"], "sex")
    both = pl.col("sex").is_in(["female", "male"]) & pl.col("expressed").is_not_null()
    return (
        calls.join(owner, on=["cohort", "sample_id"], how="left", maintain_order="left")
        .join(recorded, on=["cohort", "patient_id"], how="left", maintain_order="left")
        .with_columns(agrees=pl.when(both).then(pl.col("sex") == pl.col("expressed")))
    )
