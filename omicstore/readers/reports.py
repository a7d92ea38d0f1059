"""Pathology reports: a table with a text column and a column in which a barcode can be found."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import re
from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.identifiers import find_barcode
from omicstore.progress import task
from omicstore.readers.delimited import read_texts, sniff
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable
from omicstore.text.cleaning import clean

if TYPE_CHECKING:
    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["read_reports", "recognise"]


def read_reports(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the reports of a table.

    Parameters
    ----------
    source
        ``id`` names the column that holds the barcode, or a file name with it inside (the first column where absent),
        ``text`` the column of the text (``text`` where absent).
    sampling
        For programmes without barcodes: ids that its pattern finds are taken as they are.

    Returns
    -------
    list of RawTable
        One, with the columns raw_id (the barcode), text (see `omicstore.text.cleaning.clean`), file (the id cell) and
        raw_hash (sha256 of the text as it is in the file). Rows without a barcode and texts with nothing to read are
        counted.
    """
    layout = sniff(source.path)
    at = layout.index(source.id) if source.id is not None else 0
    body = layout.index(source.text or "text")
    frame = read_texts(layout, [at, body])
    files, texts = frame.get_column(str(at)).to_list(), frame.get_column(str(body)).to_list()
    ids = [_raw_id(name or "", sampling) for name in files]
    drops = Drops()
    drops.add("no barcode", [name or "" for name, found in zip(files, ids, strict=True) if found is None])
    kept, empty = [], []
    with task(f"reports of {source.path.name}", frame.height, "reports") as advance:
        for found, raw, name in zip(ids, texts, files, strict=True):
            text = clean(raw or "") if found is not None else ""
            if text:
                kept.append((found, text, name, hashlib.sha256(raw.encode()).hexdigest()))
            elif found is not None:
                empty.append(name or "")
            advance()
    drops.add("empty text", empty)
    if not kept:
        raise SourceError(
            source.path,
            f"no row has a barcode in {layout.header[at]!r} and a text in {layout.header[body]!r}",
            expected="barcodes such as TCGA-XX-XXXX, in the column or in a file name there",
            run="mend id: and text: of this source in the study file",
        )
    schema = {"raw_id": pl.String, "text": pl.String, "file": pl.String, "raw_hash": pl.String}
    table = pl.DataFrame(kept, schema=schema, orient="row")
    return [
        RawTable(
            "report",
            source,
            source.modality,
            frame=table,
            rows_in=frame.height,
            columns_in=len(layout.header),
            drops=drops,
        )
    ]


def _raw_id(name: str, sampling: Sampling | None) -> str | None:
    barcode = find_barcode(name)
    if barcode is not None:
        return barcode.text
    if sampling is None or not name:
        return None
    if sampling.pattern is not None and not re.search(sampling.pattern, name):
        return None
    return name


#: What tables call the column of the text, the likeliest first, in lower case.
TEXTS = ("text", "ocr_text", "report_text", "report", "pathology_report", "pathology_text", "note", "body")


def recognise(head: Head) -> Guess | None:
    """Tell a table of reports by a column of long texts; its id column is where barcodes are found, else the first."""
    header = head.header
    if len(header) < 2 or head.layout is None:
        return None
    # Texts hold line feeds, so the rows are not the lines.
    records = csv.reader(io.StringIO(head.text), delimiter=head.layout.delimiter)
    try:
        rows = [row for row in itertools.islice(records, 1, 30) if len(row) == len(header)]
    except csv.Error:
        return None
    lengths = {name: _median_length(rows, i) for i, name in enumerate(header)}
    named = {name.lower(): name for name in reversed(header)}
    text = next((named[name] for name in TEXTS if name in named and lengths[named[name]] >= 40), None)
    if text is None:
        return None
    found = {name: sum(find_barcode(row[i]) is not None for row in rows) for i, name in enumerate(header)}
    others = [name for name in header if name != text and lengths[name] < 200]
    at = max(others, key=lambda name: found[name], default=header[0])
    keys = {"text": text} | ({"id": at} if at != header[0] else {})
    return Guess("reports", modality="report", specific=10, keys=keys, sure=lengths[text] >= 200)


def _median_length(rows: list[list[str]], column: int) -> int:
    lengths = sorted(len(row[column]) for row in rows)
    return lengths[len(lengths) // 2] if lengths else 0
