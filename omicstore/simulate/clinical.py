"""Clinical tables: a Xena phenotype and survival table, Firehose's merged table, plain ones, and the outcomes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.files import write_table
from omicstore.simulate.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.simulate.aliquots import Aliquots
    from omicstore.simulate.people import People
    from omicstore.simulate.survival import FollowUp

__all__ = [
    "write_cdr",
    "write_firehose",
    "write_plain",
    "write_subtypes",
    "write_xena_phenotype",
    "write_xena_survival",
]

SAMPLE_TYPES = {"01": "Primary Tumor", "06": "Metastatic", "11": "Solid Tissue Normal"}
#: Columns of the Clinical Data Resource that are empty here.
NEW_TUMOUR_EVENT = (
    "new_tumor_event_type", "new_tumor_event_site", "new_tumor_event_site_other", "new_tumor_event_dx_days_to",
    "treatment_outcome_first_course", "margin_status", "residual_tumor",
)  # fmt: skip
HISTOLOGY = {
    "BRCA": "Infiltrating Ductal Carcinoma",
    "UCEC": "Endometrioid endometrial adenocarcinoma",
    "GBM": "Untreated primary (de novo) GBM",
    "LGG": "Astrocytoma",
}


def _table(people: People, follow_up: FollowUp) -> pl.DataFrame:
    """Join patients and follow-up, and say who died when."""
    frame = people.patients.join(follow_up.frame, on="patient_id", how="left", maintain_order="left")
    dead = pl.col("OS") == 1
    return frame.with_columns(
        pl.lit(HISTOLOGY[people.design.name]).alias("histology"),
        pl.lit(people.design.name).alias("cohort"),
        pl.when(dead).then(pl.lit("Dead")).otherwise(pl.lit("Alive")).alias("vital"),
        pl.when(dead).then("OS.time").alias("death_days"),
        pl.when(~dead).then("OS.time").alias("contact_days"),
        (pl.col("age_years") * -365.25).round().alias("birth_days"),
        pl.col("patient_id").str.split("-").list.get(2).alias("part"),
    )


def write_xena_phenotype(path: Path, people: People, follow_up: FollowUp, rna: Aliquots) -> Path:
    """Write a phenotype table of the GDC hub: one row per vial, normals and second vials included."""
    samples = people.samples["sample_id"].to_list()
    ffpe = {rna.ids[i]: bool(rna.ffpe[i]) for i in range(len(rna))}
    vials = sorted({f"{s}A" for s in samples} | set(ffpe))
    rows = pl.DataFrame({"vial": vials, "ffpe": [ffpe.get(v, False) for v in vials]}).with_columns(
        pl.col("vial").str.head(-4).alias("patient_id"), pl.col("vial").str.slice(-3, 2).alias("code")
    )
    table = _table(people, follow_up).filter("has_clinical")
    tumour = pl.col("code") != "11"
    frame = rows.join(table, on="patient_id", how="inner", maintain_order="left").select(
        pl.col("vial").alias("submitter_id.samples"),
        pl.col("age_years").cast(pl.Int64).alias("age_at_initial_pathologic_diagnosis"),
        pl.col("cohort").alias("disease_code"),
        pl.col("histology").alias("histological_type"),
        pl.lit("SIMU").alias("project_code"),
        pl.col("year").alias("year_of_initial_pathologic_diagnosis"),
        pl.when(tumour).then("subtype").alias("simulated_subtype"),
        pl.col("ethnicity").str.to_lowercase().alias("ethnicity.demographic"),
        pl.col("sex").alias("gender.demographic"),
        pl.col("race").str.to_lowercase().alias("race.demographic"),
        pl.col("contact_days").alias("days_to_last_follow_up.diagnoses"),
        pl.col("death_days").alias("days_to_death.diagnoses"),
        pl.col("stage").str.to_lowercase().alias("tumor_stage.diagnoses"),
        pl.col("vital").str.to_lowercase().alias("vital_status.diagnoses"),
        pl.lit(f"SIMU-{people.design.name}").alias("project_id.project"),
        pl.col("patient_id").alias("submitter_id"),
        pl.col("site").alias("code.tissue_source_site"),
        pl.when("ffpe").then(pl.lit("True")).otherwise(pl.lit("False")).alias("is_ffpe.samples"),
        pl.col("code").replace_strict(SAMPLE_TYPES).alias("sample_type.samples"),
        pl.col("code").alias("sample_type_id.samples"),
    )
    return write_table(path, frame)


def write_xena_survival(path: Path, people: People, follow_up: FollowUp) -> Path:
    """Write a survival table of the GDC hub, one row per vial; one patient is followed longer here than elsewhere."""
    frame = people.samples.join(follow_up.frame, on="patient_id", maintain_order="left").select(
        pl.format("{}A", "sample_id").alias("sample"),
        "OS",
        pl.col("patient_id").alias("_PATIENT"),
        pl.col("OS.time").cast(pl.Int64),
    )
    alive = frame.filter((pl.col("OS") == 0) & (pl.col("OS.time") > 0))["_PATIENT"][0]
    later = pl.when(pl.col("_PATIENT") == alive).then(31).otherwise(0)
    return write_table(path, frame.with_columns(pl.col("OS.time") + later))


def write_firehose(path: Path, seed: int, people: People, follow_up: FollowUp) -> Path:
    """Write Firehose's merged clinical table: one row per patient, all in lower case."""
    rng = stream(seed, people.design.name, "firehose-clinical")
    table = _table(people, follow_up).filter("has_clinical")
    numbers = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(table.height)]
    integer = pl.Int64
    frame = table.with_columns(pl.Series("uuid", numbers)).select(
        pl.lit("simulated data").alias("admin.bcr"),
        pl.col("cohort").alias("admin.disease_code"),
        pl.lit("simu").alias("admin.project_code"),
        pl.col("age_years").cast(integer).alias("patient.age_at_initial_pathologic_diagnosis"),
        pl.col("patient_id").alias("patient.bcr_patient_barcode"),
        pl.col("uuid").alias("patient.bcr_patient_uuid"),
        pl.col("birth_days").cast(integer).alias("patient.days_to_birth"),
        pl.col("death_days").cast(integer).alias("patient.days_to_death"),
        pl.lit(0).alias("patient.days_to_initial_pathologic_diagnosis"),
        pl.col("contact_days").cast(integer).alias("patient.days_to_last_followup"),
        pl.col("ethnicity").alias("patient.ethnicity"),
        pl.col("sex").alias("patient.gender"),
        pl.col("histology").alias("patient.histological_type"),
        pl.col("grade").alias("patient.neoplasm_histologic_grade"),
        pl.col("part").alias("patient.patient_id"),
        pl.col("race").alias("patient.race"),
        pl.col("stage").alias("patient.stage_event.clinical_stage"),
        pl.col("site").alias("patient.tissue_source_site"),
        pl.col("vital").alias("patient.vital_status"),
        pl.col("year").alias("patient.year_of_initial_pathologic_diagnosis"),
    )
    return write_table(path, frame.with_columns(pl.col(pl.String).str.to_lowercase()))


