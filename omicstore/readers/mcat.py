"""Tables of MCAT and PORPOISE: one row per slide with survival in months and the suffixes _rnaseq, _cnv and _mut.

The values of a patient are repeated for each slide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.cells import decimals_of
from omicstore.readers.clinical import TextTable, label_table, number, outcome_table
from omicstore.readers.delimited import duplicates, matches, read_texts, sniff
from omicstore.readers.matrix_plan import selected
from omicstore.readers.numbers import to_float
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from omicstore.readers.delimited import Layout
    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["DAYS_PER_MONTH", "SUFFIXES", "UNITS", "expand", "read_table", "recognise"]

SUFFIXES: dict[str, str] = {"rna": "_rnaseq", "cnv": "_cnv", "mut": "_mut"}

#: In what unit the tables hold a modality: z-scores within the cohort, GISTIC's calls, 1 where mutated.
UNITS: dict[str, str] = {"rna": "zscore", "cnv": "gistic", "mut": "mutated"}

DAYS_PER_MONTH = 30.4375

#: The part that holds follow-up and labels.
TABLES = "tables"

TABLE_COLUMNS = ("survival_months", "censorship")


def read_table(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the source's modality, overall survival in days, and the labels that the source names.

    A part (see `expand`) is only the one or the other. Feature names come without their suffix. Rows of one case with
    the same values are one profile. The event is ``1 - censorship``.

    Raises
    ------
    SourceError
        If the table has no case_id, or no column of the modality.
    """
    del sampling  # one row is one case, whatever its id looks like
    layout = sniff(source.path)
    at = layout.index(source.id or "case_id")
    if source.part == TABLES:
        return _read_tables(source, layout, at)
    matrix = _read_matrix(source, layout, at)
    return [matrix] if source.part is not None else [matrix, *_read_tables(source, layout, at)]


def _read_matrix(source: Source, layout: Layout, at: int) -> RawTable:
    suffix = SUFFIXES.get(source.modality or "", "")
    columns = [i for i, name in enumerate(layout.header) if suffix and name.endswith(suffix)]
    if not columns:
        raise SourceError(
            source.path,
            f"no column holds {source.modality}",
            expected=f"names that end with {' or '.join(SUFFIXES.values())}",
            run="mend modality: of this source in the study file",
        )
    drops = Drops()
    kept = selected(source, [layout.header[i] for i in columns], drops, what="columns")
    columns = [i for i, keep in zip(columns, kept, strict=True) if keep]
    features = [layout.header[i].removesuffix(suffix) for i in columns]
    for name, places in duplicates(features).items():
        raise SourceError(
            source.path,
            f"the feature {name + suffix!r} comes twice, in columns "
            f"{columns[places[0]] + 1} and {columns[places[1]] + 1}",
            line=1,
            expected="one column for each feature",
            run="take out one of them",
        )
    text = read_texts(layout, [at, *columns])
    cells = text.select(str(i) for i in columns)
    values = to_float(layout, cells, source.missing)
    cases = text.get_column(str(at)).fill_null("")
    # Bits, so that two missing cells are the same.
    hashes = values.with_columns(cases.alias("case")).hash_rows()
    first = pl.DataFrame({"case": cases, "hash": hashes}).with_row_index().unique(["case", "hash"], keep="first")
    rows = first.filter(pl.col("case") != "").sort("index").get_column("index").to_list()
    blank = int((cases == "").sum())
    drops.add("row without an id", [], count=blank)
    repeated = sorted(set(range(text.height)) - set(rows))
    drops.add("repeated slide row", [cases[r] for r in repeated if cases[r]], count=len(repeated) - blank)
    return RawTable(
        "matrix",
        source,
        source.modality,
        ids=cases[rows].to_list(),
        features=features,
        values=np.ascontiguousarray(values[rows].to_numpy(), np.float32),
        decimals=decimals_of(cell for row in cells.head(5).iter_rows() for cell in row if cell),
        rows_in=text.height,
        columns_in=len(layout.header),
        drops=drops,
    )


def _read_tables(source: Source, layout: Layout, at: int) -> list[RawTable]:
    names = [layout.header[at], *TABLE_COLUMNS, *source.labels.values()]
    table = TextTable.read(layout, list(dict.fromkeys(names)), source.missing)
    return _tables(source, table, pl.col(layout.header[at]))


def expand(source: Source) -> list[Source]:
    """Return a source for each modality that the table has columns of, and one for follow-up and labels.

    A source whose modality is named is one part, with follow-up and labels.
    """
    if source.modality is not None:
        return [replace(source, unit=source.unit or UNITS.get(source.modality))]
    header = sniff(source.path).header
    if source.select:
        header = [name for name in header if name in matches(header, source.select)]
    parts = [
        replace(source, modality=modality, unit=UNITS[modality], part=modality, labels={})
        for modality, suffix in SUFFIXES.items()
        if any(name.endswith(suffix) for name in header)
    ]
    parts.append(replace(source, unit=None, part=TABLES, select=(), drop=()))
    return [part for part in parts if source.part in (None, part.part)]


def _tables(source: Source, table: TextTable, raw_id: pl.Expr) -> list[RawTable]:
    found = []
    if "survival_months" in table and "censorship" in table:
        time = number(pl.col("survival_months")) * DAYS_PER_MONTH
        event = 1 - number(pl.col("censorship"))
        outcome = outcome_table(source, table, {"OS": (time, event)}, [raw_id.alias("raw_id")])
        assert outcome.frame is not None
        repeated = table.frame.height - outcome.frame.height - outcome.drops.counts["no OS"]
        outcome.drops.add("repeated slide row", [], count=repeated)
        found.append(outcome)
    labels = label_table(source, table, raw_id)
    return found if labels is None else [*found, labels]


def recognise(head: Head) -> Guess | None:
    """Tell the tables by case_id and the suffixes of their columns."""
    suffixed = sum(name.endswith(tuple(SUFFIXES.values())) for name in head.header)
    if "case_id" not in head.header or suffixed < 0.5 * len(head.header):
        return None
    return Guess("mcat-table", orientation="features_in_columns", id_type="symbol", specific=10)
