"""What the study's references say of an identifier: genes, probes, antibodies, metabolites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.harmonize.antibodies import antibodies
from omicstore.harmonize.genes import ALIAS, ANNOTATED, APPROVED, DATE, ENSEMBL, ENTREZ, PREVIOUS
from omicstore.harmonize.probes import GROUPS, SNP_PREFIX, is_probe, plain_name
from omicstore.identifiers import is_ensembl_gene, is_par_y, split_symbol_entrez, strip_version

if TYPE_CHECKING:
    from omicstore.harmonize.genes import GeneResolver
    from omicstore.harmonize.references import References

__all__ = ["explain_antibody", "explain_gene", "explain_metabolite", "explain_probe"]

#: How a gene was told from its name.
HOW = {
    ENSEMBL: "by its Ensembl id", ENTREZ: "by its Entrez id", APPROVED: "the approved symbol",
    PREVIOUS: "a previous symbol of it", ANNOTATED: "its symbol in the gene annotation", ALIAS: "an alias of it",
    DATE: "damaged by a spreadsheet",
}  # fmt: skip


def explain_gene(name: str, genes: GeneResolver) -> list[dict[str, Any]]:
    """Return the gene that a name stands for, or why it stands for none."""
    if is_par_y(name):
        found = genes.resolve(strip_version(name))
        return [_gene(found.gene, "the copy on X of what was asked for")] if found.gene and found.gene.symbol else []
    found = genes.resolve(name)
    if found.gene is not None and (found.gene.symbol or found.gene.entrez):
        # In another case a symbol is looked up among the aliases, and is none.
        same = name.casefold() == (found.gene.symbol or "").casefold()
        return [_gene(found.gene, HOW[APPROVED if same and found.how == ALIAS else found.how])]
    if is_ensembl_gene(name):
        text = "no gene of the study's references: retired, or not in that release of the annotation"
        return [{"kind": "unknown gene", "reason": "unknown to the references", "text": text}]
    if split_symbol_entrez(name) is not None:
        return [
            {"kind": "unknown gene", "reason": found.reason, "text": f"as a gene: {found.reason}; its rows are dropped"}
        ]
    # A barcode or a metabolite is simply no gene; only a name that looks like several genes is worth a word.
    if "ambiguous" not in found.reason:
        return []
    several = ", ".join(f"{gene.symbol} ({gene.feature_id})" for gene in genes.candidates(name))
    text = f"as a gene: {found.reason}" + (f": {several}" if several else "")
    return [{"kind": "gene", "reason": found.reason, "text": text}]


def _gene(gene: Any, how: str) -> dict[str, Any]:
    text = f"gene {gene.symbol or '-'}, {gene.feature_id}, Entrez {gene.entrez or '-'} (the study's references)"
    known = {"feature_id": gene.feature_id, "symbol": gene.symbol, "entrez": gene.entrez, "how": how}
    return {"kind": "gene", **known, "text": f"{text}: {how}"}


def explain_probe(name: str, refs: References) -> list[dict[str, Any]]:
    """Return what each array's reference says of a probe: its gene, its place in it, and why it counts or not."""
    import polars as pl

    if not is_probe(name):
        return []
    probe = plain_name(name)
    masked = probe in refs.masked or name in refs.masked
    found = []
    for platform in dict.fromkeys(refs.probe_platforms):
        reference = refs.probes(platform)
        for row in reference.frame.filter(pl.col("probe_id") == probe).iter_rows(named=True):
            symbol, group = row["symbol"], row["gene_group"]
            fate = _fate(probe, symbol, group, grouped=reference.grouped, masked=masked)
            where = f", {group}" if group else ""
            place = f", {row['chromosome']}:{row['start']}" if row.get("start") is not None else ""
            text = f"{platform} probe {probe}: gene {symbol or '-'}{where}{place}; {fate}"
            known = {"platform": platform, "symbol": symbol, "gene_group": group, "fate": fate}
            found.append({"kind": "probe", "feature_id": probe, **known, "text": text})
    return found


def _fate(probe: str, symbol: str | None, group: str | None, *, grouped: bool, masked: bool) -> str:
    if probe.startswith(SNP_PREFIX):
        return "dropped: it measures a genotype"
    if masked:
        return "dropped: it is masked"
    if not symbol:
        return "dropped: no gene"
    if grouped and not group:
        return "dropped: no group"
    if grouped and not (set((group or "").replace(",", ";").split(";")) & GROUPS):
        return f"dropped: {group} does not count"
    return "counts for the gene"


def explain_antibody(name: str, genes: GeneResolver | None) -> list[dict[str, Any]]:
    """Return the genes of an antibody, and what its name says of its quality; nothing for a plain gene symbol.

    Examples
    --------
    >>> explain_antibody("HER2_pY1248-R-C", None)[0]["text"]
    'antibody HER2_pY1248: gene ERBB2, phosphorylated at Y1248; R-C: caution'
    """
    import re

    (found,) = antibodies([name], None)
    site = re.search(r"[ _-]p((?:[STY]\d+)(?:[ _-][STY]?\d+)*)", found.feature_id)
    known = found.symbols or (antibodies([name], genes)[0].symbols if site or found.suffix or found.quality else None)
    if known is None or (known.upper() == found.feature_id.upper() and not (site or found.suffix)):
        return []
    several = "genes" if ";" in known else "gene"
    text = f"antibody {found.feature_id}: {several} {known.replace(';', ', ')}"
    text += f", phosphorylated at {', '.join(re.split('[ _-]', site[1]))}" if site else ""
    marks = ": ".join(mark for mark in (found.suffix, found.quality) if mark)
    text += f"; {marks}" if marks else ""
    about = {"feature_id": found.feature_id, "symbol": known, "site": site and site[1], "quality": found.quality}
    return [{"kind": "antibody", **about, "suffix": found.suffix, "text": text}]


def explain_metabolite(name: str, refs: References) -> list[dict[str, Any]]:
    """Return the KEGG and HMDB ids of a metabolite's name, or the names of an id."""
    names = refs.metabolites.names_of(name)
    if names:
        text = f"metabolite {name}: {', '.join(names[:3])} (the study's references)"
        return [{"kind": "metabolite", "names": names, "text": text}]
    kegg, hmdb = refs.metabolites.lookup(name)
    if kegg is None and hmdb is None:
        return []
    text = f"metabolite {name}: KEGG {kegg or '-'}, HMDB {hmdb or '-'} (the study's references)"
    return [{"kind": "metabolite", "kegg": kegg, "hmdb": hmdb, "text": text}]
