"""Files of LinkedOmics; the fixtures are made from the published description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omicstore.readers import expand, has_outcomes, profile_ids, read
from omicstore.readers.linkedomics import recognise
from omicstore.readers.recognise import look
from omicstore.sources import Source

MADE = Path(__file__).parents[1] / "made" / "linkedomics"


@pytest.fixture
def whole() -> Source:
    return Source(MADE, "linkedomics", cohort="BRCA", labels={"pam50": "PAM50"})


def test_parts_of_a_folder(whole: Source) -> None:
    assert [(p.modality, p.unit) for p in expand(whole)] == [
        ("cnv", "log2_ratio"),
        (None, None),
        ("rna", "log2(rsem_normalized+1)"),
        ("mut", "mutated"),
    ]
    assert has_outcomes(whole)


def test_a_matrix(whole: Source) -> None:
    part = next(p for p in expand(whole) if p.modality == "rna")
    (raw,) = read(part)
    assert raw.ids == profile_ids(part) == ["TCGA.5L.AAT0", "TCGA.A2.A04U", "TCGA.A1.A0SE"]
    assert raw.features == ["TP53", "EGFR"]
    np.testing.assert_array_equal(raw.values, [[10.5, 5], [0, 6.5], [9.25, np.nan]])
    assert raw.source.path == MADE  # provenance knows the folder
    (same,) = read(expand(Source(MADE / (part.part or ""), "linkedomics", cohort="BRCA"))[0])
    np.testing.assert_array_equal(same.values, raw.values)


def test_attributes_are_turned(whole: Source) -> None:
    clinical, outcome, label = read(next(p for p in expand(whole) if p.modality is None))
    assert clinical.frame is not None
    assert clinical.frame.select("raw_id", "sex", "age_years", "stage").rows()[:2] == [
        ("TCGA.5L.AAT0", "female", 42.0, "stageii"),
        ("TCGA.A2.A04U", "female", 50.5, "stagei"),
    ]
    assert outcome.frame is not None
    assert outcome.frame.rows() == [("TCGA.5L.AAT0", "OS", 1477.0, 0), ("TCGA.A2.A04U", "OS", 2654.0, 1)]
    assert label.frame is not None
    assert label.frame["label"].to_list() == ["LumA", "Basal", "LumB"]


def test_recognised() -> None:
    guesses = {path.name[-4:]: recognise(look(path)) for path in MADE.iterdir()}
    assert {guess.format for guess in guesses.values() if guess} == {"linkedomics"}
    assert guesses[".cbt"] is not None
    assert (guesses[".cbt"].modality, guesses[".cbt"].unit) == ("mut", "mutated")
    assert recognise(look(MADE)) is not None


@pytest.mark.parametrize(("code", "cohort"), [("TCGA_BRCA", "BRCA"), ("CPTAC_MADE", None)])
def test_the_name_says_the_cohort(tmp_path: Path, code: str, cohort: str | None) -> None:
    path = tmp_path / f"Human__{code}__UNC__RNAseq__HiSeq_RNA__01_28_2016__BI__Gene__Firehose_RSEM_log2.cct"
    path.write_text("attrib_name\tTCGA.A1.A0SB\nTP53\t1\n")
    guess = recognise(look(path))
    assert guess is not None
    assert guess.cohort == cohort
