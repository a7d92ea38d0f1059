"""From a gene's name in a source file to the gene: Ensembl id, approved symbol, Entrez id, position."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.identifiers import (
    excel_date_symbols,
    is_ensembl_gene,
    is_par_y,
    split_symbol_entrez,
    strip_version,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

__all__ = ["Gene", "GeneResolver", "Position", "Resolved"]

#: What portals append to a gene in tables that hold several modalities.
_SUFFIX = re.compile(r"_(?:rnaseq|cnv|mut|meth|methylation)$")

#: How a name was understood, best first. A weaker one never adds to a gene that the file names by a stronger one.
ENSEMBL, ENTREZ, APPROVED, PREVIOUS, ANNOTATED, ALIAS, DATE = range(7)


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene: its feature id (Ensembl, else ``symbol:<approved symbol>``), symbol and Entrez id."""

    feature_id: str
    symbol: str | None
    entrez: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a gene lies: 1-based, in the assembly of the study's gene table."""

    chromosome: str | None
    start: int | None
    end: int | None
    strand: str | None


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
        self._approved: dict[str, Gene] = {}
        self._by_entrez: dict[str, Gene] = {}
        self._by_ensembl: dict[str, Gene] = {}
        self._previous: dict[str, list[Gene]] = {}
        self._alias: dict[str, list[Gene]] = {}
        self._annotated: dict[str, list[Gene]] = {}
        self.positions: dict[str, Position] = {}
        if symbols is not None:
            self._learn_symbols(symbols)
        if genes is not None:
            self._learn_annotation(genes)
        self._folded = {name.upper(): gene for name, gene in self._approved.items()}

    def _learn_symbols(self, symbols: pl.DataFrame) -> None:
        columns = ("symbol", "alias_symbol", "prev_symbol", "entrez_id", "ensembl_gene_id")
        for symbol, alias, previous, entrez, ensembl in symbols.select(columns).iter_rows():
            gene = Gene(ensembl or f"symbol:{symbol}", symbol, entrez or None)
            self._approved[symbol] = gene
            if entrez:
                self._by_entrez[entrez] = gene
            if ensembl:
                self._by_ensembl[ensembl] = gene
            for names, known in ((previous, self._previous), (alias, self._alias)):
                for name in names.split("|") if names else ():
                    known.setdefault(name.strip(), []).append(gene)

    def _learn_annotation(self, genes: pl.DataFrame) -> None:
        columns = ("id", "symbol", "chromosome", "start", "end", "strand")
        for raw, symbol, chromosome, start, end, strand in genes.select(columns).iter_rows():
            if is_par_y(raw):
                continue
            ensembl = strip_version(raw)
            self.positions[ensembl] = Position(chromosome, start, end, strand)
            gene = self._by_ensembl.setdefault(ensembl, Gene(ensembl, symbol, None))
            if symbol:
                self._annotated.setdefault(symbol, []).append(gene)

    def resolve_all(self, names: Iterable[str]) -> list[Resolved]:
        """Resolve the features of one file, each in the light of the others.

        An alias, or an Entrez id that only its symbol explains, is dropped where another feature of the file names
        the same gene better: adding it would count another gene's reads.
        """
        found = [self.resolve(name) for name in names]
        strong = {r.gene.feature_id for r in found if r.gene is not None and r.how <= ANNOTATED}
        return [
            Resolved(None, r.how, "alias of a gene that the file names itself")
            if r.gene is not None and r.how > ANNOTATED and r.gene.feature_id in strong
            else r
            for r in found
        ]

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
        gene = self._by_entrez.get(entrez)
        return Resolved(gene, ENTREZ) if gene else Resolved(None, reason="Entrez id unknown")

    def symbol(self, name: str) -> Resolved:
        """Resolve a symbol, present or past."""
        if gene := self._approved.get(name):
            return Resolved(gene, APPROVED)
        ambiguous = ""
        for known, how, what in (
            (self._previous, PREVIOUS, "previous symbol"),
            (self._annotated, ANNOTATED, "symbol in the gene annotation"),
            (self._alias, ALIAS, "alias"),
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
        if gene := self._folded.get(name.upper()):
            return Resolved(gene, ALIAS)
        return Resolved(None, reason="symbol unknown")

    def _ensembl(self, name: str) -> Resolved:
        if is_par_y(name):
            return Resolved(None, reason="copy in the pseudoautosomal region of Y")
        ensembl = strip_version(name)
        return Resolved(self._by_ensembl.get(ensembl) or Gene(ensembl, None, None), ENSEMBL)

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
            [self._approved[s] for s in symbols if s in self._approved],
            [gene for s in symbols for gene in self._previous.get(s, ())],
            [gene for s in symbols for gene in self._alias.get(s, ())],
        )
        for genes in tiers:
            if genes:
                found = _single(genes, DATE)
                return found if found.gene is not None else Resolved(None, reason="ambiguous Excel date")
        return Resolved(None, reason="Excel date of no known symbol")


def _single(candidates: list[Gene], how: int) -> Resolved:
    return Resolved(candidates[0] if len(set(candidates)) == 1 else None, how)
