"""RNA-seq of the GDC: STAR's counts with TPM and FPKM beside them, and the HTSeq files of releases before 32.

A file holds one aliquot. The unit of the source says which column is read (STAR), or which files (HTSeq): tpm, counts,
fpkm or fpkm_uq.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.readers.gdc_columns import Form
from omicstore.readers.gdc_profiles import files_of, named_files, not_held, people, read_profiles, recognised
from omicstore.units import parse_unit

if TYPE_CHECKING:
    from omicstore.readers.recognise import Guess, Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["people", "profile_ids", "read_expression", "recognise"]

STAR = Form(
    "STAR counts",
    re.compile(r"\.rna_seq\.(?:augmented_)?star_gene_counts\.tsv(?:\.gz)?$"),
    "gene_id",
    {"tpm": "tpm_unstranded", "counts": "unstranded", "fpkm": "fpkm_unstranded", "fpkm_uq": "fpkm_uq_unstranded"},
    "*.rna_seq.augmented_star_gene_counts.tsv",
)

#: HTSeq's files: no header, a gene and a number; counts end with rows such as ``__no_feature``.
HTSEQ: dict[str, Form] = {
    unit: Form(f"HTSeq {title}", re.compile(rf"\.{name}(?:\.gz)?$"), "gene", {unit: title}, shown, header=False)
    for unit, title, name, shown in (
        ("counts", "counts", r"htseq[._]counts(?:\.txt)?", "*.htseq.counts"),
        ("fpkm", "FPKM", r"FPKM\.txt", "*.FPKM.txt"),
        ("fpkm_uq", "FPKM-UQ", r"FPKM-UQ\.txt", "*.FPKM-UQ.txt"),
    )
}

FORMS = (STAR, *HTSEQ.values())


def read_expression(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the files of a folder, or one file.

    Raises
    ------
    SourceError
        If nothing says whose a file is, the files do not hold the source's unit, differ in their genes, or do not have
        the checksums of the manifest.
    """
    del sampling  # samples are named by the sheet
    return [read_profiles(source, FORMS, _form(source))]


def profile_ids(source: Source) -> list[str]:
    """Return the ids of the profiles, from the sample sheet."""
    return [file.raw_id for file in named_files(source, (_form(source),))]


def _form(source: Source) -> Form:
    """Return the form of the files that hold the source's unit."""
    names = [path.name for path in files_of(source, FORMS)]
    if any(STAR.names.search(name) for name in names):
        return STAR
    there = {unit: form for unit, form in HTSEQ.items() if any(form.names.search(name) for name in names)}
    if not there:
        return STAR  # a single file under a name of its own
    unit = parse_unit(source.unit or "")
    if unit.base.name in there and unit.log is None:
        return there[unit.base.name]
    raise not_held(source, there)


def recognise(head: Head) -> Guess | None:
    """Tell STAR's and HTSeq's files by their names, and STAR's by their header too."""
    return recognised(head, {"tpm": STAR, **HTSEQ}, "rna", "gdc-star-counts")
