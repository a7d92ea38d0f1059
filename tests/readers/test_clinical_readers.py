"""Tables of patients: canonical columns, missing tokens, outcomes, labels, reports."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.errors import SourceError
from omicstore.harmonize.fixation import formalin_fixed
from omicstore.readers import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from omicstore.readers.table import RawTable
    from omicstore.sources import Source

    Write = Callable[[str, str], Path]
    Make = Callable[..., Source]

CDR = """bcr_patient_barcode,type,age_at_initial_pathologic_diagnosis,gender,race,ajcc_pathologic_tumor_stage,clinical_stage,OS,OS.time,DSS,DSS.time,DFI,DFI.time,PFI,PFI.time,Redaction
TCGA-AB-0001,COAD,58.0,MALE,WHITE,Stage II,[Not Applicable],1.0,0.0,1.0,0.0,[Not Available],[Not Available],0.0,5.0,
TCGA-AB-0002,READ,[Not Available],FEMALE,[Unknown],[Discrepancy],Stage IIIC,0.0,20.0,,20.0,0.0,7.0,#N/A,9.0,
TCGA-AB-0003,COAD,40.0,FEMALE,ASIAN,[Not Evaluated],[Pending],1.0,30.0,1.0,30.0,1.0,30.0,1.0,30.0,Redacted
"""


def frame_of(raw: RawTable) -> list[dict[str, object]]:
    assert raw.frame is not None
    return raw.frame.rows(named=True)


def test_cdr(write: Write, source: Make) -> None:
    clinical, outcome = read(source(write("cdr.csv", CDR), "tcga-cdr", modality=None, unit=None, cohort=None))
    assert (clinical.kind, outcome.kind) == ("clinical", "outcome")
    rows = frame_of(clinical)
    assert rows[0] == {
        "raw_id": "TCGA-AB-0001", "sex": "male", "age_years": 58.0, "race": "white", "stage": "Stage II", "cohort": "COAD"
    }  # fmt: skip
    assert [r["stage"] for r in rows] == ["Stage II", "Stage IIIC", None]
    assert (rows[1]["race"], rows[1]["age_years"]) == (None, None)
    assert outcome.frame is not None
    assert outcome.frame.select("raw_id", "endpoint", "time_days", "event", "cohort").rows() == [
        ("TCGA-AB-0001", "OS", 0.0, 1, "COAD"),  # a time of 0 is kept
        ("TCGA-AB-0002", "OS", 20.0, 0, "READ"),
        ("TCGA-AB-0001", "DSS", 0.0, 1, "COAD"),
        ("TCGA-AB-0001", "PFI", 5.0, 0, "COAD"),
        ("TCGA-AB-0002", "DFI", 7.0, 0, "READ"),
    ]
    assert outcome.drops.counts == {"redacted": 1, "no DSS": 1, "no PFI": 1, "no DFI": 1}
    assert outcome.drops.examples["redacted"] == ["TCGA-AB-0003"]
    assert outcome.rows_in == 3


def test_cdr_of_something_else(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="there is no column type, OS, OS.time, DSS"):
        read(source(write("cdr.csv", "bcr_patient_barcode,x\na,b\n"), "tcga-cdr", modality=None))


def test_xena_clinical_and_labels(write: Write, source: Make) -> None:
    text = (
        "sampleID\tgender\tage_at_initial_pathologic_diagnosis\tvital_status\tPAM50\tother\n"
        "TCGA-AB-0001-01\tFEMALE\t50\tLIVING\tLumA\tx\n"
        "TCGA-AB-0001-11\tFEMALE\t50\tDECEASED\t\ty\n"
    )
    clinical, labels = read(source(write("a.tsv", text), "xena-clinical", modality=None, labels={"pam50": "PAM50"}))
    assert frame_of(clinical)[1] == {
        "raw_id": "TCGA-AB-0001-11", "sex": "female", "age_years": 50.0, "vital_status": "dead"
    }  # fmt: skip
    assert frame_of(labels) == [{"raw_id": "TCGA-AB-0001-01", "task": "pam50", "label": "LumA"}]
    assert labels.drops.counts == {"no label for pam50": 1}
    with pytest.raises(SourceError, match="there is no column 'PAM5'. Expected one of 'PAM50'"):
        read(source(write("a.tsv", text), "xena-clinical", modality=None, labels={"pam50": "PAM5"}))


@pytest.mark.parametrize(
    ("form", "column"), [("xena-clinical", "is_ffpe"), ("xena-clinical", "is_ffpe.samples"), ("clinical-table", "FFPE")]
)
def test_formalin_fixed_samples(write: Write, source: Make, form: str, column: str) -> None:
    text = f"sampleID\tgender\t{column}\nTCGA-AB-0001-01A\tMALE\tYES\nTCGA-AB-0002-01A\tMALE\tFalse\nTCGA-AB-0003-01A\tMALE\t\n"
    (clinical,) = read(source(write("a.tsv", text), form, modality=None))
    assert clinical.profile_info is not None
    assert clinical.profile_info.columns == ["raw_id", "ffpe"]
    assert formalin_fixed(clinical) == {"TCGA-AB-0001-01A": True, "TCGA-AB-0002-01A": False}


def test_xena_clinical_of_something_else(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="no clinical column that is known; the columns are sample, s1"):
        read(source(write("a.tsv", "sample\ts1\nTP53\t1\n"), "xena-clinical", modality=None))


def test_gdc_phenotype(write: Write, source: Make) -> None:
    text = (
        "submitter_id.samples\tage_at_diagnosis.diagnoses\tgender.demographic\tethnicity.demographic\t"
        "tumor_stage.diagnoses\tvital_status.diagnoses\n"
        "TCGA-AB-0001-01A\t18262.5\tmale\tnot reported\tstage iva\talive\n"
    )
    (clinical,) = read(source(write("a.tsv", text), "xena-clinical", modality=None))
    assert frame_of(clinical) == [
        {"raw_id": "TCGA-AB-0001-01A", "sex": "male", "age_years": 50.0, "ethnicity": None, "stage": "Stage IVA",
         "vital_status": "alive"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    "header", ["sample\tOS\t_PATIENT\tOS.time", "sample\t_EVENT\t_PATIENT\t_TIME_TO_EVENT"], ids=["current", "legacy"]
)
def test_xena_survival_is_of_patients(write: Write, source: Make, header: str) -> None:
    rows = "TCGA-AB-0001-01A\t0\tTCGA-AB-0001\t10\nTCGA-AB-0001-11A\t0\tTCGA-AB-0001\t10\nTCGA-AB-0002-01A\t1\tTCGA-AB-0002\t\n"
    (raw,) = read(source(write("a.tsv", f"{header}\n{rows}"), "xena-survival", modality=None))
    assert frame_of(raw) == [{"raw_id": "TCGA-AB-0001", "endpoint": "OS", "time_days": 10.0, "event": 0}]
    assert raw.drops.counts == {"no OS": 1, "repeated row of a patient": 1}


def test_clinical_table_keeps_unknown_columns(write: Write, source: Make) -> None:
    text = ",sex,age,stage,VHL,T\nA1_T,F,40-60,stage I,mut,T1\nA2_T,m,51,II,WT,NA\n"
    (raw,) = read(source(write("a.csv", text), "clinical-table", modality=None))
    assert frame_of(raw) == [
        {
            "raw_id": "A1_T",
            "sex": "female",
            "age_years": None,
            "stage": "Stage I",
            "age": "40-60",
            "VHL": "mut",
            "T": "T1",
        },
        {"raw_id": "A2_T", "sex": "male", "age_years": 51.0, "stage": "II", "age": "51", "VHL": "WT", "T": None},
    ]
    raws = read(
        source(
            write("a.csv", text),
            "clinical-table",
            modality=None,
            labels={"vhl": "VHL"},
            drop=("^T$",),
            select=("VHL", "T"),
        )
    )
    assert raws[0].frame is not None
    assert raws[0].frame.columns == ["raw_id", "sex", "age_years", "stage", "VHL"]
    assert [r["label"] for r in frame_of(raws[1])] == ["mut", "WT"]


def test_clinical_table_with_outcomes(write: Write, source: Make) -> None:
    text = "id;OS;OS.time\nA;1;12.5\nB;0;NA\n"
    _, outcome = read(source(write("a.csv", text), "clinical-table", modality=None))
    assert frame_of(outcome) == [{"raw_id": "A", "endpoint": "OS", "time_days": 12.5, "event": 1}]


MCAT = (
    ",case_id,slide_id,survival_months,censorship,oncotree_code,A_rnaseq,B_rnaseq,A_cnv,C_mut,note\n"
    "0,TCGA-AB-0001,s1,12,1.0,IDC,0.5,,-1,0,x\n"
    "1,TCGA-AB-0001,s2,12,1.0,IDC,0.5,,-1,0,y\n"
    "2,TCGA-AB-0002,s3,2.5,0.0,ILC,1.5,2.5,2,1,z\n"
)


def test_mcat(write: Write, source: Make, tmp_path: Path) -> None:
    path = tmp_path / "t.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("./t.csv.zip", MCAT)
    matrix, outcome, labels = read(
        source(path, "mcat-table", unit="zscore", select=("_rnaseq$",), labels={"subtype": "oncotree_code"})
    )
    assert (matrix.ids, matrix.features) == (["TCGA-AB-0001", "TCGA-AB-0002"], ["A", "B"])
    np.testing.assert_array_equal(matrix.values, [[0.5, np.nan], [1.5, 2.5]])
    assert matrix.drops.counts == {"repeated slide row": 1}
    assert (matrix.rows_in, matrix.decimals) == (3, 1)
    assert frame_of(outcome) == [
        {"raw_id": "TCGA-AB-0001", "endpoint": "OS", "time_days": 12 * 30.4375, "event": 0},
        {"raw_id": "TCGA-AB-0002", "endpoint": "OS", "time_days": 2.5 * 30.4375, "event": 1},
    ]
    assert [r["label"] for r in frame_of(labels)] == ["IDC", "ILC"]
    for modality, features in (("cnv", ["A"]), ("mut", ["C"])):
        assert read(source(path, "mcat-table", modality=modality, unit="counts"))[0].features == features


def test_mcat_rows_of_a_case_that_differ_are_two_profiles(write: Write, source: Make) -> None:
    text = MCAT.replace("1,TCGA-AB-0001,s2,12,1.0,IDC,0.5", "1,TCGA-AB-0001,s2,12,1.0,IDC,0.75")
    matrix = read(source(write("a.csv", text), "mcat-table", unit="zscore"))[0]
    assert matrix.ids == ["TCGA-AB-0001", "TCGA-AB-0001", "TCGA-AB-0002"]


def test_mcat_names_the_line_of_a_bad_cell(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="line 4, column 'B_rnaseq': 'x' is no number"):
        read(source(write("a.csv", MCAT.replace("1.5,2.5,2", "1.5,x,2")), "mcat-table", unit="zscore"))
    with pytest.raises(SourceError, match="no column holds prot"):
        read(source(write("a.csv", MCAT), "mcat-table", modality="prot", unit="zscore"))


def test_reports(write: Write, source: Make) -> None:
    text = (
        "stage,file,ocr\n"
        'I,TCGA-AB-0001.4F76D253-8752.PDF,"Two lines,\nand ""quotes"""\n'
        "I,ER0024 ER-AE8R Clinical Report.pdf,lost\n"
        'I,tcga-ab-0002-01A.pdf," \n "\n'
        "I,TCGA-AB-0001.5F76.PDF,addendum\n"
    )
    (raw,) = read(source(write("r.csv.gz", text), "reports", modality="report", id="file", text="ocr", unit=None))
    hashes = raw.frame.get_column("raw_hash").to_list()
    assert hashes == [hashlib.sha256(t.encode()).hexdigest() for t in ('Two lines,\nand "quotes"', "addendum")]
    raw.frame = raw.frame.drop("raw_hash")
    assert frame_of(raw) == [
        {"raw_id": "TCGA-AB-0001", "text": 'Two lines,\nand "quotes"', "file": "TCGA-AB-0001.4F76D253-8752.PDF"},
        {"raw_id": "TCGA-AB-0001", "text": "addendum", "file": "TCGA-AB-0001.5F76.PDF"},
    ]
    assert raw.drops.counts == {"no barcode": 1, "empty text": 1}
    assert raw.rows_in == 4
    with pytest.raises(SourceError, match="no row has a barcode in 'stage'"):
        read(source(write("r.csv", text), "reports", modality="report", id="stage", text="ocr", unit=None))
