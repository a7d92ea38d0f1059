"""Published folds: what their ids alone tell, and what becomes of them in a store."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace

import polars as pl
import pytest
from split_catalogues import make_catalogue

from omicstore.cli import main
from omicstore.errors import SplitError, UnknownNameError
from omicstore.splits import check_published, import_folds, load, read_published
from omicstore.splits.verify import verify


def folds_of(patients: list[str], folder, k: int = 4, origin: str | None = None):
    """Write folds that test every k-th patient, as the published ones lie, and read them."""
    folder.mkdir(exist_ok=True)
    for fold in range(k):
        val = patients[fold::k]
        train = [p for p in patients if p not in val]
        lines = [f"{i},{t},{v}" for i, (t, v) in enumerate(itertools.zip_longest(train, val, fillvalue=""))]
        (folder / f"splits_{fold}.csv").write_text("\n".join([",train,val", *lines]) + "\n")
    return read_published(folder, origin)[0]


@pytest.fixture
def catalogue():
    return make_catalogue(seed=2, n_patients=60, n_sites=12)


@pytest.fixture
def patients(catalogue):
    return catalogue.patients["patient_id"].unique().sort().to_list()


def parts(split, fold):
    rows = split.assignments.filter(pl.col("fold") == fold)
    return {p: set(rows.filter(pl.col("part") == p)["patient_id"]) for p in ("train", "val", "test")}


def test_their_val_is_our_test_and_our_val_is_cut_from_their_train(catalogue, patients, tmp_path):
    folds = folds_of(patients, tmp_path / "cv")
    split = import_folds(catalogue, folds, "theirs")
    for fold in range(4):
        held = parts(split, fold)
        assert held["test"] == set(patients[fold::4])
        assert held["train"] | held["val"] == set(patients) - held["test"]
        assert not held["train"] & held["val"]
        assert 12 <= len(held["val"]) <= 18
    body = split.body
    assert body["strategy"]["name"] == "imported"
    assert (body["strategy"]["origin"], body["strategy"]["k"]) == ("survpath", 4)
    assert [p["kind"] for p in body["parents"]] == ["release"] + ["published_folds"] * 4
    assert [p.get("name") for p in body["parents"][1:]] == [f"splits_{i}.csv" for i in range(4)]
    assert all(len(p["sha256"]) == 64 for p in body["parents"][1:])
    assert {r.id for r in verify(split, catalogue) if r.status == "fail"} <= {"L3"}
    split.write(tmp_path / "theirs")
    assert load(tmp_path / "theirs").body == body


def test_sites_that_are_kept_apart_stay_apart_in_val(catalogue, tmp_path):
    people = catalogue.patients.select("patient_id", "site").unique().sort("site", "patient_id")
    sites = people["site"].unique().sort().to_list()
    folder = tmp_path / "cv"
    folder.mkdir()
    for fold in range(3):
        val = people.filter(pl.col("site").is_in(sites[fold::3]))["patient_id"].to_list()
        train = [p for p in people["patient_id"].to_list() if p not in val]
        lines = [f"{i},{t},{v}" for i, (t, v) in enumerate(itertools.zip_longest(train, val, fillvalue=""))]
        (folder / f"splits_{fold}.csv").write_text("\n".join([",train,val", *lines]))
    split = import_folds(catalogue, read_published(folder, "survpath")[0], "sites")
    assert split.body["blocks"]["site"] == "preserve"
    assert split.body["checks"]["L3"]["status"] == "pass"
    assert not [r for r in verify(split, catalogue) if r.status == "fail" and r.severity == "error"]


def test_the_world_is_closed(catalogue, patients, tmp_path):
    folds = folds_of([*patients[:50], "TCGA-ZZ-0001"], tmp_path / "cv")
    split = import_folds(catalogue, folds, "theirs")
    rules = {(e["patient_id"], e["rule"]) for e in split.body["exclusions"]}
    assert ("TCGA-ZZ-0001", "not_in_store") in rules
    assert {p for p, rule in rules if rule == "not_in_folds"} == set(patients[50:])
    assert split.body["strategy"]["n_published"] == 51
    assert split.body["strategy"]["n_in_store"] == 50
    closed = {r.id: r for r in verify(split, catalogue)}["closed_world"]
    assert closed.status == "pass"
    arrived = catalogue.profiles.head(1).with_columns(patient_id=pl.lit("TCGA-ZZ-0001"), sample_id=pl.lit("x"))
    later = replace(catalogue, profiles=pl.concat([catalogue.profiles, arrived]))
    closed = {r.id: r for r in verify(split, later)}["closed_world"]
    assert closed.status == "fail"
    assert "TCGA-ZZ-0001 is excluded as not in the store, and is in it" in closed.evidence["offenders"]


def test_the_same_folds_are_the_same_bytes_whatever_the_order(catalogue, patients, tmp_path):
    one = import_folds(catalogue, folds_of(patients, tmp_path / "a"), "x")
    shuffled = replace(catalogue, profiles=catalogue.profiles.sample(fraction=1.0, shuffle=True, seed=1))
    assert import_folds(shuffled, folds_of(patients, tmp_path / "a"), "x").body == one.body
    more = make_catalogue(("AAA", "BBB"), seed=2, n_patients=60, n_sites=12)
    assert import_folds(more, folds_of(patients, tmp_path / "a"), "x").assignments.equals(one.assignments)


def test_people_whom_the_store_links_are_found_across_published_folds(patients, catalogue, tmp_path):
    aliases = pl.DataFrame({"patient_id": [patients[0]], "alias": [patients[1]]})
    split = import_folds(replace(catalogue, aliases=aliases), folds_of(patients, tmp_path / "cv"), "x")
    assert split.body["checks"]["L7"]["status"] == "fail"


@pytest.mark.parametrize(
    ("name", "content", "origin", "message"),
    [
        ("splits_0.csv", "a,b\n1,2\n", None, "has the columns a, b. Expected a folder of splits_0.csv"),
        ("splits_0.csv", "train,val\nTCGA-AA-0001,\n", "mcat", "names nobody in val"),
        ("x.csv", "train,val\nA,B\n", "preserved-site-cv", "Expected a CSV of slides with the columns submitter_id"),
        ("x.csv", "submitter_id,CV3_a\nA,1\nB,1\n", None, "column CV3_a has 1 folds"),
        ("x.csv", "", "mcat", "cannot be read"),
        ("x.csv", b"\xff\xfe\x00\x01", "mcat", "x.csv"),
    ],
)
def test_what_is_no_fold_is_one_message(name, content, origin, message, tmp_path):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SplitError) as said:
        read_published(tmp_path / name, origin)
    assert message in str(said.value)


def test_a_mistyped_origin_or_column_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match=r"'survpth'\. Expected one of survpath"):
        read_published(tmp_path, "survpth")
    (tmp_path / "x.csv").write_text("slide,submitter_id,CV3_tp53,CV3_age\ns,A,1,2\nt,B,2,1\n")
    with pytest.raises(UnknownNameError, match=r"'CV3_tp5'\. Expected one of CV3_tp53"):
        read_published(tmp_path / "x.csv", None, "CV3_tp5")
    with pytest.raises(SplitError, match="does not exist"):
        read_published(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SplitError, match="is a folder without splits_0"):
        read_published(tmp_path / "empty", "mcat")


def test_a_patient_on_both_sides_is_found_and_not_imported(catalogue, patients, tmp_path):
    folds_of(patients, tmp_path / "cv")
    path = tmp_path / "cv" / "splits_1.csv"
    path.write_text(path.read_text() + f"99,{patients[1]},\n")
    folds = read_published(tmp_path / "cv")[0]
    found = {r.id: r for r in check_published(folds)}["L1"]
    assert (found.status, found.evidence["offenders"]) == ("fail", [patients[1]])
    with pytest.raises(SplitError, match=r"are in train and val of a fold \(1 patients\)"):
        import_folds(catalogue, folds, "x")


def test_nobody_in_the_store_is_said(catalogue, tmp_path):
    folds = folds_of([f"TCGA-ZZ-{i:04d}" for i in range(12)], tmp_path / "cv")
    with pytest.raises(SplitError, match="none of the 12 patients of cv is in the store"):
        import_folds(catalogue, folds, "x")


@pytest.fixture
def run(capsys, monkeypatch):
    def call(*words: str):
        monkeypatch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return call


def test_import_and_check_on_the_command_line(tiny_store, tmp_path, monkeypatch, run):
    shutil.copytree(tiny_store, tmp_path / "data" / "store")
    (tmp_path / "params.yaml").write_text("study: {}\n")
    monkeypatch.chdir(tmp_path)
    people = pl.read_parquet(next((tmp_path / "data/store/catalog").glob("patients-*.parquet")))
    folds_of(people.filter(pl.col("cohort") == "AAA")["patient_id"].sort().to_list(), tmp_path / "cv", 3)
    code, text, _ = run("split", "import", "cv", "--from", "survpath", "--name", "theirs")
    assert code == 0
    assert "imported, 3 folds" in text
    assert load(tmp_path / "splits" / "theirs").name == "theirs"
    assert run("split", "check", "theirs")[0] in (1, 3)  # random profiles of the tiny store are linked
    code, text, _ = run("split", "check", "cv", "--from", "mcat", "--json")
    assert code == 3
    assert json.loads(text)["published"][0]["folds"] == 3
    code, _, said = run("split", "import", "cv", "--from", "mact")
    assert code == 2
    assert "Expected one of mcat" in said
    code, _, said = run("split", "import", "cv")
    assert code == 2
    assert "Expected one of survpath, mcat, preserved-site-cv" in said
    (tmp_path / "params.yaml").write_text("split: {strategy: imported}\n")
    code, _, said = run("split", "make")
    assert code == 1
    assert "omicstore split import PATH" in said


@pytest.mark.real
@pytest.mark.parametrize(("cohort", "n"), [("blca", 359), ("brca", 871), ("coadread", 298)])
def test_the_survpath_folds_share_no_patient_and_no_site(real_data, cohort, n):
    folds = read_published(real_data / "splits" / "survpath" / cohort, "survpath")[0]
    assert (folds.k, len(folds.patients), folds.keeps_sites) == (5, n, True)
    found = {r.id: r for r in check_published(folds)}
    assert {i: r.status for i, r in found.items()} == {"assignments": "pass", "L1": "pass", "L3": "pass"}
    assert {s.split()[0] for s in found["L3"].evidence["shared_by_fold"].values()} == {"0"}


@pytest.mark.real
def test_the_first_mcat_fold_of_brca_shares_23_of_37_sites(real_data):
    folds = read_published(real_data / "splits" / "mcat" / "brca", "mcat")[0]
    found = {r.id: r for r in check_published(folds)}
    assert found["L1"].status == "pass"
    assert (found["L3"].status, found["L3"].severity) == ("fail", "warning")
    assert found["L3"].evidence["shared_by_fold"]["0"] == "23 of 37"
    assert "fold 0 shares 23 of 37 sites" in found["L3"].sentence


@pytest.mark.real
def test_columns_of_preserved_site_cv_say_which_keep_sites(real_data):
    path = real_data / "splits" / "preserved_site_cv" / "brca_splits.csv"
    found = {folds.name: folds for folds in read_published(path)}
    assert len(found) == 24
    assert {name.endswith("_preserved_site") for name, f in found.items() if f.keeps_sites} == {True}
    assert not any(f.keeps_sites for name, f in found.items() if name.endswith("_standard"))
    assert {f.k for f in found.values()} == {3}
