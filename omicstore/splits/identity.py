"""Who is who: a graph of patients, samples, aliquots and slides, whose connected parts never cross a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SplitError, nearest
from omicstore.splits.batches import CONTINUOUS
from omicstore.splits.edges import EDGES, GUESSED, STRUCK, all_edges, held, strike
from omicstore.store.splitfile import frame_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import NotSame

__all__ = ["CONTINUOUS", "EDGES", "Groups", "Identity", "components", "groups_of", "identity"]


class Groups:
    """A union-find over names; the smallest name of a group stands for it.

    Examples
    --------
    >>> groups = Groups()
    >>> groups.join("b", "c"); groups.join("a", "c")
    >>> groups.find("b"), groups.find("z")
    ('a', 'z')
    """

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """Return the name that stands for the group of `name`."""
        root = name
        while (above := self._parent.get(root, root)) != root:
            root = above
        while (above := self._parent.get(name, name)) != root:
            self._parent[name], name = root, above
        return root

    def join(self, one: str, other: str) -> None:
        """Put two names into one group."""
        low, high = sorted((self.find(one), self.find(other)))
        self._parent[high] = low


@dataclass(frozen=True, slots=True)
class Identity:
    """The graph and its parts.

    Attributes
    ----------
    edges
        kind, left, right, evidence: every edge of the patients' groups, sorted; the columns of `EDGES`. Where edges
        are struck out, also ``struck``: the reason, null for the others.
    group_of
        Patient to the group's id: the smallest patient id in it.
    idle
        Entries of ``split.not_same`` between whose patients there is no edge that could be struck out.
    """

    edges: pl.DataFrame
    group_of: dict[str, str]
    idle: tuple[NotSame, ...] = ()

    def summary(self, threshold: float) -> dict[str, Any]:
        """Return what the manifest's ``identity`` section says of the graph."""
        kinds = self.edges.group_by("kind").len().sort("kind")
        sizes: dict[str, int] = {}
        for group in self.group_of.values():
            sizes[group] = sizes.get(group, 0) + 1
        return {
            "edges": dict(zip(kinds["kind"].to_list(), kinds["len"].to_list(), strict=True)),
            "edges_hash": frame_hash(self.edges),
            "near_duplicate_r": threshold,
            "near_duplicate_modalities": list(CONTINUOUS),
            "n_patients": len(self.group_of),
            "n_groups": len(sizes),
            "groups_of_several": {g: n for g, n in sorted(sizes.items()) if n > 1},
            "struck": struck(self.edges),
        }

    def refuse_idle(self) -> None:
        """Refuse entries of ``split.not_same`` that strike nothing out.

        Raises
        ------
        SplitError
            For the first of them; names the patients of near names whom an edge joins.
        """
        for entry in self.idle:
            guessed = self.edges.filter(pl.col("kind").is_in(GUESSED))
            joined = {tuple(sorted(_bare(end) for end in ends)) for ends in guessed.select("left", "right").iter_rows()}
            group = self.group_of.get(entry.left)
            together = group is not None and group == self.group_of.get(entry.right)
            named, ends = {entry.left, entry.right}, {p for pair in joined for p in pair}
            near = {*nearest(entry.left, ends), *nearest(entry.right, ends)}
            of_near = sorted((p for p in joined if near & set(p)), key=lambda p: (not named & set(p), p))
            close = [" and ".join(pair) for pair in of_near[:3]]
            shared = "; what joins these two is a sample or aliquot that they share, or a third patient"
            raise SplitError(
                f"split.not_same strikes out an edge between {entry.left} and {entry.right}, and there is none"
                + (shared if together else ""),
                expected=f"two patients whom an edge joins, such as {', '.join(close)}" if close else "no entry",
                run="correct split.not_same in params.yaml; identity.parquet of the split lists the edges",
            )


def struck(edges: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the edges that are struck out: left, right, kind, evidence and reason of each, sorted."""
    if STRUCK not in edges.columns:
        return []
    return [
        {"left": _bare(left), "right": _bare(right), "kind": kind, "evidence": evidence, "reason": reason}
        for kind, left, right, evidence, reason in edges.drop_nulls(STRUCK).select(*EDGES, STRUCK).iter_rows()
    ]


def identity(
    catalogue: Catalogue, patients: Iterable[str], near_duplicate_r: float, not_same: Sequence[NotSame] = ()
) -> Identity:
    """Join everything that may be one person.

    Edges: a patient and each sample; a sample and each aliquot or slide; two names of the alias table; and profiles of
    two patients with one content, or near-duplicates (see `omicstore.splits.similar`), in a modality of `CONTINUOUS`. A
    patient, sample or aliquot found in two cohorts is one node, so overlapping cohorts join by themselves.

    Parameters
    ----------
    catalogue
        All profiles count, also those of cohorts that are not split, since a person may be linked through them.
    patients
        The patients to group.
    near_duplicate_r
        Profiles of two patients that correlate by at least so much are one person's, whatever the next best r.
    not_same
        Edges that are struck out: they are kept as evidence, and join nobody.
    """
    joined, idle = strike(all_edges(catalogue, near_duplicate_r), not_same)
    wanted, groups = set(patients), _joined(joined)
    roots = {groups.find(f"patient:{p}") for p in wanted}
    # A struck edge is stored with the group of its either end.
    ends = joined.select("left", "right").iter_rows()
    own = pl.Series([bool({groups.find(a), groups.find(b)} & roots) for a, b in ends], dtype=pl.Boolean)
    kept = joined.filter(own)
    if STRUCK in kept.columns and kept[STRUCK].null_count() == kept.height:
        kept = kept.drop(STRUCK)
    return Identity(kept, groups_of(groups, wanted, "patient"), idle)


def components(edges: pl.DataFrame, patients: Iterable[str]) -> dict[str, str]:
    """Return patient to group id, by the edges alone; a patient without edges is a group of its own."""
    return groups_of(_joined(edges), patients, "patient")


def groups_of(groups: Groups, names: Iterable[str], prefix: str) -> dict[str, str]:
    """Return name to the smallest of the given names in its group, where nodes are ``prefix:name``."""
    smallest: dict[str, str] = {}
    roots = {name: groups.find(f"{prefix}:{name}") for name in sorted(set(names))}
    for name, root in roots.items():
        smallest.setdefault(root, name)
    return {name: smallest[root] for name, root in roots.items()}


def _joined(edges: pl.DataFrame) -> Groups:
    groups = Groups()
    for left, right in held(edges).select("left", "right").iter_rows():
        groups.join(left, right)
    return groups


def _bare(end: str) -> str:
    return end.partition(":")[2]
