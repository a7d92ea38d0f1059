"""L8: near-duplicate profiles of two people, told by the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from audit_cases import EDGES, Case, tiny_case
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from omicstore.audit.leaks import nearest
from omicstore.audit.leaks.similarity import similarity


def pair(case: Case, modality: str = "rna", cohort: str = "AAA") -> tuple[str, str]:
    """Return a sample that trains and one that is tested in fold 0, both measured."""
    held = case.matrix(cohort, modality).rows["sample_id"].to_list()
    return next(
        (a, b) for a in case.samples(0, "train", cohort) for b in case.samples(0, "test", cohort) if {a, b} <= set(held)
    )


def copied(case: Case, one: str, other: str, factor: float = 1.0, noise: float = 0.0, seed: int = 0) -> None:
    """Give `other` the RNA of `one`, scaled, with noise in log2."""
    part = case.matrix("AAA", "rna")
    source = part.values[case.row("AAA", "rna", one)]
    drawn = np.random.default_rng(seed).normal(0.0, noise, source.size) if noise else 0.0
    part.values[case.row("AAA", "rna", other)] = (source * factor * np.exp2(drawn)).astype(np.float32)


def test_profiles_of_strangers_pass(tmp_path: Path) -> None:
    found = similarity(tiny_case(tmp_path, n_features=60).write())
    assert found.status == "pass"
    compared = next(said for name, said in found.evidence["compared"].items() if name.startswith("rna"))
    assert compared["within_cohorts"]["largest_r"] < 0.85


def test_equal_content_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, n_features=60)
    one, other = pair(case)
    copied(case, one, other)
    found = similarity(case.write())
    assert found.severity == "error"
    assert found.found == f"{other[:12]} is in test and {one[:12]} in train of fold 0, with the same content of rna"


@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(factor=st.floats(0.05, 50.0), noise=st.floats(0.0, 0.1), seed=st.integers(0, 99))
def test_a_scaled_copy_with_some_noise_is_named(
    tmp_path_factory: pytest.TempPathFactory, factor: float, noise: float, seed: int
) -> None:
    case = tiny_case(tmp_path_factory.mktemp("case"), cohorts=("AAA",), modalities=("rna",), n_features=80, seed=seed)
    one, other = pair(case)
    copied(case, one, other, factor, noise, seed)
    found = similarity(case.write())
    assert f"{other[:12]} is in test and {one[:12]} in train of fold 0" in found.found


def test_a_copy_that_was_standardised_in_another_cohort_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, cohorts=("AAA", "BBB"), n_features=80, missing=0.0)
    one, _ = pair(case)
    other = case.samples(0, "test", "BBB")[0]
    part = case.matrix("BBB", "rna")
    part.values[case.row("BBB", "rna", other)] = case.matrix("AAA", "rna").values[case.row("AAA", "rna", one)]
    log = np.log2(1.0 + part.values)
    part.values[:] = (log - np.nanmean(log, axis=0)) / np.nanstd(log, axis=0)
    found = similarity(case.write())
    assert f"{other[:12]} is in test and {one[:12]} in train of fold 0, with r 0." in found.found


def test_an_edge_that_is_struck_out_is_respected_and_shown(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, n_features=60)
    one, other = (name[:12] for name in pair(case))
    copied(case, *pair(case))
    edge = {"kind": ["same_content"], "left": [f"patient:{one}"], "right": [f"patient:{other}"], "evidence": ["rna"]}
    case.edges = pl.DataFrame(edge, schema=EDGES).with_columns(struck=pl.lit("a control that both plates carry"))
    found = similarity(case.write())
    assert found.status == "pass"
    names = " and ".join(sorted((one, other)))
    assert found.evidence["struck_out"] == [f"{names} are not the same: a control that both plates carry"]


def test_two_vials_of_one_patient_are_no_two_people(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, n_features=60, missing=0.0)
    tumour = case.samples(0, "test", "AAA")[0]
    copied(case, tumour, tumour.replace("-01", "-11"), 1.5, 0.01)
    assert similarity(case.write()).status == "pass"


def test_calls_of_a_few_levels_are_not_compared(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    for cohort in case.cohorts:
        part = case.matrix(cohort, "rna")
        part.values[:] = np.nan_to_num(part.values) > 20
    found = similarity(case.write())
    assert (found.status, found.evidence["calls_not_compared"]) == ("pass", ["rna"])


def test_numbers_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    bundle = case.write()
    for path in (bundle.store / "cohort=AAA").rglob("values-*.parquet"):
        path.write_bytes(b"no parquet")
    assert similarity(bundle).status == "pass"


def test_clean_cohorts_raise_no_more_than_one_alarm_in_twenty(tmp_path: Path) -> None:
    made = {"cohorts": ("AAA",), "modalities": ("rna", "prot"), "n_patients": 30, "n_features": 40}
    alarms = [s for s in range(20) if similarity(tiny_case(tmp_path / str(s), seed=s, **made).write()).status != "pass"]
    assert len(alarms) <= 1


def test_where_everybody_was_measured_twice_copies_are_still_copies(tmp_path: Path) -> None:
    """Were copies counted among what is usual, many of them would hide each other."""
    case = tiny_case(tmp_path, cohorts=("AAA", "BBB"), modalities=("rna",), n_features=80, missing=0.0)
    one, other = case.matrix("AAA", "rna"), case.matrix("BBB", "rna")
    rng = np.random.default_rng(3)
    again = one.values * np.exp2(rng.normal(0.0, 1.0, 80) + rng.normal(0.0, 0.4, one.values.shape))
    other.values[:] = again.astype(np.float32)
    found = similarity(case.write())
    twins = dict(zip(one.rows["sample_id"].str.slice(0, 12), other.rows["sample_id"].str.slice(0, 12), strict=True))
    assert found.evidence["pairs"] >= 0.9 * len(twins)
    assert found.evidence["compared"]["rna (88 x 80)"]["within_cohorts"]["largest_r"] < 0.99


@pytest.mark.parametrize("block", [7, 16, 1024])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_nearest_and_the_third_person_are_those_of_all_pairs(
    block: int, missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "_BLOCK", block)
    rng = np.random.default_rng(0)
    u = rng.normal(size=(60, 60)).astype(np.float32)
    u[rng.random(u.shape) < missing] = np.nan
    persons = rng.integers(0, 25, 60)
    r, at, after = nearest._nearest(u, persons)
    for i in range(60):
        both = [np.isfinite(u[i]) & np.isfinite(v) for v in u]
        own = [v - np.nanmean(v) for v in u]
        norms = [np.sqrt((own[i][k] ** 2).sum() * (v[k] ** 2).sum()) for v, k in zip(own, both, strict=True)]
        every = np.array([(own[i] * v)[k].sum() / n for v, k, n in zip(own, both, norms, strict=True)])
        others = np.where(persons == persons[i], -2.0, every)
        assert persons[others.argmax()] == persons[at[i]]
        assert r[i] == pytest.approx(others.max(), abs=1e-5)
        third = np.where(persons == persons[others.argmax()], -2.0, others)
        assert after[i] == pytest.approx(third.max(), abs=1e-5)
