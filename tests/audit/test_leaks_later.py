"""L10: later follow-up, and later data, served as if known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from audit_cases import Case, tiny_case

from omicstore.audit.leaks.later import is_later, later


def by_years(root: Path, followed: float = 100.0) -> Case:
    """Return a split by years: who is tested was diagnosed in 2012, the others in 2005, followed for so many days."""
    case = tiny_case(root, cohorts=("AAA",))
    case.assignments = case.assignments.filter(pl.col("fold") == 0)
    tested = sorted({s[:12] for s in case.samples(0, "test")})
    year = pl.when(pl.col("patient_id").is_in(tested)).then(2012).otherwise(2005)
    case.change("AAA", "patients", diagnosis_year=year)
    case.change("AAA", "outcomes", time_days=pl.lit(followed))
    years = [{"cohorts": ["AAA"], "val_from": 2008, "test_from": 2012}]
    case.sections = {"strategy": {"name": "temporal", "years": years}, "params": {"strategy": "temporal"}}
    return case


def test_plausible_follow_up_passes(tmp_path: Path) -> None:
    assert later(tiny_case(tmp_path).write()).status == "pass"


def test_follow_up_that_ends_before_testing_passes(tmp_path: Path) -> None:
    found = later(by_years(tmp_path, followed=2500.0).write())
    assert (found.status, found.evidence["first_tested_year"]) == ("pass", {"AAA": 2012})


def test_training_outcomes_beyond_the_first_test_are_a_warning(tmp_path: Path) -> None:
    found = later(by_years(tmp_path, followed=2600.0).write())
    assert found.severity == "warning"
    assert "of AAA who train or choose are followed beyond the start of 2012, when testing begins" in found.found
    assert "to 2012.1 or later: their OS was not known then" in found.found


def test_a_split_for_a_label_has_no_outcome_to_be_known(tmp_path: Path) -> None:
    case = by_years(tmp_path, followed=2600.0)
    case.sections |= {"cohort": {"outcome": {"kind": "label", "name": "subtype"}}}
    case.sections["params"] |= {"endpoint": None, "label": "subtype"}
    assert later(case.write()).status == "pass"


def test_a_patient_of_the_tested_years_who_trains_is_an_error(tmp_path: Path) -> None:
    case = by_years(tmp_path)
    who = case.samples(0, "train")[0][:12]
    case.change("AAA", "patients", pl.col("patient_id") == who, diagnosis_year=pl.lit(2013))
    found = later(case.write())
    assert found.severity == "error"
    assert found.found.startswith(f"{who} of AAA is in train, diagnosed in 2013, and testing begins in 2012; ")


def test_without_its_years_the_manifest_is_not_needed(tmp_path: Path) -> None:
    case = by_years(tmp_path, followed=2600.0)
    case.sections["strategy"] = {"name": "temporal"}
    assert later(case.write()).evidence["first_tested_year"] == {"AAA": 2012}


@pytest.mark.parametrize(
    ("endpoint", "columns", "told"),
    [
        ("PFI", {"time_days": -3.0}, "the PFI of SIMU-A1-AA00 has a time of -3 days"),
        ("OS", {"time_days": float("inf")}, "the OS of SIMU-A1-AA00 has a time of inf days"),
        ("OS", {"time_days": 90_000.0}, "the OS of SIMU-A1-AA00 ends at an age of "),
        ("PFI", {"event": 1, "time_days": 11_000.0}, "the PFI of SIMU-A1-AA00 has an event 10900 days after death"),
    ],
)
def test_follow_up_that_cannot_be_is_named(tmp_path: Path, endpoint: str, columns: dict[str, Any], told: str) -> None:
    case = tiny_case(tmp_path)
    who = pl.col("patient_id") == "SIMU-A1-AA00"
    case.change("AAA", "outcomes", who, time_days=pl.lit(100.0), event=pl.lit(1))
    case.change("AAA", "outcomes", who & (pl.col("endpoint") == endpoint), **columns)
    found = later(case.write())
    assert found.severity == "warning"
    assert told in found.found


def test_a_later_curation_of_the_tested_alone_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    tested = sorted({s[:12] for s in case.samples(0, "test", "AAA")})
    case.change("AAA", "outcomes", pl.col("patient_id").is_in(tested), source=pl.lit("follow_up_v4.csv"))
    found = later(case.write())
    assert (
        "in fold 0 the OS of tested patients of AAA is mostly of follow_up_v4.csv, that of the others of tiny"
        in found.found
    )


def test_two_sources_that_go_with_nothing_pass(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    odd = pl.col("patient_id").str.slice(-1).is_in(["1", "3", "5", "7", "9"])
    case.change("AAA", "outcomes", odd, source=pl.lit("follow_up_v4.csv"))
    assert later(case.write()).status == "pass"


def test_a_feature_that_is_known_later_is_an_error(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    part = case.matrix("AAA", "prot")
    part.features = part.features.with_columns(pl.col("feature_id").replace("AB029", "OS.time"))
    found = later(case.write())
    assert (found.severity, found.found) == ("error", "OS.time, a feature of prot of AAA, is known only later")
    assert later(case.write_model(modalities=["rna"])).status == "pass"


def test_a_covariate_that_is_known_later_is_an_error(tmp_path: Path) -> None:
    found = later(
        tiny_case(tmp_path).write_model(covariates=["age_years", "days_to_new_tumor_event_after_initial_treatment"])
    )
    assert found.found == (
        "days_to_new_tumor_event_after_initial_treatment, among the covariates of the sidecar, is known only later"
    )


@pytest.mark.parametrize(
    "name",
    ["days_to_last_followup", "primary_therapy_outcome_success", "patient.vital_status", "Cause_of_death", "PFI.time"],
)
def test_names_of_what_is_known_later(name: str) -> None:
    assert is_later(name)


@pytest.mark.parametrize("name", ["age_at_diagnosis", "ENSG00000141510", "OS9", "stage", "PFKFB3", "EVENTLESS", "DSS1"])
def test_names_of_what_is_known_at_diagnosis(name: str) -> None:
    assert not is_later(name)


def test_vital_status_that_is_ahead_of_survival_is_counted(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, cohorts=("AAA",))
    case.change("AAA", "patients", vital_status=pl.lit("dead"))
    case.change("AAA", "outcomes", event=pl.lit(0))
    found = later(case.write())
    assert found.evidence["vital_status_later_than_outcome"] == case.cohorts["AAA"].tables["patients"].height
