"""Mutation annotation files (MAF): one row per mutation, to a table of genes by samples.

A gene counts as mutated in a sample if a mutation there changes its protein; `CHANGING` are the consequences that do.
How often a gene has each consequence, silent ones too, is kept beside it (column ``consequences`` of the features).

A MAF names samples by their mutations alone, so one without any is not in it. The GDC's name all samples that were
looked at in a comment, and a cBioPortal study does in its case lists; those samples are 0 throughout. What remains is a
sample that no file speaks of: its mutations are unknown, which is not the same as none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import SourceError
from omicstore.files import canonical_cell
from omicstore.progress import task
from omicstore.readers.bytestream import pieces, read_bytes
from omicstore.readers.matrix_plan import selected
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = [
    "CHANGING",
    "SILENT",
    "Calls",
    "gene_names",
    "profile_ids",
    "read_calls",
    "read_maf",
    "recognise",
    "to_table",
]

#: Values of Variant_Classification by which the protein is another one, or none.
CHANGING = frozenset(
    ["Missense_Mutation", "Nonsense_Mutation", "Nonstop_Mutation", "Translation_Start_Site", "Splice_Site",
     "Frame_Shift_Del", "Frame_Shift_Ins", "In_Frame_Del", "In_Frame_Ins", "De_novo_Start_InFrame",
     "De_novo_Start_OutOfFrame", "Start_Codon_SNP", "Start_Codon_Del", "Start_Codon_Ins", "Stop_Codon_Del",
     "Stop_Codon_Ins"]
)  # fmt: skip

#: Those by which it stays as it is, as far as the sequence tells.
SILENT = frozenset(
    ["Silent", "Intron", "3'UTR", "5'UTR", "3'Flank", "5'Flank", "IGR", "RNA", "lincRNA", "Splice_Region",
     "Targeted_Region"]
)  # fmt: skip

#: Values of Mutation_Status that are no mutation of the tumour.
NOT_SOMATIC = frozenset(["germline", "wildtype", "none", "loh"])

SYMBOL, ENTREZ, CONSEQUENCE, SAMPLE = "Hugo_Symbol", "Entrez_Gene_Id", "Variant_Classification", "Tumor_Sample_Barcode"
STATUS = "Mutation_Status"

#: The comment by which the GDC lists the aliquots that were looked at.
LISTED = "#tumor.aliquots.submitter_id"

#: The comment by which it names the one aliquot of a file, by its UUID.
ALIQUOT = "#tumor.aliquot "

_NO_SYMBOL = ("", "Unknown", "unknown", "NA", ".")
_NO_ENTREZ = ("", "0", "NA", ".")


@dataclass(slots=True)
class Calls:
    """The mutations of one or several files.

    Attributes
    ----------
    frame
        sample, gene (``SYMBOL|ENTREZ``, ``?|ENTREZ`` or ``SYMBOL``), consequence: a row for each mutation.
    listed
        Samples that a file says were looked at, whether or not they have mutations.
    complete
        Whether every file says so.
    rows, columns
        The size of the files: rows altogether, and columns at most.
    drops
        What was left out, by reason.
    """

    frame: pl.DataFrame
    listed: list[str] = field(default_factory=list)
    complete: bool = True
    rows: int = 0
    columns: int = 0
    drops: Drops = field(default_factory=Drops)


def read_maf(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read a MAF, or all in a folder: 1 where a gene is mutated so that its protein changes, 0 where it is not.

    Raises
    ------
    SourceError
        If a file is no MAF, or there is none.
    """
    del sampling  # ids are harmonised later
    calls = _all_calls(source)
    raw = to_table(source, calls, [*calls.listed, *calls.frame.get_column("sample").to_list()])
    if not calls.complete:
        raw.warnings.append(
            f"samples without any mutation are not known: the file names {len(raw.ids)} samples by their mutations, "
            "and does not list those that were looked at"
        )
    return [raw]


def profile_ids(source: Source) -> list[str]:
    """Return the samples of a MAF or of those in a folder."""
    calls = _all_calls(source)
    return sorted({*calls.listed, *calls.frame.get_column("sample").to_list()})


def _all_calls(source: Source) -> Calls:
    paths = [source.path]
    if source.path.is_dir():
        paths = sorted(p for p in source.path.rglob("*") if p.name.lower().endswith((".maf", ".maf.gz")))
        if not paths:
            raise SourceError(
                source.path,
                "there is no MAF in the folder",
                expected="files named .maf or .maf.gz, at any depth",
                run="name the folder that they are in",
            )
    with task(f"reading {source.path.name}", len(paths), "files") as advance:
        found = []
        for path in paths:
            found.append(read_calls(path))
            advance()
    every = Calls(pl.concat([calls.frame for calls in found]), sorted({s for calls in found for s in calls.listed}))
    every.complete = all(calls.complete for calls in found)
    every.rows, every.columns = sum(c.rows for c in found), max(c.columns for c in found)
    for calls in found:
        every.drops.update(calls.drops)
    return every


