"""``omicstore columns``: what --where can ask for.

With --json one object: release, simulated and columns, a list with per column its name (column), table, level (sample,
patient or profile), type (text, integer, number, boolean), n_filled and n_distinct (cells), example (the commonest
value), levels (value to number of cells; null for numbers and where there are over 20), min and max (null unless a
number).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.cli.common import Output, ReleaseOption, StoreOption, command, find_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from omicstore.store.reader import Store

#: A column with more values than this is described by an example instead.
_MOST_LEVELS = 20
_LEVELS_SHOWN = 5
#: A longer level is no word that one types; the column is described by an example instead.
_LONGEST = 40
#: What the columns before the values take, and the narrowest cell of values worth reading.
_BESIDE, _NARROWEST = 52, 20


@command()
def columns(out: Output, *, store: StoreOption = None, release: ReleaseOption = None) -> None:
    """Show what --where can ask for: columns, types, levels and counts."""
    import omicstore

    with omicstore.open(find_store(store), release=release) as opened:
        found = [_describe(row, opened) for row in opened.columns().iter_rows(named=True)]
        body = {"release": opened.release, "simulated": opened.simulated, "columns": found}
    out.result(body, lambda: _show(out, body))


def _describe(row: dict[str, Any], store: Store) -> dict[str, Any]:
    """Add the levels of a text, with their counts, or the range of a number."""
    frame = store.samples() if row["table"] == "samples" else store.table(row["table"])
    column = frame[row["column"]].drop_nulls()
    found: dict[str, Any] = {**row, "type": _type(column.dtype), "levels": None, "min": None, "max": None}
    if column.dtype.is_numeric() and len(column):
        found |= {"min": column.min(), "max": column.max()}
    elif 0 < row["n_distinct"] <= _MOST_LEVELS:
        counts = column.value_counts().sort(["count", row["column"]], descending=[True, False])
        levels = (str(value) if isinstance(value, str) else str(value).lower() for value in counts[row["column"]])
        found["levels"] = dict(zip(levels, counts["count"].to_list(), strict=True))
    return found


def _type(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "integer"
    return "number" if dtype.is_float() else "boolean" if str(dtype) == "Boolean" else "text"


def _show(out: Output, body: Mapping[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    if body["simulated"]:
        out.text("simulated data: nothing here was measured in a patient", style="yellow")
    filled = [row for row in body["columns"] if row["n_filled"]]
    if out.console.width < _BESIDE + _NARROWEST:
        for row in filled:
            out.print(
                Text(f"{row['column']} ({row['level']}, {row['type']}, {row['n_filled']:,} filled)", style="bold")
            )
            out.print(Text(f"  {_values(row)}"))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for name in ("column", "of", "type"):
            table.add_column(name, no_wrap=True)
        table.add_column("filled", justify="right", no_wrap=True)
        table.add_column("values", overflow="fold")
        for row in filled:
            table.add_row(row["column"], row["level"], row["type"], f"{row['n_filled']:,}", _values(row))
        out.print(table)
    empty = [row["column"] for row in body["columns"] if not row["n_filled"]]
    if empty:
        out.print(Text(f"empty: {', '.join(empty)}", style="dim"))
    out.text()
    out.text("""For example: omicstore query --where "sex = 'female' AND age_years < 50\"""")


def _values(row: Mapping[str, Any]) -> str:
    if row["levels"] is not None and max(map(len, row["levels"])) <= _LONGEST:
        shown = [f"{level} {count:,}" for level, count in list(row["levels"].items())[:_LEVELS_SHOWN]]
        return ", ".join(shown) + (", ..." if len(row["levels"]) > _LEVELS_SHOWN else "")
    if row["min"] is not None:
        return f"{row['min']:g} to {row['max']:g}"
    example = row["example"]
    if row["column"] == "extra":
        return f"JSON, e.g. {example}; ask with extra->>'name'"
    return f"{row['n_distinct']:,} distinct, e.g. {example if len(example) <= _LONGEST else example[:_LONGEST] + '...'}"
