"""Which rows of a table were added, removed or changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.store.hashing import in_key_order

if TYPE_CHECKING:
    from omicstore.schema import Table

__all__ = ["diff_tables", "plain"]

_AMONG = "__among_equal_keys"


def diff_tables(
    old: pl.DataFrame, new: pl.DataFrame, table: Table, examples: int, *, values: bool = True
) -> dict[str, Any] | None:
    """Return how two tables of one kind differ, in the columns that enter a release id.

    Parameters
    ----------
    old, new
        Rows with the columns of `table`; optional columns may lack.
    table
        Its schema and key. Of rows with one key, the first is compared with the first, and so on.
    examples
        How many of each kind to name.
    values
        Whether examples say what a cell held, or only which column changed.

    Returns
    -------
    dict or None
        ``n_added``, ``n_removed``, ``n_changed``, the same ``by_cohort``, ``columns`` (column to number of changed
        cells), and examples under ``added``, ``removed`` (keys) and ``changed`` (key and columns); None if equal.
    """
    names = [c for c in table.columns if c not in table.unhashed and (c in old.columns or c in new.columns)]
    before, after = (_numbered(frame, names, table) for frame in (old, new))
    key = [*table.key, _AMONG]
    added = after.join(before, on=key, how="anti", nulls_equal=True)
    removed = before.join(after, on=key, how="anti", nulls_equal=True)
    both = before.join(after, on=key, how="inner", nulls_equal=True, suffix=":new", maintain_order="left")
    others = [name for name in names if name not in table.key]
    differs = {name: both[name].ne_missing(both[f"{name}:new"]) for name in others}
    columns = {name: n for name, mask in differs.items() if (n := int(mask.sum()))}
    changed = both.filter(pl.any_horizontal(*(differs[name] for name in columns))) if columns else both.clear()
    if added.is_empty() and removed.is_empty() and changed.is_empty():
        return None
    kinds = {"added": added, "removed": removed, "changed": changed}
    found: dict[str, Any] = {f"n_{kind}": rows.height for kind, rows in kinds.items()}
    if "cohort" in table.key:
        found["by_cohort"] = _by_cohort(kinds)
    found["columns"] = columns
    found |= {kind: rows.select(table.key).head(examples).to_dicts() for kind, rows in kinds.items()}
    for example, row in zip(found["changed"], changed.head(examples).iter_rows(named=True), strict=True):
        cells = {n: [plain(row[n]), plain(row[f"{n}:new"])] for n in columns if _differ(row[n], row[f"{n}:new"])}
        example["columns"] = cells if values else sorted(cells)
    return found


def plain(value: Any) -> Any:
    """Return a cell as JSON can hold it: NaN is None."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _numbered(frame: pl.DataFrame, names: list[str], table: Table) -> pl.DataFrame:
    """Return the columns in key order, and the place of each row among those of its key."""
    lacking = [pl.lit(None, table.columns[name]).alias(name) for name in names if name not in frame.columns]
    ordered = in_key_order(frame.with_columns(lacking).select(names), table)
    return ordered.with_columns(pl.int_range(pl.len()).over(table.key).alias(_AMONG))


def _by_cohort(kinds: dict[str, pl.DataFrame]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for kind, rows in kinds.items():
        for cohort, n in rows.group_by("cohort").len().iter_rows():
            found.setdefault(str(cohort), dict.fromkeys((f"n_{k}" for k in kinds), 0))[f"n_{kind}"] = n
    return dict(sorted(found.items()))


def _differ(a: Any, b: Any) -> bool:
    return bool(plain(a) != plain(b))