def read_calls(path: Path) -> Calls:
    """Read one MAF.

    Raises
    ------
    SourceError
        If a column is missing that says gene, sample or consequence.
    """
    comments, header, line = _header(path)
    folded = {name.lower(): name for name in reversed(header)}
    for needed in (CONSEQUENCE, SAMPLE):
        if needed.lower() not in folded:
            raise _no_column(path, needed, line)
    if SYMBOL.lower() not in folded and ENTREZ.lower() not in folded:
        raise _no_column(path, SYMBOL, line)
    names = {
        name: folded[name.lower()] for name in (SYMBOL, ENTREZ, CONSEQUENCE, SAMPLE, STATUS) if name.lower() in folded
    }
    frame = pl.read_csv(
        read_bytes(path),
        separator="\t",
        quote_char=None,
        infer_schema=False,
        comment_prefix="#",
        columns=list(names.values()),
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
    )
    frame = frame.select(pl.col(own).str.strip_chars().alias(name) for name, own in names.items())
    calls = Calls(frame, rows=frame.height, columns=len(header))
    calls.listed = [
        s.strip() for c in comments if c.startswith(LISTED) for s in c[len(LISTED) :].split(",") if s.strip()
    ]
    of_one = [c.partition(" ")[2].strip() for c in comments if c.startswith(ALIQUOT)]
    if of_one and not frame.height and not calls.listed:
        calls.drops.add("file without a mutation, whose sample has a UUID and no barcode", of_one)
    calls.complete = bool(calls.listed or of_one)
    if STATUS in frame.columns:
        other = frame.get_column(STATUS).str.to_lowercase().is_in(list(NOT_SOMATIC)).fill_null(value=False)
        calls.drops.add("mutation that is not somatic", frame.filter(other).get_column(SAMPLE).to_list())
        frame = frame.filter(~other)
    nobody = frame.get_column(SAMPLE).fill_null("") == ""
    calls.drops.add("mutation without a sample", [], count=int(nobody.sum()))
    frame = _under_one_name(frame.filter(~nobody).with_columns(gene_names(frame.columns)))
    calls.drops.add("mutation outside of genes", [], count=frame.get_column("gene").null_count())
    calls.frame = frame.filter(pl.col("gene").is_not_null()).select(
        sample=SAMPLE, gene="gene", consequence=pl.col(CONSEQUENCE).fill_null("")
    )
    return calls


