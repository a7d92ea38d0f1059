"""Profiles of different patients that are too much alike: planted copies are found, strangers are not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_profiles import GENES, Cohort, people, renormalised, write, zscored

import omicstore
from omicstore.splits import SplitSpec, check, make
from omicstore.splits.batches import LEAST_PROFILES, batches_of, scale_of
from omicstore.splits.correlate import Rows, correlation
from omicstore.splits.similar import CONTRAST, LEAST_R, PAIRS, near_duplicates, similar_profiles


def found(root, near_duplicate_r=0.999):
    with omicstore.open(root) as store:
        return similar_profiles(store), names(similar_profiles(store), near_duplicate_r)


def names(similar, near_duplicate_r=0.999):
    return set(near_duplicates(similar.pairs, near_duplicate_r).select("left_patient", "right_patient").iter_rows())


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """AAA in TPM; BBB has three of its people in other units, CCC two as z-scores; DDD is nobody else's."""
    root = tmp_path_factory.mktemp("planted") / "data" / "store"
    values = {name: people(seed, 40) for seed, name in enumerate(("AAA", "BBB", "CCC", "DDD"))}
    again = values["AAA"][:3]
    values["BBB"][5:8] = renormalised(again, seed=1, noise=0.15)
    values["CCC"][20:22] = renormalised(again[:2], seed=2, noise=0.15)
    values["AAA"][30] = values["AAA"][9]
    write(
        root,
        Cohort("AAA", values["AAA"]),
        Cohort("BBB", values["BBB"], unit="rsem_normalized", offsets=3),
        Cohort("CCC", zscored(values["CCC"]), unit="zscore"),
        Cohort("DDD", values["DDD"], offsets=4),
    )
    return root


TRUTH = {
    ("AAA-00", "BBB-05"), ("AAA-01", "BBB-06"), ("AAA-02", "BBB-07"), ("AAA-00", "CCC-20"), ("AAA-01", "CCC-21"),
    ("BBB-05", "CCC-20"), ("BBB-06", "CCC-21"), ("AAA-09", "AAA-30"),
}  # fmt: skip


def test_copies_in_other_units_and_as_z_scores_are_found_and_strangers_are_not(planted):
    similar, pairs = found(planted)
    assert pairs == TRUTH
    assert similar.compared == {"rna": {"profiles": 160, "batches": 4, "pairs_of_batches": 10}}
    assert similar.left_out == ()
    kinds = dict(similar.pairs.select("left_patient", "kind").filter(pl.col("left_patient") == "AAA-09").iter_rows())
    assert kinds == {"AAA-09": "within"}
    assert similar.pairs.schema == pl.Schema(PAIRS)
    assert (similar.pairs["r"] == similar.pairs["r"].round(3)).all()
    assert (similar.pairs["n_features"] <= GENES).all()


def test_neither_the_order_of_rows_nor_another_cohort_changes_a_pair(tmp_path):
    one, two = people(0, 30), people(1, 30)
    two[4] = renormalised(one[2:3], seed=3, noise=0.1)[0]
    first, second = Cohort("AAA", one), Cohort("BBB", two, unit="fpkm_uq", offsets=1)
    write(tmp_path / "plain", first, second)
    write(tmp_path / "mixed", first.shuffled(5), second.shuffled(6))
    write(tmp_path / "more", first, second, Cohort("ABB", people(8, 25), offsets=2))
    plain, pairs = found(tmp_path / "plain")
    assert pairs == {("AAA-02", "BBB-04")}
    assert plain.pairs.equals(found(tmp_path / "mixed")[0].pairs)
    assert plain.pairs.equals(found(tmp_path / "more")[0].pairs)


def test_threads_change_no_digit(planted):
    code = (
        "import sys, omicstore; from omicstore.splits.similar import similar_profiles\n"
        "print(similar_profiles(omicstore.open(sys.argv[1])).pairs.write_csv())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(planted)],
            capture_output=True,
            text=True,
            check=True,
            env={"OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n},
        ).stdout
        for n in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].count("\n") > len(TRUTH)


def test_samples_of_one_patient_are_no_pair(tmp_path):
    one, two = people(0, 20), people(1, 20)
    two[3] = one[3]
    write(tmp_path, Cohort("AAA", one, names="P"), Cohort("BBB", two, names="P"))
    assert found(tmp_path)[1] == set()