def write_subtypes(path: Path, people: People) -> Path:
    """Write the subtypes as a paper's supplement has them: row names, then a column ``patient``."""
    frame = people.patients.filter("has_clinical").select("patient_id", "subtype")
    numbered = frame.with_row_index("", offset=1)
    renamed = numbered.rename({"patient_id": "patient", "subtype": "Simulated_Subtype"})
    return write_table(path, renamed.insert_column(2, pl.lit(people.design.name).alias("Tumor.Type")), null="NA")


def write_plain(path: Path, seed: int, people: People, follow_up: FollowUp) -> Path:
    """Write a clinical table as a collaborator sends it: plain names, subtypes, and a column of its own."""
    rng = stream(seed, people.design.name, "plain-clinical")
    table = _table(people, follow_up).filter("has_clinical")
    karnofsky = rng.choice([70, 80, 90, 100], table.height)
    frame = table.select(
        pl.col("patient_id").alias("bcr_patient_barcode"),
        pl.col("sex").str.to_uppercase().alias("gender"),
        pl.col("age_years").cast(pl.Int64).alias("age_at_diagnosis"),
        pl.when(pl.col("race") == "").then(pl.lit("[Not Available]")).otherwise("race").alias("race"),
        "grade",
        pl.col("histology").alias("histological_type"),
        pl.Series("karnofsky_score", karnofsky),
        pl.col("subtype").alias("simulated_subtype"),
    )
    return write_table(path, frame)


