"""Measurements from the Broad's Firehose: in its own orientation with two header lines, and turned.

In its own orientation features are in rows, and the second header line says what each column holds: RSEM files may give
raw counts, scaled estimates and transcripts of each sample, miRNA files read counts, reads per million and whether
reads were cross-mapped. Turned files have samples in rows; of miRNA three rows for each aliquot, told apart by a column
``miRNA_ID`` and by ``.1`` and ``.2`` after the aliquot.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.identifiers import split_symbol_entrez
from omicstore.readers.cells import decimals_of, is_number
from omicstore.readers.delimited import read_texts, sniff
from omicstore.readers.matrix import read_layout
from omicstore.readers.matrix_plan import selected
from omicstore.readers.numbers import to_float
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.readers.delimited import Layout
    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["KINDS", "read_measurements", "recognise"]

#: What Firehose calls the values of a unit's base, in lower case.
KINDS: dict[str, tuple[str, ...]] = {
    "rsem_normalized": ("normalized_count",),
    "counts": ("raw_count", "read_count"),
    "rpm": ("reads_per_million_mirna_mapped",),
    "log2_ratio": ("protein expression", "protein_expression"),
}

_REPEAT = re.compile(r"\.\d$")


def read_measurements(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read RNA-seq, RPPA or miRNA-seq of Firehose, whichever way round it is.

    Raises
    ------
    SourceError
        If the file does not hold values of the source's unit, or is no such matrix.
    """
    layout = sniff(source.path, two_headers=True)
    if layout.kinds:
        columns = _of_kind(source, layout, ["", *(kind.strip() for kind in layout.kinds[1:])])
        source = replace(source, orientation="features_in_rows")
        raw = read_layout(source, layout, sampling, [0, *columns])
        others = len(layout.header) - 1 - len(columns)
        raw.drops.add(
            "column of another kind", sorted(set(layout.kinds[1:]) - {layout.kinds[columns[0]]}), count=others
        )
        return [raw]
    if source.format == "firehose-mirnaseq" and "miRNA_ID" in layout.header:
        return [_repeated_rows(source, layout)]
    return [read_layout(source, layout, sampling)]


def _of_kind(source: Source, layout: Layout, kinds: Sequence[str | None]) -> list[int]:
    """Return the positions of the kind of value that the source's unit means."""
    base = parse_unit(source.unit).base.name if source.unit else ""
    wanted = KINDS.get(base, ())
    found = [i for i, kind in enumerate(kinds) if (kind or "").lower() in wanted]
    if found:
        return found
    there = sorted({kind for kind in kinds if kind})
    units = [unit for unit, names in KINDS.items() if any(kind.lower() in names for kind in there)]
    raise SourceError(
        layout.path,
        f"it holds {', '.join(there[:5])}, and the study says unit: {source.unit}",
        expected=f"unit: {' or '.join(units)}"
        if units
        else f"one of {', '.join(n for names in KINDS.values() for n in names)}",
        run="mend unit: of this source in the study file",
    )


def _repeated_rows(source: Source, layout: Layout) -> RawTable:
    """Read turned miRNA-seq, with a row for each kind of value of an aliquot."""
    at, names = layout.index("miRNA_ID"), layout.header
    text = read_texts(layout)
    kinds = text.get_column(str(at)).to_list()
    rows = _of_kind(source, layout, kinds)
    drops = Drops()
    kept_kind = kinds[rows[0]]
    drops.add("row of another kind", sorted({k or "" for k in kinds} - {kept_kind}), count=len(kinds) - len(rows))
    info = [i for i in range(1, len(names)) if i == at or layout.is_text(i)]
    features = [i for i in range(1, len(names)) if i not in info]
    kept = selected(source, [names[i] for i in features], drops, what="columns")
    features = [i for i, keep in zip(features, kept, strict=True) if keep]
    cells = text[rows].select(str(i) for i in features)
    sample = [cell for row in cells.head(5).iter_rows() for cell in row if cell]
    ids = [_REPEAT.sub("", name or "") for name in text.to_series(0)[rows].to_list()]
    return RawTable(
        "matrix",
        source,
        source.modality,
        ids=ids,
        features=[names[i] for i in features],
        values=np.ascontiguousarray(to_float(layout, cells, source.missing, rows=rows).to_numpy(), np.float32),
        profile_info=pl.DataFrame({"raw_id": ids, **{names[i]: text.to_series(i)[rows] for i in info if i != at}}),
        decimals=decimals_of(sample),
        rows_in=text.height,
        columns_in=len(names),
        drops=drops,
    )


def recognise(head: Head) -> Guess | None:
    """Tell Firehose's files from the second header line, or, turned, from the first columns and the feature names."""
    header = head.header
    if head.layout is None or len(header) < 3:
        return None
    rows = head.layout.rows
    second = {cell.strip().lower() for cell in rows[0][1:]}
    for base, names in KINDS.items():
        if second & set(names) and not any(is_number(cell) for cell in rows[0][1:]):
            form = "firehose-rnaseqv2" if base == "counts" and "scaled_estimate" in second else _FORM_OF[base]
            return Guess(form, unit=base, orientation="features_in_rows", specific=10)
    if header[0] == "aliquot" and "miRNA_ID" in header[:4]:
        form = "firehose-mirnaseq"
        return Guess(form, unit="rpm", orientation="features_in_columns", id_type="mirna", specific=10)
    if header[0] == "bcr_patient_barcode":
        if sum(split_symbol_entrez(name) is not None for name in header) > 0.5 * len(header):
            return Guess("firehose-rnaseqv2", orientation="features_in_columns", specific=10)
        if sum("_p" in name for name in header) > 0.05 * len(header) and "4E-BP1" in header:
            return Guess("firehose-rppa", orientation="features_in_columns", id_type="antibody", specific=10)
    return None


_FORM_OF = {
    "rsem_normalized": "firehose-rnaseqv2",
    "counts": "firehose-mirnaseq",
    "rpm": "firehose-mirnaseq",
    "log2_ratio": "firehose-rppa",
}