def test_missing_values_are_no_likeness(tmp_path):
    rng = np.random.default_rng(0)
    one, two = people(0, 30), people(1, 30)
    two[4] = renormalised(one[2:3], seed=3, noise=0.1)[0]
    one[rng.random(one.shape) < 0.2] = np.nan
    two[rng.random(two.shape) < 0.2] = np.nan
    one[10:12, 40:] = np.nan  # two profiles that share few values, all but equal
    one[11, :40] = one[10, :40]
    write(tmp_path, Cohort("AAA", one), Cohort("BBB", two, offsets=1))
    assert found(tmp_path)[1] == {("AAA-02", "BBB-04")}


def test_two_platforms_of_a_cohort_are_two_batches(tmp_path):
    values = people(0, 40)
    values[30:] = renormalised(people(2, 10), seed=9, noise=0.0) + 6  # another platform lies elsewhere
    values[35] = renormalised(values[3:4], seed=1, noise=0.1)[0] + 6
    platforms = ["one"] * 30 + ["two"] * 10
    write(tmp_path, Cohort("AAA", values, platforms=platforms))
    similar, pairs = found(tmp_path)
    assert pairs == {("AAA-03", "AAA-35")}
    assert set(similar.pairs["kind"]) == {"across"}
    assert similar.compared["rna"]["batches"] == 2
    assert {similar.pairs["left_batch"][0], similar.pairs["right_batch"][0]} == {"AAA (one, tpm)", "AAA (two, tpm)"}


def test_a_few_profiles_are_put_on_the_scale_of_another_cohort_of_their_unit(tmp_path):
    large, small, other = people(0, 30), people(1, 3), people(2, 3)
    small[1] = large[7]
    other[1] = large[8]
    write(
        tmp_path, Cohort("AAA", large), Cohort("BBB", small), Cohort("CCC", zscored(other), unit="zscore"),
    )  # fmt: skip
    similar, pairs = found(tmp_path)
    assert pairs == {("AAA-07", "BBB-01")}
    assert similar.left_out == (
        "rna: BBB (tpm): 3 profiles are compared only with AAA of the same unit; a scale needs 10",
        "rna: CCC (zscore): 3 profiles are compared with nothing; a scale needs 10",
    )


def test_too_few_common_features_are_said_not_compared(tmp_path):
    one, two = people(0, 20), people(1, 20)
    write(tmp_path, Cohort("AAA", one[:, :230]), Cohort("BBB", two[:, 200:], first_feature=200))
    similar, pairs = found(tmp_path)
    assert pairs == set()
    assert similar.left_out == (
        "rna: AAA (tpm) and BBB (tpm): 30 features in common, at least 50 are needed",
    )  # fmt: skip


def test_normals_that_are_alike_are_no_pair(tmp_path):
    """Every normal is the same tissue: seen from the tumours they look like one person."""
    values = people(0, 50)
    tissue = np.random.default_rng(3).normal(0, 2, GENES)
    values[30:] = tissue + 0.5 * values[30:]
    write(tmp_path, Cohort("AAA", values, normals=range(30, 50)))
    assert found(tmp_path)[1] == set()
    with omicstore.open(tmp_path) as store:
        batch = batches_of(store, "rna")[0]
        scale = batch.scale()
    # Normals have a centre of their own, tumours have theirs.
    assert np.corrcoef(scale.mean[1] - scale.mean[0], tissue)[0, 1] > 0.9


def test_a_wide_table_is_thinned_and_copies_are_found(tmp_path):
    one, two = people(0, 12, genes=5000), people(1, 12, genes=5000)
    two[4] = renormalised(one[2:3], seed=3, noise=0.1)[0]
    # BBB is a panel of 300 of the genes, of which the first look at AAA holds some 120.
    write(tmp_path, Cohort("AAA", one), Cohort("BBB", two[:, 100:400], first_feature=100, offsets=2))
    similar, pairs = found(tmp_path)
    assert pairs == {("AAA-02", "BBB-04")}
    assert similar.pairs["n_features"].to_list() == [300]


def test_three_copies_in_one_cohort_do_not_hide_each_other(tmp_path):
    one, two = people(0, 30), people(1, 30)
    two[4] = renormalised(one[2:3], seed=3, noise=0.1)[0]
    two[5] = two[4]
    write(tmp_path, Cohort("AAA", one), Cohort("BBB", two, offsets=2))
    assert found(tmp_path)[1] == {("AAA-02", "BBB-04"), ("AAA-02", "BBB-05"), ("BBB-04", "BBB-05")}


