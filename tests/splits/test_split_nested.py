"""Inner splits: ordinary splits of what an outer fold trains and validates on, and of nobody else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from split_catalogues import make_catalogue, shuffled

import omicstore
from omicstore.cli import main
from omicstore.errors import LeakageError, SplitError
from omicstore.splits import SplitSpec, check, import_folds, inner_splits, load, make, read_published, split_catalogue
from omicstore.splits.identity import components
from omicstore.splits.verify import verify

quick = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32 - 1)

WAYS = {
    "site_preserved_kfold": {"node_limit": 2},
    "grouped_kfold": {},
    "cross_cohort": {},
    "external": {"test_cohorts": ("BBB",)},
    "leave_site_out": {"min_test": 12},
}


def nested(catalogue, strategy="grouped_kfold", **spec):
    """Return an outer split and its inner ones; None where the data cannot bear them."""
    asked = SplitSpec(strategy=strategy, **{"k": 3, "nested": 3, **WAYS.get(strategy, {}), **spec})
    try:
        outer = split_catalogue(catalogue, asked)
        return outer, inner_splits(catalogue, outer)
    except SplitError:
        return None


def rows_of(split, fold, *parts):
    return split.assignments.filter((pl.col("fold") == fold) & pl.col("part").is_in(parts))


@quick
@given(seed=seeds, strategy=st.sampled_from(sorted(WAYS)), links=st.integers(0, 2))
def test_an_inner_split_is_of_what_its_fold_trains_and_validates_on(seed, strategy, links):
    catalogue = make_catalogue(("AAA", "BBB"), seed=seed, n_patients=40, links=links)
    found = nested(catalogue, strategy)
    assume(found is not None)
    outer, inner = found
    assert [s.name for s in inner] == [f"default/inner/{fold}" for fold in range(outer.k)]
    for fold, split in enumerate(inner):
        tested, kept = rows_of(outer, fold, "test"), rows_of(outer, fold, "train", "val")
        assert set(split.assignments["sample_id"]) == set(kept["sample_id"])
        assert not set(split.assignments["patient_id"]) & set(tested["patient_id"])
        groups = groups_of(outer, split)
        assert not {groups[p] for p in split.assignments["patient_id"]} & {groups[p] for p in tested["patient_id"]}
        assert split.body["parents"][1] == {
            "kind": "outer_split", "name": "default", "manifest_hash": outer.manifest_hash, "fold": fold,
        }  # fmt: skip
        rules = {(e["sample_id"], e["rule"]) for e in split.body["exclusions"]}
        assert {s for s, rule in rules if rule == "outer_test"} == set(tested["sample_id"])
        whole = strategy in ("site_preserved_kfold", "leave_site_out")
        assert split.body["strategy"]["name"] == ("site_preserved_kfold" if whole else "grouped_kfold")
        assert not [r for r in verify(split, catalogue) if r.status == "fail" and r.severity == "error"]


def groups_of(outer, inner):
    """Return patient to person, from the edges of both."""
    both = pl.concat([outer.edges, inner.edges]).unique()
    return components(both, outer.assignments["patient_id"].to_list())


@quick
@given(seed=seeds, order=st.integers(0, 99))
def test_the_same_inputs_give_the_same_bytes_and_what_is_tested_has_no_say(seed, order):
    catalogue = make_catalogue(seed=seed, n_patients=50, links=1)
    outer, inner = nested(catalogue, endpoint="OS") or (None, None)
    assume(inner)
    again = nested(shuffled(catalogue, order), endpoint="OS")[1]
    assert [s.body for s in again] == [s.body for s in inner]
    # The follow-up of whom fold 0 tests is another: the inner split of fold 0 is the same.
    tested = rows_of(outer, 0, "test")["patient_id"].unique().to_list()
    other = pl.when(pl.col("patient_id").is_in(tested)).then(1 - pl.col("event")).otherwise("event")
    changed = replace(catalogue, outcomes=catalogue.outcomes.with_columns(event=other))
    assert inner_splits(changed, outer)[0].assignments.equals(inner[0].assignments)


def test_inner_folds_of_repeats_and_of_rows_at_random_are_made_too():
    catalogue = make_catalogue(seed=3, n_patients=60)
    outer, inner = nested(catalogue, repeats=2)
    assert len(inner) == outer.k == 6
    assert {s.k for s in inner} == {3}
    outer, inner = nested(catalogue, "random", price_list=True)
    for fold, split in enumerate(inner):
        assert split.body["strategy"]["price_list"] is True
        assert not set(split.assignments["sample_id"]) & set(rows_of(outer, fold, "test")["sample_id"])


def test_published_folds_have_inner_ones_and_who_is_in_no_part_of_a_fold_is_excluded(tmp_path):
    catalogue = make_catalogue(seed=2, n_patients=60)
    people = catalogue.patients["patient_id"].sort().to_list()
    for fold in range(3):  # the last five train in fold 0 alone
        val = people[:55][fold::3]
        train = [p for p in (people if fold == 0 else people[:55]) if p not in val]
        lines = [f"{t},{val[i] if i < len(val) else ''}" for i, t in enumerate(train)]
        (tmp_path / f"splits_{fold}.csv").write_text("\n".join(["train,val", *lines]))
    outer = import_folds(catalogue, read_published(tmp_path)[0], "theirs", SplitSpec(nested=3))
    inner = inner_splits(catalogue, outer)
    rules = {(e["patient_id"], e["rule"]) for e in inner[1].body["exclusions"]}
    assert {p for p, rule in rules if rule == "not_in_outer_fold"} == set(people[55:])
    assert inner[0].body["cohort"]["n_patients"] == 60 - len(people[:55][0::3])
    assert not [r for s in inner for r in verify(s, catalogue) if r.status == "fail" and r.severity == "error"]


def test_what_cannot_be_split_again_is_refused_by_its_fold():
    catalogue = make_catalogue(n_patients=40, n_sites=6)
    outer = split_catalogue(catalogue, SplitSpec(k=3, nested=5, node_limit=2))
    with pytest.raises(
        SplitError, match=r"the inner split of fold 0 \(split.nested: 5\) cannot be made: AAA have \d"
    ) as e:
        inner_splits(catalogue, outer)
    assert "split.nested" in e.value.run
    with pytest.raises(SplitError, match="split.nested is 2. Expected at least 3"):
        SplitSpec.from_params({"nested": 2})


@pytest.fixture
def study(tiny_store, tmp_path, monkeypatch):
    shutil.copytree(tiny_store, tmp_path / "data" / "store")
    (tmp_path / "params.yaml").write_text("split: {strategy: grouped_kfold, k: 3, nested: 3, cohorts: [AAA]}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(study, **section):
    with omicstore.open(study / "data" / "store") as store:
        spec = {"strategy": "grouped_kfold", "k": 3, "cohorts": ["AAA"], "nested": 3, **section}
        make(store, SplitSpec.from_params(spec), study / "splits" / "default", root=study)


def holds(result):
    return result["status"] == "pass" or all(o.startswith("balance") for o in result["evidence"]["offenders"])


def found(study, name="default"):
    with omicstore.open(study / "data" / "store") as store:
        return {r.id: r for r in check(study / "splits" / name, store)}


def test_reads_through_an_inner_split_hold_to_it(study):
    made(study)
    outer, inner = load(study / "splits/default"), load(study / "splits/default/inner/1")
    with omicstore.open(study / "data" / "store") as store:
        asked = {"cohort": "AAA", "modalities": ["rna"], "sample_type": "all", "split": "default/inner/1", "fold": 0}
        rows = store.query(**asked, part="train").samples
        assert set(rows["sample_id"]) <= set(inner.part(0, "train"))
        assert not set(rows["sample_id"]) & set(outer.part(1, "test"))
        with pytest.raises(LeakageError, match="without a fitted state"):
            store.query(**asked, part="test")


def test_inner_splits_are_checked_with_their_outer_one(study):
    made(study)
    results = found(study)
    # The random profiles of the tiny store make large groups, so that its folds may be unfair.
    assert all(holds(results[f"inner/{fold}"].to_json()) for fold in range(3))
    assert found(study, "default/inner/2")["outer_split"].status == "pass"

    # One made for another fold, which tests other people.
    own = study / "splits/default/inner"
    shutil.copytree(own / "0", own / "kept")
    shutil.copytree(own / "1", own / "0", dirs_exist_ok=True)
    swapped = found(study)["inner/0"]
    assert (swapped.status, swapped.evidence["offenders"]) == ("fail", ["it was made for fold 1"])
    shutil.copytree(own / "kept", own / "0", dirs_exist_ok=True)

    # One row put into another part.
    path = own / "0" / "assignments.parquet"
    rows = pl.read_parquet(path)
    rows.with_columns(part=pl.col("part").replace({"val": "train"})).write_parquet(path)
    broken = found(study)["inner/0"]
    assert (broken.status, broken.severity) == ("fail", "error")
    assert "assignments.parquet does not have its assignments_hash" in broken.found
    (own / "0" / "manifest.json").unlink()
    absent = found(study)["inner/0"]
    assert (absent.status, absent.severity) == ("fail", "warning")
    assert "omicstore split make" in absent.why


def test_inner_splits_of_another_outer_split_are_found_even_where_all_hashes_hold(study):
    made(study)
    other = study / "other"
    shutil.copytree(study / "splits/default/inner", other)
    made(study, seed=5, label=None, modalities=["rna"])
    shutil.copytree(other, study / "splits/default/inner", dirs_exist_ok=True)
    results = found(study)
    assert results["people"].status == "pass"
    for fold in range(3):
        assert results[f"inner/{fold}"].status == "fail"
        assert "it was made from the split" in results[f"inner/{fold}"].found
    assert found(study, "default/inner/0")["outer_split"].status == "fail"
    with omicstore.open(study / "data" / "store") as store:
        asked = {"split": "default/inner/0", "fold": 0, "part": "train"}
        with pytest.raises(SplitError, match="the inner split 0 of default was made of another default"):
            store.query("AAA", **asked)


def test_inner_splits_go_with_the_key_and_logs_stay(study):
    made(study)
    own = study / "splits/default/inner"
    (own / "1" / "test_reads.jsonl").write_text("{}\n")
    made(study, nested=None)
    assert sorted(p.relative_to(own).as_posix() for p in own.rglob("*")) == ["1", "1/test_reads.jsonl"]
    assert not [name for name in found(study) if name.startswith("inner")]
    with omicstore.open(study / "data" / "store") as store, pytest.raises(SplitError, match="is the name of an inner"):
        make(store, SplitSpec(name="default/inner/0", strategy="grouped_kfold"), own / "0")


def test_the_command_line_knows_of_them(study, capsys, monkeypatch):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    code, text, _ = call("split", "make")
    assert code == 0
    assert "3 inner folds within each, as --split default/inner/0 to default/inner/2" in " ".join(text.split())
    assert json.loads(call("split", "show", "--json")[1])["inner"] == [f"default/inner/{i}" for i in range(3)]
    assert "split default/inner/1: grouped_kfold, 3 folds" in call("split", "show", "default/inner/1")[1]
    checks = json.loads(call("split", "check", "--json")[1])["checks"]
    assert [holds(c) for c in checks if c["id"].startswith("inner/")] == [True] * 3
