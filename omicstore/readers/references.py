"""Reference tables: genes, symbols, probes, sites and metabolites, under canonical column names.

Only an empty cell is missing here (and, for metabolites, ``NA``): the tissue source site ``NA`` and the gene symbol
``NAN`` are names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError, UnknownNameError
from omicstore.readers.delimited import Layout, line_of, read_texts, sniff
from omicstore.readers.manifests import NAMES, read_manifest, read_probe_list

if TYPE_CHECKING:
    from omicstore.sources import Reference

__all__ = ["COLUMNS", "read_reference"]

#: Canonical column to the names that files have for it, the preferred one first; those with a star may be absent.
COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "xena-probemap": {
        "id": ("id", "#id"),
        "symbol": ("gene",),
        "chromosome": ("chrom",),
        "start": ("chromStart",),
        "end": ("chromEnd",),
        "strand": ("strand", "*"),
    },
    "hgnc": {
        "hgnc_id": ("hgnc_id",),
        "symbol": ("symbol",),
        "alias_symbol": ("alias_symbol", "*"),
        "prev_symbol": ("prev_symbol", "*"),
        "entrez_id": ("entrez_id",),
        "ensembl_gene_id": ("ensembl_gene_id",),
    },
    "probe-table": {
        "probe_id": ("probe_id",),
        "chromosome": ("chrom_hg38", "chromosome", "chrom", "chrom_hg19"),
        "start": ("beg_hg38", "start", "pos_hg19"),
        "entrez": ("entrez_id", "entrez", "*"),
        "symbol": ("symbol_hgnc", "symbol", "gene"),
        "gene_group": ("gene_group", "*"),
    },
    "illumina-manifest": {
        "probe_id": ("IlmnID",),
        "chromosome": ("CHR",),
        "start": ("MAPINFO",),
        "symbol": ("UCSC_RefGene_Name",),
        "gene_group": ("UCSC_RefGene_Group",),
    },
    "probe-list": {"probe_id": NAMES},
    "tcga-tss": {
        "code": ("TSS Code", "code"),
        "site": ("Source Site", "site"),
        "disease": ("Disease type", "Study Name", "disease"),
    },
    "metabolite-table": {
        "query": ("Query", "query"),
        "match": ("Match", "match"),
        "hmdb": ("HMDB", "hmdb"),
        "kegg": ("KEGG", "kegg"),
    },
}

_INTEGERS = ("start", "end")

#: The array maker's own name of a probe's gene; it stands in where the table found no current symbol.
_MAKERS_SYMBOL = "symbol_methylmix"


def read_reference(reference: Reference) -> pl.DataFrame:
    r"""Read a reference table.

    Parameters
    ----------
    reference
        The file and its format.

    Returns
    -------
    polars.DataFrame
        The canonical columns of `COLUMNS`: strings, null where empty, but ``start`` and ``end`` Int64. In an
        illumina-manifest, ``symbol`` and ``gene_group`` list transcripts in the same order, separated by semicolons.

    Raises
    ------
    SourceError
        If a column is absent or a position is no whole number.

    Examples
    --------
    >>> from pathlib import Path; import tempfile
    >>> from omicstore.sources import Reference
    >>> path = Path(tempfile.mkdtemp()) / "tss.csv"
    >>> _ = path.write_text("TSS Code,Source Site,Disease type\nNA,UNC,Uterine Carcinosarcoma\n")
    >>> read_reference(Reference("sites", path, "tcga-tss"))["code"].to_list()
    ['NA']
    """
    if reference.format not in COLUMNS:
        raise UnknownNameError("reference format", reference.format, COLUMNS)
    if reference.format == "illumina-manifest":
        return _manifest(reference)
    if reference.format == "probe-list":
        return read_probe_list(reference.path)
    layout = sniff(reference.path)
    found = {name: _position(layout, reference.format, names) for name, names in COLUMNS[reference.format].items()}
    makers = layout.header.index(_MAKERS_SYMBOL) if _MAKERS_SYMBOL in layout.header else None
    frame = read_texts(layout, [i for i in (*found.values(), makers) if i is not None])
    if reference.format == "probe-table" and makers is not None:
        symbol = str(found["symbol"])
        frame = frame.with_columns(pl.coalesce(symbol, str(makers)).alias(symbol))
    frame = frame.select(
        (pl.col(str(i)) if i is not None else pl.lit(None, dtype=pl.String)).alias(name) for name, i in found.items()
    )
    if reference.format == "metabolite-table":
        frame = frame.with_columns(pl.when(pl.all() != "NA").then(pl.all()))
    if reference.format == "tcga-tss":
        frame = _with_site_na(layout, frame)
    return frame.with_columns(_integer(layout, frame, name) for name in _INTEGERS if name in frame.columns)


def _manifest(reference: Reference) -> pl.DataFrame:
    frame = read_manifest(reference.path, {name: names[0] for name, names in COLUMNS[reference.format].items()})
    start = frame.get_column("start").cast(pl.Int64, strict=False)
    return frame.with_columns(start=start, entrez=pl.lit(None, dtype=pl.String))


def _with_site_na(layout: Layout, frame: pl.DataFrame) -> pl.DataFrame:
    """Give the site ``NA`` its code back where whoever wrote the table read it as missing.

    Codes have two characters and ``NA`` is the only one that readers take for missing, so a single empty code can be
    no other.
    """
    code = frame.get_column("code")
    empty = code.is_null().arg_true().to_list()
    if len(empty) == 1 and not code.eq("NA").any():
        return frame.with_columns(pl.col("code").fill_null("NA"))
    if empty:
        raise SourceError(
            layout.path,
            f"{len(empty)} sites have no code; one of them may be the site 'NA', read as missing",
            line=line_of(layout, empty[0]),
            column="code",
            expected="a code of two characters in every row",
            run="write the table again with 'NA' kept as text (pandas: keep_default_na=False)",
        )
    return frame


def _position(layout: Layout, kind: str, names: tuple[str, ...]) -> int | None:
    position = next((layout.header.index(name) for name in names if name in layout.header), None)
    if position is None and "*" not in names:
        raise SourceError(
            layout.path,
            f"there is no column {' or '.join(repr(n) for n in names)}; the columns are {', '.join(layout.header[:8])}",
            line=1,
            expected=f"a table of format {kind}",
            run="mend path or format of this reference in the study file",
        )
    return position


def _integer(layout: Layout, frame: pl.DataFrame, name: str) -> pl.Series:
    column = frame.get_column(name)
    numbers = column.cast(pl.Float64, strict=False)  # some tables write positions as 1234.0
    wrong = numbers.is_null() & column.is_not_null() & ~column.is_in(["NA", "."])
    if wrong.any():
        row = wrong.arg_max() or 0
        raise SourceError(
            layout.path,
            f"{column[row]!r} is no position",
            line=line_of(layout, row),
            column=name,
            expected="a whole number",
            run="mend the cell or leave it empty",
        )
    return numbers.cast(pl.Int64).alias(name)
