"""Who is who: a graph of patients, samples, aliquots and slides, whose connected parts never cross a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.modalities import MATRIX_MODALITIES, MODALITIES
from omicstore.store.splitfile import frame_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omicstore.splits.catalogue import Catalogue

__all__ = ["CONTINUOUS", "EDGES", "Groups", "Identity", "components", "groups_of", "identity"]

#: Where two people with the same numbers cannot be chance. Calls of a few levels (cnv, mut) are often equal.
CONTINUOUS: tuple[str, ...] = tuple(m for m in MATRIX_MODALITIES if not MODALITIES[m].calls)

#: kind, the two ends as ``kind:id``, and what says so.
EDGES: dict[str, Any] = {"kind": pl.String, "left": pl.String, "right": pl.String, "evidence": pl.String}


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
        kind, left, right, evidence: every edge of the patients' groups, sorted; the columns of `EDGES`.
    group_of
        Patient to the group's id: the smallest patient id in it.
    """

    edges: pl.DataFrame
    group_of: dict[str, str]

    def summary(self, threshold: float) -> dict[str, Any]:
        """Return the manifest's ``identity`` section."""
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
        }


def identity(catalogue: Catalogue, patients: Iterable[str], near_duplicate_r: float) -> Identity:
    """Join everything that may be one person.

    Edges: a patient and each sample; a sample and each aliquot or slide; two names of the alias table; and profiles of
    two patients with one content, or a correlation of at least `near_duplicate_r`, in a modality of `CONTINUOUS`. A
    patient, sample or aliquot found in two cohorts is one node, so overlapping cohorts join by themselves.

    Parameters
    ----------
    catalogue
        All profiles count, also those of cohorts that are not split, since a person may be linked through them.
    patients
        The patients to group.
    near_duplicate_r
        The threshold, on ``nearest_r`` of the profiles.
    """
    profiles = catalogue.profiles
    end = pl.when(pl.col("modality") == "patches").then(pl.lit("slide")).otherwise(pl.lit("aliquot"))
    # `#2` tells two columns of one id apart; they are still one aliquot.
    physical = pl.format("{}:{}", end, pl.col("profile_id").str.replace(r"#\d+$", ""))
    edges = [
        profiles.select(
            kind=pl.lit("sample"),
            left=pl.format("patient:{}", "patient_id"),
            right=pl.format("sample:{}", "sample_id"),
            evidence=pl.lit("profiles"),
        ),
        profiles.select(
            kind=end, left=pl.format("sample:{}", "sample_id"), right=physical, evidence=pl.lit("profiles")
        ),
        _same_content(profiles),
        _near(profiles, near_duplicate_r),
    ]
    if catalogue.aliases is not None:
        edges.append(
            catalogue.aliases.select(
                kind=pl.lit("alias"),
                left=pl.format("patient:{}", "patient_id"),
                right=pl.format("patient:{}", "alias"),
                evidence=pl.lit("aliases"),
            )
        )
    joined = pl.concat([e.select(pl.col(c).cast(t) for c, t in EDGES.items()) for e in edges])
    joined = joined.drop_nulls().unique().sort(*EDGES)
    wanted, groups = set(patients), _joined(joined)
    roots = {groups.find(f"patient:{p}") for p in wanted}
    own = pl.Series([groups.find(left) in roots for left in joined["left"].to_list()], dtype=pl.Boolean)
    return Identity(joined.filter(own), groups_of(groups, wanted, "patient"))


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
    for left, right in edges.select("left", "right").iter_rows():
        groups.join(left, right)
    return groups


def _same_content(profiles: pl.DataFrame) -> pl.DataFrame:
    """Return an edge from the first patient with a content to every other one with it."""
    measured = profiles.filter(
        pl.col("modality").is_in(CONTINUOUS)
        & pl.col("content_hash").is_not_null()
        & (pl.col("n_missing").fill_null(0) < pl.col("n_features").fill_null(1))
    )
    by = ["modality", "content_hash"]
    return (
        measured.select(*by, "patient_id")
        .unique()
        .with_columns(first=pl.col("patient_id").min().over(by))
        .filter(pl.col("patient_id") != pl.col("first"))
        .select(
            kind=pl.lit("same_content"),
            left=pl.format("patient:{}", "first"),
            right=pl.format("patient:{}", "patient_id"),
            evidence=pl.format("{} {}", "modality", "content_hash"),
        )
    )


def _near(profiles: pl.DataFrame, threshold: float) -> pl.DataFrame:
    key = ["cohort", "modality", "profile_id"]
    near = profiles.filter(pl.col("modality").is_in(CONTINUOUS) & (pl.col("nearest_r") >= threshold))
    other = profiles.select("cohort", "modality", nearest_profile="profile_id", other="patient_id").unique()
    return (
        near.select(*key, "patient_id", "nearest_profile", "nearest_r")
        .join(other, on=["cohort", "modality", "nearest_profile"])
        .filter(pl.col("patient_id") != pl.col("other"))
        .select(
            kind=pl.lit("near_duplicate"),
            left=pl.format("patient:{}", pl.min_horizontal("patient_id", "other")),
            right=pl.format("patient:{}", pl.max_horizontal("patient_id", "other")),
            evidence=pl.format("{} r={}", "modality", pl.col("nearest_r").round(3)),
        )
    )
