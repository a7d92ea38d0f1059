"""What a plant says it did is what it did, and nothing else changed."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

import numpy as np
import polars as pl
import pytest

from omicstore.simulate.leaks import CANARIES, Case, Planted, draw_case
from omicstore.simulate.leaks.catalogue import built
from omicstore.simulate.leaks.draw import COHORTS, TASK
from omicstore.simulate.streams import stream

SEED = 5
STRENGTHS = (0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def clean() -> dict[bool, Case]:
    return {temporal: draw_case(SEED, temporal=temporal) for temporal in (False, True)}


def planted(clean: dict[bool, Case], name: str, strength: float = 1.0, seed: int = SEED) -> Planted:
    canary = CANARIES[name]
    return canary.plant(clean[canary.temporal], strength, stream(seed, "canary", name))


def digest(case: Case) -> str:
    """Return one hash over everything in a case."""
    found = hashlib.sha256()
    for cohort, own in sorted(case.cohorts.items()):
        found.update(f"{cohort} {own.encoder}".encode())
        for modality, assay in sorted(own.assays.items()):
            found.update(f"{modality} {assay.unit} {assay.upstream_fit} {assay.platform}".encode())
            found.update(
                assay.values.tobytes() + assay.profiles.write_json().encode() + assay.features.write_json().encode()
            )
        for table in (own.patients, own.outcomes, own.labels, own.reports):
            found.update(table.write_json().encode())
    found.update(case.placed.parts.sort("cohort", "sample_id", "fold", "part").write_json().encode())
    readable = {f.name: getattr(case.practice, f.name) for f in fields(case.practice)}
    readable["fitted_too"] = sorted(case.practice.fitted_too)
    found.update(repr((case.spec, case.losses.tolist(), readable)).encode())
    return found.hexdigest()


def differences(one: Case, other: Case) -> dict[str, set[str]]:
    """Return what differs of two cases: what kind of thing, and whose."""
    found: dict[str, set[str]] = {}

    def note(kind: str, names: Any) -> None:
        if names := {str(n) for n in names}:
            found.setdefault(kind, set()).update(names)

    note("cohorts", set(other.cohorts) ^ set(one.cohorts))
    for name in set(one.cohorts) & set(other.cohorts):
        a, b = one.cohorts[name], other.cohorts[name]
        for modality in a.assays:
            x, y = a.assays[modality], b.assays[modality]
            kept = y.profiles["profile_id"].to_list()
            gone = x.profiles.filter(~pl.col("profile_id").is_in(kept))
            note(f"{modality} missing", gone["patient_id"])
            rows = np.flatnonzero(x.profiles["profile_id"].is_in(kept).to_numpy())
            assert x.profiles[rows].equals(y.profiles)
            changed = ~((x.values[rows] == y.values) | (np.isnan(x.values[rows]) & np.isnan(y.values))).all(axis=1)
            note(f"{modality} values", y.profiles["patient_id"].filter(pl.Series(changed)))
            note("units", {modality} if x.unit != y.unit else ())
            assert x.features.equals(y.features)
            assert (x.upstream_fit, x.platform) == (y.upstream_fit, y.platform)
        for table, key in (
            ("patients", "patient_id"),
            ("outcomes", "patient_id"),
            ("labels", "patient_id"),
            ("reports", "profile_id"),
        ):
            old, new = getattr(a, table), getattr(b, table)
            assert old.columns == new.columns
            either = pl.concat([old, new]).filter(~pl.struct(pl.all()).is_duplicated())
            note(table, either[key])
        note("encoder", {name} if a.encoder != b.encoder else ())
    both = pl.concat([one.placed.parts.unique(), other.placed.parts.unique()])
    moved = both.filter(~pl.struct(pl.all()).is_duplicated())
    note("parts", moved.filter(pl.col("cohort").is_in(list(one.cohorts)))["sample_id"])
    note("new parts", moved.filter(~pl.col("cohort").is_in(list(one.cohorts)))["cohort"])
    note(
        "practice",
        [f.name for f in fields(one.practice) if getattr(one.practice, f.name) != getattr(other.practice, f.name)],
    )
    note("spec", {"cohorts"} if one.spec != other.spec else ())
    assert one.losses is other.losses
    return found


def site_of(sample: str) -> str:
    return sample.split("-")[1]


def test_plants_change_what_they_say_and_nothing_else(clean: dict[bool, Case]) -> None:
    for strength in STRENGTHS:
        found = {
            n: (differences(clean[c.temporal], (p := planted(clean, n, strength)).case), set(p.names))
            for n, c in CANARIES.items()
        }
        for name in ("L1", "L2"):
            assert found[name][0] == {"parts": found[name][1]}
        changed, names = found["L3"]
        assert {k: {site_of(s) for s in v} for k, v in changed.items()} == {"parts": names}
        assert found["L4"][0] == {"practice": {"fitted_too"}}
        assert found["L5"][0] in ({"practice": {"chosen_epoch"}}, {"practice": {"chosen_epoch", "test_loss"}})
        assert found["L6"][0] == {"cohorts": {"COADREAD"}, "new parts": {"COADREAD"}, "spec": {"cohorts"}}
        assert found["L6 encoder"][0] == {"encoder": found["L6 encoder"][1]}
        other = {"cohorts": {"CPTAC"}, "new parts": {"CPTAC"}, "spec": {"cohorts"}}
        assert found["L7"][0] == found["L7 followed"][0] == {**other, "practice": {"closure"}}
        assert found["L7 aliases"][0] == {**other, "practice": {"closure", "aliases"}}
        changed, names = found["L8"]
        assert changed == {"practice": {"closure"}, "rna values": {n.split(" = ")[0] for n in names}}
        assert found["L9"][0] == {"labels": found["L9"][1]}
        assert found["L9 report"][0] == {"reports": found["L9 report"][1]}
        # A toss may come out as the label would have it, so all patients have another record.
        everybody = {p for c in clean[False].cohorts.values() for p in c.patients["patient_id"].to_list()}
        assert found["L9 column"][0] == {"patients": everybody}
        assert found["L10"][0] == {"outcomes": found["L10"][1]}
        assert found["L11"][0] == {"practice": {"readers"}}
        for name in ("L12", "L12 site"):
            assert found[name][0] == {"prot missing": found[name][1]}
        assert set(found["L13"][0]) == {"rna values", "units"}
        assert found["swaps"][0] == {"rna values": found["swaps"][1]}
        changed, names = found["wrong_cohort"]
        assert changed == {f"{m} values": names for m in ("rna", "meth", "prot")}
        assert set(found) == set(CANARIES)


@pytest.mark.parametrize("name", CANARIES)
def test_one_seed_gives_one_case_and_another_seed_another(clean: dict[bool, Case], name: str) -> None:
    one, again, other = (planted(clean, name, 0.5, seed) for seed in (SEED, SEED, SEED + 1))
    assert (one.what, one.names, digest(one.case)) == (again.what, again.names, digest(again.case))
    # Of two cohorts and of the losses there is little to choose from.
    assert one.names != other.names or name in ("L5", "L6 encoder")


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize("strength", [0.0, -0.5, 1.01, float("nan")])
def test_a_strength_is_over_0_and_up_to_1(clean: dict[bool, Case], name: str, strength: float) -> None:
    with pytest.raises(ValueError, match="a number over 0 and up to 1 was expected"):
        planted(clean, name, strength)


def test_drawing_again_gives_the_same_and_plants_leave_the_clean_case_alone(clean: dict[bool, Case]) -> None:
    for name in CANARIES:
        planted(clean, name)
    for temporal, case in clean.items():
        assert digest(draw_case(SEED, temporal=temporal)) == digest(case)
    assert digest(draw_case(SEED + 1)) != digest(clean[False])


@pytest.mark.parametrize("name", [n for n in CANARIES if n not in ("L5", "L6 encoder", "L8")])
def test_the_stronger_the_more_is_concerned(clean: dict[bool, Case], name: str) -> None:
    sizes = [len(planted(clean, name, strength).names) for strength in STRENGTHS]
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_clean_case_has_what_checks_may_stumble_over(clean: dict[bool, Case]) -> None:
    case = clean[False]
    assert sorted(case.cohorts) == sorted(COHORTS)
    for cohort in case.cohorts.values():
        assert cohort.patients["site"].n_unique() >= 8
        assert cohort.patients["diagnosis_year"].n_unique() >= 3
        assert cohort.labels["label"].n_unique() == 2
        assert {"primary", "normal", "metastasis"} <= set(cohort.assays["rna"].profiles["sample_type"].unique())
        for assay in cohort.assays.values():
            assert assay.profiles["sample_id"].is_duplicated().any()
            assert set(cohort.patients["patient_id"]) > set(assay.profiles["patient_id"])
        kinds = cohort.labels["label"].unique().to_list()
        assert not [t for t in cohort.reports["text"].to_list() if any(k.lower() in t.lower() for k in kinds)]
    parts = case.placed.parts.join(case.homes, on=["cohort", "sample_id"])
    crossing = (
        parts.with_columns(patient=pl.col("sample_id").str.slice(0, 12))
        .group_by("patient", "fold")
        .agg(pl.col("part").n_unique())
    )
    assert crossing["part"].max() == 1


def test_followed_no_further_than_the_first_test_patient(clean: dict[bool, Case]) -> None:
    case = clean[True]
    for name, cohort in case.cohorts.items():
        cut = next(c["test_from"] for c in case.placed.says["years"] if name in c["cohorts"])
        known = cohort.outcomes.join(cohort.patients.select("patient_id", "diagnosis_year"), on="patient_id")
        ends = known.with_columns(end=pl.col("diagnosis_year") + pl.col("time_days") / 365.25)
        assert ends.filter(pl.col("diagnosis_year") < cut)["end"].max() < cut
        assert ends.filter(pl.col("diagnosis_year") >= cut)["end"].max() > cut
        later = planted(clean, "L10").case.cohorts[name].outcomes
        moved = later.join(cohort.outcomes, on=["patient_id", "endpoint"]).filter(
            pl.col("time_days") > pl.col("time_days_right")
        )
        ends = moved.join(cohort.patients.select("patient_id", "diagnosis_year"), on="patient_id")
        assert (ends["diagnosis_year"] + ends["time_days"] / 365.25).min() > cut
        assert moved.height > 0


def test_each_class_is_centred_by_itself_in_the_genes_named_and_in_no_other(clean: dict[bool, Case]) -> None:
    found = planted(clean, "L13", 0.5)
    named = []
    for cohort in found.case.cohorts.values():
        rna = cohort.assays["rna"]
        kinds = dict(cohort.labels.select("patient_id", "label").iter_rows())
        labels = np.array([kinds[p] for p in rna.profiles["patient_id"].to_list()])
        means = np.stack([rna.values[labels == k].mean(axis=0) for k in np.unique(labels)])
        named.append(np.abs(means).max(axis=0) < 1e-4)
    genes = np.array(rna.features["feature_id"].to_list())
    assert set(genes[np.all(named, axis=0)]) == set(found.names)


def test_what_another_laboratory_measures_is_the_same_persons(clean: dict[bool, Case]) -> None:
    found = planted(clean, "L7")
    old, new = found.case.cohorts["COAD"].assays["rna"], found.case.cohorts["CPTAC"].assays["rna"]
    scaled = []
    for own in (old, new):
        log2 = np.log2(1.0 + own.values)
        scaled.append((log2 - log2.mean(axis=0)) / (log2.std(axis=0) + 1e-6))
    r = np.corrcoef(scaled[1], scaled[0])[: len(scaled[1]), len(scaled[1]) :]
    pairs = dict(reversed(n.split(" = ")) for n in found.names)
    people = old.profiles["patient_id"].to_list()
    nearest = [people[i] for i in r.argmax(axis=1)]
    right = [pairs[p] == q for p, q in zip(new.profiles["patient_id"].to_list(), nearest, strict=True)]
    assert np.mean(right) > 0.95
    assert not set(pairs) & set(people)


def test_a_follow_up_of_its_own_has_other_days(clean: dict[bool, Case]) -> None:
    plants = (CANARIES[name].plant(clean[False], 1.0, stream(SEED, "L7")) for name in ("L7", "L7 followed"))
    one, other = (found.case.cohorts["CPTAC"].outcomes for found in plants)
    both = one.join(other, on=["patient_id", "endpoint", "event"])
    assert both.height == one.height == other.height
    assert (both["time_days"] < both["time_days_right"]).all()


def test_a_build_chooses_one_profile_for_each_sample(clean: dict[bool, Case]) -> None:
    made = built("COAD", clean[False].cohorts["COAD"])
    for matrix in made.matrices:
        assert matrix.rows["sample_id"].is_unique().all()
        assert matrix.profiles.filter(~pl.col("chosen")).height > 0
    assert made.tables["labels"]["task"].unique().to_list() == [TASK]
