"""Against an S3 server: the same release, no more than is asked, broken transfers, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from remote_tools import Study, dvc, sh

import omicstore
from omicstore.errors import StoreError
from omicstore.releases import retract
from omicstore.remote import pull, push, transfer


def numbers(place: str | Path, release: str | None = None) -> np.ndarray:
    with omicstore.open(place, release=release) as store:
        return store.query(cohort="AAA", modalities="rna").to_numpy()["rna"]


def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a request that fails fail at once; else each is tried for half a minute."""
    import s3fs

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.core, "S3_RETRYABLE_ERRORS", ())
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def pushed(study: Study, bucket):
    """The study's store under the bucket's prefix; requests are counted from here on."""
    push(study.store, remote=bucket.url)
    bucket.requests.clear()
    return bucket


def test_a_query_on_a_bucket_gives_what_the_store_here_gives(study: Study, pushed) -> None:
    for name in (None, "v1.0"):
        assert np.array_equal(numbers(pushed.url, name), numbers(study.store, name), equal_nan=True)
    with omicstore.open(pushed.url) as there, omicstore.open(study.store) as here:
        assert there.release == here.release == study.releases["v2.0"]
        line = "SELECT cohort, count(*), sum(value) FROM meth GROUP BY ALL ORDER BY ALL"
        assert there.sql().sql(line).fetchall() == here.sql().sql(line).fetchall()


def test_a_retraction_is_told_from_a_bucket(study: Study, bucket, tmp_path: Path) -> None:
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    with omicstore.open(mine / "data" / "store") as store:
        retract(store, "v1.0", reason="rna was in log2", date="2026-02-01")
    push(mine / "data" / "store", remote=bucket.url)
    with omicstore.open(bucket.url, release="v1.0") as there:
        assert there.query(cohort="AAA", modalities="rna").warnings == ["release v1.0 is retracted: rna was in log2"]


def test_one_gene_moves_little(study: Study, pushed) -> None:
    with omicstore.open(pushed.url) as store:
        gene = store.union_features("rna")["symbol"].to_list()[3]
        cohort = store.query(cohort="AAA", modalities="rna", genes=gene)
        pushed.requests.clear()
        values = cohort.to_numpy()["rna"]
        index = store.body["index"]["rna"]["path"]
    asked = [request for request in pushed.requests if request[0] == "GET"]
    assert {path.rpartition("/")[2] for _, path, _ in asked} <= {Path(index).name}
    assert len(asked) <= 3  # what the file holds, how its numbers lie, the numbers
    footer = 64 << 10
    assert sum(n for *_, n in asked) <= min(footer, (study.store / index).stat().st_size) + 256 + 4 * 64
    assert values.shape[1] == 1


def test_a_cohort_is_read_in_a_few_requests(study: Study, pushed) -> None:
    with omicstore.open(pushed.url) as store:
        cohort = store.query(cohort="AAA", modalities="rna")
        pushed.requests.clear()
        cohort.to_numpy()
    assert len(pushed.requests) <= 4, pushed.requests


def test_a_part_is_pulled_and_no_other_object_is_read(study: Study, pushed, tmp_path: Path) -> None:
    got = pull(tmp_path / "store", remote=pushed.url, cohorts=["BBB"], modalities=["prot"])
    read = [path for method, path, _ in pushed.requests if method == "GET" and path.endswith(".parquet")]
    assert len(read) == len(set(read)) == got.n_files == 9
    data = sum(n for method, path, n in pushed.requests if method == "GET" and path.endswith(".parquet"))
    assert data == got.n_moved == got.n_bytes
    assert not [path for path in read if "cohort=AAA" in path or "cohort=CCC" in path or "modality=rna" in path]


def test_what_is_there_is_neither_sent_nor_fetched(study: Study, pushed, tmp_path: Path) -> None:
    assert push(study.store, remote=pushed.url).n_files == 0
    assert not [request for request in pushed.requests if request[0] in ("PUT", "POST")]
    pull(tmp_path / "store", remote=pushed.url)
    pushed.requests.clear()
    assert pull(tmp_path / "store", remote=pushed.url).n_files == 0
    assert not [path for method, path, _ in pushed.requests if method == "GET" and path.endswith(".parquet")]


