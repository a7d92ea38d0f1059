"""L6: patients of two cohorts, and what was pre-trained on later test patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from audit_cases import Case, tiny_case

from omicstore.audit.leaks.overlap import overlap


def encoded(case: Case, cohort: str, seen: list[str] | None) -> None:
    text = json.dumps({"encoder": "ours", "seen": seen, "source": None, "weights": None})
    row = {"source_id": "e", "cohort": cohort, "modality": "patches", "name": "slides", "encoder": text}
    case.add(cohort, "provenance", [row])


def test_cohorts_without_a_common_patient_pass(tmp_path: Path) -> None:
    assert overlap(tiny_case(tmp_path).write()).status == "pass"


def test_one_cohort_overlaps_with_none(tmp_path: Path) -> None:
    assert overlap(tiny_case(tmp_path, cohorts=("AAA",)).write()).status == "not_applicable"


def test_a_patient_of_two_cohorts_in_two_parts_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    who = case.samples(0, "train", "AAA")[0][:12]
    there = case.assignments.filter(pl.col("sample_id").str.starts_with(who))
    case.assignments = pl.concat([case.assignments, there.with_columns(cohort=pl.lit("BBB"), part=pl.lit("test"))])
    found = overlap(case.write())
    assert found.severity == "error"
    assert found.found.startswith(f"a patient of several cohorts: {who} is in train and test of fold 0")


def test_cohorts_that_overlap_by_name_alone_are_a_warning(tmp_path: Path) -> None:
    found = overlap(tiny_case(tmp_path, cohorts=("COAD", "COADREAD")).write())
    # Both cohorts of the factory start with CO, so that their patients have the same ids, and they are one side's.
    assert found.status == "pass"
    case = tiny_case(tmp_path / "apart", cohorts=("GBM", "GBMLGG"))
    case.assignments = case.assignments.with_columns(
        patient_id=pl.when(pl.col("cohort") == "GBM").then(pl.format("{}x", "patient_id")).otherwise("patient_id")
    )
    assert overlap(case.write()).found == (
        "GBM and GBMLGG overlap by name and share no patient id, so the same people may have two"
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (["tiny"], "ours, which encoded patches of AAA, was pre-trained on tiny"),
        (["TINY-AAA", "CPTAC"], "ours, which encoded patches of AAA, was pre-trained on TINY-AAA"),
        (["AAA"], "ours, which encoded patches of AAA, was pre-trained on AAA"),
        (["tiny-BBB", "CPTAC"], ""),
        (None, ""),
    ],
)
def test_an_encoder_that_has_seen_the_programme_is_a_warning(tmp_path: Path, seen: Any, told: str) -> None:
    case = tiny_case(tmp_path)
    encoded(case, "AAA", seen)
    found = overlap(case.write())
    assert (found.found, found.status) == (told, "fail" if told else "pass")
    assert found.evidence["encoders"][0]["encoder"] == "ours"


def test_provenance_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    row = {"source_id": "e", "cohort": "AAA", "modality": "patches", "name": "slides", "encoder": "uni"}
    case.add("AAA", "provenance", [row])
    assert overlap(case.write()).found == "the provenance of patches of AAA does not say which encoder: uni"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tiny", "the model was pre-trained on tiny, which has patients of the test part"),
        ({"datasets": ["GTEx", "AAA"]}, "the model was pre-trained on AAA, which has patients of the test part"),
        ({"part": "all"}, "the model was pre-trained on the all part"),
        ({"part": "train", "fold": 2}, "the model was pre-trained in fold 2, where patients of this test part train"),
        ({"part": "train", "fold": 0, "cohorts": ["AAA"]}, ""),
        (["GTEx"], ""),
    ],
)
def test_what_the_sidecar_says_of_pre_training_is_judged(tmp_path: Path, said: Any, told: str) -> None:
    assert overlap(tiny_case(tmp_path).write_model(pretrained=said)).found == told


def test_pre_training_on_test_patients_by_name_is_an_error(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    who = case.samples(0, "test")[0]
    found = overlap(case.write_model(pretrained={"sample_ids": [who, *case.samples(0, "train")]}))
    assert (found.severity, found.found) == (
        "error",
        f"the model was pre-trained on 1 of the test part, {who} among them",
    )
