"""Identifiers: barcodes of every level there and back, and what the form of any id says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.explain.form import explain_form
from omicstore.identifiers import find_barcode, parse_barcode

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@st.composite
def barcodes(draw: st.DrawFn) -> tuple[str, dict[str, str | None]]:
    """A barcode cut off at any level, with the parts that it has."""
    code = draw(st.sampled_from(["01", "02", "03", "06", "10", "11", "50"]))
    parts = {
        "site": draw(st.text(SIGNS, min_size=2, max_size=2)),
        "part": draw(st.text(SIGNS, min_size=4, max_size=4)),
        "sample_type_code": code,
        "vial": draw(st.sampled_from("ABCZ")),
        "portion": f"{draw(st.integers(0, 99)):02}",
        "analyte": draw(st.sampled_from("DRTWX")),
        "plate": "A" + draw(st.text(SIGNS, min_size=3, max_size=3)),
        "center": f"{draw(st.integers(0, 99)):02}",
    }
    level = draw(st.integers(0, 6))
    fields = [
        f"TCGA-{parts['site']}-{parts['part']}", f"-{code}", parts["vial"], f"-{parts['portion']}", parts["analyte"],
        f"-{parts['plate']}", f"-{parts['center']}",
    ]  # fmt: skip
    names = ("sample_type_code", "vial", "portion", "analyte", "plate", "center")
    known = {name: parts[name] if i < level else None for i, name in enumerate(names)}
    return "".join(fields[: level + 1]), {"site": parts["site"]} | known


@given(barcodes(), st.sampled_from("-._"), st.booleans())
def test_a_barcode_comes_back_at_every_level_in_every_spelling(
    made: tuple[str, dict[str, str | None]], separator: str, lower: bool
) -> None:
    text, parts = made
    spelled = text.replace("-", separator)
    found = parse_barcode(f" {spelled.lower() if lower else spelled} ")
    assert found is not None
    assert found.text == text
    assert {name: getattr(found, name) for name in parts} == parts
    assert found.patient_id == text[:12]
    assert found.sample_id == (text[:15] if parts["sample_type_code"] else None)
    assert parse_barcode(found.text) == found


@given(barcodes())
def test_a_barcode_is_found_in_the_name_of_a_file(made: tuple[str, dict[str, str | None]]) -> None:
    found = find_barcode(f"data/{made[0]}.8F5F9EFF-35D0-4DC5-A6C3.txt.gz")
    assert found is not None
    assert found.text == made[0]
    assert explain_form(f"{made[0]}.counts")[0]["barcode"] == made[0]


@given(barcodes())
def test_the_words_tell_every_part(made: tuple[str, dict[str, str | None]]) -> None:
    text, parts = made
    (said,) = explain_form(text, {parts["site"] or "": ("Somewhere", "Rectum adenocarcinoma")})
    assert said["cohort"] == "READ"
    assert all(value is None or value in said["text"] for value in parts.values())
    assert said["text"].startswith(f"barcode {text}: ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("C3L-00004", "CPTAC case C3L-00004"),
        ("c3n-01234-02", "CPTAC case C3N-01234; specimen 02"),
        ("A549_LUNG", "cell line A549, as CCLE spells it; tissue LUNG"),
        ("NCIH1299_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE",
         "cell line NCIH1299, as CCLE spells it; tissue HAEMATOPOIETIC_AND_LYMPHOID_TISSUE"),
        ("ACH-000001", "cell line of DepMap, model ACH-000001"),
        ("MB-0002", "patient of METABRIC, MB-0002"),
        ("C00031", "compound of KEGG, C00031"),
        ("HMDB0000122", "metabolite of HMDB, HMDB0000122"),
        ("ENSG00000141510.16", "Ensembl gene ENSG00000141510, version 16; the version is left out"),
        ("1-Sep", "a date, which a spreadsheet makes of SEPT1 or SEP1"),
        ("b5c5b8c4-2d31-4d3b-9b8a-6c1f1d0e7f10",
         "a UUID: the GDC names cases, aliquots and files so; its sample sheet tells which"),
    ],
)  # fmt: skip
def test_other_forms(name: str, expected: str) -> None:
    assert [found["text"] for found in explain_form(name)] == [expected]


@pytest.mark.parametrize("name", ["TP53", "Glucose", "p53_Caution", "patient 7", "C3X-00001"])
def test_a_name_without_a_form_says_nothing(name: str) -> None:
    assert explain_form(name) == []
