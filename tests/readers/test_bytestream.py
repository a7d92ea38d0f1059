"""Plain, gzip and zip files give the same bytes, and damage is never passed over."""

from __future__ import annotations

import gzip
import threading
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore import progress
from omicstore.errors import SourceError
from omicstore.readers import bytestream
from omicstore.readers.bytestream import line_chunks, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = b"".join(b"line %d\n" % i for i in range(5000))


def test_plain_gzip_and_zip_hold_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(TEXT)
    (tmp_path / "named_plain.tsv").write_bytes(gzip.compress(TEXT))  # the name does not tell
    (tmp_path / "two.gz").write_bytes(gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + b"\0" * 512)
    with zipfile.ZipFile(tmp_path / "b.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._b", b"junk")
        archive.writestr("./b.csv.zip", TEXT)  # as the tables of PORPOISE name their member
    for name in ("a.tsv", "named_plain.tsv", "two.gz", "b.csv.zip"):
        assert read_bytes(tmp_path / name) == TEXT, name


@given(st.binary(min_size=1, max_size=300), st.integers(1, 80), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_chunks_are_whole_lines_and_lose_nothing(tmp_path_factory, text: bytes, size: int, piece: int) -> None:
    path = tmp_path_factory.mktemp("chunks") / "x"
    path.write_bytes(b"x" + text)  # not the first bytes of an archive
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytestream, "PIECE", piece)
        chunks = list(line_chunks(path, size))
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    whole = b"x" + text
    assert b"".join(chunks) == (whole if whole.endswith(b"\n") else whole + b"\n")


@pytest.mark.parametrize("cut", [11, 30, -9, -1])
def test_every_truncation_of_gzip_is_found(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT)[:cut])
    with pytest.raises(SourceError, match="truncated"):
        read_bytes(path)


def test_wrong_checksum_of_gzip_is_found(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(TEXT))
    data[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged after .* \(incorrect checksum found\)"):
        read_bytes(tmp_path / "a.gz")


def test_truncated_zip_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", TEXT)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match="zip file is truncated or damaged"):
        read_bytes(path)


def test_a_reader_that_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(TEXT * 50)
    before = threading.active_count()
    chunks = line_chunks(tmp_path / "a", 1000)
    next(chunks)
    chunks.close()
    assert threading.active_count() == before


def test_an_error_in_the_thread_reaches_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT)[:-20])
    with pytest.raises(SourceError, match="truncated"):
        list(line_chunks(path, 100))


def test_progress_counts_the_bytes_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(TEXT)
    (tmp_path / "a.gz").write_bytes(gzip.compress(TEXT[:9000]) + gzip.compress(TEXT[9000:]))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tsv", TEXT)
    told: list[tuple[str, float | None, float]] = []

    @contextmanager
    def show(what: str, total: float | None, unit: str) -> Iterator[progress.Advance]:
        done = [0.0]

        def advance(n: float = 1) -> None:
            done[0] += n

        yield advance
        told.append((f"{what} ({unit})", total, done[0]))

    for name in ("a.tsv", "a.gz", "a.zip"):
        with progress.shown_by(show):
            assert b"".join(line_chunks(tmp_path / name, 1000)) == TEXT
        what, total, done = told.pop()
        assert what == f"reading {name} (bytes)"
        assert total == (tmp_path / name).stat().st_size
        assert 0.5 * total < done <= total
