"""L12: what is missing tells the outcome, the label, the site, or the part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from audit_cases import Case, tiny_case
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.audit.leaks.association import associate
from omicstore.audit.leaks.missingness import missingness


def without(case: Case, cohort: str, modality: str, patients: set[str]) -> None:
    """Take a modality away from patients."""
    data = case.cohorts[cohort]
    part = data.parts[modality]
    keep = np.array([s[:12] not in patients for s in part.rows["sample_id"].to_list()])
    part.values, part.rows = part.values[keep], part.rows.filter(pl.Series(keep))
    gone = (pl.col("modality") == modality) & pl.col("patient_id").is_in(sorted(patients))
    data.tables["profiles"] = data.tables["profiles"].filter(~gone)


def of(case: Case, table: str, **value: str | int) -> set[str]:
    (name, wanted), *_ = value.items()
    return set(case.cohorts["AAA"].tables[table].filter(pl.col(name) == wanted)["patient_id"])


def test_modalities_missing_at_random_pass(tmp_path: Path) -> None:
    found = missingness(tiny_case(tmp_path, n_patients=80).write())
    assert found.status == "pass"
    assert found.evidence["n_tests"] > 20


@pytest.mark.parametrize(
    ("table", "value", "told"),
    [
        ("labels", {"label": "S1"}, "having prot tells subtype in AAA"),
        ("outcomes", {"event": 1}, "having prot tells event of OS in AAA"),
        ("patients", {"site": "B1"}, "having prot tells the site in AAA"),
    ],
)
def test_a_modality_that_one_class_lacks_is_named(tmp_path: Path, table: str, value: dict, told: str) -> None:
    case = tiny_case(tmp_path, n_patients=60)
    without(case, "AAA", "prot", of(case, table, **value))
    found = missingness(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert told in found.found


def test_a_model_that_does_not_read_the_modality_is_not_told(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, n_patients=60)
    without(case, "AAA", "prot", of(case, "labels", label="S1"))
    assert missingness(case.write_model(modalities=["rna", "meth"])).status == "pass"


def test_what_the_tested_lack_and_others_have_is_named(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, n_patients=60)
    without(case, "AAA", "prot", {s[:12] for s in case.samples(0, "test", "AAA")})
    assert "having prot differs between test and the other parts of fold 0 in AAA" in missingness(case.write()).found


def test_a_profile_without_values_is_none(tmp_path: Path) -> None:
    case = tiny_case(tmp_path, n_patients=60)
    gone = pl.col("patient_id").is_in(sorted(of(case, "labels", label="S1"))) & (pl.col("modality") == "prot")
    case.change("AAA", "profiles", gone, n_missing=pl.col("n_features"))
    assert "having prot tells subtype in AAA" in missingness(case.write()).found


def test_without_a_store_the_check_cannot_be_made(tmp_path: Path) -> None:
    bundle = tiny_case(tmp_path).write()
    bundle.store = None
    assert missingness(bundle).status == "not_applicable"


@pytest.mark.parametrize("n", [60, 120, 200])
def test_clean_cohorts_raise_at_most_one_alarm_in_twenty(tmp_path: Path, n: int) -> None:
    seeds = range(20)
    alarms = [
        seed
        for seed in seeds
        if missingness(tiny_case(tmp_path / str(seed), cohorts=("AAA",), seed=seed, n_patients=n).write()).status
        != "pass"
    ]
    assert len(alarms) <= 1


def test_a_strong_leak_is_always_caught(tmp_path: Path) -> None:
    for seed in range(10):
        case = tiny_case(tmp_path / str(seed), cohorts=("AAA",), seed=seed, n_patients=60)
        without(case, "AAA", "prot", of(case, "labels", label="S1"))
        assert missingness(case.write()).status == "fail", seed


def test_p_of_small_groups_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(0)
    p = [
        found.p
        for _ in range(300)
        if (found := associate(rng.integers(0, 25, 90).astype(str), rng.integers(0, 2, 90).astype(str)))
    ]
    share = np.mean(np.array(p)[:, None] < np.array([0.01, 0.05, 0.2, 0.5]), axis=0)
    # 300 draws: three standard errors about each level.
    assert share == pytest.approx([0.01, 0.05, 0.2, 0.5], abs=0.087)
    assert share[0] <= 0.03
    assert share[1] <= 0.09


@settings(max_examples=30, deadline=None)
@given(codes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=12, max_size=60))
def test_association_does_not_depend_on_names_or_order_of_groups(codes: list[tuple[int, int]]) -> None:
    one, other = ([str(c[i]) for c in codes] for i in (0, 1))
    found, renamed = associate(one, other), associate([f"x{9 - int(c)}" for c in one], other)
    turned = associate(other, one)
    assert (found is None) == (renamed is None) == (turned is None)
    if found is not None:
        assert 0.0 <= found.v <= 1.0
        assert found.v == pytest.approx(renamed.v) == pytest.approx(turned.v)
