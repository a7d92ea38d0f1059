"""Who is one person, by the edges that a split stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["STRUCK", "groups", "lost_edges", "valid_edges"]

#: The column that says why an edge is wrong; such an edge joins nobody.
STRUCK = "struck"

#: The kinds of edges that follow from the sample map alone.
_MAPPED = ("sample", "aliquot", "slide")


def valid_edges(edges: pl.DataFrame) -> pl.DataFrame:
    """Return the edges that were not struck out."""
    return edges.filter(pl.col(STRUCK).fill_null("") == "") if STRUCK in edges.columns else edges


def groups(edges: Iterable[tuple[str, str]], patients: Iterable[str]) -> dict[str, str]:
    """Return patient to group: the smallest patient that edges connect it with.

    Parameters
    ----------
    edges
        Pairs of nodes; patients are ``patient:ID``.
    patients
        Whom to group.

    Examples
    --------
    >>> groups([("patient:b", "sample:1"), ("sample:1", "patient:a")], ["a", "b", "c"])
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    above: dict[str, str] = {}

    def top(node: str) -> str:
        path = []
        while node in above:
            path.append(node)
            node = above[node]
        for passed in path:
            above[passed] = node
        return node

    for one, other in edges:
        first, second = top(one), top(other)
        if first != second:
            above[second] = first
    smallest: dict[str, str] = {}
    ordered = sorted(set(patients))
    return {name: smallest.setdefault(top(f"patient:{name}"), name) for name in ordered}


def lost_edges(edges: pl.DataFrame, profiles: pl.DataFrame, patients: Iterable[str]) -> list[str]:
    """Return, as sentences, how the edges differ from the sample map.

    They join a patient and each sample, and a sample and each aliquot or slide.

    Parameters
    ----------
    edges
        kind, left, right.
    profiles
        The sample map of the store.
    patients
        Those of the split, whose edges must all be there.
    """
    end = pl.when(pl.col("modality") == "patches").then(pl.lit("slide")).otherwise(pl.lit("aliquot"))
    sample = pl.format("sample:{}", "sample_id")
    people = profiles.select(
        "patient_id", kind=pl.lit("sample"), left=pl.format("patient:{}", "patient_id"), right=sample
    )
    aliquots = profiles.select(
        "patient_id", kind=end, left=sample,
        right=pl.format("{}:{}", end, pl.col("profile_id").str.replace(r"#\d+$", "")),
    )  # fmt: skip
    mapped = pl.concat([people, aliquots]).drop_nulls()
    true = set(mapped.select("kind", "left", "right").iter_rows())
    own = set(mapped.filter(pl.col("patient_id").is_in(list(patients))).select("kind", "left", "right").iter_rows())
    found = set(edges.filter(pl.col("kind").is_in(_MAPPED)).select("kind", "left", "right").iter_rows())
    said = [f"the edge {left} - {right} is missing from identity.parquet" for _, left, right in sorted(own - found)]
    return said + [
        f"the edge {left} - {right} of identity.parquet is not in the sample map"
        for _, left, right in sorted(found - true)
    ]
