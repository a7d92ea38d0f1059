"""Copy number of genes by the GDC: ``*.gene_level_copy_number*.tsv``, one file per tumour, whole numbers of copies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.readers.gdc_columns import Form
from omicstore.readers.gdc_profiles import named_files, people, read_profiles, recognised, refuse_others

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.recognise import Guess, Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["people", "profile_ids", "read_copy_number", "recognise"]

GENES = Form(
    "gene-level copy number",
    re.compile(r"\.gene_level(?:\.copy_number|_copy_number)[^/]*\.tsv(?:\.gz)?$"),
    "gene_id",
    {"copy_number": "copy_number"},
    "*.gene_level_copy_number.v36.tsv",
)

_SEGMENTS = re.compile(r"\.(?:nocnv_)?(?:grch38\.)?seg(?:\.v2)?\.txt(?:\.gz)?$|_grch38\.seg\.v2\.txt(?:\.gz)?$")


def read_copy_number(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the files of a folder, or one file. A gene without a call is missing.

    Raises
    ------
    SourceError
        As `omicstore.readers.gdc_expression.read_expression`.
    """
    del sampling  # samples are named by the sheet
    _refuse_segments(source.path)
    return [read_profiles(source, (GENES,), GENES)]


def profile_ids(source: Source) -> list[str]:
    """Return the ids of the profiles, from the sample sheet."""
    _refuse_segments(source.path)
    return [file.raw_id for file in named_files(source, (GENES,))]


def _refuse_segments(path: Path) -> None:
    what = "segments of chromosomes, which are not turned into genes here"
    refuse_others(path, GENES, _SEGMENTS, what, "Gene Level Copy Number")


def recognise(head: Head) -> Guess | None:
    """Tell the files by name or header."""
    return recognised(head, {"copy_number": GENES}, "cnv", "gdc-cnv")
