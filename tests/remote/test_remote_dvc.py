"""A fresh clone, a pull through a remote of DVC, and revisions that are read without a checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remote_tools import ENV, Study, dvc, sh

import omicstore
from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.remote import pull, push


def numbers(place: str | Path, release: str | None = None, cohort: str = "AAA") -> np.ndarray:
    with omicstore.open(place, release=release) as store:
        return store.query(cohort=cohort, modalities="rna").to_numpy()["rna"]


def parquet(store: Path) -> set[str]:
    return {p.relative_to(store).as_posix() for p in store.rglob("*.parquet")}


def test_clone_pull_query_gives_the_same_release(study: Study, clone: Path) -> None:
    assert parquet(clone) == set()
    got = pull(clone)
    with omicstore.open(clone) as store:
        assert store.release == got.release == study.releases["v2.0"]
        body = store.body
    assert parquet(clone) == set(body["files"])
    assert np.array_equal(numbers(clone), numbers(study.store), equal_nan=True)
    assert (pull(clone).n_files, got.n_there) == (0, 0)
    assert sh(clone, "git", "status", "--porcelain") == ""


def test_only_what_is_asked_comes(study: Study, clone: Path) -> None:
    got = pull(clone, cohorts=["BBB"], modalities=["meth"])
    held = parquet(clone)
    assert {p.split("/")[1] for p in held if p.startswith("cohort=")} == {"modality=meth"}
    assert got.n_moved == sum((clone / p).stat().st_size for p in held)
    with omicstore.open(clone) as store:
        assert store.release == study.releases["v2.0"]
        assert store.not_here()["BBB"] == ["rna", "prot"]


def test_an_older_release_whose_files_this_revision_still_has(study: Study, clone: Path) -> None:
    got = pull(clone, "v1.0", cohorts=["AAA"], modalities=["rna"])
    assert (got.name, got.release) == ("v1.0", study.releases["v1.0"])
    assert np.array_equal(numbers(clone, "v1.0"), numbers(study.store, "v1.0"), equal_nan=True)
    with pytest.raises(StoreError, match="omicstore pull"):
        numbers(clone)


def test_an_older_release_whose_files_only_an_older_revision_has(study: Study, tmp_path: Path) -> None:
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    with omicstore.open(mine / "data" / "store") as store:
        kept = set(store.body["files"])
    for path in (mine / "data" / "store").rglob("*.parquet"):
        name = path.relative_to(mine / "data" / "store").as_posix()
        if name not in kept and "/catalog/" not in name:
            path.unlink()
    dvc(mine, "commit", "-q", "-f")
    sh(mine, "git", "commit", "-q", "-am", "let v1.0 go from here")
    dvc(mine, "push", "-q")
    sh(tmp_path, "git", "clone", "-q", str(mine), "clone")
    store_of_clone = tmp_path / "clone" / "data" / "store"
    pull(store_of_clone, "v1.0", cohorts=["AAA"], modalities=["rna"])
    assert np.array_equal(numbers(store_of_clone, "v1.0"), numbers(study.store, "v1.0"), equal_nan=True)


@pytest.mark.parametrize("revision", ["v1.0", "v2.0"])
def test_a_revision_is_read_without_a_checkout(study: Study, tmp_path: Path, revision: str) -> None:
    # Of a bare repository, so that there is neither a working folder nor a cache.
    sh(tmp_path, "git", "clone", "-q", "--bare", str(study.folder), "bare.git")
    url = f"git+file://{tmp_path}/bare.git@{revision}"
    with omicstore.open(url) as store:
        assert store.release == study.releases[revision]
        assert store.registry.names[-1].name == revision
        genes = store.union_features("rna")["symbol"].to_list()[:2]
        few = store.query(cohort="AAA", modalities="rna", genes=genes).to_numpy()["rna"]
        n = store.sql().sql("SELECT count(*) FROM rna WHERE cohort = 'AAA'").fetchall()[0][0]
    whole = numbers(study.store, revision)
    assert np.array_equal(numbers(url), whole, equal_nan=True)
    assert np.array_equal(few, whole[:, :2], equal_nan=True)
    assert n > 0


@pytest.mark.parametrize(
    ("url", "error", "match"),
    [
        ("git+nothing", UsageError, "names no repository. Expected git\\+https://host/repository@REVISION"),
        ("git+file://{study}@v9", StoreError, "unknown Git revision 'v9'"),
        ("git+file://{study}/nowhere@v1.0", StoreError, "nowhere cannot be cloned"),
        ("git+file://{study}@v1.0#another/store", StoreError, "there is no store at git\\+file"),
    ],
)
def test_revisions_that_are_not_there(study: Study, url: str, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        omicstore.open(url.format(study=study.folder))


def test_push_brings_to_an_empty_remote_what_dvc_calls_in_sync(study: Study, tmp_path: Path) -> None:
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    dvc(mine, "remote", "add", "-q", "second", str(tmp_path / "second"))
    store = mine / "data" / "store"
    plan = push(store, remote="second", dry_run=True)
    assert not (tmp_path / "second").exists()
    sent = push(store, remote="second")
    assert (sent.n_files, sent.n_bytes) == (plan.n_files, plan.n_bytes)
    outs = sorted(p.name for p in store.iterdir() if p.name in ("catalog", "index", "store.json") or "=" in p.name)
    assert "in sync" in dvc(mine, "status", "-c", "-r", "second", *(f"data/store/{out}" for out in outs))
    assert push(store, remote="second").n_files == 0


def test_one_release_goes_to_a_remote_alone(study: Study, tmp_path: Path) -> None:
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    dvc(mine, "remote", "add", "-q", "-d", "second", str(tmp_path / "second"))
    sh(mine, "git", "commit", "-q", "-am", "another remote")
    assert push(mine / "data" / "store", "v1.0").name == "v1.0"
    sh(tmp_path, "git", "clone", "-q", str(mine), "clone")
    store = tmp_path / "clone" / "data" / "store"
    pull(store, "v1.0")
    assert np.array_equal(numbers(store, "v1.0"), numbers(study.store, "v1.0"), equal_nan=True)
    with pytest.raises(StoreError, match=r"remote second lacks \d+ files: .*cohort=AAA/modality=.*omicstore push"):
        pull(store)


def test_a_study_in_a_folder_of_a_repository(study: Study, tmp_path: Path) -> None:
    root = tmp_path / "studies"
    shutil.copytree(study.folder / "data", root / "tiny" / "data", ignore=shutil.ignore_patterns(".gitignore"))
    for name in ("params.yaml", "dvc.yaml", ".gitignore", "releases"):
        (shutil.copytree if name == "releases" else shutil.copy)(study.folder / name, root / "tiny" / name)
    sh(root, "git", "init", "-q", "-b", "main")
    dvc(root, "init", "-q")
    dvc(root, "remote", "add", "-q", "only", str(tmp_path / "only"))  # not the default, but there is no other
    dvc(root / "tiny", "commit", "-q", "-f")
    sh(root, "git", "add", "-A")
    sh(root, "git", "commit", "-q", "-m", "a study in a folder")
    assert push(root / "tiny" / "data" / "store").target == "remote only"
    sh(tmp_path, "git", "clone", "-q", str(root), "clone")
    store = tmp_path / "clone" / "tiny" / "data" / "store"
    pull(store, "v1.0", cohorts=["AAA"], modalities=["rna"])
    assert np.array_equal(numbers(store, "v1.0"), numbers(study.store, "v1.0"), equal_nan=True)
    url = f"git+file://{root}@HEAD#tiny/data/store"
    assert np.array_equal(numbers(url, "v1.0"), numbers(study.store, "v1.0"), equal_nan=True)


def test_a_store_that_dvc_has_not_taken_in_is_not_pushed(study: Study, tmp_path: Path) -> None:
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    path = mine / "data" / "store" / "store.json"
    body = json.loads(path.read_bytes())
    path.unlink()
    path.write_text(json.dumps(body))
    with pytest.raises(StoreError, match="data/store is not what dvc.lock names.*To mend it: dvc commit"):
        push(mine / "data" / "store")


def test_a_broken_object_is_refused_and_named(study: Study, tmp_path: Path) -> None:
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    shutil.copytree(study.folder.parent / "storage", tmp_path / "storage")
    dvc(mine, "remote", "modify", "-q", "storage", "url", str(tmp_path / "storage"))
    sh(mine, "git", "commit", "-q", "-am", "another remote")
    body = json.loads((study.store / "store.json").read_bytes())
    name = body["matrices"]["AAA"]["rna"]["values"]
    content = (study.store / name).read_bytes()
    (held,) = (p for p in (tmp_path / "storage").rglob("*") if p.is_file() and p.read_bytes() == content)
    held.chmod(0o644)
    held.write_bytes(content[:-300] + b"\1\2\3\4" + content[-296:])
    sh(tmp_path, "git", "clone", "-q", str(mine), "clone")
    store = tmp_path / "clone" / "data" / "store"
    with pytest.raises(StoreError, match=f"holds other content than store.json names under {name}"):
        pull(store, cohorts=["AAA"], modalities=["rna"])
    assert not (store / name).exists()
    assert not (store / "store.json").exists()
    push(mine / "data" / "store", overwrite=True)
    pull(store, cohorts=["AAA"], modalities=["rna"])
    assert (store / name).read_bytes() == content


def test_a_killed_pull_goes_on(study: Study, clone: Path) -> None:
    """kill -9 in the middle: nothing that is named is broken, and the next pull moves only the rest."""
    code = (
        "import sys, time, omicstore.remote.places as p, omicstore.remote.transfer as t\n"
        "from pathlib import Path\n"
        "from omicstore.remote import pull\n"
        "t.BLOCK = 512\n"
        "read = p.DvcSource.read\n"
        "def slow(self, *a):\n    time.sleep(0.01)\n    return read(self, *a)\n"
        "p.DvcSource.read = slow\n"
        "pull(Path(sys.argv[1]), jobs=2)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", code, str(clone)], env=os.environ | ENV)
    until = time.monotonic() + 60
    while len(parquet(clone)) < 6 and time.monotonic() < until:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (clone / "store.json").exists()
    there = {p for p in parquet(clone) if "/.tmp-" not in p}
    assert there
    for name in there:
        assert (clone / name).read_bytes() == (study.store / name).read_bytes()
    left = sum(p.stat().st_size for p in clone.rglob(".tmp-*"))
    got = pull(clone)
    assert got.n_there == len(there)
    assert got.n_resumed == left
    assert got.n_moved + left == got.n_bytes
    assert not list(clone.rglob(".tmp-*"))
    assert np.array_equal(numbers(clone), numbers(study.store), equal_nan=True)


class TestRemotesThatAreNotThere:
    def test_none_is_configured(self, study: Study, tmp_path: Path) -> None:
        store = study.clone(tmp_path / "clone")
        dvc(tmp_path / "clone", "remote", "remove", "-q", "storage")
        with pytest.raises(StoreError, match="no remote is configured.*To mend it: dvc remote add -d storage s3://"):
            pull(store)

    def test_unknown(self, clone: Path) -> None:
        with pytest.raises(UnknownNameError, match="unknown remote 'storge'. Expected one of storage"):
            pull(clone, remote="storge")

    def test_no_repository(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="lies in no repository of DVC.*--remote s3://bucket/prefix"):
            pull(tmp_path / "store")

    def test_unknown_release(self, clone: Path) -> None:
        with pytest.raises(UnknownNameError, match="unknown release 'v1.1'. Expected one of v1.0"):
            pull(clone, "v1.1")

    def test_the_folder_is_gone(self, study: Study, tmp_path: Path) -> None:
        store = study.clone(tmp_path / "clone")
        dvc(tmp_path / "clone", "remote", "modify", "-q", "storage", "url", str(tmp_path / "gone"))
        with pytest.raises(StoreError, match="remote storage lacks store.json, which dvc.lock names.*omicstore push"):
            pull(store)

    def test_nothing_was_built(self, study: Study, tmp_path: Path) -> None:
        store = study.clone(tmp_path / "clone")
        (tmp_path / "clone" / "dvc.lock").unlink()
        with pytest.raises(StoreError, match="dvc.lock of .*clone names no data/store/store.json"):
            pull(store)


def test_an_alias_says_what_it_means(study: Study, clone: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert pull(clone, "stable", cohorts=["CCC"], modalities=["metab"]).name == "v2.0"
    assert caplog.messages == [f"stable is v2.0 ({study.releases['v2.0'][:12]})"]


class TestCommandLine:
    def test_a_fresh_clone(self, study: Study, tmp_path: Path, command: Callable[..., Any]) -> None:
        study.clone(tmp_path / "clone")
        folder = tmp_path / "clone"
        done = command(folder, "pull", "--cohort", "AAA", "--modalities", "rna")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"pulled release {study.releases['v2.0'][:12]} from remote storage: 9 files, ")
        again = json.loads(command(folder, "pull", "--cohort", "AAA", "--modalities", "rna", "--json").stdout)
        assert (again["n_files"], again["n_there"], again["written"]) == (0, 9, True)
        query = command(folder, "query", "--cohort", "AAA", "--modalities", "rna", "--json")
        assert json.loads(query.stdout)["release"] == study.releases["v2.0"]
        absent = command(folder, "export", "--cohort", "BBB", "--modalities", "prot", "--out", "x")
        assert absent.returncode == 1
        assert "To mend it: omicstore pull --cohort BBB --modalities prot brings it" in absent.stderr
        assert "Traceback" not in absent.stderr
        info = json.loads(command(folder, "info", "--json").stdout)
        assert info["cohorts"]["AAA"]["modalities"]["rna"]["here"] is True
        assert info["cohorts"]["BBB"]["modalities"]["rna"]["here"] is False

    def test_doctor_sees_a_lock_that_dvc_left_broken(self, clone: Path, command: Callable[..., Any]) -> None:
        lock = clone.parents[1] / ".dvc" / "tmp" / "rwlock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        for content in ("", '{"a": '):
            lock.write_text(content)
            done = command(clone.parents[1], "doctor")
            assert done.returncode == 1
            assert f"to mend it: rm {lock}" in done.stdout


def test_a_part_answers_as_the_whole_does(study: Study, clone: Path, caplog: pytest.LogCaptureFixture) -> None:
    pull(clone, cohorts=["AAA", "BBB"], modalities=["rna"])
    with omicstore.open(clone) as part, omicstore.open(study.store) as whole:
        genes = whole.union_features("rna")["symbol"].to_list()[10:14]
        for ask in ({"cohort": "AAA"}, {"cohort": "AAA,BBB", "genes": genes}):
            one, other = (s.query(modalities="rna", **ask).to_numpy()["rna"] for s in (part, whole))
            assert np.array_equal(one, other, equal_nan=True)
        line = "SELECT cohort, sample_id, feature_id, symbol, value FROM rna WHERE cohort <> 'CCC' ORDER BY ALL"
        assert part.sql().sql(line).fetchall() == whole.sql().sql(line).fetchall()
        assert "not all cohorts were pulled to this machine: rna holds AAA, BBB alone" in caplog.text
        with pytest.raises(StoreError, match="omicstore pull --cohort CCC --modalities rna"):
            part.query(cohort="CCC", modalities="rna", allow_mixed_units=True).to_numpy()
        with pytest.raises(StoreError, match="omicstore pull --cohort AAA --modalities report"):
            part.query(cohort="AAA", modalities="report").reports()
