"""L1 and L2: one person on both sides of a fold, seen by every name that there is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from audit_cases import tiny_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omicstore.audit.leaks.people import one_patient, sample_types


def test_a_clean_split_has_no_person_on_both_sides(tmp_path: Path) -> None:
    bundle = tiny_case(tmp_path).write()
    assert one_patient(bundle).status == "pass"
    found = sample_types(bundle)
    assert (found.status, found.evidence["people_of_several_types"]) == ("pass", 8)


def test_a_person_in_two_parts_is_named_with_the_fold(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.move("SIMU-A1-AA00-11", 0, "train")
    bundle = case.write()
    assert one_patient(bundle).found == "SIMU-A1-AA00 is in train and test of fold 0"
    assert sample_types(bundle).found == (
        "fold 0 has of SIMU-A1-AA00 normal SIMU-A1-AA00-11 in train and primary SIMU-A1-AA00-01 in test"
    )


def test_a_wrong_column_of_patients_hides_nobody(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    for table in ("profiles", "patients"):
        case.change("AAA", table, pl.col("patient_id") == "SIMU-A1-AA00", patient_id=pl.lit("P1"))
    case.change("AAA", "profiles", pl.col("sample_id") == "SIMU-A1-AA00-11", patient_id=pl.lit("P2"))
    case.add("AAA", "patients", [{"patient_id": "P2", "cohort": "AAA"}])
    hidden = pl.when(pl.col("sample_id") == "SIMU-A1-AA00-11").then(pl.lit("P2")).otherwise(pl.lit("P1"))
    own = pl.col("sample_id").str.starts_with("SIMU-A1-AA00")
    case.assignments = case.assignments.with_columns(
        pl.when(own).then(hidden).otherwise(pl.col(c)).alias(c) for c in ("patient_id", "group_id")
    )
    case.move("SIMU-A1-AA00-11", 0, "train")
    bundle = case.write()
    found = one_patient(bundle)
    assert found.found == ("SIMU-A1-AA00 is in train and test of fold 0, by its profile id, raw id and sample id")
    assert found.evidence["n_patient_id_disagrees_with_barcode"] == 2
    assert "normal SIMU-A1-AA00-11 in train" in sample_types(bundle).found


def test_an_aliquot_under_two_samples_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, missing=0.0)
    one, other = case.samples(0, "train", "AAA")[0], case.samples(0, "test", "AAA")[0]
    for sample, name in ((one, "gel 7"), (other, "gel 7#2")):
        part, old = case.matrix("AAA", "rna"), f"{sample}A-rna"
        part.rows = part.rows.with_columns(pl.col("profile_id").replace(old, name))
        case.change("AAA", "profiles", pl.col("profile_id") == old, raw_id=pl.lit(name), profile_id=pl.lit(name))
    assert "the aliquot or slide gel 7 (rna of AAA) is in train and test of fold 0" in one_patient(case.write()).found


def test_types_are_read_from_barcodes_where_the_column_hides_them(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.change("AAA", "profiles", sample_type=pl.lit("primary"))
    case.move("SIMU-A1-AA00-11", 0, "val")
    found = sample_types(case.write())
    assert found.found.startswith("fold 0 has of SIMU-A1-AA00 normal SIMU-A1-AA00-11 in val")
    assert found.evidence["type_disagrees_with_barcode"][0] == (
        "SIMU-A1-AA00-11 is primary by the column and normal by its barcode"
    )


def test_tumour_and_normal_are_told_by_their_names(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, cohorts=("AAA",))
    names = {"SIMU-A1-AA00-01": "K12-T", "SIMU-A1-AA00-11": "K12-N"}
    for part in case.cohorts["AAA"].parts.values():
        part.rows = part.rows.with_columns(pl.col("sample_id").replace(names))
    case.change("AAA", "profiles", sample_id=pl.col("sample_id").replace(names))
    case.change(
        "AAA",
        "profiles",
        pl.col("sample_id").str.starts_with("K12"),
        profile_id=pl.format("{} {}", "sample_id", "modality"),
    )
    for modality, part in case.cohorts["AAA"].parts.items():
        new = pl.when(pl.col("sample_id").str.starts_with("K12")).then(
            pl.format("{} {}", "sample_id", pl.lit(modality))
        )
        part.rows = part.rows.with_columns(profile_id=new.otherwise("profile_id"))
    case.change("AAA", "profiles", pl.col("sample_id").str.starts_with("K12"), raw_id=pl.col("profile_id"), chosen=True)
    case.cohorts["AAA"].tables["profiles"] = case.cohorts["AAA"].tables["profiles"].unique(["modality", "profile_id"])
    case.change("AAA", "profiles", pl.col("sample_id").str.starts_with("K12"), patient_id=pl.col("sample_id"))
    case.add("AAA", "patients", [{"patient_id": name, "cohort": "AAA"} for name in names.values()])
    case.assignments = case.assignments.with_columns(sample_id=pl.col("sample_id").replace(names))
    case.assignments = case.assignments.with_columns(
        patient_id=pl.when(pl.col("sample_id").str.starts_with("K12")).then("sample_id").otherwise("patient_id")
    )
    case.move("K12-N", 0, "train")
    bundle = case.write()
    assert sample_types(bundle).found == "fold 0 has of K12 by name normal K12-N in train and primary K12-T in test"


def test_without_a_store_barcodes_are_all_there_is(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.move("SIMU-A1-AA00-11", 0, "train")
    bundle = case.write()
    bundle.store = None
    assert one_patient(bundle).status == "fail"
    assert sample_types(bundle).status == "fail"


@pytest.mark.parametrize("content", [b"", b"no parquet"])
def test_a_broken_file_of_rows_is_named(tmp_path: Path, content: bytes) -> None:
    case = tiny_case(tmp_path)
    bundle = case.write()
    (case.split / "assignments.parquet").write_bytes(content)
    found = one_patient(bundle)
    assert found.status == "not_applicable"
    assert "assignments.parquet" in found.how


def test_rows_without_a_column_are_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    bundle = case.write()
    case.assignments.drop("fold").write_parquet(case.split / "assignments.parquet")
    assert "assignments.parquet cannot be read as the rows of a split" in one_patient(bundle).how


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_moving_any_normal_away_from_its_tumour_is_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    case = tiny_case(tmp_path_factory.mktemp("case"), cohorts=("AAA",), n_patients=12)
    normals = [s for s in case.assignments["sample_id"].unique().sort() if s.endswith("-11")]
    sample, fold = data.draw(st.sampled_from(normals)), data.draw(st.integers(0, 2))
    part = data.draw(st.sampled_from(["train", "val", "test"]))
    tumour = sample.replace("-11", "-01")
    there = case.assignments.filter((pl.col("sample_id") == tumour) & (pl.col("fold") == fold))["part"].to_list()
    case.move(sample, fold, part)
    bundle = case.write()
    expected = "fail" if there and there != [part] else "pass"
    assert one_patient(bundle).status == expected
    assert sample_types(bundle).status == expected
