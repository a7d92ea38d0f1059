"""``omicstore split`` and the Python calls behind it, on a small store."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import polars as pl
import pytest

import omicstore
from omicstore.cli import main
from omicstore.errors import LeakageError, SplitError
from omicstore.splits import SplitSpec, check, hindrances, load, make
from omicstore.splits.strategies import STRATEGIES

PARAMS = "split: {strategy: grouped_kfold, k: 4, seed: 3, endpoint: OS, modalities: [rna, meth]}\n"


@pytest.fixture
def study(tiny_store, tmp_path, monkeypatch):
    shutil.copytree(tiny_store, tmp_path / "data" / "store")  # a test read is logged beside the store
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys, monkeypatch):
    def call(*words: str):
        monkeypatch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return call


def test_make_show_and_check(study, run):
    code, text, _ = run("split", "make")
    assert code == 0
    assert "grouped_kfold, 4 folds, seed 3" in text
    assert "simulated data" in text
    assert "OS events" in text
    written = {p.name: p.read_bytes() for p in (study / "splits" / "default").iterdir() if p.is_file()}
    assert set(written) == {"manifest.json", "assignments.parquet", "identity.parquet"}
    assert run("split", "make")[0] == 0
    assert {p.name: p.read_bytes() for p in (study / "splits" / "default").iterdir() if p.is_file()} == written
    code, text, _ = run("split", "show", "--json")
    assert code == 0
    assert json.loads(text)["manifest_hash"] == json.loads(written["manifest.json"])["manifest_hash"]
    code, text, said = run("split", "check")
    assert code == 3  # sites are not kept whole by grouped folds
    assert "warning: L3" in said
    body = json.loads(run("split", "check", "--json")[1])
    assert body["ok"]
    assert {c["id"] for c in body["checks"]} > {
        "manifest_hash",
        "assignments",
        "people",
        "closed_world",
        "release",
        "L1",
        "L13",
    }


def test_unfair_folds_are_said_on_the_command_line(study, run):
    people = pl.read_parquet(next((study / "data/store/catalog").glob("patients-*.parquet")))["patient_id"].sort()
    kin = people[: int(0.8 * len(people))].to_list()
    (study / "aliases.csv").write_text("patient_id,alias\n" + "".join(f"{p},{kin[0]}\n" for p in kin[1:]))
    (study / "params.yaml").write_text("split: {strategy: grouped_kfold, k: 3, aliases: aliases.csv}\n")
    code, _, said = run("split", "make")
    assert code == 0
    assert "warning: balance parts far from their fair share of the patients: fail, fold 0 has" in said
    code, _, said = run("split", "check")
    assert code == 3
    assert "warning: balance" in said
    assert "would be fair" in said


def test_check_fails_where_a_sample_was_moved(study, run):
    run("split", "make", "--name", "mine")
    path = study / "splits" / "mine" / "assignments.parquet"
    rows = pl.read_parquet(path)
    rows.with_columns(part=pl.col("part").replace({"val": "train"})).write_parquet(path)
    code, _, said = run("split", "check", "mine")
    assert code == 1
    assert "error: assignments" in said
    code, _, said = run("split", "show", "mine")
    assert code == 1
    assert "changed after it was made" in said


def test_without_a_section_a_split_that_fits_is_chosen(study, run):
    (study / "params.yaml").write_text("study: {}\n")
    code, text, said = run("split", "make", "--dry-run")
    assert code == 0
    assert "params.yaml has no section split, so one was chosen" in said
    assert "would be written to" in text
    assert not (study / "splits").exists()


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ("split: {k: 99, strategy: grouped_kfold}\n", 1, "groups of people apart, for 99 folds"),
        ("split: {k: 2}\n", 1, "split.k is 2. Expected at least 3"),
        ("split: {cohort: AAA}\n", 2, "unknown key in split 'cohort'. Expected one of cohorts"),
        ("split: [a]\n", 1, "Expected a mapping"),
        ("split: {\n", 1, "is not YAML"),
    ],
)
def test_a_wrong_section_is_one_message_and_leaves_the_old_split(study, run, params, code, message):
    run("split", "make")
    before = {p.name: p.read_bytes() for p in (study / "splits" / "default").iterdir() if p.is_file()}
    (study / "params.yaml").write_text(params)
    found, _, said = run("split", "make")
    assert found == code
    assert message in said
    assert "Traceback" not in said
    assert {p.name: p.read_bytes() for p in (study / "splits" / "default").iterdir() if p.is_file()} == before


def test_a_split_that_is_not_there_is_named(study, run):
    for command in ("show", "check"):
        code, _, said = run("split", command, "nope")
        assert code == 1
        assert "there is no split 'nope'. Expected" in said
        assert "omicstore split make" in said


def test_a_split_goes_by_any_of_its_files_and_is_named_where_another_is_asked_for(study, run):
    assert run("split", "make")[0] in (0, 3)
    assert "there is no split 'nope'; there are default." in run("split", "show", "nope")[2]
    code, _, said = run("split", "show", str(study / "splits" / "default" / "assignments.parquet"))
    assert code == 0, said


def test_reads_that_name_the_split_hold_to_it(study):
    with omicstore.open(study / "data" / "store") as store:
        split = make(store, SplitSpec.from_params({"strategy": "grouped_kfold", "k": 4}), study / "splits" / "default")
        assert split.release == store.release
        train = store.query("AAA", ["rna"], sample_type="all", split="default", fold=1, part="train")
        assert set(train.samples["sample_id"]) <= set(split.part(1, "train"))
        assert train.marked == "split"
        with pytest.raises(LeakageError):
            store.query("AAA", ["rna"], split="default", fold=1, part="test")
        assert not [r for r in check(study / "splits" / "default", store) if r.status == "fail"]


def test_rows_at_random_are_read_for_the_price_list_alone(study, run):
    (study / "params.yaml").write_text("split: {strategy: random, k: 4}\n")
    assert run("split", "make")[0] == 0
    code, _, said = run("split", "check")
    assert code == 1
    assert "error: L1" in said
    with omicstore.open(study / "data" / "store") as store:
        with pytest.raises(LeakageError, match="deals rows out at random"):
            store.query("AAA", ["rna"], split="default", fold=0, part="train")
        (study / "params.yaml").write_text("split: {strategy: random, k: 4, price_list: true}\n")
        assert run("split", "make")[0] == 0
        assert store.query("AAA", ["rna"], split="default", fold=0, part="train").samples.height
        folder = study / "splits" / "default"
        failed = [r for r in check(folder, store) if r.status == "fail" and r.severity == "error"]
        assert {"L1", "people"} <= {r.id for r in failed}
        assert hindrances(load(folder), failed) == []
        release = next(r for r in check(folder) if r.id == "assignments")
        assert hindrances(load(folder), [replace(release, status="fail")])


def test_strategies_are_named_in_the_help(run):
    text = " ".join(run("split", "make", "--help")[1].split())
    for name in STRATEGIES:
        assert name in text


def test_a_split_without_a_store_is_checked_from_its_files(study):
    with omicstore.open(study / "data" / "store") as store:
        make(store, SplitSpec(strategy="grouped_kfold", k=4), study / "s")
    results = check(study / "s")
    assert {r.id for r in results} >= {"manifest_hash", "assignments", "people", "L1"}
    assert {r.status for r in results} <= {"pass", "waived", "not_applicable"}


def test_aliases_are_read_from_the_study(study):
    (study / "aliases.csv").write_text("patient_id,alias\nSIMU-A1-AA00,SIMU-A2-AA01\n")
    with omicstore.open(study / "data" / "store") as store:
        spec = SplitSpec.from_params({"strategy": "grouped_kfold", "aliases": "aliases.csv"})
        split = make(store, spec, root=study)
        groups = dict(split.assignments.select("patient_id", "group_id").iter_rows())
        assert groups["SIMU-A1-AA00"] == groups["SIMU-A2-AA01"]
        with pytest.raises(SplitError, match="does not exist"):
            make(store, spec, root=study / "elsewhere")
        load_of = study / "splits" / "aliased"
        split.write(load_of)
        # The random profiles of the tiny store make large groups, which no folds can share out fairly.
        assert {r.id for r in check(load(load_of), store, root=study) if r.status == "fail"} <= {"balance"}
        assert check(load_of, store) == check(load(load_of), store, root=study)
