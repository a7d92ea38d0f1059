"""The price list as a person reads it in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.price.figure import TITLES

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["price_table"]


def price_table(name: str, found: dict[str, Any]) -> Table:
    """Return the table of a task, a row for each strategy and method; it fits into 80 columns.

    Parameters
    ----------
    name, found
        The task and what price.json holds of it.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), title_justify="left")
    table.title = f"{name}: {found['metric']} [95% interval]"
    against = TITLES.get(found["reference"], found["reference"])
    for column in ("split", "method", "reached", f"more than {against}"):
        table.add_column(column, no_wrap=column != "method")
    before = None
    for row in found["rows"]:
        strategy, price = row["strategy"], row.get("price")
        more = "" if price is None else f"{price['value']:+.3f} {_interval(price, '+')}"
        told = "" if strategy == before else TITLES.get(strategy, strategy)
        table.add_row(told, row["method"], f"{row['value']:.3f} {_interval(row)}", more)
        before = strategy
    return table


def _interval(row: dict[str, float], sign: str = "") -> str:
    return f"[{row['low']:{sign}.3f}, {row['high']:{sign}.3f}]"