def write_cdr(path: Path, cohorts: list[tuple[People, FollowUp]]) -> Path:
    """Write the outcomes of all cohorts in the columns of the Clinical Data Resource, and of some patients more.

    Patients without clinical data have outcome, age and sex alone. Three patients of the first cohort have no
    profile anywhere, two are of a cohort that is not in the study, and one is redacted.
    """
    table = pl.concat([_table(people, follow_up) for people, follow_up in cohorts])
    strange = table.head(3).with_columns(
        pl.format("{}{}", pl.col("patient_id").str.head(8), pl.Series(["ZZZ1", "ZZZ2", "ZZZ3"])).alias("patient_id")
    )
    other = table.head(2).with_columns(
        pl.Series(["SIMU-K1-A001", "SIMU-K1-A002"]).alias("patient_id"), pl.lit("ACC").alias("cohort")
    )
    table = pl.concat([table, strange, other])
    known = pl.col("has_clinical")
    absent, unfit = pl.lit("[Not Available]"), pl.lit("[Not Applicable]")
    staged, graded = pl.col("stage") != "", pl.col("grade") != ""
    stage = pl.when(staged & known).then("stage").when(staged).then(absent).otherwise(unfit)
    frame = table.select(
        pl.col("patient_id").alias("bcr_patient_barcode"),
        pl.col("cohort").alias("type"),
        pl.col("age_years").alias("age_at_initial_pathologic_diagnosis"),
        pl.col("sex").str.to_uppercase().alias("gender"),
        pl.when(known & (pl.col("race") != "")).then("race").otherwise(absent).alias("race"),
        stage.alias("ajcc_pathologic_tumor_stage"),
        unfit.alias("clinical_stage"),
        pl.when(known).then("histology").otherwise(absent).alias("histological_type"),
        pl.when(graded & known).then("grade").otherwise(absent).alias("histological_grade"),
        pl.when(known).then(pl.col("year").cast(pl.Float64)).alias("initial_pathologic_dx_year"),
        absent.alias("menopause_status"),
        pl.col("birth_days").alias("birth_days_to"),
        pl.col("vital").alias("vital_status"),
        pl.when(pl.col("PFI") == 1).then(pl.lit("WITH TUMOR")).otherwise(pl.lit("TUMOR FREE")).alias("tumor_status"),
        pl.col("contact_days").alias("last_contact_days_to"),
        pl.col("death_days").alias("death_days_to"),
        absent.alias("cause_of_death"),
        *(pl.lit(None, dtype=pl.String).alias(name) for name in NEW_TUMOUR_EVENT),
        pl.col("OS").cast(pl.Float64), "OS.time",
        pl.col("DSS").cast(pl.Float64), "DSS.time",
        pl.col("DFI").cast(pl.Float64), "DFI.time",
        pl.col("PFI").cast(pl.Float64), "PFI.time",
        pl.when(pl.int_range(pl.len()) == 10).then(pl.lit("Redacted")).alias("Redaction"),
    )  # fmt: skip
    return write_table(path, frame)
