from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.identifiers import (
    DISEASES,
    cohort_of_disease,
    cohorts_agree,
    excel_date_symbols,
    find_barcode,
    is_ensembl_gene,
    is_par_y,
    parse_barcode,
    sample_type_of,
    split_symbol_entrez,
    strip_version,
)

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@st.composite
def barcodes(draw: st.DrawFn) -> tuple[str, int]:
    depth = draw(st.integers(3, 7))
    fields = [
        draw(st.sampled_from(["TCGA", "SIMU"])),
        draw(st.text(ALNUM, min_size=2, max_size=2)),
        draw(st.text(ALNUM, min_size=4, max_size=4)),
        f"{draw(st.integers(1, 20)):02d}" + draw(st.sampled_from(["", "A", "B"])),
        f"{draw(st.integers(1, 99)):02d}" + draw(st.sampled_from(["", "R", "D"])),
        draw(st.text(ALNUM, min_size=4, max_size=4)),
        f"{draw(st.integers(1, 99)):02d}",
    ]
    return "-".join(fields[:depth]), depth


@given(barcodes(), st.sampled_from(["-", ".", "_"]), st.booleans())
def test_any_spelling_gives_the_same_barcode(made: tuple[str, int], sep: str, lower: bool) -> None:
    text, depth = made
    spelled = text.replace("-", sep)
    code = parse_barcode(spelled.lower() if lower else spelled)
    assert code is not None
    assert code.text == text
    assert code.patient_id == "-".join(text.split("-")[:3])
    assert (code.sample_id is None) == (depth == 3)
    assert find_barcode(f"folder/{text}.PDF") == parse_barcode(text)


@given(barcodes())
def test_cutting_never_loses_the_sample_type(made: tuple[str, int]) -> None:
    text, depth = made
    code = parse_barcode(text)
    assert code is not None
    sample = code.as_sample("BRCA")
    assert sample.sample_id is not None
    assert sample.sample_type_inferred == (depth == 3)
    again = parse_barcode(sample.sample_id)
    assert again is not None
    assert again.sample_type == sample.sample_type
    assert again.sample_id == sample.sample_id


def test_an_aliquot_has_all_its_parts() -> None:
    code = parse_barcode("TCGA-LL-A8F5-01B-11R-A36K-13")
    assert code is not None
    assert (code.vial, code.portion, code.analyte, code.plate, code.center) == ("B", "11", "R", "A36K", "13")
    assert (code.site, code.sample_type_code, code.sample_type) == ("LL", "01", "primary")


def test_an_rppa_aliquot_has_no_analyte() -> None:
    code = parse_barcode("TCGA-18-4721-01A-21-2193-20")
    assert code is not None
    assert (code.portion, code.analyte, code.plate, code.center) == ("21", None, "2193", "20")


def test_leukaemia_is_primary_in_the_blood() -> None:
    code = parse_barcode("TCGA-AB-2802")
    assert code is not None
    assert code.as_sample("LAML").sample_id == "TCGA-AB-2802-03"
    assert code.as_sample("BRCA").sample_id == "TCGA-AB-2802-01"
    assert code.as_sample("LAML").sample_type == "primary"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TCGA",
        "TCGA-4Z",
        "TCGA-4Z-AA7",
        "C115_N",
        "DMS53_LUNG",
        "XTCGA-4Z-AA7M",
        "TCGA-4Z-AA7M-1",
        "TCGA-4Z.AA7M",
    ],
)
def test_what_is_no_barcode(text: str) -> None:
    assert parse_barcode(text) is None


def test_a_uuid_behind_a_patient_is_no_sample() -> None:
    code = find_barcode("TCGA-4Z-AA7M.01A59EFF-35D0-4DC5.PDF")
    assert code is not None
    assert code.sample_id is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [("01", "primary"), ("06", "metastasis"), ("11", "normal"), ("50", "cell_line"), ("77", "other")],
)
def test_sample_types(code: str, kind: str) -> None:
    assert sample_type_of(code) == kind


def test_every_disease_of_the_real_site_table_has_a_cohort(real_data) -> None:
    with (real_data / "refs" / "tcga_tss.csv").open(encoding="utf-8") as handle:
        names = {row["Disease type"] for row in csv.DictReader(handle)} - {""}
    assert {n for n in names if cohort_of_disease(n) is None} == set()


def test_unions_agree_with_their_parts() -> None:
    assert cohorts_agree("READ", "COADREAD")
    assert cohorts_agree("KIPAN", "KICH")
    assert not cohorts_agree("KIRC", "KIRP")
    assert all(cohorts_agree(c, c) for c in DISEASES.values())


def test_gene_ids() -> None:
    assert strip_version("ENSG00000182378.12_PAR_Y") == "ENSG00000182378"
    assert is_ensembl_gene("ENSG00000182378.12_PAR_Y")
    assert is_par_y("ENSG00000182378.12_PAR_Y")
    assert not is_ensembl_gene("ENSA")
    assert split_symbol_entrez("a|b") is None
    assert split_symbol_entrez("AC1 (x)") is None
    assert split_symbol_entrez("TP53 (7157)") == split_symbol_entrez("TP53|7157")


@pytest.mark.parametrize("text", ["1-Sep", "01-Sep", "Sep-01", "sep-1", "2006-09-01", "1-Sep-06"])
def test_excel_dates(text: str) -> None:
    found = excel_date_symbols(text)
    assert found is not None
    assert found[0] == "SEPT1"


@pytest.mark.parametrize("text", ["SEPT1", "1-Foo", "HLA-A", "14-3-3_beta", "2006-13-01"])
def test_no_excel_dates(text: str) -> None:
    assert excel_date_symbols(text) is None
