"""L9: what stands in for the label."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from audit_cases import tiny_case

from omicstore.audit.leaks.proxies import proxies
from omicstore.audit.leaks.words import telling_words, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from audit_cases import Case

SEEDS = 20
FILLER = (
    "specimen",
    "margin",
    "free",
    "node",
    "tumour",
    "grade",
    "slide",
    "marked",
    "stroma",
    "section",
    "cell",
    "gland",
)


def case_about(root: Path, seed: int = 0) -> Case:
    """A split about the subtype, with reports of random words."""
    case = tiny_case(root, seed=seed, n_patients=60, missing=0.0, reports=True, modalities=("rna",))
    case.sections = {"params": {"label": "subtype", "endpoint": None}}
    rng = np.random.default_rng(seed)
    for name in case.cohorts:
        texts = [" ".join(rng.choice(FILLER, 8)) for _ in range(case.cohorts[name].reports.height)]
        write_reports(case, name, texts)
        # the factory gives labels in turn, as it does sites and stages
        frame = case.cohorts[name].tables["labels"]
        case.change(name, "labels", label=pl.Series(rng.permutation(frame["label"].to_list())))
    return case


def write_reports(case: Case, cohort: str, texts: list[str]) -> None:
    own = case.cohorts[cohort]
    own.reports = own.reports.with_columns(text=pl.Series(texts, dtype=pl.String))


def labels(case: Case, cohort: str) -> dict[str, str]:
    return dict(case.cohorts[cohort].tables["labels"].select("patient_id", "label").iter_rows())


def say(case: Case, cohort: str, word: str, label: str) -> None:
    """Put a word into the reports of a class."""
    own = labels(case, cohort)
    rows = case.cohorts[cohort].reports.select("patient_id", "text").iter_rows()
    write_reports(case, cohort, [f"{text}, {word}." if own[p] == label else text for p, text in rows])


def test_reports_that_name_the_class(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    say(case, "AAA", "consistent with S1", "S1")
    found = proxies(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found == (
        "reports of AAA tell subtype: 's1' is in 20 texts, 20 of S1's 20; 'consistent' is in 20 texts, 20 of S1's 20, "
        "and names no class; 'with' is in 20 texts, 20 of S1's 20, and names no class"
    )
    assert {w["word"] for w in found.evidence["words"][0]["words"]} >= {"s1", "consistent", "with"}


def test_a_code_word_that_is_no_diagnosis_is_told_as_such(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    say(case, "BBB", "ref XQ7", "S2")
    found = proxies(case.write())
    assert "'xq7' is in 20 texts, 20 of S2's 20, and is a code, no diagnosis" in found.found
    assert "'ref' is in 20 texts, 20 of S2's 20, and names no class" in found.found


def test_reports_said_to_be_redacted_are_an_error(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    say(case, "AAA", "subtype S0", "S0")
    row = {
        "source_id": "r",
        "cohort": "AAA",
        "modality": "report",
        "name": "r.csv",
        "redacted": json.dumps(["subtype"]),
    }
    case.add("AAA", "provenance", [row])
    found = proxies(case.write())
    assert (found.status, found.severity) == ("fail", "error")
    assert "reports of AAA tell subtype although they are said to be redacted for it" in found.found


def test_reports_that_nobody_reads_are_not_judged(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    say(case, "AAA", "S0", "S0")
    case.sections["params"] |= {"modalities": ["rna"]}
    assert proxies(case.write()).status == "pass"


def test_labels_called_from_what_is_read(tmp_path: Path) -> None:
    for read, severity in ((["rna"], "error"), ([], "warning")):
        case = case_about(tmp_path / severity)
        case.change("AAA", "labels", derived_from="rna")
        case.change("BBB", "labels", derived_from="histology")
        case.sections["params"] |= {"modalities": read}
        found = proxies(case.write())
        assert (found.status, found.severity) == ("fail", severity)
        assert found.found == "subtype of 60 patients was called from rna, which is read to predict it"


def test_clinical_columns_that_tell_the_label(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    own = labels(case, "AAA")
    told = pl.col("patient_id").replace_strict(own, return_dtype=pl.String)
    case.change("AAA", "patients", stage=pl.lit("Stage ") + told)
    extra = {p: json.dumps({"treatment": f"drug {label}"}) for p, label in labels(case, "BBB").items()}
    case.change("BBB", "patients", extra=pl.col("patient_id").replace_strict(extra, return_dtype=pl.String))
    found = proxies(case.write())
    assert "stage of AAA tells subtype: its values are right for 100.0% of a class on average" in found.found
    assert "extra.treatment of BBB tells subtype" in found.found


def test_the_label_smuggled_in_as_a_feature(tmp_path: Path) -> None:
    case = case_about(tmp_path)
    matrix = case.matrix("AAA", "rna")
    own = labels(case, "AAA")
    is_first = np.array([own["-".join(s.split("-")[:3])] == "S0" for s in matrix.rows["sample_id"].to_list()])
    matrix.values[:, 7] = is_first * 5.0 + np.random.default_rng(0).random(len(is_first))
    found = proxies(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert "GENE7 (ENSG00000000007) of rna tells S0 in AAA (subtype) with an AUC of 1.000" in found.found


def test_a_split_about_survival_has_no_label(tmp_path: Path) -> None:
    found = proxies(tiny_case(tmp_path).write())
    assert (found.status, found.how) == ("not_applicable", "the split is about OS, not a label")


def test_false_alarms_over_seeds(tmp_path: Path) -> None:
    raised = []
    for seed in range(SEEDS):
        found = proxies(case_about(tmp_path / str(seed), seed).write())
        raised += [found.found] if found.status != "pass" else []
    assert len(raised) <= 1, raised


def test_words() -> None:
    assert words_of("Grade: G2, SimLum-A") == {"grade", "g2", "simlum"}
    texts = ["clear cell"] * 10 + ["papillary cell"] * 10
    told = telling_words(texts, np.array(["CCRCC"] * 10 + ["PRCC"] * 10))
    assert [(t.word, t.label, t.n, t.of_class, t.names, t.is_code) for t in told] == [
        ("clear", "CCRCC", 10, 10, False, False),
        ("papillary", "PRCC", 10, 10, False, False),
    ]
    assert telling_words(texts, np.array(["A"] * 20)) == []
    assert telling_words([""] * 20, np.array(["A", "B"] * 10)) == []


def test_the_real_kidney_reports(real_data: Path) -> None:
    """A ccRCC's report says "clear" and "conventional"; nobody told the check these words."""
    import io
    import zipfile

    with zipfile.ZipFile(real_data / "tcga" / "KIDNEY" / "tcga_kidney_all_clean.csv.zip") as archive:
        table = pl.read_csv(io.BytesIO(archive.read(archive.namelist()[0])), infer_schema_length=None)
    label = dict(table.select("case_id", "oncotree_code").iter_rows())
    reports = pl.read_csv(real_data / "tcga" / "KIDNEY" / "path_reports.csv.gz", infer_schema_length=None)
    own = [
        (text, label[name[:12]])
        for name, text in reports.select("pdf_file_name_path", "ocr_text").drop_nulls().iter_rows()
        for name in [name[name.find("TCGA-") :]]
        if name[:12] in label
    ]
    if len(own) < 300:
        pytest.skip("the reports of the kidney tumours are named otherwise here")
    told = telling_words([text for text, _ in own], np.array([code for _, code in own]))
    assert {"clear", "conventional"} <= {t.word for t in told if t.label == "CCRCC"}
