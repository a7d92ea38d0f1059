"""``omicstore sql``: a read-only query over the store's views."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, ReleaseOption, StoreOption, command, find_store
from omicstore.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.store.reader import Store

#: Fewer columns wrap in their cells well enough.
_FEW = 3
_WIDEST = 10_000


@command()
def sql(
    out: Output,
    *,
    statement: Annotated[str, typer.Argument(metavar="SQL", help='For example "SELECT * FROM patients".')],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Rows to show; --json prints all.")] = 50,
    store: StoreOption = None,
    release: ReleaseOption = None,
) -> None:
    r"""Run a SQL query over the store's views.

    Tables: patients, outcomes, labels, profiles, provenance, samples, features, reports; and a long view per modality
    (rna, meth, ...) with sample_id, cohort, feature_id, symbol and value. The store is not changed.

    \b
    Examples:
      omicstore sql "SHOW TABLES"
      omicstore sql "DESCRIBE outcomes"
      omicstore sql "SELECT cohort, sex, count(*) AS n FROM patients GROUP BY ALL ORDER BY ALL"
      omicstore sql "SELECT sample_id, value FROM rna WHERE symbol = 'TP53' ORDER BY value DESC" --limit 10
    """
    from duckdb import Error, IOException, StatementType

    import omicstore

    # MULTI is what DuckDB makes of a PIVOT.
    reading = (StatementType.SELECT, StatementType.EXPLAIN, StatementType.PRAGMA, StatementType.MULTI)
    with omicstore.open(find_store(store), release=release) as opened, opened.sql() as connection:
        try:
            parsed = connection.extract_statements(statement)
            if len(parsed) != 1 or parsed[0].type not in reading:
                raise UsageError(f"{statement!r} is no query", expected="one statement that gives a table, as SELECT")
            found = connection.execute(parsed[0])
            names, types = zip(*((name, str(kind)) for name, kind, *_ in found.description), strict=True)
            rows = found.fetchall() if out.json else found.fetchmany(limit + 1)
        except Error as error:
            # Then a file is broken, and not the statement.
            if isinstance(error, IOException) or "reading the stream registered as" in str(error):
                raise StoreError(
                    f"a file of {opened.root} cannot be read ({_reason(error).rpartition(': ')[2].rstrip('. ')})",
                    expected="the files that store.json names",
                    run="dvc checkout, or build the store again",
                ) from error
            if (lacking := _not_pulled(opened, str(error))) is not None:
                raise StoreError(lacking[0], expected="a view of what was pulled", run=lacking[1]) from error
            raise UsageError(
                _reason(error), run='omicstore sql "SHOW TABLES", and "DESCRIBE TABLE" for the columns of one'
            ) from error
    cells = [[plain(value) for value in row] for row in rows]
    body = {"columns": list(names), "types": list(types), "n_rows": len(cells), "rows": cells}
    out.result(body, lambda: _show(out, body, limit))


def _not_pulled(store: Store, message: str) -> tuple[str, str] | None:
    """Return what to say of a view that is absent since nothing of it was pulled; None if that is not why."""
    from omicstore.cli.query import not_pulled

    named = re.search(r"Table with name (\w+) does not exist", message)
    modality = {"reports": "report"}.get(named[1].lower(), named[1].lower()) if named else ""
    return not_pulled(store, store.cohorts, [modality])


def _show(out: Output, body: Mapping[str, Any], limit: int) -> None:
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    numbers = ("INT", "FLOAT", "DOUBLE", "DECIMAL")
    for name, kind in zip(body["columns"], body["types"], strict=True):
        table.add_column(name, justify="right" if any(n in kind for n in numbers) and "[" not in kind else "left")
    rows = [[_cell(*cell) for cell in zip(row, body["types"], strict=True)] for row in body["rows"][:limit]]
    for row in rows:
        table.add_row(*map(Text, row))
    # What is too wide for the terminal is shown a record at a time.
    wide = Measurement.get(out.console, out.console.options.update(max_width=_WIDEST), table).maximum
    if wide > out.console.width and len(body["columns"]) > _FEW:
        for number, row in enumerate(rows):
            if number:
                out.text()
            for name, cell in zip(body["columns"], row, strict=True):
                out.text(f"{name}: {cell}")
    else:
        out.print(table)
    if body["n_rows"] > limit:
        out.note(f"only the first {limit} rows; --limit N shows more, --json all")


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if kind == "FLOAT":
        import numpy as np

        return str(np.float32(value))  # no more digits than the store has
    return str(value)


def _reason(error: Exception) -> str:
    """Return DuckDB's message without the excerpt of the statement that follows it."""
    return " ".join(str(error).partition("\nLINE ")[0].split()).rstrip("!?")


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: a missing number is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    return value if isinstance(value, str | int | None) else str(value)
