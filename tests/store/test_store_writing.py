"""A store is the old one or the new one, whatever happens to its writer."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from store_factory import make_cohort, make_patches, make_store

import omicstore
from omicstore.errors import LockedError, StoreError
from omicstore.schema import matrix_rows
from omicstore.store import files, lock
from omicstore.store.lease import Lease
from omicstore.store.writer import assemble, write_cohort

TESTS = Path(__file__).resolve().parent.parent


def content(root: Path) -> dict[str, object]:
    """What a reader sees."""
    with omicstore.open(root) as store:
        found = {"release": store.release}
        for cohort in store.cohorts:
            chosen = store.query(cohort, sample_type="all")
            found[cohort] = {m: values.tobytes() for m, values in chosen.to_numpy().items()}
        found |= {name: store.table(name).rows() for name in ("patients", "profiles")}
        return found


def no_leftovers(root: Path) -> None:
    named = set(json.loads((root / "store.json").read_bytes())["files"])
    for cohort in root.glob("cohort=*"):
        named |= set(json.loads((cohort / "cohort.json").read_bytes())["files"])
    there = {p.relative_to(root).as_posix() for p in root.rglob("*.parquet")}
    assert there == named
    assert not [p for p in root.rglob("*") if ".tmp-" in p.name]


def write(root: Path, seed: int, **kwargs) -> str:
    make_cohort("AAA", seed=seed, n_patients=8, **kwargs).write(root, "AAA")
    return assemble(root, ["AAA"], dataset="tiny", simulated=True)


def test_same_input_gives_same_bytes(tmp_path):
    make_store(tmp_path / "a", n_patients=6)
    make_store(tmp_path / "b", n_patients=6)
    paths = {
        p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file() and ".locks" not in p.parts
    }
    assert paths
    for path in paths:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path


def test_another_cohort_touches_no_file_of_this_one(tmp_path):
    write(tmp_path, 0)
    before = {p: p.read_bytes() for p in (tmp_path / "cohort=AAA").rglob("*") if p.is_file()}
    make_cohort("BBB", n_patients=6, first_feature=7).write(tmp_path, "BBB")
    assemble(tmp_path, ["AAA", "BBB"], dataset="tiny", simulated=True)
    assert {p: p.read_bytes() for p in (tmp_path / "cohort=AAA").rglob("*") if p.is_file()} == before


def test_old_files_are_swept_by_the_next_build(tmp_path):
    write(tmp_path, 0)
    write(tmp_path, 1)
    write(tmp_path, 2)
    write(tmp_path, 2)
    write(tmp_path, 2)
    no_leftovers(tmp_path)


def test_reader_keeps_its_release(tmp_path):
    write(tmp_path, 0)
    old = omicstore.open(tmp_path)
    expected = content(tmp_path)["AAA"]["rna"]
    for seed in (1, 2, 3):
        write(tmp_path, seed)
    assert old.query("AAA", sample_type="all").to_numpy("rna").tobytes() == expected
    assert old.table("patients").height == 8
    with omicstore.open(tmp_path) as new:
        assert new.release != old.release
    old.close()
    old.close()
    write(tmp_path, 3)
    write(tmp_path, 3)
    no_leftovers(tmp_path)
    assert not list((tmp_path / ".leases").iterdir())


def test_lease_of_a_dead_reader_does_not_count(tmp_path):
    write(tmp_path, 0)
    code = f"import omicstore, os; s = omicstore.open({str(tmp_path)!r}); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert list((tmp_path / ".leases").iterdir())
    write(tmp_path, 1)
    assert not list((tmp_path / ".leases").iterdir())
    write(tmp_path, 1)
    no_leftovers(tmp_path)


def test_store_that_cannot_be_written_to_can_be_read(tmp_path, monkeypatch):
    write(tmp_path, 0)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Lease, "_claim", refuse)
    assert content(tmp_path)["AAA"]


def test_second_writer_is_told_who_holds_the_lock(tmp_path, monkeypatch, caplog):
    write(tmp_path, 0)
    code = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from omicstore.store.lock import write_locks
        with write_locks(Path({str(tmp_path)!r}), ["cohort=AAA"]):
            print("held", flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        monkeypatch.setattr(lock, "PATIENCE", 0.2)
        for writer in (lambda: write(tmp_path, 1), lambda: assemble(tmp_path, ["AAA"], dataset="x", simulated=True)):
            with pytest.raises(LockedError, match=rf"process {holder.pid} on .* is writing to .*cohort=AAA"):
                writer()
        assert "waiting for process" in caplog.text
        make_cohort("BBB", n_patients=4).write(tmp_path, "BBB")  # another cohort's writer does not wait
        holder.kill()
    assert write(tmp_path, 1)


def test_waits_for_the_first_writer(tmp_path):
    code = f"""
