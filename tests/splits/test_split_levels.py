"""Plates, centres and platforms that are kept whole, what each part of a fold holds, and sites with too little."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from split_catalogues import make_catalogue

from omicstore.errors import SplitError, UnknownNameError
from omicstore.splits import SplitSpec, check, split_catalogue
from omicstore.splits.levels import check_levels

quick = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32 - 1)


def plated(seed=0, cohorts=("AAA",), n_plates=15, n=90):
    """Return a catalogue in which a patient is on one plate, and some are on a second one."""
    catalogue = make_catalogue(cohorts, seed=seed, n_patients=n, links=1)
    code = pl.col("patient_id").str.tail(4).cast(pl.Int64)
    second = (code % 17 == 0) & (pl.col("modality") == "meth")
    plate = pl.format("{}P{}", "cohort", pl.when(second).then((code + 1) % n_plates).otherwise(code % n_plates))
    return replace(catalogue, profiles=catalogue.profiles.with_columns(plate=plate, center=pl.lit("07")))


def straddling(split, catalogue, kind):
    rows = split.assignments.join(catalogue.profiles.select("sample_id", kind), on="sample_id")
    parts = rows.group_by("fold", kind).agg(n=pl.col("part").n_unique()).filter(pl.col("n") > 1)
    return set(parts[kind])


@quick
@given(seed=seeds, strategy=st.sampled_from(["grouped_kfold", "site_preserved_kfold"]))
def test_every_level_is_in_one_part_or_listed(seed, strategy):
    catalogue = plated(seed)
    spec = SplitSpec(strategy=strategy, k=3, preserve=("center", "plate"), node_limit=2)
    try:
        split = split_catalogue(catalogue, spec)
    except SplitError:
        return  # too few blocks for three folds
    left = split.body["blocks"]["levels_not_honoured"]
    assert (split.body["blocks"]["plate"], split.body["blocks"]["platform"]) == ("preserve", "ignore")
    assert left["center"] == ["07"]
    assert straddling(split, catalogue, "plate") <= set(left["plate"])
    assert [r.status for r in check_levels(split, catalogue)] == ["pass"]
    sizes = [entry["parts"]["test"]["n_patients"] for entry in split.body["per_fold"]]
    assert max(sizes) <= 2 * 90 / 3 or strategy == "site_preserved_kfold"
    if left["plate"]:
        assert any(s.startswith(f"plate: {len(left['plate'])} of 15") for s in split.body["blocks"]["not_honoured"])


def test_plates_are_kept_whole_where_they_can_be_and_a_moved_one_is_found():
    catalogue = plated(n=90)
    split = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", k=3, preserve=("plate",)))
    honoured = {f"AAAP{i}" for i in range(15)} - set(split.body["blocks"]["levels_not_honoured"]["plate"])
    assert len(honoured) >= 8
    alone = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", k=3))
    assert straddling(alone, catalogue, "plate") == {f"AAAP{i}" for i in range(15)}
    assert "levels_not_honoured" not in alone.body["blocks"]
    lying = replace(split, body=split.body | {"blocks": split.body["blocks"] | {"levels_not_honoured": {}}})
    moved = replace(lying, assignments=alone.assignments)
    (result,) = check_levels(moved, catalogue)
    assert (result.status, result.severity) == ("fail", "error")
    assert "is in two parts of a fold" in result.found
    assert check(split) == [r for r in check(split) if r.id != "blocks"]  # without the store nobody knows the plates


@quick
@given(seed=seeds)
def test_an_unrelated_cohort_moves_no_plate(seed):
    spec = SplitSpec(strategy="grouped_kfold", k=3, preserve=("plate",))
    alone, both = (split_catalogue(plated(seed, c), spec) for c in (("BBB",), ("AAA", "BBB", "CCC")))
    assert both.assignments.filter(pl.col("cohort") == "BBB").equals(alone.assignments)


@pytest.mark.parametrize(
    ("section", "error", "message"),
    [
        ({"preserve": "site"}, SplitError, "sites are kept whole by the strategy"),
        ({"preserve": ["plaet"]}, UnknownNameError, "Expected one of plate"),
        ({"preserve": [1]}, SplitError, "a list of names"),
        ({"preserve": "plate", "strategy": "cross_cohort"}, SplitError, "cross_cohort does not read it"),
    ],
)
def test_what_cannot_be_preserved_is_said(section, error, message):
    with pytest.raises(error, match=message):
        SplitSpec.from_params(section)
    assert SplitSpec.from_params({"preserve": "Plate"}).preserve == ("plate",)


def test_the_median_follow_up_is_of_the_reverse_kaplan_meier_curve():
    """Checked by hand: six people, deaths at 2 and 4, censored at 3, 5, 5 and 9."""
    from omicstore.splits.folds import _median_follow_up

    people = pl.DataFrame({"event": [True, False, True, False, False, False], "time_days": [2.0, 3, 4, 5, 5, 9]})
    # Followed beyond 3: 4/5; beyond 5: 4/5 * 1/3, which is under one half.
    assert _median_follow_up(people) == 5.0
    assert _median_follow_up(people.filter("event")) is None
    tied = pl.DataFrame({"event": [True, True, False, False], "time_days": [5.0, 5.0, 5.0, 8.0]})
    assert _median_follow_up(tied) == 5.0  # the deaths at 5 come first, so one of two is followed on


def test_parts_are_compared_by_person():
    catalogue = make_catalogue(n_patients=60)
    split = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", k=3, endpoint="OS"))
    ages = dict(catalogue.patients.select("patient_id", "age_years").iter_rows())
    rows = split.assignments.filter(pl.col("fold") == 0)
    worst = split.body["per_fold"][0]["largest_smd"]
    train, test = (
        pl.Series([ages[p] for p in rows.filter(pl.col("part") == part)["patient_id"].unique().sort()])
        for part in ("train", "test")
    )
    smd = abs(train.mean() - test.mean()) / ((train.var() + test.var()) / 2) ** 0.5
    assert worst["smd"] >= round(smd, 3)
    for part in split.body["per_fold"][0]["parts"].values():
        assert part["median_follow_up_days"] > 0


@quick
@example(seed=602352, by={"endpoint": "OS"})  # four sites with events besides the tested one, and val of one in five
@given(seed=seeds, by=st.sampled_from([{"endpoint": "OS"}, {"label": "subtype"}]))
def test_a_site_without_an_event_or_with_one_class_is_tested_with_others(seed, by):
    catalogue = make_catalogue(seed=seed, n_patients=100, n_sites=12)
    sites = sorted(catalogue.patients["site"].unique())
    quiet = catalogue.patients.filter(pl.col("site").is_in(sites[1:4]))["patient_id"].implode()
    catalogue = replace(
        catalogue,
        outcomes=catalogue.outcomes.with_columns(
            event=pl.when(pl.col("patient_id").is_in(quiet)).then(0).otherwise("event")
        ),
        labels=catalogue.labels.with_columns(
            label=pl.when(pl.col("patient_id").is_in(quiet)).then(pl.lit("A")).otherwise("label")
        ),
    )
    split = split_catalogue(catalogue, SplitSpec(strategy="leave_site_out", min_test=4, **by))
    tested = split.body["strategy"]["tests"]
    assert not [t for t in tested if set(t) <= set(sites[1:4])]
    assert sorted(s for t in tested for s in t) == sites
    for entry in split.body["per_fold"]:
        test = entry["parts"]["test"]
        assert test["n_events"] > 0 if "endpoint" in by else len(test["labels"]) == 2


def test_what_helps_is_said_in_the_words_of_the_strategy():
    catalogue = make_catalogue(("AAA", "BBB"), n_patients=40)
    alive = catalogue.outcomes.with_columns(
        event=pl.when(pl.col("cohort") == "AAA").then(0).otherwise("event").cast(pl.Int64)
    )
    quiet = replace(catalogue, outcomes=alive)
    with pytest.raises(SplitError, match="no OS event among 40 patients in its test part") as refused:
        split_catalogue(quiet, SplitSpec(strategy="cross_cohort", endpoint="OS"))
    assert refused.value.run.startswith("leave that cohort out of split.cohorts")
