from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from omicstore.errors import SourceError, UnknownNameError
from omicstore.harmonize import tables
from omicstore.harmonize.assay import to_assays
from omicstore.harmonize.combine import combine
from omicstore.readers.table import RawTable
from omicstore.schema import LABELS, OUTCOMES, PATIENTS, PROFILES, REPORTS
from omicstore.sources import Source, Study

IDS = ["TCGA-4Z-0001-01A", "TCGA-4Z-0001-11A", "TCGA-4Z-0002-01A"]


class Ledger:
    def __init__(self) -> None:
        self.entries: list[tuple[str, int, dict[str, int], list[str]]] = []

    def table(self, raw, kept, drops, warnings) -> None:
        self.entries.append((raw.source.path.name, kept, dict(drops.counts), warnings))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame({"source_id": [e[0] for e in self.entries]})


def raw(
    kind: str, frame: dict[str, list], name: str = "t.tsv", fmt: str = "clinical-table", **source
) -> tuple[str, RawTable]:
    table = RawTable(kind=kind, source=Source(path=Path(name), format=fmt, **source), frame=pl.DataFrame(frame))  # type: ignore[arg-type]
    return "s", table


@pytest.fixture
def profiles(matrix, study, refs) -> pl.DataFrame:
    return combine(to_assays(matrix(IDS, ["TP53"], [1, 2, 3]), "BLCA", study, refs, "s")).profiles


def test_patients_are_those_of_the_study(study, refs, profiles) -> None:
    ledger = Ledger()
    frame = {"raw_id": ["TCGA-4Z-0001", "TCGA-4Z-9999"], "sex": ["male", "female"], "age_years": [60, 70]}
    out = tables.catalogue([raw("clinical", frame)], [profiles], "BLCA", study, refs, ledger)
    patients = out["patients"]
    assert patients.columns == list(PATIENTS.columns)
    assert patients.select("patient_id", "sex", "age_years", "site").rows() == [
        ("TCGA-4Z-0001", "male", 60.0, "4Z"),
        ("TCGA-4Z-0002", None, None, "4Z"),
    ]
    assert ledger.entries == [("t.tsv", 1, {"patient without a profile or report": 1}, [])]
    assert out["profiles"].columns == list(PROFILES.columns)
    assert set(out) == {"patients", "outcomes", "labels", "profiles", "provenance"}


def test_the_site_code_na_is_a_site(matrix, study, refs) -> None:
    out = combine(
        to_assays(matrix(["TCGA-NA-0001-01A"], ["TP53"], [1], cohort="UCS"), "UCS", study, refs, "s")
    ).profiles
    assert tables.patients([], "UCS", study, refs, out).get_column("site").to_list() == ["NA"]


def test_precedence_is_by_value(study, refs, profiles) -> None:
    first = raw("clinical", {"raw_id": ["TCGA-4Z-0001"], "sex": ["male"], "stage": [None]}, "a.tsv")
    second = raw(
        "clinical", {"raw_id": ["tcga-4z-0001"], "sex": ["female"], "stage": ["II"], "race": ["white"]}, "b.tsv"
    )
    cdr = raw("clinical", {"raw_id": ["TCGA-4Z-0001"], "race": ["asian"]}, "c.csv", "tcga-cdr")
    row = tables.patients([first, second, cdr], "BLCA", study, refs, profiles).row(0, named=True)
    assert (row["sex"], row["stage"], row["race"]) == ("male", "II", "asian")


def test_a_table_by_sample_speaks_of_the_primary_first(study, refs, profiles) -> None:
    frame = {"raw_id": ["TCGA-4Z-0001-11", "TCGA-4Z-0001-01"], "stage": ["none", "III"]}
    assert tables.patients([raw("clinical", frame)], "BLCA", study, refs, profiles).row(0, named=True)["stage"] == "III"


def test_what_has_no_column_is_kept_beside(study, refs, profiles) -> None:
    frame = {"raw_id": ["TCGA-4Z-0001"], "VHL": ["mut"], "age_years": ["40-60"], "sex": ["male"]}
    row = tables.patients([raw("clinical", frame)], "BLCA", study, refs, profiles).row(0, named=True)
    assert row["age_years"] is None
    assert json.loads(row["extra"]) == {"VHL": "mut", "age_years": "40-60"}
    assert tables.patients([], "BLCA", study, refs, profiles).get_column("extra").to_list() == [None, None]