import sys, time; sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from omicstore.store.lock import write_locks
with write_locks(Path({str(tmp_path)!r}), ["cohort=AAA"]):
    print("held", flush=True); time.sleep(0.5)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        started = time.monotonic()
        assert write(tmp_path, 0)
        assert time.monotonic() - started > 0.2


@pytest.mark.parametrize("place", ["fsync", "table", "matrix"])
def test_full_disk_leaves_the_old_store(tmp_path, monkeypatch, place):
    write(tmp_path, 0)
    before = content(tmp_path)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if place == "fsync":
            patch.setattr(files.os, "fsync", full)
        elif place == "table":
            patch.setattr(pl.DataFrame, "write_parquet", full)
        else:
            patch.setattr("omicstore.store.matrixfile.MatrixWriter.write", full)
        with pytest.raises(
            StoreError, match=r"^the disk of .* is full .*the store is as it was\. To mend it: make room"
        ):
            write(tmp_path, 1)
    assert content(tmp_path) == before
    write(tmp_path, 1)
    write(tmp_path, 1)
    no_leftovers(tmp_path)


def test_real_full_disk_error_is_recognised(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is Linux's")
    with (
        pytest.raises(StoreError, match="full"),
        files.tell_full_disk(tmp_path),
        Path("/dev/full").open("wb", 0) as stream,
    ):
        stream.write(b"x")


CHILD = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from store_factory import make_cohort
from omicstore.schema import matrix_rows
from omicstore.store.writer import assemble
left = {calls}
def dying(real):
    def call(*args, **kwargs):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*args, **kwargs)
    return call
os.fsync, os.replace = dying(os.fsync), dying(os.replace)
root = Path({root!r})
make_cohort("AAA", seed=1, n_patients=8, **{small}).write(root, "AAA")
assemble(root, ["AAA"], dataset="tiny", simulated=True)
"""


def test_killed_at_any_step(tmp_path, monkeypatch):
    small = {"modalities": ("rna",), "n_features": 5}
    calls = []
    with monkeypatch.context() as patch:
        for name in ("fsync", "replace"):
            real = getattr(os, name)
            patch.setattr(os, name, lambda *a, real=real: calls.append(real) or real(*a))
        write(tmp_path / "new", 1, **small)
    new = content(tmp_path / "new")
    # The last two calls are the commit and the sync of its folder.
    commit = len(calls) - 2
    states = {}
    for point in (0, commit // 3, commit - 1, commit, commit + 1):
        root = tmp_path / f"kill-{point}"
        write(root, 0, **small)
        old = content(root)
        code = CHILD.format(tests=str(TESTS), calls=point, root=str(root), small=small)
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
        seen = content(root)
        assert seen in (old, new)
        states[point] = seen == new
        write(root, 1, **small)
        assert content(root) == new
        write(root, 1, **small)
        no_leftovers(root)
    assert [p for p, is_new in states.items() if is_new] == [commit + 1]


def test_killed_at_any_time(tmp_path):
    write(tmp_path, 0)
    possible = [content(tmp_path)]
    for seed in range(1, 3):
        write(tmp_path / "other", seed)
        possible.append(content(tmp_path / "other"))
    code = f"""
import sys; sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from store_factory import make_cohort
from omicstore.schema import matrix_rows
from omicstore.store.writer import assemble
root = Path({str(tmp_path)!r})
print("ready", flush=True)
while True:
    for seed in range(3):
        make_cohort("AAA", seed=seed, n_patients=8).write(root, "AAA")
        assemble(root, ["AAA"], dataset="tiny", simulated=True)
