"""Edges that are struck out, names of nobody, and cohorts that overlap: what the identity section says of them."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_catalogues import make_catalogue, shuffled

from omicstore.errors import SplitError
from omicstore.splits import SplitSpec, load, read, split_catalogue
from omicstore.splits.catalogue import Catalogue
from omicstore.splits.identity import components, identity
from omicstore.splits.manifest import Manifest
from omicstore.splits.spec import NotSame
from omicstore.splits.verify import verify
from omicstore.store.splitfile import body_hash, frame_hash

SPEC = SplitSpec(name="cv", strategy="grouped_kfold", k=4)


def catalogue_of(*names: str, **columns: object) -> Catalogue:
    rows = [
        {
            "profile_id": f"{name}-01", "raw_id": f"{name}-01", "sample_id": f"{name}-01", "patient_id": name, "cohort": "AAA",
            "modality": "rna", "sample_type": "primary", "chosen": True,
        }
        for name in names
    ]  # fmt: skip
    return Catalogue(profiles=pl.DataFrame(rows), **columns)


def aliased(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema=["patient_id", "alias"], orient="row")


PEOPLE = tuple(f"P{i:02d}" for i in range(20))


@pytest.fixture
def linked():
    """Two people with one content, and a chain of three names through a name that nobody bears."""
    catalogue = catalogue_of(*PEOPLE, aliases=aliased(("P02", "X1"), ("X1", "P03"), ("X8", "X9"), ("P04", "P04")))
    same = pl.when(pl.col("patient_id").is_in(["P00", "P01"])).then(pl.lit("same")).otherwise("profile_id")
    return replace(catalogue, profiles=catalogue.profiles.with_columns(content_hash=same, n_features=9, n_missing=0))


def struck(**pairs: str) -> SplitSpec:
    not_same = [dict(zip(("left", "right"), pair.split("_"), strict=True), reason=why) for pair, why in pairs.items()]
    return SplitSpec.from_params({"name": "cv", "strategy": "grouped_kfold", "k": 4, "not_same": not_same})


def test_a_struck_edge_joins_nobody_and_stays_as_evidence(linked, tmp_path):
    before, after = split_catalogue(linked, SPEC), split_catalogue(linked, struck(P01_P00="twins on one chip"))
    assert before.body["identity"]["groups_of_several"] == {"P00": 2, "P02": 2}
    assert before.edges.columns == ["kind", "left", "right", "evidence"]
    assert after.body["identity"]["groups_of_several"] == {"P02": 2}
    assert after.edges.drop("struck").equals(before.edges)
    assert after.edges.drop_nulls("struck").drop("evidence").rows() == [
        ("same_content", "patient:P00", "patient:P01", "twins on one chip")
    ]
    said = {
        "left": "P00",
        "right": "P01",
        "kind": "same_content",
        "evidence": "rna same",
        "reason": "twins on one chip",
    }
    assert after.body["identity"]["struck"] == [said]
    leak = after.body["checks"]["L8"]
    assert leak["evidence"]["struck"] == ["P00 and P01: twins on one chip (rna same)"]
    assert leak["why"].endswith("; 1 edge is struck out by split.not_same")
    after.write(tmp_path / "cv")
    again = load(tmp_path / "cv")
    assert again.edges.equals(after.edges)
    assert components(again.edges, PEOPLE)["P01"] == "P01"
    assert {r.status for r in verify(again, linked)} <= {"pass", "not_applicable"}


def test_who_takes_the_mark_away_is_found(linked, tmp_path):
    """The stored edges without the mark join two people whom the assignments have apart."""
    split = split_catalogue(linked, struck(P00_P01="twins on one chip"))
    edges = split.edges.drop("struck")
    body = json.loads(json.dumps(split.body))
    body["identity"]["edges_hash"] = frame_hash(edges)
    forged = Manifest(body | {"manifest_hash": body_hash(body)}, split.assignments, edges)
    people = next(r for r in verify(forged) if r.id == "people")
    assert people.status == "fail"
    assert "patient P01 is not in its group" in people.evidence["offenders"]


def test_an_alias_can_be_struck_out_and_l7_says_so(linked):
    linked = replace(linked, aliases=aliased(("P05", "P06")))
    split = split_catalogue(linked, struck(P06_P05="two sisters"))
    assert "P05" not in split.body["identity"]["groups_of_several"]
    leak = split.body["checks"]["L7"]
    assert leak["evidence"]["struck"] == ["P05 and P06: two sisters (aliases)"]
    assert leak["why"] == "both names of a person are one group; 1 edge is struck out by split.not_same"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (
            "P00_P11",
            r"between P00 and P11, and there is none\. Expected two patients whom an edge joins, such as P00 and P01",
        ),
        ("P02_P03", r"none; what joins these two is a sample or aliquot that they share, or a third patient\. Expected"),
        ("Q00_P01", r"strikes out an edge between P01 and Q00, and there is none"),
    ],
)  # fmt: skip
def test_an_entry_that_strikes_no_edge_is_refused(pair, message, linked):
    with pytest.raises(SplitError, match=message):
        split_catalogue(linked, struck(**{pair: "no"}))


def test_what_a_shared_aliquot_joins_cannot_be_struck_out():
    catalogue = catalogue_of(*PEOPLE)
    shared = pl.when(pl.col("patient_id") == "P07").then(pl.lit("P06-01")).otherwise("profile_id")
    catalogue = replace(catalogue, profiles=catalogue.profiles.with_columns(profile_id=shared))
    with pytest.raises(SplitError, match="what joins these two is a sample or aliquot that they share"):
        split_catalogue(catalogue, struck(P06_P07="no"))


def test_a_struck_edge_that_the_store_lost_is_a_warning(linked):
    split = split_catalogue(linked, struck(P00_P01="twins on one chip"))
    lost = replace(linked, profiles=linked.profiles.with_columns(content_hash=pl.lit(None, dtype=pl.String)))
    idle = next(r for r in verify(split, lost) if r.id == "not_same")
    assert (idle.status, idle.severity) == ("fail", "warning")
    assert idle.evidence["offenders"] == ["P00 and P01 (twins on one chip)"]


@pytest.mark.parametrize(
    "entry",
    [
        {"left": "a", "right": "b"},
        {"left": "a", "right": "b", "reason": ""},
        {"left": "a", "right": "a", "reason": "x"},
        {"left": 1, "right": "b", "reason": "x"},
        {"left": "a", "right": "b", "reason": "x", "by": "me"},
        "a b",
    ],
)
def test_what_is_no_entry_is_refused(entry):
    with pytest.raises(SplitError, match=r"split\.not_same is .* Expected a list of \{left: PATIENT, right: PATIENT"):
        SplitSpec.from_params({"not_same": [entry]})


def test_an_entry_stands_once_and_comes_back_as_params():
    spec = struck(b_a="x")
    assert spec.not_same == (NotSame("a", "b", "x"),)
    assert SplitSpec.from_params(spec.to_params()) == spec
    assert "not_same" not in SPEC.to_params()
    with pytest.raises(SplitError, match="Expected the pair a and b once"):
        struck(a_b="x", b_a="y")


@given(st.integers(0, 100), st.integers(0, 4))
@settings(max_examples=15, deadline=None)
def test_striking_changes_the_groups_of_those_two_alone(seed, which):
    catalogue = make_catalogue(seed=seed, n_patients=40, links=3)
    patients = catalogue.profiles["patient_id"].unique().to_list()
    before = identity(catalogue, patients, 0.999)
    pairs = sorted(
        {
            tuple(sorted((a[8:], b[8:])))
            for a, b in before.edges.filter(pl.col("kind").is_in(["near_duplicate", "same_content"]))
            .select("left", "right")
            .iter_rows()
        }
    )
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    left, right = pairs[which % len(pairs)]
    entry = (NotSame(left, right, "no"),)
    after = identity(catalogue, patients, 0.999, entry)
    assert after.idle == ()
    assert after.edges.equals(identity(shuffled(catalogue, 1), patients, 0.999, entry).edges)
    assert after.group_of == components(after.edges, patients)
    touched = {p for p in patients if before.group_of[p] == before.group_of[left]}
    assert {p for p in patients if after.group_of[p] != before.group_of[p]} <= touched
    # A group can only fall apart.
    for p in touched:
        assert {q for q in patients if after.group_of[q] == after.group_of[p]} <= touched


def test_a_split_of_before_there_were_struck_edges_is_read_and_checked(linked, tmp_path):
    """Its identity section says nothing of similarity, cohorts or aliases, and its edges have four columns."""
    split = split_catalogue(linked, SPEC)
    body = json.loads(json.dumps(split.body))
    for later in ("similarity", "cohorts", "aliases", "struck"):
        del body["identity"][later]
    body["manifest_hash"] = body_hash(body)
    Manifest(body, split.assignments, split.edges).write(tmp_path / "old")
    assert pl.read_parquet(tmp_path / "old" / "identity.parquet").columns == ["kind", "left", "right", "evidence"]
    assert load(tmp_path / "old").edges.equals(split.edges)
    assert {r.status for r in verify(read(tmp_path / "old"), linked)} <= {"pass", "not_applicable"}


def test_aliases_of_nobody_and_chains_are_said(linked):
    split = split_catalogue(linked, SPEC)
    assert split.body["identity"]["aliases"] == {
        "rows": 4,
        "joined": 1,
        "of_nobody": {"n": 1, "first": ["X8 and X9"]},
        "chains": {"n": 1, "first": ["P02, P03, X1"]},
    }
    leak = split.body["checks"]["L7"]
    assert leak["status"] == "pass"
    assert leak["why"] == (
        "both names of a person are one group; 1 of its 4 rows name nobody in the store (X8 and X9)"
    )  # fmt: skip
    stranger = replace(linked, aliases=aliased(("TCGA-1", "C3-1")))
    assert split_catalogue(stranger, SPEC).body["checks"]["L7"]["why"] == (
        "the alias table joins no two patients of the store; 1 of its 1 rows name nobody in the store (TCGA-1 and C3-1)"
    )


def test_overlapping_cohorts_are_counted_and_named():
    both, apart = PEOPLE[:12], PEOPLE[12:]
    catalogue = catalogue_of(*PEOPLE)
    first = catalogue.profiles.with_columns(cohort=pl.lit("COADREAD"))
    second = first.filter(pl.col("patient_id").is_in(both)).with_columns(cohort=pl.lit("COAD"))
    other = first.with_columns(cohort=pl.lit("BRCA"), **{c: pl.col(c) + "b" for c in ("patient_id", "sample_id")})
    catalogue = Catalogue(profiles=pl.concat([first, second, other.with_columns(profile_id="sample_id")]))
    split = split_catalogue(catalogue, replace(SPEC, cohorts=("BRCA", "COADREAD")))
    assert split.body["identity"]["cohorts"] == {
        "patients_of_two_cohorts": len(both),
        "shared": {"COAD and COADREAD": len(both)},
        "by_name": ["COAD and COADREAD"],
    }
    assert len(apart) == 8
    pooled = split_catalogue(catalogue, SPEC).body["checks"]["L6"]
    assert pooled["evidence"] == {"patients_of_two_cohorts": 12, "overlap_by_name": ["COAD and COADREAD"]}
    assert pooled["status"] == "pass"


def test_cohorts_that_overlap_by_name_and_share_nobody_are_pointed_at():
    catalogue = catalogue_of(*PEOPLE)
    name = pl.when(pl.col("patient_id") < "P10").then(pl.lit("GBM")).otherwise(pl.lit("GBMLGG"))
    catalogue = replace(catalogue, profiles=catalogue.profiles.with_columns(cohort=name))
    assert split_catalogue(catalogue, SPEC).body["checks"]["L6"]["why"] == (
        "a patient of two cohorts is one patient, though GBM and GBMLGG overlap by name and share no patient id"
    )


def test_without_a_store_l8_says_what_it_could_not_look_at(linked):
    assert "since no store is at hand" in split_catalogue(linked, SPEC).body["checks"]["L8"]["why"]
    assert split_catalogue(linked, SPEC).body["identity"]["similarity"] is None
    bare = catalogue_of(*PEOPLE)
    leak = split_catalogue(bare, SPEC).body["checks"]["L8"]
    assert leak["status"] == "not_applicable"
    assert leak["why"].endswith("and no store is at hand")