def test_another_cohort_in_a_table_is_a_warning(study, refs, profiles) -> None:
    ledger = Ledger()
    frame = {"raw_id": ["TCGA-4Z-0001", "TCGA-4Z-0002"], "cohort": ["BRCA", "BLCA"]}
    tables.catalogue([raw("clinical", frame, fmt="tcga-cdr")], [profiles], "BLCA", study, refs, ledger)
    assert ledger.entries[0][3] == ["1 patients of BLCA are of another cohort in this table, e.g. TCGA-4Z-0001 (BRCA)"]


def test_parts_agree_with_their_union(matrix, study, refs) -> None:
    ids = ["TCGA-AA-0001-01A", "TCGA-AF-0002-01A"]
    out = combine(to_assays(matrix(ids, ["TP53"], [1, 2], cohort="COADREAD"), "COADREAD", study, refs, "s")).profiles
    ledger = Ledger()
    frame = {"raw_id": ["TCGA-AA-0001", "TCGA-AF-0002"], "cohort": ["COAD", "READ"]}
    tables.catalogue([raw("clinical", frame, fmt="tcga-cdr")], [out], "COADREAD", study, refs, ledger)
    assert ledger.entries == [("t.tsv", 2, {}, [])]


def test_outcomes(study, refs, profiles) -> None:
    first = {
        "raw_id": ["TCGA-4Z-0001", "TCGA-4Z-0002", "TCGA-4Z-0001"],
        "endpoint": ["OS", "OS", "PFI"],
        "time_days": [0.0, 100.0, None],
        "event": [1, 0, 1],
    }
    second = first | {"time_days": [0.4, 100.0, 12.0], "event": [1, 1, 0]}
    third = {"raw_id": ["TCGA-4Z-0002"], "endpoint": ["os"], "time_days": [400.0], "event": [0]}
    ledger = Ledger()
    raws = [raw("outcome", first, "a"), raw("outcome", second, "b"), raw("outcome", third, "c", "tcga-cdr")]
    out = tables.catalogue(raws, [profiles], "BLCA", study, refs, ledger)["outcomes"]
    assert out.columns == list(OUTCOMES.columns)
    assert out.drop("cohort").rows() == [
        ("TCGA-4Z-0001", "OS", 0.0, 1, "a", None),
        ("TCGA-4Z-0001", "PFI", 12.0, 0, "b", None),
        ("TCGA-4Z-0002", "OS", 400.0, 0, "c", "a: 100 days, event 0; b: 100 days, event 1"),
    ]
    assert [e[1:3] for e in ledger.entries] == [(2, {"no time or no event": 1}), (3, {}), (1, {})]


def test_labels_at_the_level_of_the_sample(study, refs, profiles) -> None:
    frame = {
        "raw_id": ["TCGA-4Z-0001-01", "TCGA-4Z-0001-11", "TCGA-4Z-0002-06", "TCGA-4Z-0002", "TCGA-4Z-0001-01"],
        "task": ["pam50"] * 5,
        "label": ["LumA", "Normal", "LumB", "Her2", "LumB"],
    }
    ledger = Ledger()
    source = raw("label", frame, labels={"pam50": "PAM50Call_RNAseq"})
    out = tables.catalogue([source], [profiles], "BLCA", study, refs, ledger)["labels"]
    assert out.columns == list(LABELS.columns)
    assert out.select("patient_id", "sample_id", "label", "derived_from").rows() == [
        ("TCGA-4Z-0001", "TCGA-4Z-0001-01", "LumA", "rna"),
        ("TCGA-4Z-0001", "TCGA-4Z-0001-11", "Normal", "rna"),
        ("TCGA-4Z-0002", None, "Her2", "rna"),
    ]
    assert ledger.entries[0][2] == {"sample without a profile": 1, "repeated row of a sample": 1}


def test_reports_belong_to_the_primary_sample(study, refs, profiles) -> None:
    frame = {
        "raw_id": ["TCGA-4Z-0003.8F5F9EFF-35D0.PDF", "x/TCGA-4Z-0003.0A.pdf", "ER-AE8R.pdf", "TCGA-4Z-0001.AA"],
        "text": ["short", "a longer text", "lost", "  "],
    }
    source = raw("report", frame, "r.csv", "reports", modality="report")
    ledger = Ledger()
    out = tables.catalogue([source], [profiles], "BLCA", study, refs, ledger)
    assert ledger.entries[0][1:3] == (2, {"id says no patient": 1, "empty text": 1})
    assert out["patients"].get_column("patient_id").to_list() == ["TCGA-4Z-0001", "TCGA-4Z-0002", "TCGA-4Z-0003"]
    mine = out["profiles"].filter(pl.col("modality") == "report")
    assert mine.select("profile_id", "sample_id", "sample_type_inferred", "chosen", "reason").rows() == [
        ("TCGA-4Z-0003", "TCGA-4Z-0003-01", True, True, None),
        ("TCGA-4Z-0003#2", "TCGA-4Z-0003-01", True, False, "shorter text"),
    ]
    texts = tables.reports([source], "BLCA", study, refs)
    assert REPORTS.conform(texts).columns == [c for c in REPORTS.columns if c not in REPORTS.optional]
    assert texts.get_column("text").to_list() == ["a longer text", "short"]