@pytest.mark.parametrize(
    ("kind", "r", "next_r", "near"),
    [
        ("within", 0.9, 0.6, True), ("within", 0.899, 0.0, False), ("within", 0.9, 0.601, False),
        ("across", 0.8, 0.2, True), ("across", 0.799, 0.0, False), ("across", 0.8, 0.201, False),
        ("within", 0.995, 0.994, False), ("within", 0.999, 0.999, True), ("across", 1.0, 1.0, True),
    ],
)  # fmt: skip
def test_where_the_line_is(kind, r, next_r, near):
    pairs = pl.DataFrame({"kind": [kind], "r": [r], "next_r": [next_r]})
    assert (near_duplicates(pairs, 0.999).height == 1) is near
    assert LEAST_R == {"within": 0.9, "across": 0.8}
    assert CONTRAST == 0.25


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.4))
@settings(max_examples=30, deadline=None)
def test_the_correlation_is_that_of_what_both_observed(seed, missing):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(3, 200)), rng.normal(size=(4, 200))
    y[0] = x[1] + 0.1 * rng.normal(size=200)
    x[rng.random(x.shape) < missing], y[rng.random(y.shape) < missing] = np.nan, np.nan
    r = correlation(Rows(x.copy()), Rows(y.copy()))
    for i, j in np.ndindex(r.shape):
        both = ~np.isnan(x[i]) & ~np.isnan(y[j])
        # Rows are centred over what each observed, so this differs by the little that the means do.
        assert r[i, j] == pytest.approx(np.corrcoef(x[i, both], y[j, both])[0, 1], abs=0.05 if missing else 1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_the_scale_is_the_same_in_any_blocks(seed, step):
    rng = np.random.default_rng(seed)
    x, normal = rng.normal(5, 3, (40, 8)), rng.random(40) < 0.4
    x[rng.random(x.shape) < 0.1] = np.nan
    scale = scale_of([(x[i : i + step], normal[i : i + step]) for i in range(0, 40, step)], 8)
    if normal.sum() >= LEAST_PROFILES and (~normal).sum() >= LEAST_PROFILES:
        for kind in (0, 1):
            own = x[normal == bool(kind)]
            np.testing.assert_allclose(scale.mean[kind], np.nanmean(own, axis=0))
            np.testing.assert_allclose(scale.spread[kind], np.nanstd(own, axis=0))


def test_a_split_keeps_the_copies_together_and_says_what_it_compared(planted):
    spec = SplitSpec(name="cv", strategy="grouped_kfold", k=4)
    with omicstore.open(planted) as store:
        split = make(store, spec)
        again = check(split, store)
    identity = split.body["identity"]
    assert identity["edges"]["near_duplicate"] == len(TRUTH)
    assert identity["groups_of_several"] == {"AAA-00": 3, "AAA-01": 3, "AAA-02": 2, "AAA-09": 2}
    assert identity["similarity"]["compared"]["rna"]["profiles"] == 160
    assert identity["similarity"]["thresholds"]["contrast"] == {"r": LEAST_R, "unexplained": 0.25}
    near = split.edges.filter(pl.col("kind") == "near_duplicate")
    assert near["evidence"].str.contains(r"^rna r=[01]\.\d+, next -?[01]\.\d+, \d+ features: ").all()
    parts = split.assignments.group_by("fold", "group_id").agg(pl.col("part").n_unique())["part"]
    assert set(parts) == {1}
    leak = next(r for r in again if r.id == "L8")
    assert (leak.status, leak.evidence["near_duplicate"]) == ("pass", len(TRUTH))
    assert "160 rna profiles were compared" in leak.why


def test_a_check_finds_copies_that_came_with_another_release(planted, tmp_path):
    spec = SplitSpec(name="cv", strategy="grouped_kfold", cohorts=("AAA", "BBB"), k=4)
    one, two = people(0, 40), people(1, 40)
    write(tmp_path / "before", Cohort("AAA", one), Cohort("BBB", two, offsets=3))
    with omicstore.open(tmp_path / "before") as store:
        split = make(store, spec)
    assert split.body["identity"]["groups_of_several"] == {}
    apart = split.assignments.filter((pl.col("fold") == 0) & (pl.col("part") == "test"))["patient_id"]
    i, j = (next(int(p[-2:]) for p in held if p.startswith("AAA")) for held in (apart, set(names_of(one)) - set(apart)))
    one[j] = one[i]
    write(tmp_path / "after", Cohort("AAA", one), Cohort("BBB", two, offsets=3))
    with omicstore.open(tmp_path / "after") as store:
        failed = {r.id for r in check(split, store) if r.status == "fail"}
    assert "L8" in failed


def names_of(values):
    return [f"AAA-{i:02d}" for i in range(len(values))]
