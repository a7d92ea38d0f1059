"""Pairs of people whom the split's graph would join, had its author not struck the edge out with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

__all__ = ["struck_pairs", "told"]


def struck_pairs(bundle: Bundle) -> dict[frozenset[str], str]:
    """Return pairs of patients to the reason why they are not the same, as identity.parquet has it."""
    edges = bundle.edges
    if edges is None or not {"left", "right", "struck"} <= set(edges.columns):
        return {}
    own = edges.select("left", "right", pl.col("struck").cast(pl.String)).drop_nulls()
    named = [(str(a).removeprefix("patient:"), str(b).removeprefix("patient:"), why) for a, b, why in own.iter_rows()]
    return {frozenset((a, b)): why for a, b, why in named if why}


def told(struck: dict[frozenset[str], str]) -> list[str]:
    """Return the first few as sentences."""
    return sorted(f"{' and '.join(sorted(pair))} are not the same: {why}" for pair, why in struck.items())[:5]
