"""Pushing to and pulling from a URL or folder, where the store lies as it lies here."""

from __future__ import annotations

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import fsspec
import numpy as np
import pytest

import omicstore
from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.releases import release, retract
from omicstore.remote import pull, push, send


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, store_factory: ModuleType) -> Path:
    """A store with a release, of which a newer state has another AAA; only for reading."""
    store = tmp_path_factory.mktemp("whole") / "store"
    store_factory.make_store(store, n_patients=10)
    with omicstore.open(store) as opened:
        release(opened, "v1", date="2026-01-01")
    changed = store_factory.make_cohort("AAA", seed=5, n_patients=10, reports=True)
    changed.write(store, "AAA")
    store_factory.assemble(store, ["AAA", "BBB", "CCC"], dataset="tiny", simulated=True)
    return store


@pytest.fixture
def memory() -> str:
    """A prefix in memory, empty."""
    fsspec.filesystem("memory").store.clear()
    return "memory://bucket/prefix"


def numbers(place: str | Path, release: str | None = None, **question: Any) -> np.ndarray:
    with omicstore.open(place, release=release) as store:
        return store.query(**question).to_numpy()[question["modalities"]]


def names(folder: Path) -> set[str]:
    return {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and "/." not in f"/{p.relative_to(folder)}"
    }


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_there_and_back(whole: Path, memory: str, tmp_path: Path, kind: str) -> None:
    url = memory if kind == "memory" else str(tmp_path / "copy")
    sent = push(whole, remote=url)
    got = pull(tmp_path / "store", remote=url)
    assert sent.n_files == len({name for name in names(whole) if name.endswith(".parquet") and "/catalog/" not in name})
    with omicstore.open(whole) as a, omicstore.open(tmp_path / "store") as b, omicstore.open(url) as c:
        assert a.release == b.release == c.release == got.release
        assert [n.name for n in c.registry.names] == [n.name for n in b.registry.names] == ["v1"]
    ask = {"cohort": "AAA", "modalities": "rna"}
    here = numbers(whole, **ask)
    assert np.array_equal(here, numbers(url, **ask), equal_nan=True)
    assert np.array_equal(here, numbers(tmp_path / "store", **ask), equal_nan=True)
    assert push(whole, remote=url).n_files == 0
    assert pull(tmp_path / "store", remote=url).n_files == 0


def test_an_older_release_by_its_name(whole: Path, memory: str, tmp_path: Path) -> None:
    push(whole, remote=memory)
    ask = {"cohort": "AAA", "modalities": "rna"}
    older = numbers(whole, "v1", **ask)
    assert not np.array_equal(older, numbers(whole, **ask), equal_nan=True)
    assert np.array_equal(older, numbers(memory, "v1", **ask), equal_nan=True)
    got = pull(tmp_path / "store", "v1", remote=memory, cohorts=["AAA"], modalities=["rna"])
    assert got.name == "v1"
    assert np.array_equal(older, numbers(tmp_path / "store", "v1", **ask), equal_nan=True)
    with pytest.raises(StoreError, match=r"To mend it: omicstore pull brings it"):
        numbers(tmp_path / "store", **ask)


def test_a_release_alone_leaves_what_is_newest_there(whole: Path, memory: str) -> None:
    push(whole, "v1", remote=memory)
    assert numbers(memory, "v1", cohort="BBB", modalities="meth").shape[0] > 0
    with pytest.raises(StoreError, match="there is no store at memory://"):
        omicstore.open(memory)
    push(whole, remote=memory)
    push(whole, "v1", remote=memory)
    with omicstore.open(memory) as there, omicstore.open(whole) as here:
        assert there.release == here.release


