"""Names that a person gives: projects, cohorts, modalities; a mistyped one is answered with the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from omicstore.errors import UnknownNameError, UsageError
from omicstore.identifiers import DISEASES, NOT_A_DISEASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TCGA_COHORTS", "chosen", "listed"]

T = TypeVar("T")

#: TCGA's 33 cohorts. The site table has a 34th disease, chronic myelogenous leukemia, of which nothing was released.
TCGA_COHORTS: tuple[str, ...] = tuple(sorted({*DISEASES.values()} - NOT_A_DISEASE - {"LCML"}))


def listed(texts: Iterable[str], option: str) -> list[str]:
    """Return the names of a list option, repeated or with commas, each once.

    Raises
    ------
    UsageError
        If it names nothing.

    Examples
    --------
    >>> listed(["rna, meth", "rna"], "--modalities")
    ['rna', 'meth']
    """
    names = [name.strip() for text in texts for name in text.split(",")]
    names = list(dict.fromkeys(name for name in names if name))
    if not names:
        raise UsageError(f"{option} names nothing", expected=f"{option} NAME, or NAME,NAME")
    return names


def chosen(kind: str, names: Iterable[str], known: Mapping[str, T]) -> list[T]:
    """Return what names stand for, in the order of the declaration and whatever their case.

    Raises
    ------
    UnknownNameError
        If one is unknown; names the nearest.
    """
    by_fold = {name.casefold(): name for name in known}
    wanted = set()
    for name in names:
        if name.casefold() not in by_fold:
            raise UnknownNameError(kind, name, known, run=f"choose from {', '.join(known)}")
        wanted.add(by_fold[name.casefold()])
    return [value for name, value in known.items() if name in wanted]
