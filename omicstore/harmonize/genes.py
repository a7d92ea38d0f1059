"""From a gene's name in a source file to the gene: Ensembl id, approved symbol, Entrez id, position."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.identifiers import (
    excel_date_symbols,
    is_ensembl_gene,
    is_par_y,
    split_symbol_entrez,
    strip_version,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Gene", "GeneResolver", "Resolved"]

#: What portals append to a gene in tables that hold several modalities.
_SUFFIX = re.compile(r"_(?:rnaseq|cnv|mut|meth|methylation)$")

_HGNC = ["symbol", "alias_symbol", "prev_symbol", "entrez"]
_GENE = ["feature_id", "symbol", "entrez"]
_RESOLVED = {"name": pl.String, **dict.fromkeys(_GENE, pl.String), "how": pl.Int64, "reason": pl.String}
_ANNOTATION = {
    "feature_id": pl.String, "symbol": pl.String, "chromosome": pl.String, "start": pl.Int64, "end": pl.Int64,
    "strand": pl.String,
}  # fmt: skip

#: How a name was understood, best first. A weaker one never adds to a gene that the file names by a stronger one.
ENSEMBL, ENTREZ, APPROVED, PREVIOUS, ANNOTATED, ALIAS, DATE = range(7)


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene: its feature id (Ensembl, else ``symbol:<approved symbol>``), symbol and Entrez id."""

    feature_id: str
    symbol: str | None
    entrez: str | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A gene and how its name was understood, or the reason why there is none."""

    gene: Gene | None
    how: int = ENSEMBL
    reason: str = ""


class GeneResolver:
    """Finds genes by Ensembl id, Entrez id, ``SYMBOL|ENTREZ``, approved, previous or alias symbol.

    Parameters
    ----------
    symbols
        HGNC: hgnc_id, symbol, alias_symbol, prev_symbol (lists joined by ``|``), entrez_id, ensembl_gene_id; or None.
    genes
        A gene annotation: id (Ensembl), symbol, chromosome, start, end, strand; or None.

    Notes
    -----
    A symbol is looked up among the approved symbols, then the previous ones, then those of the gene annotation, then
    the aliases. Where a list gives it to several genes, the next one that gives it to one decides, aliases aside; it is
    ambiguous if there is none. The Entrez id of ``SYMBOL|ENTREZ`` decides; its symbol is asked only where HGNC does not
    know the Entrez id.
    """

    def __init__(self, symbols: pl.DataFrame | None = None, genes: pl.DataFrame | None = None) -> None:
        self._symbols, self._annotation = _symbol_table(symbols), _annotation_table(genes)
        #: What is known of each gene: feature_id, symbol, entrez, chromosome, start, end, strand.
        self.table = (
            self._symbols.select("feature_id", "symbol", "entrez")
            .unique("feature_id", keep="last", maintain_order=True)
            .join(self._annotation, on="feature_id", how="full", coalesce=True, maintain_order="left_right")
            .with_columns(symbol=pl.coalesce("symbol", "symbol_right"))
            .drop("symbol_right")
        )

    @cached_property
    def _names(self) -> _Names:
        # Made when the first name comes that the tables do not hold as it is: it takes a loop over all genes.
        return _Names(self._symbols, self._annotation, self.table)

    def resolve_all(self, names: Sequence[str]) -> pl.DataFrame:
        """Resolve the features of one file, each in the light of the others.

        An alias, or an Entrez id that only its symbol explains, is dropped where another feature of the file names
        the same gene better: adding it would count another gene's reads.

        Returns
        -------
        polars.DataFrame
            A row for each name: name, feature_id (null where there is no gene), symbol, entrez, how, reason.
        """
        found = self.resolve_each(names)
        strong = found.filter(pl.col("how") <= ANNOTATED).get_column("feature_id").drop_nulls()
        twice = ((pl.col("how") > ANNOTATED) & pl.col("feature_id").is_in(strong.implode())).fill_null(value=False)
        return found.with_columns(
            *(pl.when(~twice).then(c).alias(c) for c in ("feature_id", "symbol", "entrez")),
            reason=pl.when(twice).then(pl.lit("alias of a gene that the file names itself")).otherwise("reason"),
        )

    def resolve_each(self, names: Sequence[str]) -> pl.DataFrame:
        """Resolve many names, each by itself as `resolve` does; the columns are those of `resolve_all`."""
        found = self._resolved_plainly(names)
        rest = found.filter(pl.col("how").is_null())
        others = [_row(name, self.resolve(name)) for name in rest.get_column("name")]
        rows = rest.select("at").hstack(pl.DataFrame(others, schema=_RESOLVED, orient="row"))
        return pl.concat([found.filter(pl.col("how").is_not_null()), rows]).sort("at").drop("at")

    def _resolved_plainly(self, names: Sequence[str]) -> pl.DataFrame:
        """Resolve what is an Ensembl id, an Entrez id behind a bar, or an approved symbol, as `resolve` does."""
        clean = pl.col("name").str.strip_chars().str.replace(_SUFFIX.pattern, "")
        ensembl = pl.col("clean").str.to_uppercase().str.extract(r"^(ENS[A-Z]{0,4}G\d{11})(?:\.\d+)?$")
        by_entrez = self._symbols.filter(pl.col("entrez").is_not_null()).unique("entrez", keep="last")
        approved = self._symbols.unique("symbol", keep="last")
        found = (
            pl.DataFrame({"name": names}, schema={"name": pl.String})
            .with_row_index("at")
            .with_columns(clean=clean)
            .with_columns(ensembl=ensembl, number=pl.col("clean").str.extract(r"^[^|]*\|(\d+)$"))
            .join(self.table.select(ensembl="feature_id", s0="symbol", e0="entrez"), on="ensembl", how="left")
            .join(by_entrez.select(number="entrez", f1="feature_id", s1="symbol"), on="number", how="left")
            .join(approved.select(clean="symbol", f2="feature_id", e2="entrez"), on="clean", how="left")
        )
        kinds = (
            (pl.col("ensembl").is_not_null(), (pl.col("ensembl"), pl.col("s0"), pl.col("e0")), ENSEMBL),
            (pl.col("f1").is_not_null(), (pl.col("f1"), pl.col("s1"), pl.col("number")), ENTREZ),
            (pl.col("f2").is_not_null(), (pl.col("f2"), pl.col("clean"), pl.col("e2")), APPROVED),
        )
        columns = [
            pl.coalesce(pl.when(is_kind).then(values[i]) for is_kind, values, _ in kinds).alias(name)
            for i, name in enumerate(("feature_id", "symbol", "entrez"))
        ]
        how = pl.coalesce(pl.when(is_kind).then(pl.lit(how, pl.Int64)) for is_kind, _, how in kinds)
        return found.select("at", "name", *columns, how=how, reason=pl.lit(""))

    def resolve(self, name: str) -> Resolved:
        """Resolve one name as a source file has it.

        Examples
        --------
        >>> import polars as pl
        >>> hgnc = pl.DataFrame({
        ...     "symbol": ["MARCHF1", "MTARC1"], "alias_symbol": [None, None], "prev_symbol": ["MARCH1", "MARC1"],
        ...     "entrez_id": ["55016", "64757"], "ensembl_gene_id": ["ENSG00000145416", "ENSG00000186205"]})
        >>> genes = GeneResolver(hgnc)
        >>> genes.resolve("MARCH1").gene.symbol, genes.resolve("?|64757").gene.symbol, genes.resolve("1-Mar").reason
        ('MARCHF1', 'MTARC1', 'ambiguous Excel date')
        """
        name = _SUFFIX.sub("", name.strip())
        if is_ensembl_gene(name):
            return self._ensembl(name)
        pair = split_symbol_entrez(name)
        if pair is not None:
            return self._pair(*pair)
        if name.isdigit():
            return self.entrez(name)
        return self.symbol(name)

    def entrez(self, entrez: str) -> Resolved:
        """Resolve an Entrez id."""
        gene = self._names.by_entrez.get(entrez)
        return Resolved(gene, ENTREZ) if gene else Resolved(None, reason="Entrez id unknown")

    def symbol(self, name: str) -> Resolved:
        """Resolve a symbol, present or past."""
        if gene := self._names.approved.get(name):
            return Resolved(gene, APPROVED)
        ambiguous = ""
        for known, how, what in (
            (self._names.previous, PREVIOUS, "previous symbol"),
            (self._names.annotated, ANNOTATED, "symbol in the gene annotation"),
            (self._names.alias, ALIAS, "alias"),
        ):
            candidates = known.get(name)
            if candidates and not (ambiguous and how == ALIAS):
                found = _single(candidates, how)
                if found.gene is not None:
                    return found
                ambiguous = ambiguous or f"ambiguous {what}"
        if ambiguous:
            return Resolved(None, reason=ambiguous)
        if dates := excel_date_symbols(name):
            return self._date(dates)
        if gene := self._names.folded.get(name.upper()):
            return Resolved(gene, ALIAS)
        return Resolved(None, reason="symbol unknown")

    def candidates(self, name: str) -> list[Gene]:
        """Return all genes that a symbol or a date can stand for, sorted: of the first list that has any."""
        for known in (self._names.previous, self._names.annotated, self._names.alias):
            found = [gene for symbol in excel_date_symbols(name) or (name,) for gene in known.get(symbol, ())]
            if found:
                return sorted(set(found), key=lambda gene: gene.feature_id)
        return []

    def _ensembl(self, name: str) -> Resolved:
        if is_par_y(name):
            return Resolved(None, reason="copy in the pseudoautosomal region of Y")
        ensembl = strip_version(name)
        return Resolved(self._names.by_ensembl.get(ensembl) or Gene(ensembl, None, None), ENSEMBL)

    def _pair(self, symbol: str | None, entrez: str | None) -> Resolved:
        if entrez is not None:
            found = self.entrez(entrez)
            if found.gene is not None or symbol is None:
                return found
        if symbol is None:
            return Resolved(None, reason="no name")
        found = self.symbol(symbol)
        if found.gene is None:
            return Resolved(None, reason="Entrez id and symbol unknown")
        # The symbol may have moved to another gene since; it yields to any feature that names that gene itself.
        return Resolved(found.gene, ALIAS)

    def _date(self, symbols: tuple[str, ...]) -> Resolved:
        # Excel damages what people write: a symbol that was approved comes before one that is merely an alias
        # (`1-Sep` is SEPT1, not XRN1, of which SEP1 is an alias).
        tiers = (
            [self._names.approved[s] for s in symbols if s in self._names.approved],
            [gene for s in symbols for gene in self._names.previous.get(s, ())],
            [gene for s in symbols for gene in self._names.alias.get(s, ())],
        )
        for genes in tiers:
            if genes:
                found = _single(genes, DATE)
                return found if found.gene is not None else Resolved(None, reason="ambiguous Excel date")
        return Resolved(None, reason="Excel date of no known symbol")


def _symbol_table(symbols: pl.DataFrame | None) -> pl.DataFrame:
    """Return HGNC with the feature id of each gene."""
    if symbols is None:
        return pl.DataFrame(schema=dict.fromkeys((*_HGNC, "feature_id"), pl.String))
    ensembl = pl.col("ensembl_gene_id").replace("", None)
    return symbols.select(
        "symbol",
        "alias_symbol",
        "prev_symbol",
        pl.col("entrez_id").replace("", None).alias("entrez"),
        pl.coalesce(ensembl, pl.format("symbol:{}", "symbol")).alias("feature_id"),
    )


def _annotation_table(genes: pl.DataFrame | None) -> pl.DataFrame:
    """Return the gene annotation by feature id, without the copies on Y."""
    if genes is None:
        return pl.DataFrame(schema=_ANNOTATION)
    return (
        genes.with_columns(pl.col("id").str.to_uppercase())
        .filter(~pl.col("id").str.ends_with("_PAR_Y"))
        .with_columns(feature_id=pl.col("id").str.extract(r"^([^._]*)"))
        .unique("feature_id", keep="first", maintain_order=True)
        .select(pl.col(name).cast(dtype) for name, dtype in _ANNOTATION.items())
    )


def _row(name: str, found: Resolved) -> tuple[Any, ...]:
    gene = found.gene
    known = (gene.feature_id, gene.symbol, gene.entrez) if gene is not None else (None, None, None)
    return (name, *known, found.how, found.reason)


class _Names:
    """Names to genes, for those that are looked up one by one."""

    def __init__(self, symbols: pl.DataFrame, annotation: pl.DataFrame, table: pl.DataFrame) -> None:
        genes = {f: Gene(f, symbol, entrez) for f, symbol, entrez in table.select(_GENE).iter_rows()}
        self.by_ensembl = genes
        self.approved: dict[str, Gene] = {}
        self.by_entrez: dict[str, Gene] = {}
        self.previous: dict[str, list[Gene]] = {}
        self.alias: dict[str, list[Gene]] = {}
        self.annotated: dict[str, list[Gene]] = {}
        for symbol, alias, previous, entrez, feature_id in symbols.select(*_HGNC, "feature_id").iter_rows():
            gene = Gene(feature_id, symbol, entrez)
            self.approved[symbol] = gene
            if entrez:
                self.by_entrez[entrez] = gene
            for names, known in ((previous, self.previous), (alias, self.alias)):
                for name in names.split("|") if names else ():
                    known.setdefault(name.strip(), []).append(gene)
        for feature_id, symbol in annotation.select("feature_id", "symbol").iter_rows():
            if symbol:
                self.annotated.setdefault(symbol, []).append(genes[feature_id])
        self.folded = {name.upper(): gene for name, gene in self.approved.items()}


def _single(candidates: list[Gene], how: int) -> Resolved:
    return Resolved(candidates[0] if len(set(candidates)) == 1 else None, how)
