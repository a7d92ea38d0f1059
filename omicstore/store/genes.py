"""Finding features by gene symbol, Entrez id or feature id."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.store.reader import Store

__all__ = ["UnknownGenesError", "find_genes", "lookup"]

#: As many unknown genes are named in a message.
_NAMED = 5
_VERSION = re.compile(r"^(ENSG\d+)\.\d+$", re.IGNORECASE)
#: An antibody may see several proteins; the store writes their genes into one cell.
_SEPARATORS = r"[\s,;|/]+"


class UnknownGenesError(UnknownNameError):
    """Genes that none of the asked modalities has; the first is named with its nearest.

    Attributes
    ----------
    missing
        All of them, as they were given.
    """

    def __init__(self, missing: Sequence[str], known: Sequence[str]) -> None:
        self.missing = list(missing)
        command = shlex.join(["omicstore", "ids", *missing[:_NAMED]])
        super().__init__("gene", missing[0], known, run=f"{command} tells what became of it")


def lookup(features: pl.DataFrame) -> pl.DataFrame:
    """Return the names that features answer to, in capitals, and the row of each: columns key and row.

    Examples
    --------
    >>> lookup(pl.DataFrame({"feature_id": ["Akt-R"], "symbol": ["AKT1 AKT2"]}))["key"].to_list()
    ['AKT-R', 'AKT1', 'AKT2', 'AKT1 AKT2']
    """
    rows = features.select("feature_id", "symbol").with_row_index("row")
    symbols = rows.filter(pl.col("symbol").is_not_null())
    several = symbols.filter(pl.col("symbol").str.contains(_SEPARATORS))
    single = symbols.filter(~pl.col("symbol").str.contains(_SEPARATORS))
    split = several.with_columns(key=pl.col("symbol").str.replace_all(_SEPARATORS, " ").str.split(" ")).explode("key")
    numbers = features.with_row_index("row").filter(pl.col("entrez").is_not_null()) if "entrez" in features else None
    parts = [
        rows.select(key="feature_id", row="row"),
        *([] if numbers is None else [numbers.select(key="entrez", row="row")]),
        single.select(key="symbol", row="row"),
        split.select("key", "row"),
        several.select(key="symbol", row="row"),
    ]
    return pl.concat(parts).with_columns(pl.col("key").str.to_uppercase()).unique(maintain_order=True)


def find_genes(
    store: Store, features: dict[str, NDArray[np.int64]], genes: Sequence[str], notes: list[str]
) -> dict[str, NDArray[np.int64]]:
    """Return, per modality, those of `features` that one of `genes` names.

    Raises
    ------
    UnknownGenesError
        If a gene is in none of the modalities; the nearest ones are named.
    UsageError
        If none of the modalities is a matrix.
    """
    keys = [_VERSION.sub(r"\1", gene).upper() for gene in genes]
    found: set[str] = set()
    chosen: dict[str, NDArray[np.int64]] = {}
    for modality, positions in features.items():
        if not len(positions):
            chosen[modality] = positions
            continue
        names = store.feature_names(modality)
        hits = names.filter(pl.col("key").is_in(keys))
        rows = hits["row"].to_numpy().astype(np.int64)
        there = np.isin(rows, positions)
        chosen[modality] = np.unique(rows[there])
        mine = set(hits.filter(pl.Series(there))["key"].to_list())
        found |= mine
        if missing := [gene for gene, key in zip(genes, keys, strict=True) if key not in mine]:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            notes.append(f"{modality} does not have {', '.join(missing[:5])}{more}")
    absent = [gene for gene, key in zip(genes, keys, strict=True) if key not in found]
    if absent and not features:
        raise UsageError(
            "genes are asked for, and none of the modalities has any",
            expected="a modality of samples by features, such as rna",
            run="name one with --modalities, or leave the genes out",
        )
    if absent:
        raise UnknownGenesError(absent, [n for m in features if len(features[m]) for n in _names(store, m)])
    return chosen


def _names(store: Store, modality: str) -> list[str]:
    frame = store.union_features(modality)
    return [*frame["symbol"].drop_nulls().to_list(), *frame["feature_id"].to_list()]
