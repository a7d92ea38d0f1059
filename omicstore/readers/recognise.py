"""What readers need to tell files of their formats: the first part of a file, and a guess at what it is.

A reader module may have a function ``recognise(head) -> Guess | None``. It looks at `Head` alone, is quick, never
raises, and returns None unless the file is of one of its formats. It need not tell what content tells of any file
(unit, modality, orientation, ids, cohort): `omicstore.recognise` fills what is None.
"""

from __future__ import annotations

import itertools
import os
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omicstore.errors import SourceError
from omicstore.readers.bytestream import pieces
from omicstore.readers.delimited import sniff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.readers.delimited import Layout

__all__ = ["START", "Guess", "Head", "look"]

#: Bytes of a file, files of a folder, and ids that are looked at.
START, NAMES, IDS = 1 << 16, 4_000, 50


@dataclass(frozen=True)
class Head:
    """The first part of a file, or the names in a folder.

    Attributes
    ----------
    path
        The file or folder.
    is_dir
        Which of the two.
    names
        Of a folder: the files below it, relative to it with ``/``, sorted, at most a few thousand.
    start
        Of a file: its first 64 KiB, decompressed if gzip or zip (of one member).
    """

    path: Path
    is_dir: bool = False
    names: tuple[str, ...] = ()
    start: bytes = b""

    @cached_property
    def text(self) -> str:
        """`start` as text, damaged characters replaced; empty for a binary file."""
        return "" if b"\0" in self.start else self.start.decode("utf-8-sig", "replace")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The whole lines of `text`."""
        lines = self.text.splitlines()
        return tuple(lines[:-1] if len(self.start) >= START else lines)

    @cached_property
    def layout(self) -> Layout | None:
        """The header and first rows of a delimited table; None if the file is none."""
        # What begins so is JSON or XML, which may be one line of gigabytes.
        if self.is_dir or self.text.lstrip()[:1] in ("", "{", "[", "<"):
            return None
        try:
            return sniff(self.path)
        except SourceError:
            return None

    @cached_property
    def header(self) -> tuple[str, ...]:
        """The column names of a delimited table; nothing if the file is none."""
        return () if self.layout is None else tuple(self.layout.header)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The first cells of the first column, without blanks around them."""
        return () if self.layout is None else tuple(row[0].strip() for row in self.layout.rows[:IDS] if row)

    def column(self, name: str) -> list[str]:
        """Return the first cells of a column; nothing if there is no such column."""
        if self.layout is None or name not in self.header:
            return []
        at = self.header.index(name)
        return [row[at].strip() for row in self.layout.rows if at < len(row)]


@dataclass(frozen=True)
class Guess:
    """What a file seems to be.

    Attributes
    ----------
    format
        One of `omicstore.formats.FORMATS` or of `omicstore.sources.REFERENCE_FORMATS`.
    sure
        Whether the format is certain.
    modality, unit, orientation, id_type, cohort
        As in the study file (`id_type`: what the features' ids are); None where the reader cannot tell.
    unsure
        Which of these, or ``format``, are guesses.
    notes
        What a person must know, a sentence each.
    specific
        10 for a format told by a signature (magic columns, file names, meta files), 5 for looser tests, 0 for
        formats that nearly any table fits. The highest wins.
    keys
        Further keys that the source's entry in the study file needs: ``id``, ``text``, ``platform``, ``missing``, ...
    """

    format: str
    sure: bool = True
    modality: str | None = None
    unit: str | None = None
    orientation: str | None = None
    id_type: str | None = None
    cohort: str | None = None
    unsure: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    specific: int = 0
    keys: dict[str, Any] = field(default_factory=dict)


def look(path: Path) -> Head:
    """Read the first part of a file, or the names in a folder.

    Raises
    ------
    SourceError
        If it does not exist, cannot be read, or its compressed data is damaged in the first part.
    """
    if path.is_dir():
        return Head(path, is_dir=True, names=tuple(sorted(itertools.islice(_below(path, path), NAMES))))
    if path.exists() and not path.is_file():
        raise SourceError(path, "this is a pipe or device", expected="a file, which can be read twice")
    try:
        return Head(path, start=_start(path))
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror}") from None


def _below(folder: Path, root: Path) -> Iterator[str]:
    """Files of a folder before those of its folders, so that a limit cuts off the deepest."""
    with os.scandir(folder) as found:
        entries = sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    for entry in entries:
        if entry.is_file():
            yield Path(entry.path).relative_to(root).as_posix()
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), root)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(START)
    if raw[:4] == b"PK\x03\x04" and not _is_one_table(path):
        return raw
    held = b""
    for piece in pieces(path):
        held += piece
        if len(held) >= START:
            break
    return held[:START]


def _is_one_table(path: Path) -> bool:
    """Whether a zip file is one compressed file, rather than an archive (npz, pt, xlsx, ...) of several."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(not m.is_dir() and "__MACOSX/" not in m.filename for m in archive.infolist()) == 1
    except (zipfile.BadZipFile, OSError):
        return True
