"""Clinical tables and survival of UCSC Xena hubs, legacy and GDC. Ids are samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.clinical import TextTable, canonical, fixation, label_table, number, outcome_table
from omicstore.readers.delimited import sniff
from omicstore.readers.recognise import Guess
from omicstore.readers.table import RawTable
from omicstore.sources import ENDPOINTS

if TYPE_CHECKING:
    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["read_clinical", "read_survival", "recognise"]

CLINICAL: dict[str, tuple[str, ...]] = {
    "sex": ("gender.demographic", "gender", "Gender_nature2012"),
    "age_years": ("age_at_index.demographic", "age_at_initial_pathologic_diagnosis"),
    "age_days": ("age_at_diagnosis.diagnoses",),
    "race": ("race.demographic", "race"),
    "ethnicity": ("ethnicity.demographic", "ethnicity"),
    "stage": (
        "ajcc_pathologic_stage.diagnoses",
        "pathologic_stage",
        "tumor_stage.diagnoses",
        "AJCC_Stage_nature2012",
        "clinical_stage",
    ),
    "grade": ("neoplasm_histologic_grade", "tumor_grade.diagnoses"),
    "histology": ("histological_type", "primary_diagnosis.diagnoses"),
    "diagnosis_year": ("year_of_diagnosis.diagnoses", "year_of_initial_pathologic_diagnosis"),
    "vital_status": ("vital_status.demographic", "vital_status.diagnoses", "vital_status", "Vital_Status_nature2012"),
}

#: Whether a sample was fixed in formalin, not frozen.
FIXED = ("is_ffpe.samples", "is_ffpe")

#: Endpoint to the columns of event and of time in days, current and legacy.
SURVIVAL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "OS": (("OS", "_OS_IND", "_EVENT"), ("OS.time", "_OS", "_TIME_TO_EVENT")),
    **{e: ((e,), (f"{e}.time",)) for e in ENDPOINTS if e != "OS"},
}


def read_clinical(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a clinical matrix or a GDC phenotype table: clinical columns, and the labels that the source names.

    Raises
    ------
    SourceError
        If no column of it is known and the source names no label.
    """
    del sampling  # every row is a sample of TCGA or a programme laid out like it
    layout = sniff(source.path)
    at = source.id if source.id is not None else layout.header[0]
    layout.index(at)
    wanted = [at, *(n for names in CLINICAL.values() for n in names), *FIXED, *source.labels.values()]
    table = TextTable.read(layout, wanted, source.missing)
    frame = canonical(table, CLINICAL, pl.col(at)).filter(pl.col("raw_id").is_not_null())
    if frame.width == 1 and not source.labels:
        raise SourceError(
            source.path,
            f"there is no clinical column that is known; the columns are {', '.join(layout.header[:8])}",
            line=1,
            expected="gender, vital_status, gender.demographic or another of their kind",
            run="mend path or format in the study file, or use the format clinical-table",
        )
    clinical = RawTable(
        "clinical",
        source,
        frame=frame,
        profile_info=fixation(table, FIXED, pl.col(at)),
        rows_in=table.frame.height,
        columns_in=len(layout.header),
    )
    clinical.drops.add("row without an id", [], count=table.frame.height - frame.height)
    labels = label_table(source, table, pl.col(at))
    return [clinical] if labels is None else [clinical, labels]


def read_survival(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a survival table: follow-up of patients, once for each, though the file repeats it for each sample.

    Raises
    ------
    SourceError
        If no endpoint is in it.
    """
    del sampling
    layout = sniff(source.path)
    at = (
        source.id if source.id is not None else next((n for n in ("_PATIENT",) if n in layout.header), layout.header[0])
    )
    layout.index(at)
    table = TextTable.read(layout, None, source.missing)
    endpoints = {}
    for endpoint, (events, times) in SURVIVAL.items():
        event = next((n for n in events if n in table), None)
        time = next((n for n in times if n in table), None)
        if event and time:
            endpoints[endpoint] = (number(pl.col(time)), number(pl.col(event)))
    if not endpoints:
        raise SourceError(
            source.path,
            f"there is no endpoint; the columns are {', '.join(layout.header[:8])}",
            line=1,
            expected="OS and OS.time, or another endpoint and its time",
            run="mend path or format in the study file",
        )
    raw = outcome_table(source, table, endpoints, [pl.col(at).alias("raw_id")])
    assert raw.frame is not None
    repeated = table.frame.height * len(endpoints) - raw.frame.height - sum(raw.drops.counts.values())
    raw.drops.add("repeated row of a patient", [], count=repeated)
    return [raw]


def recognise(head: Head) -> Guess | None:
    """Tell survival and clinical tables of the hubs by their columns."""
    header = set(head.header)
    if {"_EVENT", "_TIME_TO_EVENT"} <= header or {"_PATIENT", "OS", "OS.time"} <= header:
        many = len(header) > 40  # clinical matrices of legacy hubs repeat the follow-up
        return Guess("xena-clinical" if many else "xena-survival", specific=10)
    parts = (".demographic", ".diagnoses", ".samples")
    if "submitter_id.samples" in header or sum(name.endswith(parts) for name in header) > 5:
        return Guess("xena-clinical", specific=10)
    if head.header[:1] == ("sampleID",) and header & {"_PATIENT", "_INTEGRATION", "_cohort", "sample_type_id"}:
        return Guess("xena-clinical", specific=10)
    return None
