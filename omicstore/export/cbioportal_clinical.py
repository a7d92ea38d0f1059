"""The clinical files of a cBioPortal study: a row per patient, and a row per sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from omicstore.export.text import write_fields
from omicstore.readers.followup import DAYS

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["DAYS_PER_MONTH", "write_clinical"]

#: As the readers take months.
DAYS_PER_MONTH = DAYS["months"]

#: Endpoint -> prefix, words, and the status of who had no event and who had one.
_ENDPOINTS: dict[str, tuple[str, str, str, str]] = {
    "OS": ("OS", "Overall survival", "0:LIVING", "1:DECEASED"),
    "DSS": ("DSS", "Disease-specific survival", "0:ALIVE OR DEAD TUMOR FREE", "1:DEAD WITH TUMOR"),
    "PFI": ("PFS", "Progression-free interval", "0:CENSORED", "1:PROGRESSION"),
    "DFI": ("DFS", "Disease-free interval", "0:DiseaseFree", "1:Recurred/Progressed"),
}


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A column: its id, its name for a person, its type, what it says, and how it is made of ours."""

    id: str
    name: str
    kind: str
    about: str
    value: pl.Expr


_PATIENT = {
    "age_years": ("AGE", "Age", "NUMBER", "Age at diagnosis in years"),
    "sex": ("SEX", "Sex", "STRING", "Sex"),
    "race": ("RACE", "Race", "STRING", "Race"),
    "ethnicity": ("ETHNICITY", "Ethnicity", "STRING", "Ethnicity"),
    "stage": ("STAGE", "Stage", "STRING", "Tumour stage"),
    "grade": ("GRADE", "Grade", "STRING", "Tumour grade"),
    "histology": ("HISTOLOGY", "Histology", "STRING", "Histological type"),
    "tissue": ("TISSUE", "Tissue", "STRING", "Tissue"),
    "diagnosis_year": ("DIAGNOSIS_YEAR", "Year of diagnosis", "NUMBER", "Year of diagnosis"),
    "vital_status": ("VITAL_STATUS", "Vital status", "STRING", "Vital status"),
}


def write_clinical(cohort: Cohort, folder: Path, study: str) -> None:
    """Write ``data_clinical_patient.txt``, ``data_clinical_sample.txt`` and their meta files.

    Four lines above the header give each column's name, description, type and priority. Times are in months.
    """
    table = cohort.clinical()
    patients = table.unique("patient_id", keep="first", maintain_order=True)
    _write(folder, study, "patient", patients, [_text("patient_id", "PATIENT_ID", "Patient"), *_of_patient(patients)])
    ids = [_text("patient_id", "PATIENT_ID", "Patient"), _text("sample_id", "SAMPLE_ID", "Sample")]
    _write(folder, study, "sample", table, [*ids, *_of_sample(table)])


def _of_patient(table: pl.DataFrame) -> list[_Attribute]:
    found = []
    for endpoint, (prefix, words, censored, seen) in _ENDPOINTS.items():
        time, event = f"{endpoint}_time_days", f"{endpoint}_event"
        if time not in table.columns or event not in table.columns:
            continue
        known = pl.col(time).is_not_null() & pl.col(event).is_not_null()
        status = pl.when(known & (pl.col(event) == 1)).then(pl.lit(seen)).when(known).then(pl.lit(censored))
        months = pl.when(known).then(pl.col(time) / DAYS_PER_MONTH)
        found.append(_Attribute(f"{prefix}_STATUS", f"{words} status", "STRING", f"{words} status", status))
        about = f"{words} in months of {DAYS_PER_MONTH} days"
        found.append(_Attribute(f"{prefix}_MONTHS", f"{words} (months)", "NUMBER", about, months))
    found += [
        _Attribute(name, title, kind, about, pl.col(column))
        for column, (name, title, kind, about) in _PATIENT.items()
        if column in table.columns
    ]
    return found


def _of_sample(table: pl.DataFrame) -> list[_Attribute]:
    kind = pl.col("sample_type").str.replace_all("_", " ").str.to_titlecase()
    found = [
        _Attribute("SAMPLE_TYPE", "Sample type", "STRING", "Type of the sample", kind),
        _text("cohort", "COHORT", "Cohort"),
        _text("site", "SITE", "Site"),
    ]
    labels = [name for name in table.columns if name.startswith("label_")]
    return found + [_text(name, name.upper(), name.removeprefix("label_").replace("_", " ")) for name in labels]


def _text(column: str, name: str, title: str) -> _Attribute:
    return _Attribute(name, title, "STRING", title, pl.col(column))


def _write(folder: Path, study: str, level: str, table: pl.DataFrame, attributes: list[_Attribute]) -> None:
    data = f"data_clinical_{level}.txt"
    meta = {
        "cancer_study_identifier": study, "genetic_alteration_type": "CLINICAL",
        "datatype": f"{level.upper()}_ATTRIBUTES", "data_filename": data,
    }  # fmt: skip
    write_fields(folder / f"meta_clinical_{level}.txt", meta)
    rows = table.select(
        a.value.cast(pl.String).str.replace_all(r"\s", " ").fill_null("").alias(a.id) for a in attributes
    )
    lines = [
        "#" + "\t".join(a.name for a in attributes),
        "#" + "\t".join(a.about for a in attributes),
        "#" + "\t".join(a.kind for a in attributes),
        "#" + "\t".join("1" for _ in attributes),
        "\t".join(a.id for a in attributes),
        *("\t".join(row) for row in rows.iter_rows()),
    ]
    (folder / data).write_text("\n".join(lines) + "\n", encoding="utf-8")
