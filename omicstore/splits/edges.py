"""The edges of the identity graph: what says that two names are one person, and which of it is struck out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.splits.batches import CONTINUOUS
from omicstore.splits.similar import near_duplicates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import NotSame

__all__ = ["EDGES", "GUESSED", "STRUCK", "all_edges", "held", "strike"]

#: kind, the two ends as ``kind:id``, and what says so.
EDGES: dict[str, Any] = {"kind": pl.String, "left": pl.String, "right": pl.String, "evidence": pl.String}

#: A further column, which is there only where an edge is struck out: the reason.
STRUCK = "struck"

#: Edges between two patients, which may be wrong. Those between a patient, a sample and what was measured are not.
GUESSED: tuple[str, ...] = ("alias", "near_duplicate", "same_content")


def all_edges(catalogue: Catalogue, near_duplicate_r: float) -> pl.DataFrame:
    """Return every edge of a catalogue, in the columns of `EDGES`, sorted; see `omicstore.splits.identity.identity`."""
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
        _nearest(profiles, near_duplicate_r),
    ]
    if catalogue.similar is not None:
        edges.append(_similar(catalogue.similar().pairs, near_duplicate_r))
    if catalogue.aliases is not None:
        named = catalogue.aliases.filter(pl.col("patient_id") != pl.col("alias"))
        edges.append(_patients(named, "alias", "patient_id", "alias", pl.lit("aliases")))
    joined = pl.concat([e.select(pl.col(c).cast(t) for c, t in EDGES.items()) for e in edges])
    return joined.drop_nulls().unique().sort(*EDGES)


def strike(edges: pl.DataFrame, not_same: Sequence[NotSame]) -> tuple[pl.DataFrame, tuple[NotSame, ...]]:
    """Mark the edges between two patients who are said to be two people.

    Parameters
    ----------
    edges
        The columns of `EDGES`.
    not_same
        Who is not whom, and why.

    Returns
    -------
    edges
        With the column `STRUCK` where an edge is struck out.
    idle
        The entries between whose patients there is no edge of `GUESSED`.
    """
    said = pl.DataFrame(
        [(f"patient:{n.left}", f"patient:{n.right}", n.reason) for n in not_same],
        schema={"low": pl.String, "high": pl.String, STRUCK: pl.String},
        orient="row",
    )
    low, high = pl.min_horizontal("left", "right"), pl.max_horizontal("left", "right")
    guessed = edges.with_columns(low=low, high=high).filter(pl.col("kind").is_in(GUESSED))
    struck = guessed.join(said, on=["low", "high"]).select(*EDGES, STRUCK)
    known = set(guessed.select("low", "high").iter_rows())
    idle = tuple(n for n in not_same if (f"patient:{n.left}", f"patient:{n.right}") not in known)
    if struck.is_empty():
        return edges, idle
    return edges.join(struck, on=list(EDGES), how="left", maintain_order="left"), idle


def held(edges: pl.DataFrame) -> pl.DataFrame:
    """Return the edges that are not struck out."""
    return edges.filter(pl.col(STRUCK).is_null()).drop(STRUCK) if STRUCK in edges.columns else edges


def _patients(frame: pl.DataFrame, kind: str, one: str, other: str, evidence: pl.Expr) -> pl.DataFrame:
    return frame.select(
        kind=pl.lit(kind),
        left=pl.format("patient:{}", one),
        right=pl.format("patient:{}", other),
        evidence=evidence,
    )


def _same_content(profiles: pl.DataFrame) -> pl.DataFrame:
    """Return an edge from the first patient with a content to every other one with it."""
    measured = profiles.filter(
        pl.col("modality").is_in(CONTINUOUS)
        & pl.col("content_hash").is_not_null()
        & (pl.col("n_missing").fill_null(0) < pl.col("n_features").fill_null(1))
    )
    by = ["modality", "content_hash"]
    others = (
        measured.select(*by, "patient_id")
        .unique()
        .with_columns(first=pl.col("patient_id").min().over(by))
        .filter(pl.col("patient_id") != pl.col("first"))
    )
    return _patients(others, "same_content", "first", "patient_id", pl.format("{} {}", "modality", "content_hash"))


def _nearest(profiles: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Return an edge to the nearest patient within a cohort, as the build found it over all profiles, stored or not."""
    key = ["cohort", "modality", "profile_id"]
    near = profiles.filter(pl.col("modality").is_in(CONTINUOUS) & (pl.col("nearest_r") >= threshold))
    other = profiles.select("cohort", "modality", nearest_profile="profile_id", other="patient_id").unique()
    pairs = (
        near.select(*key, "patient_id", "nearest_profile", "nearest_r")
        .join(other, on=["cohort", "modality", "nearest_profile"])
        .filter(pl.col("patient_id") != pl.col("other"))
        .with_columns(low=pl.min_horizontal("patient_id", "other"), high=pl.max_horizontal("patient_id", "other"))
    )
    told = pl.format("{} r={}", "modality", pl.col("nearest_r").round(3))
    return _patients(pairs, "near_duplicate", "low", "high", told)


def _similar(pairs: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Return an edge for each two profiles that are near-duplicates by the stored numbers."""
    ends = [pl.format("{} of {}", f"{side}_profile", f"{side}_batch") for side in ("left", "right")]
    told = pl.format("{} r={}, next {}, {} features: {}, {}", "modality", "r", "next_r", "n_features", *ends)
    return _patients(near_duplicates(pairs, threshold), "near_duplicate", "left_patient", "right_patient", told)
