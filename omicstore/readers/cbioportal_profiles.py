"""Molecular profiles of a cBioPortal study: matrices, and long tables of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.bytestream import pieces
from omicstore.readers.cbioportal_meta import refuse_pointer
from omicstore.readers.cells import decimals_of
from omicstore.readers.delimited import duplicates, read_texts, sniff
from omicstore.readers.maf import ENTREZ, SYMBOL, gene_names
from omicstore.readers.matrix_plan import selected
from omicstore.readers.numbers import read_numbers, to_float
from omicstore.readers.table import RawTable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.readers.cbioportal_meta import Profile
    from omicstore.readers.delimited import Layout
    from omicstore.sources import Source

__all__ = ["find_column", "has_column", "layout_of", "matrix_ids", "read_matrix"]

PROTEIN, ENTITY = "Composite.Element.REF", "ENTITY_STABLE_ID"

#: Columns that name or describe a row, in lower case, beside those that the meta file names.
ABOUT = frozenset([SYMBOL.lower(), ENTREZ.lower(), PROTEIN.lower(), ENTITY.lower(), "cytoband", "name", "description",
                   "url", "locus id", "gene symbol", "transcript_id", "gene_symbol"])  # fmt: skip


def matrix_ids(profile: Profile, people: pl.DataFrame) -> list[str]:
    """Return the samples (or patients) of a matrix."""
    layout = layout_of(profile.data)
    if _is_long(profile):
        return read_texts(layout, [find_column(layout, "Sample_Id")]).to_series().drop_nulls().unique().sort().to_list()
    return [layout.header[i] for i in _columns(profile, layout, people)[0]]


def read_matrix(source: Source, profile: Profile, people: pl.DataFrame) -> RawTable:
    """Read a profile whose file has genes, proteins, probes or metabolites in rows.

    Raises
    ------
    SourceError
        If no column is a sample of the study, or a cell is no number.
    """
    layout = layout_of(profile.data)
    if _is_long(profile):
        return _read_long(source, layout)
    samples, about, unknown = _columns(profile, layout, people)
    raw = RawTable("matrix", source, profile.modality, rows_in=0, columns_in=len(layout.header))
    raw.drops.add("column that is no sample of the study", [layout.header[i] for i in unknown])
    raw.ids = [layout.header[i] for i in samples]
    left = sorted([*about, *unknown])
    if profile.kind != "GENERIC_ASSAY" and left == list(range(len(left))) and left:
        found = read_numbers(layout, len(left), samples, missing=source.missing, turn=True)
        values, raw.decimals = found.values, found.decimals
        info = pl.DataFrame({layout.header[i]: found.texts[i] for i in about}, schema_overrides=_texts(layout, about))
    else:
        frame = read_texts(layout, [*about, *samples])
        info = frame.select(pl.col(str(i)).alias(layout.header[i]) for i in about)
        cells = frame.select(pl.col(str(i)) for i in samples)
        if profile.datatype == "BINARY":
            cells = cells.with_columns(pl.all().replace({"true": "1", "yes": "1", "false": "0", "no": "0"}))
        raw.decimals = decimals_of(c for row in cells.head(20).iter_rows() for c in row if c)
        values = np.ascontiguousarray(to_float(layout, _limits(cells, raw), source.missing).to_numpy().T, np.float32)
    raw.rows_in = info.height
    return _named(source, raw, info, values)


def _named(source: Source, raw: RawTable, info: pl.DataFrame, values: NDArray[np.float32]) -> RawTable:
    """Give the rows of a file their names, and leave out those without."""
    features, told = _features(info, raw.modality or "")
    named = features.is_not_null() & (features != "")
    raw.drops.add("row without a name", [], count=int((~named).sum()))
    if source.select or source.drop:
        kept = pl.Series(selected(source, features.filter(named).to_list(), raw.drops, what="rows"), dtype=pl.Boolean)
        named = named.set(named, kept)
    rows = np.flatnonzero(named.to_numpy())
    raw.features = features.gather(rows).to_list()
    raw.values = values if rows.size == values.shape[1] else np.ascontiguousarray(values[:, rows])
    raw.feature_info = told.select(pl.Series("raw_feature", features), pl.all())[rows] if told.width else None
    if np.isnan(raw.values).all():
        raise SourceError(source.path, f"no cell of {source.part} holds a number", expected="a matrix of numbers")
    return raw


def _features(info: pl.DataFrame, modality: str) -> tuple[pl.Series, pl.DataFrame]:
    """Return the names of the rows, as harmonising takes them, and what else the file says of them."""
    by_lower = {name.lower(): name for name in info.columns}
    rename = {by_lower[n.lower()]: n for n in (SYMBOL, ENTREZ, PROTEIN, ENTITY) if n.lower() in by_lower}
    info = info.rename(rename)
    nothing = info.select()
    if PROTEIN in info.columns:
        # GENE|ANTIBODY; the genes of one that sees several are separated by blanks.
        whole = pl.col(PROTEIN).str.strip_chars()
        genes = whole.str.extract(r"^(.*)\|[^|]*$").str.strip_chars().str.replace_all(r"[\s,;]+", ";")
        return info.select(whole.str.extract(r"([^|]*)$")).to_series(), info.select(genes.alias("symbol"))
    if ENTITY in info.columns:
        name = next((n for n in info.columns if n.upper() == "NAME"), None) if modality == "metab" else None
        chosen = pl.coalesce(name, ENTITY) if name is not None else pl.col(ENTITY)
        return info.select(chosen.alias("feature")).to_series(), info
    if SYMBOL not in info.columns and ENTREZ not in info.columns:
        return info.to_series(0), nothing
    if modality == "mirna" and SYMBOL in info.columns:
        return info.get_column(SYMBOL), nothing
    return info.select(gene_names(info.columns)).to_series(), nothing


def _columns(profile: Profile, layout: Layout, people: pl.DataFrame) -> tuple[list[int], list[int], list[int]]:
    """Return the columns that are samples, that describe a row, and that are neither."""
    listed = set(people.filter(pl.col("patient_level") | (pl.col("raw_id") == pl.col("patient_id")))["raw_id"])
    if not profile.by_patient:
        listed = set(people.filter(~pl.col("patient_level"))["raw_id"])
    told = {n.strip().lower() for n in profile.fields.get("generic_entity_meta_properties", "").split(",")}
    samples = [i for i, name in enumerate(layout.header) if name in listed]
    about = [i for i, n in enumerate(layout.header) if n.lower() in ABOUT | told and i not in set(samples)]
    if not samples or not about:
        what = "patient" if profile.by_patient else "sample"
        raise SourceError(
            profile.data,
            f"none of its {len(layout.header)} columns is a {what} of the study"
            if not samples
            else "no column names rows",
            line=1,
            expected=f"{SYMBOL} or {ENTREZ} or {PROTEIN} or {ENTITY}, then ids as in the clinical {what} file",
            run="mend the header",
        )
    for name, places in duplicates([layout.header[i] for i in samples]).items():
        raise SourceError(
            profile.data,
            f"the sample {name!r} comes {len(places)} times",
            line=1,
            expected="one column for each sample",
            run="take out all but one",
        )
    taken = {*samples, *about}
    return samples, about, [i for i in range(len(layout.header)) if i not in taken]


def _limits(cells: pl.DataFrame, raw: RawTable) -> pl.DataFrame:
    """Take ``> 8`` for 8, and say how often."""
    limits = int(cells.select(pl.sum_horizontal(pl.all().str.contains(r"^\s*[<>]=?").sum())).item() or 0)
    if limits:
        raw.warnings.append(f"{limits} cells hold a limit such as > 8 and were read as the limit")
    return cells.with_columns(pl.all().str.replace(r"^\s*[<>]=?\s*", ""))


def _read_long(source: Source, layout: Layout) -> RawTable:
    """Read calls that have a row for each gene and sample."""
    at = {name: i for name in (SYMBOL, ENTREZ) if (i := has_column(layout, name)) is not None}
    sample, value = find_column(layout, "Sample_Id"), find_column(layout, "Value")
    texts = read_texts(layout, [*at.values(), sample, value])
    number = to_float(layout, texts.select(str(value)), source.missing).to_series()
    frame = texts.select(
        *(pl.col(str(i)).alias(name) for name, i in at.items()), sample=pl.col(str(sample))
    ).with_columns(gene_names(list(at)), value=number)
    raw = RawTable("matrix", source, source.modality, rows_in=frame.height, columns_in=len(layout.header), decimals=0)
    whole = frame.filter(pl.col("gene").is_not_null() & pl.col("sample").is_not_null())
    raw.drops.add("row without a name", [], count=frame.height - whole.height)
    once = whole.unique(["gene", "sample"], keep="first", maintain_order=True)
    raw.drops.add("second value of a gene and sample", [], count=whole.height - once.height)
    raw.ids, features = (once[c].unique().sort().to_list() for c in ("sample", "gene"))
    values = np.full((len(raw.ids), len(features)), np.nan, np.float32)
    rows = once["sample"].replace_strict(raw.ids, range(len(raw.ids)), return_dtype=pl.Int64).to_numpy()
    columns = once["gene"].replace_strict(features, range(len(features)), return_dtype=pl.Int64).to_numpy()
    values[rows, columns] = once["value"].to_numpy()
    raw.decimals = decimals_of(texts.get_column(str(value)).drop_nulls().head(500))
    return _named(source, raw, pl.DataFrame({SYMBOL: features}).select(pl.col(SYMBOL).alias("gene")), values)


def layout_of(path: Path) -> Layout:
    """Return the first lines of a data file, which must not be a pointer of Git LFS."""
    refuse_pointer(path, next(pieces(path)))
    return sniff(path)


def _is_long(profile: Profile) -> bool:
    return profile.datatype == "DISCRETE_LONG"


def find_column(layout: Layout, name: str) -> int:
    """Return the position of a column, case aside; as `Layout.index` where there is none."""
    found = has_column(layout, name)
    return layout.index(name) if found is None else found


def has_column(layout: Layout, name: str) -> int | None:
    """Return the position of a column, case aside, or None."""
    return next((i for i, own in enumerate(layout.header) if own.lower() == name.lower()), None)


def _texts(layout: Layout, columns: list[int]) -> dict[str, type[pl.String]]:
    return {layout.header[i]: pl.String for i in columns}
