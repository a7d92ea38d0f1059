"""Decompressed bytes of a plain, gzip or zip file, in pieces, read ahead in a thread.

The kind of a file is told from its first bytes, not from its name: portals hand out gzip files without ``.gz`` and zip
files whose one member is itself called ``.zip``. gzip is undone by ISA-L, about three times as fast as zlib.
"""

from __future__ import annotations

import codecs
import queue
import re
import threading
import zipfile
import zlib
from typing import TYPE_CHECKING

from isal import isal_zlib
from isal.igzip_lib import IsalError

from omicstore import progress
from omicstore.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from omicstore.progress import Advance

__all__ = ["line_chunks", "pieces", "read_bytes"]

#: Bytes read from the disk at once, and the most that one step of decompression may give.
RAW, PIECE = 1 << 18, 1 << 20

AGAIN = "download the file again and compare its checksum"


def pieces(path: Path, advance: Advance = progress.silent) -> Iterator[bytes]:
    """Yield the decompressed content of a file; UTF-16, as spreadsheets save "Unicode text", becomes UTF-8.

    Parameters
    ----------
    path
        The file.
    advance
        Told how many bytes of the file have been used up.

    Raises
    ------
    SourceError
        If the file is absent, empty, a folder, truncated, damaged, or a zip file with several members.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise SourceError(path, "no such file", run="mend the path in the study file") from None
    except IsADirectoryError:
        raise SourceError(path, "this is a folder", expected="a file", run="name the file in the study file") from None
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror}") from None
    if not magic:
        raise SourceError(path, "the file is empty", expected="a header and rows", run=AGAIN)
    yield from _as_utf8(_decompressed(path, magic, advance))


def _decompressed(path: Path, magic: bytes, advance: Advance) -> Iterator[bytes]:
    if magic[:2] == b"\x1f\x8b":
        yield from _gunzip(path, advance)
    elif magic == b"PK\x03\x04":
        yield from _unzip(path, advance)
    else:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
                advance(len(piece))


def _as_utf8(found: Iterator[bytes]) -> Iterator[bytes]:
    """Yield text in UTF-16 that says so in its first two bytes as UTF-8; anything else as it is."""
    decoder = None
    for number, piece in enumerate(found):
        if number == 0 and piece[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        yield piece if decoder is None else decoder.decode(piece).encode()


def read_bytes(path: Path) -> bytes:
    """Return the whole decompressed content of a file; errors as of `pieces`."""
    with _reading(path) as advance:
        return b"".join(pieces(path, advance))


def line_chunks(path: Path, size: int) -> Iterator[bytes]:
    """Yield whole lines, about `size` bytes at once; the next chunk is made in a thread while this one is used.

    Every chunk ends with a line feed, the last one too, whether or not the file does.
    """
    with _reading(path) as advance:
        yield from _read_ahead(_line_chunks(path, size, advance))


def _reading(path: Path) -> AbstractContextManager[Advance]:
    size = path.stat().st_size if path.is_file() else None
    return progress.task(f"reading {path.name}", total=size, unit="bytes")


def _line_chunks(path: Path, size: int, advance: Advance) -> Iterator[bytes]:
    held: list[bytes] = []
    length = 0
    for piece in pieces(path, advance):
        cut = piece.rfind(b"\n") + 1
        if length + len(piece) >= size and cut:
            yield b"".join([*held, piece[:cut]])
            held, length = [piece[cut:]], len(piece) - cut
        else:
            held.append(piece)
            length += len(piece)
    last = b"".join(held)
    if last:
        yield last if last.endswith(b"\n") else last + b"\n"


def _gunzip(path: Path, advance: Advance) -> Iterator[bytes]:
    engine = isal_zlib.decompressobj(31)
    begun, total = False, 0
    with path.open("rb") as file:
        while raw := file.read(RAW):
            read = len(raw)
            while raw:
                if engine.eof:  # bgzip and `cat a.gz b.gz` give several members; some tools pad with zeros
                    raw = raw.lstrip(b"\0")
                    if not raw:
                        break
                    engine, begun = isal_zlib.decompressobj(31), False
                try:
                    text = engine.decompress(raw, PIECE)
                except IsalError as error:  # type: ignore[misc] # its stub says less than it is
                    reason = re.sub(r"^Error -?\d+ ", "", str(error)).lower()
                    found = f"the gzip data is damaged after {total:,} decompressed bytes ({reason})"
                    raise SourceError(path, found, expected="a whole gzip file", run=AGAIN) from None
                begun = True
                total += len(text)
                raw = engine.unused_data if engine.eof else engine.unconsumed_tail
                if text:
                    yield text
            advance(read)
    if begun and not engine.eof:
        found = f"the gzip data ends too early, after {total:,} decompressed bytes: the file is truncated"
        raise SourceError(path, found, expected="a whole gzip file", run=AGAIN)


def _unzip(path: Path, advance: Advance) -> Iterator[bytes]:
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX/" not in m.filename]
            if len(members) != 1:
                names = ", ".join(m.filename for m in members[:5]) or "nothing"
                found = f"the zip file holds {len(members)} files ({names})"
                raise SourceError(path, found, expected="exactly one", run="unpack it and name the file that is meant")
            with archive.open(members[0]) as member:
                at = file.tell()
                while piece := member.read(PIECE):
                    yield piece
                    advance(file.tell() - at)
                    at = file.tell()
    except (RuntimeError, NotImplementedError) as error:  # what zipfile raises for a password, or a rare method
        found = (
            "the zip file asks for a password"
            if "password" in str(error)
            else f"the zip file cannot be unpacked ({error})"
        )
        raise SourceError(path, found, expected="a zip or gzip file without one", run="unpack it first") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        found = f"the zip file is truncated or damaged ({error})"
        raise SourceError(path, found, expected="a whole zip file", run=AGAIN) from None


def _read_ahead(items: Iterator[bytes]) -> Iterator[bytes]:
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item: bytes | BaseException | None) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that reads
            put(error)

    thread = threading.Thread(target=work, name="omicstore-read-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