def _under_one_name(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a symbol without Entrez id the one that other rows give it, so that mutations of one gene count together."""
    symbol = pl.col("gene").str.extract(r"^([^|?]+)\|")
    full = frame.select(symbol=symbol, full="gene").drop_nulls().unique()
    alone = full.filter(~pl.col("symbol").is_duplicated())
    found = frame.join(alone, left_on="gene", right_on="symbol", how="left", maintain_order="left")
    return found.with_columns(gene=pl.coalesce("full", "gene")).drop("full")


def gene_names(columns: Sequence[str]) -> pl.Expr:
    """Return the column ``gene`` made of Hugo_Symbol and Entrez_Gene_Id, of which either may be absent.

    The form is that by which the Entrez id decides: ``SYMBOL|ENTREZ``; null where neither says a gene.
    """
    nothing = pl.lit(None, dtype=pl.String)
    symbol = pl.col(SYMBOL).str.extract(r"^([^|]*)").str.strip_chars() if SYMBOL in columns else nothing
    entrez = pl.col(ENTREZ).str.strip_chars().str.replace(r"\.0$", "") if ENTREZ in columns else nothing
    symbol = pl.when(~symbol.is_in(_NO_SYMBOL)).then(symbol)
    entrez = pl.when(entrez.str.contains(r"^\d+$") & ~entrez.is_in(_NO_ENTREZ)).then(entrez)
    both = pl.concat_str(symbol.fill_null("?"), pl.lit("|"), entrez)
    return pl.coalesce(both, symbol).alias("gene")


def to_table(source: Source, calls: Calls, samples: Iterable[str]) -> RawTable:
    """Return genes by samples, of those genes that a mutation changes in any of the samples.

    Parameters
    ----------
    source
        Where the mutations come from; ``drop`` leaves out samples by name, ``select`` and ``drop`` choose genes.
    calls
        The mutations.
    samples
        Those that were looked at; mutations of others are left out and counted.
    """
    drops = Drops()
    drops.update(calls.drops)
    ids = sorted(set(samples) - set(source.drop))
    frame = calls.frame.filter(pl.col("sample").is_in(ids))
    drops.add("mutation of a sample that is not listed", [], count=calls.frame.height - frame.height)
    for (kind,), rows in frame.group_by("consequence"):
        if kind not in CHANGING:
            why = "protein not changed" if kind in SILENT else "consequence unknown"
            drops.add(
                f"{why}: {kind or 'none given'}", rows.get_column("gene").unique().sort().to_list(), count=rows.height
            )
    drops = _sorted(drops)
    changing = frame.filter(pl.col("consequence").is_in(list(CHANGING)))
    genes = changing.get_column("gene").unique().sort().to_list()
    if genes and (source.select or source.drop):
        kept = selected(source, genes, drops, what="genes")
        genes = [gene for gene, keep in zip(genes, kept, strict=True) if keep]
        changing = changing.filter(pl.col("gene").is_in(genes))
    if not ids or not genes:
        raise SourceError(
            source.path,
            f"none of its {calls.rows} mutations changes a protein",
            expected=f"{CONSEQUENCE} such as Missense_Mutation",
            run="name another file",
        )
    at = changing.select(
        pl.col("sample").replace_strict(ids, range(len(ids)), return_dtype=pl.Int64),
        pl.col("gene").replace_strict(genes, range(len(genes)), return_dtype=pl.Int64),
    )
    values = np.zeros((len(ids), len(genes)), np.float32)
    values[at.get_column("sample").to_numpy(), at.get_column("gene").to_numpy()] = 1.0
    raw = RawTable("matrix", source, "mut", ids=ids, features=genes, values=values, decimals=0, drops=drops)
    raw.rows_in, raw.columns_in = calls.rows, calls.columns
    raw.feature_info = _consequences(frame, genes)
    return raw


def _consequences(frame: pl.DataFrame, genes: list[str]) -> pl.DataFrame:
    """Return raw_feature and consequences: canonical JSON of how many mutations have each."""
    counts: dict[str, dict[str, int]] = {gene: {} for gene in genes}
    for gene, consequence, n in frame.group_by("gene", "consequence").len().iter_rows():
        if gene in counts and consequence:
            counts[gene][consequence] = n
    told = [canonical_cell(c) for c in counts.values()]
    return pl.DataFrame({"raw_feature": genes, "consequences": told})


def _sorted(drops: Drops) -> Drops:
    ordered = Drops()
    for reason in sorted(drops.counts):
        ordered.add(reason, drops.examples.get(reason, []), count=drops.counts[reason])
    return ordered


def _header(path: Path) -> tuple[list[str], list[str], int]:
    """Return the comments, the names of the columns, and the line of these."""
    held = b""
    comments: list[str] = []
    stream = pieces(path)
    for piece in stream:
        held += piece
        lines = held.split(b"\n")
        done = next((i for i, text in enumerate(lines[:-1]) if text.strip() and not text.startswith(b"#")), None)
        if done is not None:
            stream.close()  # type: ignore[attr-defined]
            break
    else:
        lines = held.split(b"\n")
        done = next((i for i, text in enumerate(lines) if text.strip() and not text.startswith(b"#")), None)
    if done is None:
        raise SourceError(
            path, "there are comments and no header", expected="a MAF with its header", run="fetch it again"
        )
    comments = [text.decode("utf-8", "replace").rstrip("\r") for text in lines[:done]]
    header = lines[done].decode("utf-8-sig", "replace").rstrip("\r").split("\t")
    return comments, [name.strip() for name in header], done + 1


def _no_column(path: Path, name: str, line: int) -> SourceError:
    return SourceError(
        path,
        f"there is no column {name}",
        line=line,
        expected=f"a MAF: {SYMBOL}, {ENTREZ}, {CONSEQUENCE}, {SAMPLE}, separated by tab",
        run="name another file or format",
    )


def recognise(head: Head) -> Guess | None:
    """Tell a MAF by its columns, and a folder of them by their names."""
    if head.is_dir:
        named = [n for n in head.names if n.lower().endswith((".maf", ".maf.gz"))]
        data = [n for n in head.names if not n.lower().endswith((".txt", ".parcel", ".json", ".md"))]
        return _guess() if named and len(named) == len(data) else None
    header = next((line for line in head.lines if line.strip() and not line.startswith("#")), "").lower().split("\t")
    return _guess() if {CONSEQUENCE.lower(), SAMPLE.lower()} <= set(header) else None


def _guess() -> Guess:
    return Guess("maf", modality="mut", unit="mutated", specific=10)