def test_reports_are_redacted_for_the_labels_of_the_study(study, refs) -> None:
    frame = {
        "raw_id": ["TCGA-4Z-0001", "TCGA-4Z-0002"],
        "text": ["A clear cell tumor.", "Nothing to tell."],
        "file": ["a.pdf", "b.pdf"],
        "raw_hash": ["1" * 64, "2" * 64],
    }
    about = raw("report", frame, "r.csv", "reports", modality="report", redact=("subtype",), redact_words=("nothing",))
    labels = raw("label", {"raw_id": ["TCGA-4Z-0001"], "task": ["subtype"], "label": ["KIRC"]}, "l.csv")
    texts = tables.reports([about, labels], "BLCA", study, refs)
    assert texts["text"].to_list() == ["A [REDACTED] tumor.", "[REDACTED] to tell."]
    assert texts["raw_hash"].to_list() == ["1" * 64, "2" * 64]
    assert json.loads(texts["redactions"][0]) == {
        "counts": {"clear cell*": 1}, "spans": [[2, 12, "clear cell", "clear cell*"]], "tasks": ["subtype"],
    }  # fmt: skip
    with pytest.raises(UnknownNameError, match="task to redact 'subtype'"):
        tables.reports([about], "BLCA", study, refs)


def test_slides(study, refs, profiles) -> None:
    frame = {
        "raw_id": ["TCGA-4Z-0001-01Z-00-DX1", "TCGA-4Z-0001-01Z-00-DX2"],
        "slide_id": ["TCGA-4Z-0001-01Z-00-DX1.uuid", "TCGA-4Z-0001-01Z-00-DX2.uuid"],
        "path": ["a.h5", "b.h5"],
        "encoder": ["uni", "uni"],
        "n_patches": [3, 4],
    }
    source = raw("patches", frame, "h5", "patches-h5", modality="patches")
    out = tables.patches([source], "BLCA", study, refs)
    assert out.select("sample_id", "profile_id", "n_patches").rows() == [
        ("TCGA-4Z-0001-01", "TCGA-4Z-0001-01Z-00-DX1.uuid", 3),
        ("TCGA-4Z-0001-01", "TCGA-4Z-0001-01Z-00-DX2.uuid", 4),
    ]
    every = tables.catalogue([source], [profiles], "BLCA", study, refs, Ledger())["profiles"]
    assert every.filter(pl.col("modality") == "patches").get_column("chosen").to_list() == [True, True]


def test_a_table_of_another_cohort_is_refused(study, refs, profiles) -> None:
    source = raw("clinical", {"raw_id": ["TCGA-A1-0001", "TCGA-A1-0002"]}, cohort="BLCA")
    with pytest.raises(SourceError, match="wrong cohort"):
        tables.patients([source], "BLCA", study, refs, profiles)


def test_a_table_that_says_nobody(study, refs, profiles) -> None:
    with pytest.raises(SourceError, match="none of its 1 rows says whose it is, e.g. 'x'"):
        tables.patients([raw("clinical", {"raw_id": ["x"]})], "BLCA", study, refs, profiles)


def test_nothing_at_all(study, refs, profiles) -> None:
    out = tables.catalogue([], [profiles], "BLCA", study, refs, Ledger())
    assert out["outcomes"].height == out["labels"].height == 0
    assert out["patients"].height == 2


def test_tissue_comes_from_the_id(matrix, sampled, make_refs) -> None:
    rule: Study = sampled(origin="id", sample_type="cell_line", tissue="_(.+)$")
    lines = matrix(["DMS53_LUNG"], ["HER2"], [[1]], modality="prot", unit="log2_ratio", cohort="C")
    profiles = combine(to_assays(lines, "C", rule, make_refs(), "s")).profiles
    assert tables.patients([], "C", rule, make_refs(), profiles).get_column("tissue").to_list() == ["LUNG"]
