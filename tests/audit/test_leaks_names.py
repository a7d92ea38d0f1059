"""L7: one person under two names, by tables of aliases and by what the clinic says."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from audit_cases import EDGES, Case, tiny_case

from omicstore.audit.leaks.fingerprints import alike
from omicstore.audit.leaks.names import names


def apart(case: Case) -> tuple[str, str]:
    """Return a patient of AAA who trains and one of BBB who is tested in fold 0."""
    return case.samples(0, "train", "AAA")[0][:12], case.samples(0, "test", "BBB")[0][:12]


def twin(case: Case, one: str, other: str, **changes: object) -> None:
    """Give a patient of BBB what the clinic says of one of AAA."""
    for table in ("patients", "outcomes"):
        said = case.cohorts["AAA"].tables[table].filter(pl.col("patient_id") == one)
        said = said.with_columns(
            patient_id=pl.lit(other), cohort=pl.lit("BBB"), **changes if table == "patients" else {}
        )
        own = case.cohorts["BBB"].tables[table]
        kept = own.filter(pl.col("patient_id") != other)
        case.cohorts["BBB"].tables[table] = pl.concat([kept, said.select(own.columns)]).sort("patient_id")


def test_strangers_pass(tmp_path: Path) -> None:
    found = names(tiny_case(tmp_path).write())
    assert (found.status, found.evidence["patients_compared"], found.evidence["clinical_twins"]) == ("pass", 79, 0)


def test_aliases_in_two_parts_are_an_error(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    one, other = apart(case)
    case.sections = {"params": {"aliases": "who.csv"}}
    bundle = case.write()
    (case.study / "who.csv").write_text(f"patient_id,alias\n{one},C3L-1\n{other},C3L-1\n", encoding="utf-8")
    found = names(bundle)
    assert found.severity == "error"
    assert found.found.startswith(f"one person by aliases: C3L-1 = {other} = {one} is in train and test of fold 0")


def test_alias_edges_of_the_split_are_judged_too_unless_struck_out(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    one, other = apart(case)
    edge = {"kind": ["alias"], "left": [f"patient:{one}"], "right": [f"patient:{other}"], "evidence": ["aliases"]}
    case.edges = pl.DataFrame(edge, schema=EDGES)
    assert names(case.write()).status == "fail"
    case.edges = case.edges.with_columns(struck=pl.lit("two sisters"))
    found = names(case.write())
    assert (found.status, found.evidence["struck_out"]) == (
        "pass",
        [f"{other} and {one} are not the same: two sisters"],
    )


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", "\x00\n"])
def test_a_table_of_aliases_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    case = tiny_case(tmp_path)
    case.sections = {"params": {"aliases": "who.csv"}}
    bundle = case.write()
    if content is not None:
        (case.study / "who.csv").write_text(content, encoding="utf-8")
    found = names(bundle)
    assert found.severity == "error"
    assert "who.csv cannot be read as patient_id and alias" in found.found


def test_one_clinic_under_two_names_is_a_warning(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    one, other = apart(case)
    case.change("AAA", "patients", pl.col("patient_id") == one, age_years=61.37)
    twin(case, one, other)
    found = names(case.write())
    assert found.severity == "warning"
    assert f"{other} is in test and {one} in train of fold 0, and they agree in sex" in found.found
    assert "age_years 61.37" in found.found


def test_twins_on_one_side_are_no_leak(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    one, other = case.samples(0, "train", "AAA")[0][:12], case.samples(0, "train", "BBB")[0][:12]
    case.assignments = case.assignments.filter(pl.col("fold") == 0)
    twin(case, one, other)
    found = names(case.write())
    assert (found.status, found.evidence["clinical_twins_on_one_side"]) == ("pass", 1)


def test_another_sex_is_another_person(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    one, other = apart(case)
    twin(case, one, other, sex=pl.lit("unlike"))
    assert names(case.write()).status == "pass"


def test_values_that_many_share_tell_nobody_apart() -> None:
    # Two hundred people of one age, sex and stage, followed in whole hundreds of days.
    n = 200
    patients = pl.DataFrame(
        {
            "cohort": ["A", "B"] * (n // 2), "patient_id": [f"P{i}" for i in range(n)], "dataset": "d", "sex": "female",
            "stage": "II", "age_years": 60.0, "diagnosis_year": 2010,
        }
    )  # fmt: skip
    outcomes = patients.select(
        "cohort", "patient_id", endpoint=pl.lit("OS"), event=pl.lit(1), time_days=(pl.int_range(n) % 10 + 1) * 100.0
    )
    assert alike(patients, outcomes) == []