def test_an_object_that_was_changed_is_sent_again(study: Study, pushed, tmp_path: Path) -> None:
    name = json.loads((study.store / "store.json").read_bytes())["matrices"]["AAA"]["rna"]["values"]
    key = f"{pushed.url.removeprefix('s3://bucket/')}/{name}"
    content = pushed.client.get_object(Bucket="bucket", Key=key)["Body"].read()
    pushed.client.put_object(Bucket="bucket", Key=key, Body=content[:-300] + b"\1\2\3\4" + content[-296:])
    with pytest.raises(StoreError, match=f"holds other content than store.json names under {name}"):
        pull(tmp_path / "store", remote=pushed.url)
    assert push(study.store, remote=pushed.url).n_files == 1, "a bucket tells the md5 of what it holds"
    pull(tmp_path / "store", remote=pushed.url)


def test_a_pull_that_broke_goes_on(study: Study, pushed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BLOCK", 1000)
    count = 0

    def break_off(method: str, path: str) -> bool:
        nonlocal count
        count += method == "GET" and path.endswith(".parquet")
        return count > 30

    pushed.fail = break_off
    no_retries(monkeypatch)
    store = tmp_path / "store"
    with pytest.raises(StoreError, match="what came already is kept.*the same command again"):
        pull(store, remote=pushed.url, jobs=2)
    assert not (store / "store.json").exists()
    left = sum(p.stat().st_size for p in store.rglob("*") if p.is_file() and p.name.endswith(".parquet"))
    assert left > 0
    pushed.fail = lambda method, path: False
    pushed.requests.clear()
    got = pull(store, remote=pushed.url)
    moved = sum(n for method, path, n in pushed.requests if method == "GET" and path.endswith(".parquet"))
    assert moved == got.n_moved
    with omicstore.open(store) as opened:
        total = sum((store / path).stat().st_size for path in opened.body["files"])
    assert moved + left == total, "no byte moved twice"


@pytest.mark.slow
def test_a_study_on_a_remote_of_dvc_in_a_bucket(study: Study, bucket, tmp_path: Path) -> None:
    """Push to DVC's remote, clone, pull a part and then the rest, and read a revision without a checkout."""
    mine = tmp_path / "study"
    shutil.copytree(study.folder, mine, symlinks=True)
    dvc(mine, "remote", "add", "-q", "-d", "bucket", f"{bucket.url}/dvc")
    sh(mine, "git", "commit", "-q", "-am", "a bucket")
    assert push(mine / "data" / "store").target == "remote bucket"
    sh(tmp_path, "git", "clone", "-q", str(mine), "clone")
    store = tmp_path / "clone" / "data" / "store"
    bucket.requests.clear()
    part = pull(store, cohorts=["AAA"], modalities=["rna"])
    got = [request for request in bucket.requests if request[0] == "GET" and ".dir" not in request[1]]
    body = json.loads((store / "store.json").read_bytes())
    assert sum(n for *_, n in got if n) <= part.n_moved + 2 * (store / "store.json").stat().st_size
    assert np.array_equal(numbers(store), numbers(study.store), equal_nan=True)
    pull(store)
    assert all((store / path).is_file() for path in body["files"])
    shutil.rmtree(mine / ".dvc" / "cache")
    url = f"git+file://{mine}@HEAD"
    assert np.array_equal(numbers(url), numbers(study.store), equal_nan=True)


class TestMistakes:
    def test_the_bucket_is_absent(self, study: Study, bucket) -> None:
        with pytest.raises(StoreError, match="The specified bucket does not exist.*make it, or correct its name"):
            push(study.store, remote="s3://nosuchbucket/x")

    def test_nothing_is_there(self, bucket, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="there is no store at s3://bucket/"):
            pull(tmp_path / "store", remote=bucket.url)

    def test_no_credentials(self, bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import s3fs

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", str(tmp_path))
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(StoreError, match="there are no credentials.*AWS_ACCESS_KEY_ID"):
            pull(tmp_path / "store", remote=bucket.url)
        s3fs.S3FileSystem.clear_instance_cache()

    def test_offline(self, bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import s3fs

        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        no_retries(monkeypatch)
        with pytest.raises(StoreError, match="cannot be reached.*the same command again"):
            pull(tmp_path / "store", remote=bucket.url)
        s3fs.S3FileSystem.clear_instance_cache()
