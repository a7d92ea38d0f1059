"""Clinical data of the GDC in each form that it comes in, TCGA's biotab tables, and mutations of Xena's GDC hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from omicstore.readers import profile_ids, read
from omicstore.sources import Source

if TYPE_CHECKING:
    from omicstore.readers.table import RawTable

MADE = Path(__file__).parents[1] / "made" / "gdc"
BIOTAB = Path("fixtures") / "tcga_biotab_luad" / "tests" / "data" / "TCGA_LUAD"


def frames(path: Path, kind: str = "gdc-clinical", **more: object) -> dict[str, pl.DataFrame]:
    found: list[RawTable] = read(replace(Source(path, kind), **more))  # type: ignore[arg-type]
    return {raw.kind: raw.frame for raw in found if raw.frame is not None}


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("clinical_made", 950.0),
        ("clinical_made/clinical.tsv", 900.0),  # without the visits: the last day that a diagnosis tells of
        ("clinical.made.tar.gz", 950.0),
        ("clinical.made.json", 950.0),
        ("clinical_old_names_made.tsv", 900.0),
    ],
)
def test_each_form_says_the_same(name: str, last: float) -> None:
    found = frames(MADE / name)
    clinical, outcome = found["clinical"].sort("raw_id"), found["outcome"].sort("raw_id")
    assert clinical.select("raw_id", "sex", "age_years", "stage", "grade", "diagnosis_year", "cohort").rows() == [
        ("TCGA-4Z-AA7M", "male", 61.0, "Stage III", "High Grade", 2012, "BLCA"),
        ("TCGA-4Z-AA7N", "female", 70.0, "Stage IV", "High Grade", 2011, "BLCA"),
        ("TCGA-4Z-AA7O", "male", 70.0, "Stage II", "Low Grade", 2010, "BLCA"),
    ]
    assert outcome.select("raw_id", "endpoint", "time_days", "event").rows() == [
        ("TCGA-4Z-AA7M", "OS", last, 0),
        ("TCGA-4Z-AA7N", "OS", 512.0, 1),
    ]


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    lines = (MADE / "clinical_made" / "clinical.tsv").read_text().splitlines()
    (tmp_path / "clinical.tsv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    turned, straight = frames(tmp_path / "clinical.tsv"), frames(MADE / "clinical_old_names_made.tsv")
    assert turned["clinical"].sort("raw_id").equals(straight["clinical"].sort("raw_id"))


def test_labels_may_have_their_prefix() -> None:
    found = frames(MADE / "clinical_made", labels={"morphology": "diagnoses.primary_diagnosis"})
    assert found["label"].sort("raw_id").get_column("label").to_list() == [
        "Transitional cell carcinoma", "Transitional cell carcinoma", "Papillary transitional cell carcinoma",
    ]  # fmt: skip


def test_real_export_agrees_with_the_curated_outcomes(real_data: Path) -> None:
    """625 patients with up to five diagnoses each, against Liu 2018."""
    archive = real_data / "fixtures" / "gdc_native" / "omics-cancer-explore" / "data"
    found = frames(archive / "clinical.cohort.2025-08-17.tar.gz")
    assert found["clinical"].height == 625
    assert found["clinical"].get_column("raw_id").is_unique().all()
    curated = pl.read_csv(real_data / "tcga" / "TCGA-CDR.csv.gz", infer_schema=False).select(
        raw_id="bcr_patient_barcode",
        cdr_event=pl.col("OS").cast(pl.Float64, strict=False),
        cdr_time=pl.col("OS.time").cast(pl.Float64, strict=False),
    )
    both = found["outcome"].join(curated, on="raw_id")
    assert both.height == 620
    assert both.filter(pl.col("event") == pl.col("cdr_event")).height == 619
    assert both.filter(pl.col("time_days") == pl.col("cdr_time")).height == 602


def test_real_biotab(real_data: Path) -> None:
    for path in (real_data / BIOTAB, real_data / BIOTAB / "nationwidechildrens.org_clinical_patient_luad.txt"):
        found = frames(path, "gdc-biotab")
        first = found["clinical"].row(0, named=True)
        assert found["clinical"].height == 522
        assert {k: first[k] for k in ("raw_id", "sex", "age_years", "stage", "diagnosis_year", "vital_status")} == {
            "raw_id": "TCGA-05-4244", "sex": "male", "age_years": 70.0, "stage": "Stage IV", "diagnosis_year": 2009,
            "vital_status": "alive",
        }  # fmt: skip
        assert (found["outcome"].height, found["outcome"].get_column("event").sum()) == (502, 123)


def test_later_visits_of_biotab_prolong_follow_up(tmp_path: Path) -> None:
    ids = "bcr_patient_uuid\tbcr_patient_barcode\t"
    patients = (
        f"{ids}gender\tvital_status\tlast_contact_days_to\tdeath_days_to\n"
        f"{ids}gender\tvital_status\tdays_to_last_followup\tdays_to_death\n"
        "CDE_ID:\tCDE_ID:2673794\tCDE_ID:1\tCDE_ID:2\tCDE_ID:3\tCDE_ID:4\n"
        "a\tTCGA-XX-A001\tMALE\tAlive\t10\t[Not Applicable]\n"
        "b\tTCGA-XX-A002\tFEMALE\tAlive\t20\t[Not Applicable]\n"
        "c\tTCGA-XX-A003\tFEMALE\tAlive\t30\t[Not Applicable]\n"
    )
    visits = (
        f"{ids}vital_status\tlast_contact_days_to\tdeath_days_to\n"
        f"{ids}vital_status\tdays_to_last_followup\tdays_to_death\n"
        "CDE_ID:\tCDE_ID:2673794\tCDE_ID:2\tCDE_ID:3\tCDE_ID:4\n"
        "a\tTCGA-XX-A001\tAlive\t400\t[Not Available]\n"
        "b\tTCGA-XX-A002\tDead\t[Not Available]\t350\n"
    )
    (tmp_path / "nationwidechildrens.org_clinical_patient_xx.txt").write_text(patients)
    (tmp_path / "nationwidechildrens.org_clinical_follow_up_v1.0_xx.txt").write_text(visits)
    found = frames(tmp_path, "gdc-biotab")
    assert found["outcome"].sort("raw_id").select("raw_id", "time_days", "event").rows() == [
        ("TCGA-XX-A001", 400.0, 0),
        ("TCGA-XX-A002", 350.0, 1),
        ("TCGA-XX-A003", 30.0, 0),
    ]
    assert found["clinical"].sort("raw_id").get_column("vital_status").to_list() == ["alive", "dead", "alive"]


def test_mutations_of_xena(tmp_path: Path) -> None:
    head = "Sample_ID\tgene\tchrom\tstart\tend\tref\talt\tAmino_Acid_Change\teffect\tfilter\tdna_vaf\n"
    rows = [
        ("TCGA-XX-A001-01A", "TP53", "C", "T", "missense_variant;splice_region_variant"),
        ("TCGA-XX-A001-01A", "EGFR", "C", "T", "synonymous_variant"),
        ("TCGA-XX-A002-01A", "EGFR", "CAG", "-", "frameshift_variant"),
        ("TCGA-XX-A003-01A", "KRAS", "C", "T", "intron_variant"),
    ]
    path = tmp_path / "TCGA-XX.mutect2_snv.tsv"
    path.write_text(head + "".join(f"{s}\t{g}\tchr1\t1\t2\t{r}\t{a}\tp.X\t{e}\tPASS\t0.5\n" for s, g, r, a, e in rows))
    source = Source(path, "xena-mutation", "mut", "XX", "mutated")
    (raw,) = read(source)
    assert raw.values is not None
    assert (raw.ids, raw.features) == ([f"TCGA-XX-A00{i}-01A" for i in (1, 2, 3)], ["EGFR", "TP53"])
    assert raw.values.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert raw.ids == profile_ids(source)
    assert raw.feature_info is not None
    assert raw.feature_info.get_column("consequences")[0] == '{"Frame_Shift_Del":1,"Silent":1}'


@pytest.mark.parametrize("caller", ["muse", "mutect2", "somaticsniper", "varscan2"])
def test_real_mutations_of_xena(real_data: Path, caller: str) -> None:
    path = real_data / "fixtures" / "xena_gdc_files" / "TCGA-CHOL" / "Xena_Matrices" / f"TCGA-CHOL.{caller}_snv.tsv"
    (raw,) = read(Source(path, "xena-mutation", "mut", "CHOL", "mutated"))
    table = pl.read_csv(path, separator="\t", infer_schema=False)
    missense = table.filter(pl.col("effect").str.starts_with("missense_variant")).select("Sample_ID", "gene").unique()
    assert raw.values is not None
    rows, columns = {s: i for i, s in enumerate(raw.ids)}, {g: i for i, g in enumerate(raw.features)}
    assert all(raw.values[rows[s], columns[g]] == 1 for s, g in missense.iter_rows())
    assert sorted(raw.ids) == sorted(table.get_column("Sample_ID").unique())
    assert not any("unknown" in reason for reason in raw.drops.counts)


@pytest.mark.parametrize(
    ("name", "unit", "n"),
    [
        ("htseq_counts", "log2(counts+1)", 60_488),
        ("htseq_fpkm", "log2(fpkm+1)", 60_483),
        ("htseq_fpkm-uq", "log2(fpkm_uq+1)", 60_483),
        ("mirna", "log2(rpm+1)", 1_881),
    ],
)
def test_matrices_of_xenas_gdc_hub(real_data: Path, name: str, unit: str, n: int) -> None:
    path = real_data / "fixtures" / "xena_gdc_files" / "TCGA-BRCA" / "Xena_Matrices" / f"TCGA-BRCA.{name}.tsv"
    (raw,) = read(Source(path, "xena-matrix", "mirna" if name == "mirna" else "rna", "BRCA", unit))
    assert raw.values is not None
    assert raw.values.shape == (1, n)
    assert raw.ids[0].startswith("TCGA-")


@pytest.mark.parametrize(("name", "patients"), [("GDC_phenotype", 110), ("clinical", 148)])
def test_both_phenotype_tables_of_xenas_gdc_hub(real_data: Path, name: str, patients: int) -> None:
    path = real_data / "fixtures" / "xena_gdc_files" / "TCGA-CHOL" / "Xena_Matrices" / f"TCGA-CHOL.{name}.tsv"
    clinical = frames(path, "xena-clinical")["clinical"]
    assert clinical.height == patients
    assert clinical.row(0, named=True)["age_years"] == 52.0