def test_retractions_travel(whole: Path, memory: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    push(store, remote=memory)
    with omicstore.open(store) as opened:
        retract(opened, "v1", reason="rna was in log2", date="2026-02-01")
    push(store, remote=memory)
    with omicstore.open(memory, release="v1") as there:
        cohort = there.query(cohort="AAA", modalities="rna")
    assert cohort.warnings == ["release v1 is retracted: rna was in log2"]


def test_only_what_is_asked_moves(whole: Path, memory: str, tmp_path: Path) -> None:
    push(whole, remote=memory)
    store = tmp_path / "store"
    plan = pull(store, remote=memory, cohorts=["BBB"], modalities=["prot"], dry_run=True)
    assert not store.exists()
    got = pull(store, remote=memory, cohorts=["BBB"], modalities=["prot"])
    assert (plan.n_files, plan.n_bytes) == (got.n_files, got.n_bytes)
    held = {name for name in names(store) if name.endswith(".parquet")}
    assert {n for n in held if n.startswith("cohort=")} == {n for n in names(whole) if "cohort=BBB/modality=prot" in n}
    assert len(held) == got.n_files
    assert got.n_moved == got.n_bytes == sum((store / name).stat().st_size for name in held)
    more = pull(store, remote=memory, cohorts=["BBB"], modalities=["rna"])
    assert more.n_files == 3  # values and features of the matrix, features of the index
    assert pull(store, remote=memory).n_there == got.n_files + more.n_files


def test_wrong_content_is_refused_and_another_push_mends_it(whole: Path, memory: str, tmp_path: Path) -> None:
    push(whole, remote=memory)
    system = fsspec.filesystem("memory")
    (path,) = (
        p for p in system.find("/bucket/prefix") if "cohort=AAA/modality=rna/values" in p and p.endswith(current(whole))
    )
    content = system.cat_file(path)
    other = bytearray(content)
    other[-400] ^= 0xFF
    system.pipe_file(path, bytes(other))
    store = tmp_path / "store"
    with pytest.raises(
        StoreError, match=r"holds other content than store.json names under cohort=AAA/modality=rna/values"
    ):
        pull(store, remote=memory)
    assert not (store / "store.json").exists()
    assert current(whole) not in {p.name for p in store.rglob("*")}
    push(whole, remote=memory, overwrite=True)
    assert pull(store, remote=memory).n_files >= 1
    assert numbers(store, cohort="AAA", modalities="rna").shape[0] > 0


def current(store: Path) -> str:
    body = json.loads((store / "store.json").read_bytes())
    return Path(body["matrices"]["AAA"]["rna"]["values"]).name


def test_what_is_broken_here_is_mended_by_a_pull_and_never_pushed(whole: Path, memory: str, tmp_path: Path) -> None:
    push(whole, remote=memory)
    store = tmp_path / "store"
    shutil.copytree(whole, store)
    path = next(store.glob(f"cohort=AAA/modality=rna/{current(store)}"))
    content = path.read_bytes()
    path.write_bytes(content[:-400] + b"\0" * 8 + content[-392:])
    with pytest.raises(StoreError, match=r"holds other content than it should: cohort=AAA/modality=rna/values"):
        push(store, remote=str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere" / "store.json").exists()
    assert pull(store, remote=memory).n_files == 1
    assert path.read_bytes() == content


def test_a_push_that_is_killed_leaves_the_old_store_whole(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_factory: ModuleType
) -> None:
    store, url = tmp_path / "store", str(tmp_path / "there")
    shutil.copytree(whole, store)
    push(store, remote=url)
    with omicstore.open(url) as before:
        first = before.release
    store_factory.make_cohort("BBB", seed=8, n_patients=10).write(store, "BBB")
    store_factory.assemble(store, ["AAA", "BBB", "CCC"], dataset="tiny", simulated=True)
    put, n = send._put, 0

    def dies(upload: Any, advance: Any) -> None:
        nonlocal n
        n += 1
        if n > 4:
            raise KeyboardInterrupt
        put(upload, advance)

    monkeypatch.setattr(send, "_put", dies)
    with pytest.raises(KeyboardInterrupt):
        push(store, remote=url, jobs=1)
    assert pull(tmp_path / "again", remote=url).release == first
    monkeypatch.setattr(send, "_put", put)
    done = push(store, remote=url)
    assert done.release != first
    assert done.n_there >= 4
    assert pull(tmp_path / "again", remote=url).replaced == first


def test_another_study_and_another_release_of_the_same_name_are_refused(
    whole: Path, memory: str, tmp_path: Path, store_factory: ModuleType
) -> None:
    push(whole, remote=memory)
    for dataset, match in (
        ("other", "holds the study 'tiny', and this is 'other'"),
        ("tiny", "v1 is release .* here, and"),
    ):
        store = tmp_path / dataset / "store"
        store_factory.make_cohort("AAA", seed=3, n_patients=6).write(store, "AAA")
        store_factory.assemble(store, ["AAA"], dataset=dataset, simulated=True)
        with omicstore.open(store) as opened:
            release(opened, "v1", date="2026-01-01")
        with pytest.raises(UsageError, match=match):
            push(store, remote=memory)


def test_a_part_of_a_store_is_not_pushed(whole: Path, memory: str, tmp_path: Path) -> None:
    push(whole, remote=memory)
    pull(tmp_path / "store", remote=memory, cohorts=["AAA"], modalities=["rna"])
    with pytest.raises(StoreError, match=r"lacks \d+ files of this release: .* To mend it: omicstore pull brings"):
        push(tmp_path / "store", remote=str(tmp_path / "elsewhere"))


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        ({"release": "v7"}, UnknownNameError, "unknown release 'v7'. Expected one of v1"),
        ({"cohorts": ["AAX"]}, UnknownNameError, "unknown cohort 'AAX'. Expected one of AAA"),
        ({"remote": "memory://elsewhere/x"}, StoreError, "there is no store at memory://elsewhere/x"),
        ({"remote": "nosuch://a/b"}, StoreError, "nosuch://a/b cannot be opened"),
    ],
)
def test_mistakes(whole: Path, memory: str, tmp_path: Path, words: dict[str, Any], error: type, match: str) -> None:
    push(whole, remote=memory)
    with pytest.raises(error, match=match):
        pull(tmp_path / "store", **{"remote": memory, **words})


def test_a_lost_file_is_named_before_anything_moves(whole: Path, memory: str, tmp_path: Path) -> None:
    push(whole, remote=memory)
    fsspec.filesystem("memory").rm(f"/bucket/prefix/cohort=AAA/modality=rna/{current(whole)}")
    with pytest.raises(
        StoreError, match="lacks 1 file: cohort=AAA/modality=rna/values.*nothing was moved.*omicstore push"
    ):
        pull(tmp_path / "store", remote=memory)
    assert not list((tmp_path / "store").rglob("*.parquet"))


def test_a_web_server_that_knows_no_ranges(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(whole)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        ask = {"cohort": "AAA", "modalities": "rna"}
        assert np.array_equal(numbers(url, **ask), numbers(whole, **ask), equal_nan=True)
        assert np.array_equal(numbers(url, "v1", **ask), numbers(whole, "v1", **ask), equal_nan=True)
        assert pull(tmp_path / "store", remote=url, cohorts=["AAA"]).n_files > 10
        assert np.array_equal(numbers(tmp_path / "store", **ask), numbers(whole, **ask), equal_nan=True)
    finally:
        server.shutdown()
        server.server_close()
