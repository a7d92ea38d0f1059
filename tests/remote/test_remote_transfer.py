"""Files come whole and right or not at all, and a transfer that broke goes on where it ended."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.errors import StoreError
from omicstore.remote import transfer
from omicstore.remote.transfer import bring, each, sizes_of
from omicstore.remote.verify import Checker


class Fake:
    """A source in memory that can break off after some bytes."""

    name = "fake"

    def __init__(self, files: dict[str, bytes], breaks_after: int | None = None) -> None:
        self.files, self.left, self.asked = files, breaks_after, 0

    def size(self, path: str) -> int:
        if path not in self.files:
            raise FileNotFoundError(path)
        return len(self.files[path])

    def read(self, path: str, start: int, stop: int) -> bytes:
        if self.left is not None and self.asked + stop - start > self.left:
            raise ConnectionResetError("reset by peer")
        self.asked += stop - start
        return self.files[path][start:stop]

    def md5(self, path: str) -> str | None:
        return None


def pulled(source: Fake, folder: Path, want: dict[str, bytes], jobs: int = 1) -> transfer.Brought:
    sizes, absent = sizes_of(source, sorted(source.files), jobs)
    assert absent == []
    return bring(source, sizes, folder, lambda path, file: file.read_bytes() == want[path], jobs)


@settings(max_examples=40, deadline=None)
@given(
    files=st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e/f/g"]), st.binary(max_size=40), min_size=1),
    breaks=st.integers(0, 60),
    block=st.integers(1, 16),
    jobs=st.integers(1, 4),
)
def test_a_broken_transfer_goes_on_and_moves_no_byte_twice(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], breaks: int, block: int, jobs: int
) -> None:
    folder = tmp_path_factory.mktemp("pulled")
    total = sum(map(len, files.values()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "BLOCK", block)
        first, broke = Fake(files, breaks), ""
        try:
            pulled(first, folder, files, jobs)
        except StoreError as error:
            broke = str(error)
        assert ("reset by peer" in broke and "what came already is kept" in broke) == (breaks < total)
        named = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".tmp-")]
        assert all(p.read_bytes() == files[p.relative_to(folder).as_posix()] for p in named)
        there = {path for path in files if (folder / path).is_file()}
        rest = {path: content for path, content in files.items() if path not in there}
        second = Fake(rest)
        done = pulled(second, folder, files, jobs) if rest else transfer.Brought()
    assert {path: (folder / path).read_bytes() for path in files} == files
    assert not list(folder.rglob(".tmp-*"))
    assert first.asked + second.asked == total
    assert done.n_bytes == second.asked


def test_what_an_older_transfer_left_wrong_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / ".tmp-a").write_bytes(b"of another")
    done = pulled(Fake({"a": b"of this file, which is longer"}), tmp_path, {"a": b"of this file, which is longer"})
    assert (tmp_path / "a").read_bytes() == b"of this file, which is longer"
    assert done.wrong == []


def test_wrong_content_is_removed_and_named_and_the_rest_comes(tmp_path: Path) -> None:
    done = pulled(Fake({"a": b"right", "b": b"wrung"}), tmp_path, {"a": b"right", "b": b"wrong"}, jobs=2)
    assert done.wrong == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_absent_files_are_named() -> None:
    assert sizes_of(Fake({"a": b"1"}), ["a", "c", "b"]) == ({"a": 1}, ["b", "c"])


def test_the_first_error_stops_those_that_have_not_begun() -> None:
    began, stop = [], threading.Event()

    def do(number: int) -> None:
        began.append(number)
        time.sleep(0.001)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        each(do, list(range(2_000)), 1, stop)
    assert stop.is_set()
    assert len(began) < 2_000


@pytest.fixture
def checked(tiny_store: Path) -> tuple[Checker, dict]:
    body = json.loads((tiny_store / "store.json").read_bytes())
    return Checker(body, tiny_store), body


def test_every_file_of_a_store_holds_what_store_json_says(checked: tuple[Checker, dict], tiny_store: Path) -> None:
    checker, body = checked
    assert [path for path in body["files"] if not checker.holds(path, tiny_store / path)] == []


def test_any_other_content_is_refused(checked: tuple[Checker, dict], tiny_store: Path, tmp_path: Path) -> None:
    """Of each kind of file: another file of the kind, one that is cut off, one with a byte changed, an empty one."""
    checker, body = checked
    matrices = body["matrices"]
    pairs = {
        matrices["AAA"]["rna"]["values"]: matrices["BBB"]["rna"]["values"],
        matrices["AAA"]["rna"]["features"]: matrices["BBB"]["rna"]["features"],
        body["tables"]["patients"]: body["tables"]["labels"],
        body["samples"]: body["tables"]["patients"],
        body["reports"]["AAA"]: body["tables"]["patients"],
        body["index"]["rna"]["path"]: body["index"]["meth"]["path"],
        body["index"]["rna"]["features"]: body["index"]["prot"]["features"],
    }
    for path, other in pairs.items():
        content = (tiny_store / path).read_bytes()
        middle = len(content) // 3
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        kinds = {"other": (tiny_store / other).read_bytes(), "cut": content[:-9], "empty": b"", "changed": changed}
        for kind, bad in kinds.items():
            (tmp_path / "bad.parquet").write_bytes(bad)
            # A byte that no value depends on may change: then the content is the same.
            assert kind == "changed" or not checker.holds(path, tmp_path / "bad.parquet"), (path, kind)


def test_one_number_of_an_index_is_enough(checked: tuple[Checker, dict], tiny_store: Path, tmp_path: Path) -> None:
    import polars as pl

    from omicstore.store.matrixfile import MatrixWriter

    checker, body = checked
    entry = body["index"]["rna"]
    frame = pl.read_parquet(tiny_store / entry["path"], glob=False, hive_partitioning=False)
    values = frame["values"].to_numpy().copy()
    for wrong in (False, True):
        values[3, 2] += wrong
        with MatrixWriter(tmp_path / "index.parquet", ["feature_id", "symbol"], values.shape[1]) as out:
            out.write({name: frame[name].to_list() for name in ("feature_id", "symbol")}, values)
        assert checker.holds(entry["path"], tmp_path / "index.parquet") is not wrong
