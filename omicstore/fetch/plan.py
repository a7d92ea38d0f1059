"""What a fetch brings: files, the sources that they are, and the words that go with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omicstore.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Item", "Part", "Plan", "plain_name", "size_text"]


@dataclass(frozen=True, slots=True)
class Item:
    """One file to download.

    Attributes
    ----------
    path
        Where it goes, below the folder of the fetch, with forward slashes.
    url
        Where it comes from.
    size
        In bytes; None where the server does not say.
    md5
        Of the whole file (hexadecimal); None where the server does not say.
    etag
        The server's own mark of this version of the file; None where it gives none.
    body
        What is posted to make the server write the file; None for files that simply lie there.
    """

    path: str
    url: str
    size: int | None = None
    md5: str | None = None
    etag: str | None = None
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes one source or one reference of the study file.

    Attributes
    ----------
    group
        The project or cohort, or ``references``.
    name
        What is asked for by name: a modality, ``clinical``, ``genes``.
    title
        What it is, for a table that a person reads.
    items
        Its files.
    path
        Of the source: the file, or the folder of all files.
    entry
        The keys of the source in the study file but for path, url and sha256; None if it is none yet.
    kind
        Of a reference (``genes``, ``probes``); None for a source.
    texts
        Small tables written beside the files: path to content.
    note
        Why there is nothing, or what else a person should know.
    """

    group: str
    name: str
    title: str
    items: tuple[Item, ...] = ()
    path: str = ""
    entry: Mapping[str, Any] | None = None
    kind: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def size(self) -> int:
        """The bytes of its files, as far as the server says."""
        return sum(item.size or 0 for item in self.items)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one fetch brings.

    Attributes
    ----------
    portal
        Where from, for messages.
    dataset
        The programme, for the study file.
    parts
        In the order of the table.
    """

    portal: str
    dataset: str
    parts: tuple[Part, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """The files of all parts."""
        return tuple(item for part in self.parts for item in part.items)


def plain_name(name: str, portal: str) -> str:
    """Return a file's name as a portal gave it, if it names a file in a folder and nothing above or below it.

    Raises
    ------
    FetchError
        If it does not: what a server says must not choose where on this machine something is written.

    Examples
    --------
    >>> plain_name("a.rna_seq.tsv", "GDC")
    'a.rna_seq.tsv'
    """
    if not name or name.startswith(".") or any(c in "/\\:" or not c.isprintable() for c in name):
        raise FetchError(f"{portal} names a file {name!r}", expected="a plain file name", run="report it to the portal")
    return name


def size_text(size: float | None) -> str:
    """Return a size for a person.

    Examples
    --------
    >>> size_text(0), size_text(999), size_text(1_540_000_000), size_text(None)
    ('0 B', '999 B', '1.5 GB', '?')
    """
    if size is None:
        return "?"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit in ("B", "kB") or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
