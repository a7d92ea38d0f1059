"""L3: sites, plates, centres and platforms on both sides of a fold."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from audit_cases import fold_rows, tiny_case

from omicstore.audit import audit
from omicstore.audit.leaks.blocks import sites

UNCLAIMED = {
    "blocks": {"site": "ignore"},
    "strategy": {"name": "grouped_kfold"},
    "params": {"strategy": "grouped_kfold"},
}


def test_whole_sites_pass(tmp_path: Path) -> None:
    found = sites(tiny_case(tmp_path).write())
    assert (found.status, found.evidence["shared_by_fold"]) == ("pass", {"0": "0 of 6", "1": "0 of 6", "2": "0 of 6"})


def test_a_site_on_both_sides_of_a_split_that_keeps_them_is_an_error(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.move(case.samples(0, "test", "AAA")[0], 0, "train")
    found = sites(case.write())
    assert found.severity == "error"
    assert found.found == "the site A1 is in train and test of fold 0, though blocks.site of the manifest is preserve"


def test_a_wrong_column_of_sites_hides_none(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    for cohort in case.cohorts:
        for table in ("patients", "profiles"):
            case.change(cohort, table, site=pl.col("patient_id"))
    case.assignments = case.assignments.with_columns(site="patient_id")
    sample = case.samples(0, "test", "AAA")[0]
    for own in (s for s in case.samples(0, "test") if s.startswith(sample[:12])):
        case.move(own, 0, "train")
    found = sites(case.write())
    assert "the site A1 is in train and test of fold 0 by barcode" in found.found


def test_where_sites_are_not_kept_each_fold_is_counted(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.assignments = fold_rows(case.cohorts, 3, by="patient_id")
    case.sections = UNCLAIMED
    found = sites(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found.startswith("fold 0 shares 6 of 6 sites between test and the other parts, e.g. site A2 with ")
    assert set(found.evidence["site_tells"]) == {
        f"{name} in {cohort}" for name in ("event of OS", "subtype") for cohort in ("AAA", "BBB")
    }


def test_a_split_that_happens_to_keep_sites_passes(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.sections = UNCLAIMED
    assert sites(case.write()).status == "pass"


def test_a_platform_that_goes_with_the_label_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    labels = dict(case.cohorts["AAA"].tables["labels"].select("patient_id", "label").iter_rows())
    platform = pl.col("patient_id").replace_strict(labels, default=None).replace({"S1": "S0"})
    case.change("AAA", "profiles", pl.col("modality") == "rna", platform=platform)
    found = sites(case.write())
    assert found.severity == "warning"
    assert found.found.startswith("the platform of rna in AAA tells subtype (Cramér's V ")


def test_plates_that_go_with_nothing_are_no_failure(tmp_path: Path) -> None:
    found = sites(tiny_case(tmp_path).write())
    assert found.evidence["shared_levels"] == {"plate": "9 of 9"}


def test_without_any_site_the_check_cannot_be_made(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, cohorts=("AAA",))
    bundle = case.write()
    rows = case.assignments.with_columns(pl.lit(None, pl.String).alias("site"))
    number = rows["sample_id"].rank("dense").cast(pl.String)
    rows.with_columns(sample_id=number, patient_id=number).write_parquet(case.split / "assignments.parquet")
    assert sites(bundle).how == "no site is known, by column or by barcode"


@pytest.mark.real
def test_the_published_folds_of_mcat_share_the_sites_they_are_known_to_share(real_data: Path, tmp_path: Path) -> None:
    # MCAT's BRCA fold 0 shares 23 of 37 sites (specs of the leaks); barcodes and parts are all that is needed.
    rows = []
    for fold in range(5):
        table = pl.read_csv(real_data / "splits" / "mcat" / "brca" / f"splits_{fold}.csv", infer_schema=False)
        for theirs, ours in (("train", "train"), ("val", "test")):
            people = table[theirs].drop_nulls().str.slice(0, 12).unique()
            rows.append(pl.DataFrame({"patient_id": people, "part": ours, "fold": fold}))
    case = tiny_case(tmp_path, cohorts=("AAA",), n_patients=8)
    case.assignments = pl.concat(rows).select(
        pl.format("{}-01", "patient_id").alias("sample_id"), "patient_id", pl.col("patient_id").alias("group_id"),
        pl.lit(None, pl.String).alias("site"), pl.lit("BRCA").alias("cohort"), pl.col("fold").cast(pl.Int64), "part",
    )  # fmt: skip
    case.sections = UNCLAIMED
    case.write()
    found = audit(case.split, checks=["L1", "L3"])
    assert found["L1"].status == "pass"
    assert found["L3"].evidence["shared_by_fold"]["0"] == "23 of 37"
    assert found["L3"].found.startswith("fold 0 shares 23 of 37 sites between test and the other parts")