"""
    for attempt in range(3):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(random.Random(attempt).uniform(0.01, 0.3))
            os.kill(writer.pid, signal.SIGKILL)
        assert content(tmp_path) in possible
    write(tmp_path, 0)
    assert content(tmp_path) == possible[0]


BROKEN = {
    "empty": (
        lambda p: setattr(p, "values", p.values[:0]) or setattr(p, "rows", p.rows[:0]),
        "the rna matrix of AAA has 0 samples",
    ),
    "no features": (
        lambda p: setattr(p, "values", p.values[:, :0]) or setattr(p, "features", p.features[:0]),
        "the rna matrix of AAA has 0 features",
    ),
    "infinite": (
        lambda p: p.values.__setitem__((2, 3), np.inf),
        "is infinite at sample SIMU-.*, feature ENSG00000000003",
    ),
    "shape": (lambda p: setattr(p, "rows", p.rows[:-1]), "its axes are"),
    "twice": (
        lambda p: setattr(p, "rows", p.rows.with_columns(sample_id=pl.lit("s"))),
        "sample_id is missing or there twice",
    ),
    "unsorted": (lambda p: setattr(p, "features", p.features.reverse()), "not sorted by feature_id"),
    "text": (lambda p: setattr(p, "modality", "report"), "report is no matrix"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_matrices_are_refused(tmp_path, name):
    write(tmp_path, 0)
    before = content(tmp_path)
    data = make_cohort("AAA", seed=1, n_patients=6)
    change, message = BROKEN[name]
    change(data.parts["rna"])
    with pytest.raises(StoreError, match=message):
        data.write(tmp_path, "AAA")
    assert content(tmp_path) == before


def test_two_matrices_of_one_modality_are_refused(tmp_path):
    data = make_cohort("AAA", n_patients=6)
    with pytest.raises(StoreError, match="came twice"):
        write_cohort(tmp_path, "AAA", matrices=[data.parts["rna"]] * 2, tables={})


def test_profile_that_the_sample_map_lacks_is_refused(tmp_path):
    data = make_cohort("AAA", n_patients=6)
    data.tables["profiles"] = data.tables["profiles"].with_columns(chosen=pl.lit(value=False))
    data.write(tmp_path, "AAA")
    with pytest.raises(StoreError, match=r"profile .* of the rna matrix of AAA is not a chosen profile"):
        assemble(tmp_path, ["AAA"], dataset="tiny", simulated=True)


def test_row_of_several_platforms_names_the_chosen_profile_of_each(tmp_path):
    data = make_cohort("AAA", n_patients=6, n_normals=0, modalities=("metab",), missing=0.0)
    profiles = data.tables["profiles"].with_columns(chosen=pl.lit(value=True))  # the first sample has two
    data.tables["profiles"] = profiles
    data.write(tmp_path, "AAA")
    with pytest.raises(StoreError, match=r"is not a chosen profile of the sample map"):
        assemble(tmp_path, ["AAA"], dataset="tiny", simulated=True)
    part = data.parts["metab"]
    part.rows = matrix_rows(profiles).select("sample_id", "profile_id")
    first = part.rows["profile_id"][0]
    assert first == "+".join(f"{part.rows['sample_id'][0]}{vial}-metab" for vial in "AB")
    data.write(tmp_path, "AAA")
    assemble(tmp_path, ["AAA"], dataset="tiny", simulated=True)
    with omicstore.open(tmp_path) as store:
        found = store.query("AAA", "metab")
        assert found.summary()["modalities"]["metab"] | {"units": {}} == {
            "n_samples": 6, "n_profiles": 7, "n_features": 30, "unit": "intensity", "units": {},
        }  # fmt: skip
        np.testing.assert_array_equal(found.to_numpy("metab"), part.values)


def test_cohort_that_is_not_built_is_named(tmp_path):
    with pytest.raises(StoreError, match="cohort BBB has not been built.*omicstore build BBB"):
        assemble(tmp_path, ["bbb"], dataset="tiny", simulated=True)


def test_patches(tmp_path):
    data = make_cohort("AAA", n_patients=6, missing=0.0)
    samples = data.parts["rna"].rows["sample_id"].to_list()[:3]
    data.patches = make_patches(samples)
    data.write(tmp_path, "AAA")
    first = assemble(tmp_path, ["AAA"], dataset="tiny", simulated=True)
    data.patches = make_patches(samples)[::-1]
    data.write(tmp_path, "AAA")
    assert assemble(tmp_path, ["AAA"], dataset="tiny", simulated=True) == first
    with omicstore.open(tmp_path) as store:
        cohort = store.query("AAA", "rna,patches", sample_type="all")
        assert cohort.summary()["modalities"]["patches"]["n_samples"] == 3
        assert cohort.to_polars("patches").height == 15
        assert list(cohort.to_numpy()) == ["rna"]
    data.patches = [make_patches(samples)[0], make_patches(samples)[0]]
    with pytest.raises(StoreError, match="came twice"):
        data.write(tmp_path, "AAA")
