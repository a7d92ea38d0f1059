"""Files that lie beside data and are none: pictures, licences, splits, gene sets, manifests, moments, ..."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.identifiers import parse_barcode
from omicstore.readers.cells import is_number
from omicstore.recognise.ids import kind_of_features, kind_of_profiles, share

if TYPE_CHECKING:
    from omicstore.readers.recognise import Head
    from omicstore.recognise.grid import Columns

__all__ = ["not_a_source", "not_a_table_of_samples"]

_PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"%PDF": "PDF"}

_DOCUMENTS = {
    r"^(licen[cs]e|copying|notice)([.\-_].*)?$": "a licence",
    r"^(readme|changelog|changes|contributing|citation|authors)([.\-_].*)?$": "a text to read",
    r"\.(md|rst|html?|pdf|docx?)$": "a document",
    r"\.(py|r|rmd|ipynb|sh|m|jl)$": "a program",
    r"\.(ya?ml|toml|ini|cfg)$": "settings",
    r"\.gmt(\.gz)?$": "gene sets",
    r"\.(bed|gtf|gff3?)(\.gz)?$": "positions on the genome",
    r"\.(bam|bai|cram|fastq|fq|vcf|idat|cel)(\.gz)?$": "raw data",
    r"\.(pt|pth|ckpt|safetensors|pkl|pickle)$": "a checkpoint or a pickled object",
}

_STATISTICS = frozenset(
    {"pvalue", "pval", "padj", "adjpval", "adjpvalue", "fdr", "qvalue", "qval", "logfc", "log2fc", "log2foldchange",
     "basemean", "lfcse", "stat", "nes", "logcpm", "aveexpr"}
)  # fmt: skip

_PARTS = frozenset({"train", "val", "valid", "validation", "test"})


def not_a_source(head: Head) -> str | None:
    """Return what a file is that no reader can want, or None.

    These are told by name and first bytes, before any reader is asked.
    """
    folder = next((f for f in list(head.path.parents)[:2] if (f / "meta_study.txt").is_file()), None)
    if folder is not None:
        return f"a file of the cBioPortal study {folder}: name that folder"
    name = head.path.name.lower()
    for magic, kind in _PICTURES.items():
        if head.start.startswith(magic):
            if kind == "PDF":
                return "a PDF document"
            return f"a picture ({kind}); a folder of tiles, or features of patches, is a source"
    for pattern, what in _DOCUMENTS.items():
        if re.search(pattern, name):
            if what == "settings" and re.search(r"^study:", head.text, re.MULTILINE):
                return "a study file: omicstore init DIR --sources takes it"
            return what
    if (
        head.start.lstrip()[:1] in (b"{", b"[")
        and name.endswith((".json", ".json.gz"))
        and b'"diagnoses"' not in head.start
    ):
        return "JSON metadata"
    if re.match(r"\s*<(?:\?xml|[a-z]+:)", head.text):
        return "XML"
    return None


def not_a_table_of_samples(head: Head, columns: Columns | None) -> str | None:
    """Return what a table or text is that has no row or column per sample, or None."""
    if columns is None:
        return _archive(head) or _text(head)
    header = [name.strip() for name in columns.layout.header]
    low = {name.lower() for name in header}
    return (
        _split(low, columns)
        or _manifest(low)
        or _segments(low)
        or _moments(header, columns)
        or _tests(low)
        or _one_sample(header, columns)
        or _map(header, columns)
        or _sets(header, columns)
        or _events(low)
    )


def _archive(head: Head) -> str | None:
    name = head.path.name.lower()
    if name.endswith((".xlsx", ".xlsm", ".xls", ".ods")) and head.start.startswith(
        (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    ):
        return "a spreadsheet: save the sheet as CSV"
    if head.start[257:262] == b"ustar":
        return "an archive (tar): unpack it, and name the folder or its files"
    if name.endswith(".zip") and head.start.startswith(b"PK\x03\x04"):
        return "a zip file of several files: unpack it, and name the folder or its files"
    return None


def _text(head: Head) -> str | None:
    lines = [line for line in head.lines if line.strip()]
    if not lines:
        return None
    if re.match(r"(?:cancer_study_identifier|stable_id|type_of_cancer|genetic_alteration_type):", lines[0]):
        return "a meta file, case list or gene panel of cBioPortal: name the study's folder"
    if len(lines) > 1 and share(lines, lambda line: re.fullmatch(r"[^\s,;]+", line)) == 1:
        kind = kind_of_features(lines)[0]
        return f"a list of {kind} ids" if kind else "a list of names"
    if len(lines) == 1 and "\t" in lines[0]:
        return "a header without a row" if not any(map(is_number, lines[0].split("\t"))) else "a single row"
    return None


def _split(low: set[str], columns: Columns) -> str | None:
    named = low & _PARTS
    if len(named) > 1 and len(low - named - {"", "unnamed: 0"}) <= 1:
        return "a split into train and other parts: omicstore split import reads it"
    folds = [name for name in low if re.match(r"(?:cv\d+|fold|split)(?:_|$|\d)", name)]
    if folds and len(folds) >= 0.5 * (len(columns.layout.header) - 1):
        return "splits, a column for each: omicstore split import reads them"
    return None


def _manifest(low: set[str]) -> str | None:
    if {"id", "filename", "md5", "size"} <= low:
        return "a manifest of GDC: gdc-client downloads what it lists, and that folder is a source"
    if {"file id", "file name"} <= low:
        return "a sample sheet of GDC: it belongs in the folder of the files that it lists"
    return None


def _segments(low: set[str]) -> str | None:
    plain = {re.sub(r"[^a-z]", "", name) for name in low}
    if plain & {"chrom", "chromosome"} and plain & {"start", "locstart"} and plain & {"end", "locend"}:
        if plain & {"segmean", "segmentmean", "value", "nummark", "numprobes"}:
            return "copy-number segments: omicstore takes a value per gene"
        if plain & {"ref", "referenceallele"}:
            return "a list of mutations in a form that is no MAF"
        if plain & {"cytoband", "qvalue"}:
            return "peaks of GISTIC, not a value per sample"
        return "positions on the genome"
    return None


def _moments(header: list[str], columns: Columns) -> str | None:
    rows = columns.cells(0)
    if len(header) > 3 and len(rows) > 2 and rows == header[1 : len(rows) + 1]:
        return "a square matrix (the rows have the columns' names): covariances or distances, not samples"
    if [name.lower() for name in header] in (["name", "value"], ["", "x"], ["", "value"]):
        return "one value for each name: a statistic, not samples"
    return None


def _tests(low: set[str]) -> str | None:
    """Tell what a test of each feature gave."""
    plain = {re.sub(r"[^a-z0-9]", "", name) for name in low}
    if len(plain & _STATISTICS) >= 2:
        return "results of a test for each feature, not samples"
    return None


def _one_sample(header: list[str], columns: Columns) -> str | None:
    first = kind_of_features([header[0]])[0]
    if first in ("ensembl", "ensembl.version", "illumina_probe") or header[0].startswith("N_"):
        if all(is_number(name) for name in header[1:]):
            return "values of one sample without a header: nothing in it says of which sample"
        return None
    genes = kind_of_features([cell for cell in columns.cells(0) if not cell.startswith("N_")])[0]
    if genes in ("ensembl", "ensembl.version") and not any(map(parse_barcode, header)):
        if {"unstranded", "stranded_first"} & set(header):
            return "counts of one sample in the middle of GDC's pipeline: its final file begins with '# gene-model'"
        if {"gene_name", "gene_type"} & set(header):
            return "a table about genes, in none of the forms that a reference has"
    if header[0] == "miRNA_ID" and "read_count" in header:
        return "miRNA of one sample: nothing in it says of which sample"
    return None


def _map(header: list[str], columns: Columns) -> str | None:
    """Names of features beside names of features."""
    if len(header) > 4 or columns.numbers or len(columns.text) < 2 or kind_of_profiles(columns.cells(0))[0]:
        return None
    named = sum(kind_of_features(columns.cells(i))[0] is not None for i in columns.text)
    return "a map from features to features" if named >= 2 else None


def _sets(header: list[str], columns: Columns) -> str | None:
    """Columns or rows that list genes or compounds."""
    if len(columns.text) < 5 or len(columns.text) < 0.8 * (len(header) - len(columns.blank)):
        return None
    first = list(columns.text[2:40])
    cells = [cell for i in first for cell in columns.cells(i) if cell]
    if kind_of_profiles(columns.cells(0))[0] or not cells:
        return None
    kind, certainty = kind_of_features(cells)
    if kind in ("symbol", "metabolite") and certainty > 0.5 and share(cells, lambda c: len(c) <= 15) > 0.9:
        return "sets of genes" if kind == "symbol" else "sets of metabolites"
    return None


def _events(low: set[str]) -> str | None:
    if "bcr_drug_barcode" in low and not {"vital_status", "gender"} & low:
        return "a row for each drug, not for each patient"
    if "bcr_radiation_barcode" in low and not {"vital_status", "gender"} & low:
        return "a row for each course of radiation, not for each patient"
    if {"resource_id", "url"} <= low or {"resource_id", "display_name"} <= low:
        return "links of a cBioPortal study"
    return None
