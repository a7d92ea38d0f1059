"""What the features of a source are, for each kind of feature."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.harmonize.antibodies import antibodies
from omicstore.harmonize.axis import Axis, make_axis
from omicstore.harmonize.genes import ALIAS, PREVIOUS, GeneResolver
from omicstore.harmonize.metabolites import metabolites
from omicstore.harmonize.probes import GROUPS, SNP_PREFIX, is_probe
from omicstore.identifiers import is_ensembl_gene
from omicstore.readers.table import Drops
from omicstore.schema import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.harmonize.references import ProbeReference, References
    from omicstore.readers.table import RawTable

__all__ = [
    "Found",
    "antibody_axis",
    "gene_axis",
    "holds_probes",
    "metabolite_axis",
    "plain_axis",
    "probe_axis",
    "probe_level_axis",
]

#: Rows at the end of count tables that are no genes.
_SUMMARY = re.compile(r"(?:__.+|N_(?:unmapped|multimapping|noFeature|ambiguous)|\?)")

#: Features whose kind may differ from the others' before the file counts as mixed.
MIXED = 0.01


@dataclass(slots=True)
class Found:
    """An axis, and what was left out or renamed on the way to it."""

    axis: Axis
    drops: Drops = field(default_factory=Drops)
    warnings: list[str] = field(default_factory=list)


def holds_probes(raw: RawTable) -> bool:
    """Whether the features of a methylation source are probes; the alternative is genes.

    Raises
    ------
    SourceError
        If some are probes and some are not.
    """
    probes = [name for name in raw.features if is_probe(name)]
    if not probes:
        return False
    if len(raw.features) - len(probes) > MIXED * len(raw.features):
        other = next(name for name in raw.features if not is_probe(name))
        raise _mixed(raw, "probes", probes, other)
    return True


def gene_axis(raw: RawTable, genes: GeneResolver, *, additive: bool) -> Found:
    """Map gene-level features: several source columns of one gene are summed, or averaged where no sum makes sense.

    Raises
    ------
    SourceError
        If the ids are a mixture of kinds, or if none of them is a gene.
    """
    names = raw.features
    drops = Drops()
    summary = [name for name in names if _SUMMARY.fullmatch(name)]
    drops.add("summary row", summary)
    columns = [i for i, name in enumerate(names) if not _SUMMARY.fullmatch(name)]
    _check_one_kind(raw, [names[i] for i in columns])
    resolved = genes.resolve_all([names[i] for i in columns])
    ids, kept = [], []
    renamed: list[str] = []
    known: dict[str, tuple[str | None, str | None]] = {}
    for column, found in zip(columns, resolved, strict=True):
        if found.gene is None:
            drops.add(found.reason, [names[column]])
            continue
        ids.append(found.gene.feature_id)
        kept.append(column)
        known[found.gene.feature_id] = (found.gene.symbol, found.gene.entrez)
        if found.how in (PREVIOUS, ALIAS) and found.gene.symbol not in (None, names[column].split("|")[0]):
            renamed.append(f"{names[column]} -> {found.gene.symbol}")
    if not ids:
        raise SourceError(
            raw.source.path,
            f"none of its {len(names)} features is a gene of the references, e.g. {names[:1]}",
            expected="symbols, SYMBOL|ENTREZ, Entrez or Ensembl ids",
            run="correct modality, id or orientation of the source",
        )
    warnings = []
    if renamed:
        warnings.append(f"{len(renamed)} retired or alias symbols were renamed, e.g. {', '.join(renamed[:3])}")

    def describe(feature_id: str, members: list[int]) -> dict[str, Any]:
        symbol, entrez = known[feature_id]
        return {
            "symbol": symbol,
            "entrez": entrez,
            **_position(genes, feature_id),
            "n_sources": len(members),
            "source_name": ";".join(names[i] for i in members),
        }

    return Found(make_axis(ids, kept, "sum" if additive else "mean", describe), drops, warnings)


def _check_one_kind(raw: RawTable, names: list[str]) -> None:
    probes = [name for name in names if is_probe(name)]
    if names and len(probes) > 0.5 * len(names):
        raise SourceError(
            raw.source.path,
            f"its features are methylation probes, e.g. {probes[0]!r}",
            expected=f"genes, for modality {raw.modality}",
            run="correct the modality of the source",
        )
    ensembl = [name for name in names if is_ensembl_gene(name)]
    share = MIXED * len(names)
    if len(ensembl) > share and len(names) - len(ensembl) > share:
        raise _mixed(raw, "Ensembl gene ids", ensembl, next(n for n in names if not is_ensembl_gene(n)))


def _mixed(raw: RawTable, kind: str, found: list[str], other: str) -> SourceError:
    return SourceError(
        raw.source.path,
        f"mixed ids: {len(found)} of {len(raw.features)} features are {kind}, e.g. {found[0]!r}, and the rest are not,"
        f" e.g. {other!r}",
        expected="features of one kind",
        run="split the file, or leave the others out with select: or drop:",
    )


def _position(genes: GeneResolver, feature_id: str) -> dict[str, Any]:
    position = genes.positions.get(feature_id)
    if position is None:
        return {}
    return {
        "chromosome": position.chromosome, "start": position.start, "end": position.end, "strand": position.strand
    }  # fmt: skip


def probe_axis(raw: RawTable, platform: str, refs: References) -> Found:
    """Map probes to genes: means over the probes that speak for each.

    Raises
    ------
    SourceError
        If no probe belongs to a gene.
    """
    reference = refs.probes(platform)
    probes, drops = _measuring(raw, reference, refs.masked)
    probes = _dropping(probes, pl.col("annotated").is_not_null(), "probe not in the reference", drops)
    has_gene = pl.col("entrez").is_not_null() | (pl.col("symbol").fill_null(".") != ".")
    probes = _dropping(probes, has_gene, "probe in no gene", drops)
    if reference.grouped:
        probes = _dropping(
            probes, pl.col("gene_group").is_not_null(), "probe of a gene, but in none of its groups", drops
        )
        probes = _dropping(probes, pl.col("gene_group").is_in(sorted(GROUPS)), "probe in the 3'UTR only", drops)
    pairs = _genes_of(probes, refs.genes, drops)
    if not pairs.height:
        raise SourceError(
            raw.source.path,
            f"none of its {len(raw.features)} probes belongs to a gene by the reference of {platform}",
            expected=f"probes of {platform}",
            run="correct platform: of the source, or the reference in study.references.probes",
        )
    found = pairs.select("feature_id", "symbol_found", "entrez_found").unique("feature_id").iter_rows()
    about = {feature_id: (symbol, entrez) for feature_id, symbol, entrez in found}

    def describe(feature_id: str, members: list[int]) -> dict[str, Any]:
        symbol, entrez = about[feature_id]
        return {
            "symbol": symbol,
            "entrez": entrez,
            **_position(refs.genes, feature_id),
            "platform": platform,
            "n_probes": len(members),
        }

    ids, columns = pairs.get_column("feature_id").to_list(), pairs.get_column("column").to_list()
    return Found(make_axis(ids, columns, "mean", describe), drops)


def probe_level_axis(raw: RawTable, platform: str, refs: References) -> Found:
    """Take the probes themselves, without SNP probes and masked ones."""
    probes, drops = _measuring(raw, refs.probes(platform), refs.masked)
    probes = probes.sort("probe_id")
    frame = FEATURES.conform(probes.rename({"probe_id": "feature_id"}).with_columns(platform=pl.lit(platform)))
    columns = probes.get_column("column").to_numpy().astype(np.intp)
    return Found(Axis(frame, columns, np.arange(columns.size), "mean"), drops)


def _measuring(raw: RawTable, reference: ProbeReference, masked: frozenset[str]) -> tuple[pl.DataFrame, Drops]:
    """Return the probes that measure methylation, with their annotation and their column in the source."""
    drops = Drops()
    probes = pl.DataFrame({"probe_id": raw.features}).with_columns(column=pl.int_range(pl.len(), dtype=pl.Int64))
    probes = _dropping(probes, ~pl.col("probe_id").str.starts_with(SNP_PREFIX), "SNP probe", drops)
    if masked:
        probes = _dropping(probes, ~pl.col("probe_id").is_in(sorted(masked)), "masked probe", drops)
    annotation = reference.frame.with_columns(annotated=pl.lit(1))
    return probes.join(annotation, on="probe_id", how="left", maintain_order="left"), drops


def _dropping(frame: pl.DataFrame, keep: pl.Expr | pl.Series, reason: str, drops: Drops) -> pl.DataFrame:
    drops.add(reason, frame.filter(~keep).get_column("probe_id").to_list())
    return frame.filter(keep)


def _genes_of(probes: pl.DataFrame, genes: GeneResolver, drops: Drops) -> pl.DataFrame:
    """Return one row per probe and gene, and count the probes whose genes are all unknown."""
    pairs = probes.select("entrez", "symbol").unique(maintain_order=True)
    rows = []
    for entrez, symbols in pairs.iter_rows():
        found = {}
        by_entrez = genes.entrez(entrez).gene if entrez else None
        if by_entrez is not None:
            found[by_entrez.feature_id] = by_entrez
        else:
            for symbol in (symbols or "").split(","):
                gene = genes.resolve(symbol).gene if symbol.strip() else None
                if gene is not None:
                    found[gene.feature_id] = gene
        rows += [(entrez, symbols, gene.feature_id, gene.symbol, gene.entrez) for gene in found.values()]
    schema = ["entrez", "symbol", "feature_id", "symbol_found", "entrez_found"]
    known = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.String), orient="row")
    joined = probes.join(known, on=["entrez", "symbol"], how="left", nulls_equal=True, maintain_order="left")
    lost = joined.filter(pl.col("feature_id").is_null())
    drops.add("gene of the probe unknown", lost.get_column("probe_id").to_list())
    return joined.filter(pl.col("feature_id").is_not_null())


def antibody_axis(raw: RawTable, refs: References) -> Found:
    """Name the antibodies of a protein array."""
    found = antibodies(raw.features, refs.symbols)
    by_id = {a.feature_id: a for a in found}

    def describe(feature_id: str, _: list[int]) -> dict[str, Any]:
        antibody = by_id[feature_id]
        return {
            "symbol": antibody.symbols,
            "platform": raw.source.platform,
            "source_name": antibody.source_name,
            "quality": antibody.quality,
            "suffix": antibody.suffix,
        }

    unknown = [a.source_name for a in found if a.symbols is None]
    warnings = [f"{len(unknown)} antibodies have no known gene, e.g. {', '.join(unknown[:3])}"] if unknown else []
    axis = make_axis([a.feature_id for a in found], range(len(found)), "mean", describe)
    return Found(axis, warnings=warnings)


def metabolite_axis(raw: RawTable, refs: References) -> Found:
    """Identify metabolites; those of one KEGG id are averaged."""
    found, uncertain = metabolites(raw.features, raw.feature_info, refs.metabolites)

    def describe(_: str, members: list[int]) -> dict[str, Any]:
        return {
            "platform": raw.source.platform,
            "n_sources": len(members),
            "source_name": ";".join(found[i].source_name for i in members),
            "kegg": found[members[0]].kegg,
            "hmdb": found[members[0]].hmdb,
        }

    warnings = [
        f"{len(names)} metabolites keep their own name: {reason}, e.g. {', '.join(names[:3])}"
        for reason, names in sorted(uncertain.items())
    ]
    axis = make_axis([m.feature_id for m in found], range(len(found)), "mean", describe)
    return Found(axis, warnings=warnings)


def plain_axis(raw: RawTable) -> Found:
    """Take the ids as they are."""
    names: Sequence[str] = [name.strip() for name in raw.features]

    def describe(_: str, members: list[int]) -> dict[str, Any]:
        return {"platform": raw.source.platform, "n_sources": len(members)}

    return Found(make_axis(names, range(len(names)), "sum", describe))
