"""Mutations of UCSC Xena's GDC hub (``TCGA-BRCA.mutect2_snv.tsv``): a row per mutation, to genes by samples.

Consequences are Ensembl's, the worst first; they are read as what a MAF calls them, so that both give the same table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.delimited import read_texts, sniff
from omicstore.readers.maf import Calls, to_table
from omicstore.readers.recognise import Guess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from omicstore.readers.recognise import Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["profile_ids", "read_mutations", "recognise"]

#: Terms of Ensembl's variant effect predictor to Variant_Classification; frame shifts are told apart by their alleles.
CONSEQUENCES: dict[str, str] = {
    "missense_variant": "Missense_Mutation",
    "stop_gained": "Nonsense_Mutation",
    "stop_lost": "Nonstop_Mutation",
    "start_lost": "Translation_Start_Site",
    "initiator_codon_variant": "Translation_Start_Site",
    "splice_acceptor_variant": "Splice_Site",
    "splice_donor_variant": "Splice_Site",
    "coding_sequence_variant": "Missense_Mutation",
    "protein_altering_variant": "In_Frame_Ins",
    "inframe_deletion": "In_Frame_Del",
    "inframe_insertion": "In_Frame_Ins",
    "frameshift_variant": "Frame_Shift_Ins",
    "synonymous_variant": "Silent",
    "stop_retained_variant": "Silent",
    "intron_variant": "Intron",
    "3_prime_UTR_variant": "3'UTR",
    "5_prime_UTR_variant": "5'UTR",
    "upstream_gene_variant": "5'Flank",
    "downstream_gene_variant": "3'Flank",
    "intergenic_variant": "IGR",
    "splice_region_variant": "Splice_Region",
    "non_coding_transcript_exon_variant": "RNA",
    "mature_miRNA_variant": "RNA",
}

#: Names of the columns, current and former, in lower case.
SAMPLE, GENE, EFFECT = ("sample_id", "sample", "#sample"), ("gene",), ("effect",)


def read_mutations(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read 1 where a gene is mutated so that its protein changes, 0 where it is not.

    Raises
    ------
    SourceError
        If a column is missing that says sample, gene or effect.
    """
    del sampling  # ids are harmonised later
    calls = _calls(source)
    raw = to_table(source, calls, calls.frame.get_column("sample").to_list())
    raw.warnings.append(
        f"samples without any mutation are not known: the file names {len(raw.ids)} samples by their mutations"
    )
    return [raw]


def profile_ids(source: Source) -> list[str]:
    """Return the samples that have a mutation."""
    return _calls(source).frame.get_column("sample").unique().sort().to_list()


def _calls(source: Source) -> Calls:
    layout = sniff(source.path)
    by_lower = {name.lower(): i for i, name in reversed(list(enumerate(layout.header)))}
    places = [_first(by_lower, names) for names in (SAMPLE, GENE, EFFECT, ("ref", "reference"), ("alt",))]
    if None in places[:3]:
        raise SourceError(
            source.path,
            f"the columns are {', '.join(layout.header[:8])}",
            line=1,
            expected="Sample_ID, gene, effect and others, as the mutations of Xena's GDC hub have",
            run="name another file or format in the study file",
        )
    text = read_texts(layout, [i for i in places if i is not None])
    sample, gene, effect, ref, alt = (None if i is None else pl.col(str(i)).fill_null("") for i in places)
    assert sample is not None
    assert gene is not None
    assert effect is not None
    worst = effect.str.extract(r"^([^;,&]*)").str.strip_chars()
    named = worst.replace(CONSEQUENCES)
    if ref is not None and alt is not None:
        gone = (worst == "frameshift_variant") & (ref.str.len_chars() > alt.str.replace("-", "").str.len_chars())
        named = pl.when(gone).then(pl.lit("Frame_Shift_Del")).otherwise(named)
    frame = text.select(sample=sample, gene=gene, consequence=named).filter(pl.col("sample") != "")
    calls = Calls(frame.filter(~pl.col("gene").is_in(["", "Unknown", "."])), complete=False)
    calls.rows, calls.columns = text.height, len(layout.header)
    calls.drops.add("mutation without a sample", [], count=text.height - frame.height)
    calls.drops.add("mutation outside of genes", [], count=frame.height - calls.frame.height)
    return calls


def _first(known: dict[str, int], names: Iterable[str]) -> int | None:
    return next((known[name] for name in names if name in known), None)


def recognise(head: Head) -> Guess | None:
    """Tell the table by its columns."""
    names = {name.lower() for name in head.header}
    if not (names & set(SAMPLE) and {"gene", "effect"} <= names and names & {"chrom", "chr"}):
        return None
    return Guess("xena-mutation", modality="mut", unit="mutated", specific=10)
