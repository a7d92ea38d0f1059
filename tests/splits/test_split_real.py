"""Site-preserved folds of real patients: TCGA-BLCA by the outcomes of Liu 2018."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

from omicstore.errors import SplitError
from omicstore.splits import Catalogue, SplitSpec, default_spec, split_catalogue
from omicstore.splits.verify import verify

pytestmark = pytest.mark.real


def catalogue_of(real_data, *cohorts) -> Catalogue:
    cdr = pl.read_csv(real_data / "tcga" / "TCGA-CDR.csv.gz", infer_schema=False)
    people = cdr.filter(pl.col("type").is_in(cohorts)).select(
        "OS",
        patient_id="bcr_patient_barcode",
        cohort="type",
        site=pl.col("bcr_patient_barcode").str.slice(5, 2),
        sample_id=pl.col("bcr_patient_barcode") + "-01",
        profile_id=pl.col("bcr_patient_barcode") + "-01",
        endpoint=pl.lit("OS"),
        modality=pl.lit("rna"),
        sample_type=pl.lit("primary"),
        event=pl.col("OS").cast(pl.Float64, strict=False),
        time_days=pl.col("OS.time").cast(pl.Float64, strict=False),
        age_years=pl.col("age_at_initial_pathologic_diagnosis").cast(pl.Float64, strict=False),
    )
    return Catalogue(profiles=people, patients=people, outcomes=people)


def test_blca_has_five_folds_that_share_no_site(real_data):
    catalogue = catalogue_of(real_data, "BLCA")
    split = split_catalogue(catalogue, SplitSpec(endpoint="OS", node_limit=3))
    assert split.body["cohort"]["n_patients"] == 412
    assert split.body["blocks"]["n_sites"] == 35
    for entry in split.body["per_fold"]:
        parts = entry["parts"]
        for one, other in itertools.combinations(parts.values(), 2):
            assert not set(one["sites"]) & set(other["sites"])
        # The largest site has 51 patients, so five folds of about 82 are in reach, and so are 36 events each.
        assert 78 <= parts["test"]["n_patients"] <= 88
        assert 30 <= parts["test"]["n_events"] <= 46
        assert parts["train"]["n_patients"] == 412 - parts["val"]["n_patients"] - parts["test"]["n_patients"]
    assert {r.status for r in verify(split, catalogue)} == {"pass", "not_applicable"}


def test_acc_has_too_few_sites_with_events_and_is_grouped_by_default(real_data):
    catalogue = catalogue_of(real_data, "ACC")
    with pytest.raises(SplitError, match=r"no OS event among \d+ patients in its \w+ part"):
        split_catalogue(catalogue, SplitSpec(endpoint="OS", node_limit=10))
    spec, reasons = default_spec(catalogue)
    assert (spec.strategy, spec.k) == ("grouped_kfold", 5)
    assert reasons[0] == "92 patients of 5 known sites"
