"""Metabolites: a KEGG compound id where it is certain, else the source's own name."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

__all__ = ["Metabolite", "MetaboliteNames", "metabolites"]

#: Stands before the name of a metabolite that has no KEGG id for certain.
NAME = "name:"

_KEGG = re.compile(r"C\d{5}")
_HMDB = re.compile(r"HMDB\d{5,7}")
#: How files head the columns that hold the ids.
_KEGG_COLUMNS = ("kegg", "kegg_id", "kegg id", "kegg compound")
_HMDB_COLUMNS = ("hmdb", "hmdb_id", "hmdb id", "compound id")


@dataclass(frozen=True, slots=True)
class Metabolite:
    """A metabolite of one source: its feature id, its ids elsewhere (None where unknown) and the name in the file."""

    feature_id: str
    kegg: str | None
    hmdb: str | None
    source_name: str


class MetaboliteNames:
    """Names of metabolites to KEGG and HMDB ids.

    Parameters
    ----------
    frame
        query, match, kegg, hmdb: what was asked, what was found, its ids; or None.

    Notes
    -----
    A name is known if it equals a query or a match, case aside. One with several KEGG ids has none for certain.
    """

    def __init__(self, frame: pl.DataFrame | None) -> None:
        self._known: dict[str, set[tuple[str | None, str | None]]] = defaultdict(set)
        self._named: dict[str, set[str]] = defaultdict(set)
        if frame is None:
            return
        for query, match, kegg, hmdb in frame.select("query", "match", "kegg", "hmdb").iter_rows():
            ids = (_valid(_KEGG, kegg), _valid(_HMDB, hmdb))
            if ids != (None, None):
                for name in {query, match} - {None}:
                    self._known[name.strip().casefold()].add(ids)
                for identifier in filter(None, ids):
                    self._named[identifier].add(match or query)

    def names_of(self, identifier: str) -> list[str]:
        """Return the names of a KEGG or HMDB id, sorted."""
        return sorted(self._named.get(identifier.strip().upper(), ()))

    def lookup(self, name: str) -> tuple[str | None, str | None]:
        """Return the KEGG and HMDB ids of a name, None where it has none or several."""
        ids = self._known.get(name.strip().casefold(), set())
        return _only({k for k, _ in ids if k}), _only({h for _, h in ids if h})


def metabolites(
    names: Sequence[str], info: pl.DataFrame | None, known: MetaboliteNames
) -> tuple[list[Metabolite], dict[str, list[str]]]:
    """Identify the metabolites of one source.

    Parameters
    ----------
    names
        As the file has them: names, KEGG or HMDB ids, or the feature ids of a store.
    info
        The file's own columns about them (first column ``raw_feature``), among which KEGG and HMDB ids may be.
    known
        The names of the study's metabolite reference.

    Returns
    -------
    found
        One for each name. The KEGG id is the feature id where the file's column and the reference do not disagree and
        where no other name of the source claims it, unless they are known to be the same compound by their HMDB id.
    uncertain
        Reason to names, for those whose KEGG id did not become the feature id.
    """
    own = _own_ids(info)
    found: list[Metabolite] = []
    uncertain: dict[str, list[str]] = defaultdict(list)
    for given in names:
        name = given.strip().removeprefix(NAME)
        kegg, hmdb = own.get(given, (None, None))
        kegg, hmdb = kegg or _valid(_KEGG, name), hmdb or _valid(_HMDB, name)
        listed_kegg, listed_hmdb = known.lookup(name)
        feature_id = kegg or listed_kegg
        if kegg and listed_kegg and kegg != listed_kegg:
            uncertain["file and reference give different KEGG ids"].append(name)
            feature_id = None
        found.append(Metabolite(feature_id or f"{NAME}{name}", kegg or listed_kegg, hmdb or listed_hmdb, name))
    for group in _claims(found).values():
        if len({m.hmdb for m in (found[i] for i in group)} - {None}) != 1 or any(found[i].hmdb is None for i in group):
            for i in group:
                uncertain["KEGG id of several names"].append(found[i].source_name)
                found[i] = replace(found[i], feature_id=f"{NAME}{found[i].source_name}")
    return found, dict(uncertain)


def _claims(found: list[Metabolite]) -> dict[str, list[int]]:
    claims: dict[str, list[int]] = defaultdict(list)
    for i, metabolite in enumerate(found):
        if metabolite.feature_id == metabolite.kegg:
            claims[metabolite.feature_id].append(i)
    return {kegg: group for kegg, group in claims.items() if len(group) > 1}


def _own_ids(info: pl.DataFrame | None) -> dict[str, tuple[str | None, str | None]]:
    if info is None:
        return {}
    by_folded = {name.strip().lower(): name for name in info.columns}
    kegg = next((by_folded[c] for c in _KEGG_COLUMNS if c in by_folded), None)
    hmdb = next((by_folded[c] for c in _HMDB_COLUMNS if c in by_folded), None)
    nothing: list[str | None] = [None] * info.height
    columns = [
        [str(v) if v is not None else None for v in info.get_column(name)] if name is not None else nothing
        for name in (info.columns[0], kegg, hmdb)
    ]
    return {name: (_valid(_KEGG, k), _valid(_HMDB, h)) for name, k, h in zip(*columns, strict=True) if name is not None}


def _valid(pattern: re.Pattern[str], text: str | None) -> str | None:
    text = (text or "").strip()
    return text if pattern.fullmatch(text) else None


def _only(ids: set[str]) -> str | None:
    return next(iter(ids)) if len(ids) == 1 else None
