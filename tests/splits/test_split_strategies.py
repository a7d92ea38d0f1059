"""The strategies beside k folds: who is tested in each, and what they can never do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from split_catalogues import make_catalogue, shuffled

from omicstore.errors import SplitError, UnknownNameError
from omicstore.splits import SplitSpec, split_catalogue
from omicstore.splits.verify import verify

quick = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32 - 1)

WAYS = {
    "cross_cohort": {},
    "external": {"test_cohorts": ("BBB",)},
    "temporal": {},
    "leave_site_out": {"min_test": 6},
    "random": {"price_list": True},
}
ways = st.sampled_from(sorted(WAYS))


def catalogue_of(*cohorts: str, seed: int = 0, links: int = 0, n: int = 50, unknown_site: float = 0.0):
    """Return a random catalogue whose patients have years of diagnosis, some of them unknown."""
    made = make_catalogue(cohorts or ("AAA", "BBB"), seed=seed, links=links, n_patients=n, unknown_site=unknown_site)
    code = pl.col("patient_id").str.tail(4).cast(pl.Int64)
    year = pl.when(code % 11 == 3).then(None).otherwise(2000 + (code * 7 + seed % 5) % 13)
    return replace(made, patients=made.patients.with_columns(diagnosis_year=year.cast(pl.Int32)))


def made(catalogue, strategy, **spec):
    return split_catalogue(catalogue, SplitSpec(strategy=strategy, **WAYS.get(strategy, {}), **spec))


def made_or_none(catalogue, strategy, **spec):
    try:
        return made(catalogue, strategy, **spec)
    except SplitError:
        return None


def patients(split, fold, part):
    rows = split.assignments.filter((pl.col("fold") == fold) & (pl.col("part") == part))
    return set(rows["patient_id"])


def rule(split, name):
    return {e["patient_id"] for e in split.body["exclusions"] if e["rule"] == name}


@quick
@given(seed=seeds, strategy=ways, links=st.integers(0, 2), unknown=st.sampled_from([0.0, 0.2]))
def test_every_sample_is_in_one_part_of_each_fold_or_excluded_and_no_person_crosses(seed, strategy, links, unknown):
    catalogue = catalogue_of(seed=seed, links=links, unknown_site=unknown)
    split = made_or_none(catalogue, strategy)
    assume(split is not None)
    samples = set(catalogue.profiles["sample_id"])
    out = {e["sample_id"] for e in split.body["exclusions"]}
    for fold in range(split.k):
        parts = [split.part(fold, part) for part in ("train", "val", "test")]
        assert sorted(itertools.chain(*parts)) == sorted(samples - out)
        assert all(parts)
        if strategy != "random":
            groups = [
                set(split.assignments.filter((pl.col("fold") == fold) & (pl.col("part") == p))["group_id"])
                for p in ("train", "val", "test")
            ]
            assert not any(a & b for a, b in itertools.combinations(groups, 2))
    bad = {r.id for r in verify(split, catalogue) if r.status == "fail" and r.severity == "error"}
    assert bad <= ({"people", "L1", "L2", "L8"} if strategy == "random" else set())


@quick
@given(seed=seeds, strategy=ways, order=st.integers(0, 1000))
def test_the_order_of_rows_changes_no_byte(seed, strategy, order):
    catalogue = catalogue_of(seed=seed, links=1)
    one, other = made_or_none(catalogue, strategy), made_or_none(shuffled(catalogue, order), strategy)
    assume(one is not None)
    assert other.body == one.body
    assert other.assignments.equals(one.assignments)
    assert other.edges.equals(one.edges)


@quick
@given(seed=seeds, strategy=st.sampled_from(sorted({*WAYS} - {"external", "cross_cohort"})))
def test_an_unrelated_cohort_changes_no_assignment(seed, strategy):
    alone = made_or_none(catalogue_of("BBB", seed=seed), strategy)
    both = made_or_none(catalogue_of("AAA", "BBB", "CCC", seed=seed), strategy)
    assume(alone is not None and both is not None)
    rows = both.assignments.filter((pl.col("cohort") == "BBB") & (pl.col("fold") < alone.k))
    assert rows.equals(alone.assignments)


@quick
@given(seed=seeds, strategy=st.sampled_from(["external", "cross_cohort"]))
def test_an_unrelated_cohort_changes_nothing_between_cohorts(seed, strategy):
    alone = made(catalogue_of("BBB", "CCC", seed=seed), strategy)
    both = made(catalogue_of("AAA", "BBB", "CCC", seed=seed), strategy)
    tests = both.body["strategy"]["tests"]
    for fold, cohorts in enumerate(alone.body["strategy"]["tests"]):
        same = both.assignments.filter((pl.col("fold") == tests.index(cohorts)) & (pl.col("cohort") != "AAA"))
        own = alone.assignments.filter(pl.col("fold") == fold)
        assert same.drop("fold").equals(own.drop("fold"))


def test_cross_cohort_tests_each_cohort_whole():
    split = made(catalogue_of("AAA", "BBB", "CCC"), "cross_cohort", k=5)
    assert split.k == 3
    for fold, cohort in enumerate(("AAA", "BBB", "CCC")):
        rows = split.assignments.filter(pl.col("fold") == fold)
        assert set(rows.filter(pl.col("part") == "test")["cohort"]) == {cohort}
        assert cohort not in set(rows.filter(pl.col("part") != "test")["cohort"])
        assert len(patients(split, fold, "val")) == 20  # one in five of two cohorts of 50
    assert split.body["checks"]["balance"]["status"] == "not_applicable"


def test_cohorts_that_share_a_person_are_tested_together():
    catalogue = catalogue_of("AAA", "BBB", "CCC")
    people = (
        catalogue.patients.group_by("cohort").agg(pl.col("patient_id").min()).sort("cohort")["patient_id"].to_list()
    )
    linked = replace(catalogue, aliases=pl.DataFrame({"patient_id": [people[0]], "alias": [people[2]]}))
    split = made(linked, "cross_cohort")
    assert split.body["strategy"]["tests"] == [["AAA", "CCC"], ["BBB"]]
    assert split.body["blocks"]["not_honoured"] == ["AAA, CCC share people and are tested together"]


def test_external_holds_out_a_cohort_and_whoever_is_linked_to_it():
    catalogue = catalogue_of("AAA", "BBB")
    people = (
        catalogue.patients.group_by("cohort").agg(pl.col("patient_id").min()).sort("cohort")["patient_id"].to_list()
    )
    linked = replace(catalogue, aliases=pl.DataFrame({"patient_id": [people[0]], "alias": [people[1]]}))
    split = made(linked, "external")
    assert split.k == 1
    assert set(split.assignments.filter(pl.col("part") == "test")["cohort"]) == {"BBB"}
    assert rule(split, "linked_to_test") == {people[0]}
    assert people[0] not in set(split.assignments["patient_id"])
    assert not [r for r in verify(split, linked) if r.status == "fail" and r.severity == "error"]


def test_temporal_tests_the_latest_years():
    catalogue = catalogue_of("AAA", n=130)
    split = made(catalogue, "temporal")
    years = dict(catalogue.patients.select("patient_id", "diagnosis_year").iter_rows())
    train, val, test = ({years[p] for p in patients(split, 0, part)} for part in ("train", "val", "test"))
    assert max(train) < min(val) <= max(val) < min(test)
    assert split.body["strategy"]["years"] == [{"cohorts": ["AAA"], "val_from": min(val), "test_from": min(test)}]
    assert rule(split, "no_year") == {p for p, y in years.items() if y is None}
    assert split.body["blocks"]["time"] == "preserve"
    later = split_catalogue(catalogue, SplitSpec(strategy="temporal", test_from=2012))
    assert {years[p] for p in patients(later, 0, "test")} == {2012}


def test_leave_site_out_tests_each_site_once_and_small_ones_together():
    catalogue = catalogue_of("AAA", n=120, unknown_site=0.1)
    split = made(catalogue, "leave_site_out")
    sites = [set(t) for t in split.body["strategy"]["tests"]]
    assert not any(a & b for a, b in itertools.combinations(sites, 2))
    assert set().union(*sites) == set(split.assignments["site"])
    sizes = [len(patients(split, fold, "test")) for fold in range(split.k)]
    assert min(sizes) >= 6
    tested = split.assignments.filter(pl.col("part") == "test")
    assert sorted(tested["sample_id"]) == sorted(split.assignments["sample_id"].unique())
    assert rule(split, "no_site")
    assert split.body["checks"]["L3"]["status"] == "pass"


def test_random_fails_by_person_unless_each_has_one_sample():
    catalogue = catalogue_of("AAA", "BBB")
    split = made(catalogue, "random")
    failed = {r.id for r in verify(split, catalogue) if r.status == "fail"}
    assert {"L1", "people"} <= failed
    assert split.body["strategy"]["price_list"] is True
    single = replace(catalogue, profiles=catalogue.profiles.filter(pl.col("sample_type") == "primary"))
    passed = made(single, "random")
    assert not [r for r in verify(passed, single) if r.status == "fail"]
    assert passed.body["checks"]["L1"]["status"] == "pass"


@pytest.mark.parametrize("strategy", ["grouped_kfold", "cross_cohort", "random"])
def test_repeats_are_rounds_with_seeds_of_their_own(strategy):
    catalogue = catalogue_of("AAA", "BBB")
    once, split = made(catalogue, strategy, seed=3), made(catalogue, strategy, seed=3, repeats=3)
    k = once.k
    assert (split.k, split.body["strategy"]["k"], split.body["strategy"]["repeats"]) == (3 * k, k, 3)
    first = split.assignments.filter(pl.col("fold") < k)
    assert first.equals(once.assignments)
    second = split.assignments.filter(pl.col("fold").is_between(k, 2 * k - 1)).with_columns(pl.col("fold") - k)
    assert not second.equals(once.assignments)
    assert split.body["strategy"]["seeds"][0] == 3
    assert len(set(split.body["strategy"]["seeds"])) == 3
    bad = {r.id for r in verify(split, catalogue) if r.status == "fail" and r.severity == "error"}
    assert bad <= ({"people", "L1", "L2", "L8"} if strategy == "random" else set())
    assert "repeats" not in once.body["params"]
    again = [s for s in split.body["blocks"]["not_honoured"] if "the same parts as an earlier one" in s]
    assert len(again) == (2 if strategy == "cross_cohort" else 0)


def no_years(catalogue):
    return replace(catalogue, patients=catalogue.patients.with_columns(diagnosis_year=pl.lit(None, pl.Int32)))


def two_years(catalogue):
    return replace(catalogue, patients=catalogue.patients.with_columns(pl.col("diagnosis_year").clip(2005, 2006)))


def no_sites(catalogue):
    nobody = pl.lit(None, pl.String).alias("site")
    return replace(
        catalogue,
        patients=catalogue.patients.with_columns(nobody),
        profiles=catalogue.profiles.with_columns(nobody),
    )


@pytest.mark.parametrize(
    ("change", "spec", "error", "message"),
    [
        (None, {"strategy": "cross_cohort"}, SplitError, "the split is of one cohort, AAA. Expected at least two"),
        (None, {"strategy": "external"}, SplitError, "split.test_cohorts names no cohort"),
        (None, {"strategy": "external", "test_cohorts": ("AAA",)}, SplitError, "names all of AAA"),
        (None, {"strategy": "external", "test_cohorts": ("AAB",)}, UnknownNameError, r"'AAB'. Expected one of AAA"),
        (no_years, {"strategy": "temporal"}, SplitError, "nobody in AAA has a year of diagnosis"),
        (two_years, {"strategy": "temporal"}, SplitError, "there are 2 years of diagnosis, 2005 to 2006"),
        (None, {"strategy": "temporal", "test_from": 1990}, SplitError, "years of diagnosis, 2000 to 2012"),
        (None, {"strategy": "temporal", "test_from": 2050}, SplitError, "years of diagnosis, 2000 to 2012"),
        (None, {"strategy": "leave_site_out", "min_test": 40}, SplitError, "no cohort has three sites or groups"),
        (no_sites, {"strategy": "leave_site_out"}, SplitError, "no cohort has three sites or groups"),
        (
            None,
            {"strategy": "grouped_kfold", "test_from": 2000},
            SplitError,
            "test_from is set, and grouped_kfold does",
        ),
        (None, {"strategy": "cross_chort"}, UnknownNameError, "Expected one of cross_cohort"),
        (None, {"strategy": "grouped_kfold", "repeats": 0}, SplitError, "split.repeats is 0. Expected at least 1"),
    ],
)
def test_what_the_data_cannot_bear_is_refused_with_the_reason(change, spec, error, message):
    catalogue = catalogue_of("AAA")
    with pytest.raises(error, match=message):
        split_catalogue(change(catalogue) if change else catalogue, SplitSpec(**spec))


def test_the_section_is_read_from_params():
    section = {"strategy": "external", "test_cohorts": "bbb", "whole_sites": True, "repeats": 2}
    spec = SplitSpec.from_params(section)
    assert (spec.test_cohorts, spec.whole_sites, spec.repeats) == (("BBB",), True, 2)
    assert SplitSpec.from_params(spec.to_params()) == spec
    with pytest.raises(SplitError, match=r"split\.price_list is 'yes'. Expected true or false"):
        SplitSpec.from_params({"strategy": "random", "price_list": "yes"})
