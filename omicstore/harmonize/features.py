"""What the features of a source are, for each kind of feature."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.harmonize.antibodies import antibodies
from omicstore.harmonize.axis import Axis, make_axis
from omicstore.harmonize.genes import ALIAS, PREVIOUS, GeneResolver
from omicstore.harmonize.metabolites import metabolites
from omicstore.harmonize.probes import GROUPS, SNP_PREFIX, SUFFIX, is_probe, platform_name
from omicstore.identifiers import is_ensembl_gene, split_symbol_entrez
from omicstore.readers.table import Drops
from omicstore.schema import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omicstore.harmonize.references import ProbeReference, References
    from omicstore.readers.table import RawTable

__all__ = [
    "Found",
    "antibody_axis",
    "array_of",
    "gene_axis",
    "holds_probes",
    "metabolite_axis",
    "plain_axis",
    "probe_axis",
    "probe_level_axis",
    "probe_pairs",
]

#: Rows at the end of count tables that are no genes.
_SUMMARY = r"^(?:__.+|N_(?:unmapped|multimapping|noFeature|ambiguous)|\?)$"

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


def array_of(raw: RawTable, refs: References) -> str:
    """Return the methylation array, told from the probes and compared with what the study file says.

    Raises
    ------
    SourceError
        If they differ, or if neither tells.
    """
    told = refs.platform_of(raw.features)
    said = platform_name(raw.source.platform) if raw.source.platform else None
    if told is not None and said is not None and told != said:
        raise SourceError(
            raw.source.path,
            f"the study file says platform {raw.source.platform}, and its probes are those of {told}",
            expected=f"platform: {told}",
            run="correct platform: of the source in study.sources, or leave it out",
        )
    platform = told or said
    if platform is None:
        known = refs.probe_platforms
        if len(known) == 1:
            return known[0]
        raise SourceError(
            raw.source.path,
            "its probes do not tell which methylation array they are of",
            expected="platform: hm27, hm450 or epic",
            run="add platform: to the source in study.sources",
        )
    return platform


def gene_axis(raw: RawTable, genes: GeneResolver, how: Literal["sum", "mean", "extreme"]) -> Found:
    """Map gene-level features; `how` says what becomes of several source columns of one gene.

    Raises
    ------
    SourceError
        If the ids are a mixture of kinds, or if none of them is a gene.
    """
    drops = Drops()
    features = pl.DataFrame({"name": raw.features}).with_columns(column=pl.int_range(pl.len(), dtype=pl.Int64))
    summary = pl.col("name").str.contains(_SUMMARY)
    drops.add("summary row", features.filter(summary).get_column("name").to_list())
    features = features.filter(~summary)
    names = features.get_column("name").to_list()
    _check_one_kind(raw, names)
    found = genes.resolve_all(names).hstack(features.select("column"))
    for (reason,), lost in found.filter(pl.col("feature_id").is_null()).group_by("reason", maintain_order=True):
        drops.add(str(reason), lost.get_column("name").to_list())
    known = found.filter(pl.col("feature_id").is_not_null())
    if not known.height:
        raise SourceError(
            raw.source.path,
            f"none of its {len(raw.features)} features is a gene of the references, e.g. {raw.features[:1]}",
            expected="symbols, SYMBOL|ENTREZ, Entrez or Ensembl ids",
            run="correct modality, id or orientation of the source",
        )
    renamed = known.filter(
        pl.col("how").is_in([PREVIOUS, ALIAS]) & (pl.col("symbol") != pl.col("name").str.extract(r"^([^|]*)"))
    )
    warnings = []
    if renamed.height:
        told = renamed.head(3).select(pl.format("{} -> {}", "name", "symbol")).to_series().to_list()
        warnings.append(f"{renamed.height} retired or alias symbols were renamed, e.g. {', '.join(told)}")
    pairs = _placed(known.select("feature_id", "symbol", "entrez", "column", source_name="name"), genes)
    if raw.feature_info is not None and "consequences" in raw.feature_info.columns:
        info = raw.feature_info.select(pl.col("raw_feature").alias("source_name"), "consequences")
        pairs = pairs.join(info, on="source_name", how="left", maintain_order="left")
    return Found(make_axis(pairs, how), drops, warnings)


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


def _placed(pairs: pl.DataFrame, genes: GeneResolver) -> pl.DataFrame:
    """Return pairs of features and source columns with the positions of the genes."""
    positions = genes.table.select("feature_id", "chromosome", "start", "end", "strand")
    return pairs.join(positions, on="feature_id", how="left", maintain_order="left")


def probe_axis(raw: RawTable, platform: str, refs: References) -> Found:
    """Map probes to genes: means over the probes that speak for each.

    Raises
    ------
    SourceError
        If no probe belongs to a gene.
    """
    drops = Drops()
    pairs = probe_pairs(raw.features, platform, refs, drops)
    if not pairs.height:
        raise SourceError(
            raw.source.path,
            f"none of its {len(raw.features)} probes belongs to a gene by the reference of {platform}",
            expected=f"probes of {platform}",
            run="correct platform: of the source, or the reference in study.references.probes",
        )
    placed = _placed(pairs, refs.genes).with_columns(platform=pl.lit(platform))
    return Found(make_axis(placed, "mean", "n_probes"), drops)


def probe_pairs(names: Sequence[str], platform: str, refs: References, drops: Drops) -> pl.DataFrame:
    """Return a row for each probe and gene that it speaks for: feature_id, column (place in `names`), symbol, entrez.

    What becomes of a probe does not depend on the others.
    """
    reference = refs.probes(platform)
    probes = _measuring(names, reference, refs.masked, drops)
    probes = _dropping(probes, pl.col("annotated").is_not_null(), "probe not in the reference", drops)
    has_gene = pl.col("entrez").is_not_null() | (pl.col("symbol").fill_null(".") != ".")
    probes = _dropping(probes, has_gene, "probe in no gene", drops)
    if reference.grouped:
        probes = _dropping(
            probes, pl.col("gene_group").is_not_null(), "probe of a gene, but in none of its groups", drops
        )
        probes = _dropping(probes, pl.col("gene_group").is_in(sorted(GROUPS)), "probe in the 3'UTR only", drops)
    return _genes_of(probes, refs.genes, drops)


def probe_level_axis(raw: RawTable, platform: str, refs: References) -> Found:
    """Take the probes themselves, without SNP probes and masked ones."""
    drops = Drops()
    probes = _measuring(raw.features, refs.probes(platform), refs.masked, drops).sort("probe_id")
    frame = FEATURES.conform(probes.rename({"probe_id": "feature_id"}).with_columns(platform=pl.lit(platform)))
    columns = probes.get_column("column").to_numpy().astype(np.intp)
    return Found(Axis(frame, columns, np.arange(columns.size), "mean"), drops)


def _measuring(names: Sequence[str], reference: ProbeReference, masked: frozenset[str], drops: Drops) -> pl.DataFrame:
    """Return the probes that measure methylation, with their annotation and their column in the source."""
    probes = pl.DataFrame({"probe_id": names}, schema={"probe_id": pl.String}).with_columns(
        column=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    probes = _dropping(probes, ~pl.col("probe_id").str.starts_with(SNP_PREFIX), "SNP probe", drops)
    probes = probes.with_columns(plain=pl.col("probe_id").str.replace(SUFFIX, ""))
    if masked:
        probes = _dropping(probes, ~pl.col("plain").is_in(sorted(masked)), "masked probe", drops)
    annotation = reference.frame.rename({"probe_id": "plain"}).with_columns(annotated=pl.lit(1))
    return probes.join(annotation, on="plain", how="left", maintain_order="left").drop("plain")


def _dropping(frame: pl.DataFrame, keep: pl.Expr | pl.Series, reason: str, drops: Drops) -> pl.DataFrame:
    drops.add(reason, frame.filter(~keep).get_column("probe_id").to_list())
    return frame.filter(keep)


def _genes_of(probes: pl.DataFrame, genes: GeneResolver, drops: Drops) -> pl.DataFrame:
    """Return one row per probe and gene, and count the probes whose genes are all unknown.

    A probe's Entrez id decides; where it is unknown, each of the symbols counts.
    """
    asked = probes.select("entrez", "symbol").unique(maintain_order=True)
    by_entrez = _resolved(asked.with_columns(name=pl.format("?|{}", "entrez")), genes)
    others = asked.join(by_entrez, on=["entrez", "symbol"], how="anti", nulls_equal=True)
    by_symbol = _resolved(others.with_columns(name=pl.col("symbol").str.split(",")).explode("name"), genes)
    known = pl.concat([by_entrez, by_symbol])
    joined = probes.join(known, on=["entrez", "symbol"], how="left", nulls_equal=True, maintain_order="left")
    lost = joined.filter(pl.col("feature_id").is_null())
    drops.add("gene of the probe unknown", lost.get_column("probe_id").to_list())
    found = joined.filter(pl.col("feature_id").is_not_null())
    return found.select("feature_id", "column", symbol="gene_symbol", entrez="gene_entrez")


def _resolved(asked: pl.DataFrame, genes: GeneResolver) -> pl.DataFrame:
    """Return entrez and symbol as the probes have them, and the gene that `name` means; without what means none."""
    asked = asked.filter(pl.col("name").str.strip_chars() != "")
    found = genes.resolve_each(asked.get_column("name").to_list())
    gene = found.select("feature_id", gene_symbol="symbol", gene_entrez="entrez")
    known = asked.select("entrez", "symbol").hstack(gene).filter(pl.col("feature_id").is_not_null())
    return known.unique(["entrez", "symbol", "feature_id"], maintain_order=True)


def antibody_axis(raw: RawTable, refs: References) -> Found:
    """Name the antibodies of a protein array, or proteins; the genes are what the file says, else told by the name."""
    _refuse_others(raw, "an antibody or protein", _PROBES, _PAIRS, _MIRNA)
    told: dict[str, str | None] = {}
    if raw.feature_info is not None and "symbol" in raw.feature_info.columns:
        told = dict(raw.feature_info.select("raw_feature", "symbol").iter_rows())
    found = [replace(a, symbols=told.get(a.source_name) or a.symbols) for a in antibodies(raw.features, refs.symbols)]
    unknown = [a.source_name for a in found if a.symbols is None]
    warnings = [f"{len(unknown)} antibodies have no known gene, e.g. {', '.join(unknown[:3])}"] if unknown else []
    rows = [(a.feature_id, a.symbols, a.source_name, a.quality, a.suffix) for a in found]
    return Found(
        make_axis(_pairs(raw, ["symbol", "source_name", "quality", "suffix"], rows), "mean"), warnings=warnings
    )


def metabolite_axis(raw: RawTable, refs: References) -> Found:
    """Identify metabolites; those of one KEGG id are averaged."""
    found, uncertain = metabolites(raw.features, raw.feature_info, refs.metabolites)
    warnings = [
        f"{len(names)} metabolites keep their own name: {reason}, e.g. {', '.join(names[:3])}"
        for reason, names in sorted(uncertain.items())
    ]
    rows = [(m.feature_id, m.source_name, m.kegg, m.hmdb) for m in found]
    return Found(make_axis(_pairs(raw, ["source_name", "kegg", "hmdb"], rows), "mean"), warnings=warnings)


def plain_axis(raw: RawTable) -> Found:
    """Take the ids as they are: those of miRNA."""
    _refuse_others(raw, "a miRNA", _PROBES, _PAIRS, _GENES)
    return Found(make_axis(_pairs(raw, [], [(name.strip(),) for name in raw.features]), "sum"))


_PROBES = ("array probes", is_probe)
_PAIRS = ("genes", split_symbol_entrez)
_GENES = ("genes", is_ensembl_gene)
_MIRNA = ("miRNA", re.compile(r"(?:hsa-)?(?:mir|let)-\d", re.IGNORECASE).match)


def _refuse_others(raw: RawTable, wanted: str, *others: tuple[str, Callable[[str], object]]) -> None:
    """Refuse a table whose ids have the form of other features: any name may be kept, but not these."""
    for kind, test in others:
        named = [name for name in raw.features if test(name)]
        if len(named) > len(raw.features) / 2:
            raise SourceError(
                raw.source.path,
                f"{len(named)} of its {len(raw.features)} features are {kind}, e.g. {named[0]!r}",
                expected=f"the name of {wanted} for each",
                run="correct format or modality of the source",
            )


def _pairs(raw: RawTable, names: list[str], rows: Sequence[tuple[str | None, ...]]) -> pl.DataFrame:
    """Return the feature of each source column, with further columns of the features table."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(["feature_id", *names], pl.String), orient="row")
    return frame.with_columns(
        column=pl.int_range(pl.len(), dtype=pl.Int64), platform=pl.lit(raw.source.platform, dtype=pl.String)
    )
