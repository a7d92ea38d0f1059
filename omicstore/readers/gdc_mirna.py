"""miRNA of the GDC: ``*.mirbase21.mirnas.quantification.txt``, one file per aliquot, a row per stem-loop."""

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

__all__ = ["people", "profile_ids", "read_mirna", "recognise"]

MIRNAS = Form(
    "miRNA quantification",
    re.compile(r"\.mirnas\.quantification\.txt(?:\.gz)?$"),
    "miRNA_ID",
    {"rpm": "reads_per_million_miRNA_mapped", "counts": "read_count"},
    "*.mirbase21.mirnas.quantification.txt",
)

_ISOFORMS = re.compile(r"\.isoforms\.quantification\.txt(?:\.gz)?$")


def read_mirna(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the files of a folder, or one file.

    Raises
    ------
    SourceError
        If they are of isoforms, or as `omicstore.readers.gdc_expression.read_expression`.
    """
    del sampling  # samples are named by the sheet
    _refuse_isoforms(source.path)
    return [read_profiles(source, (MIRNAS,), MIRNAS)]


def profile_ids(source: Source) -> list[str]:
    """Return the ids of the profiles, from the sample sheet."""
    _refuse_isoforms(source.path)
    return [file.raw_id for file in named_files(source, (MIRNAS,))]


def _refuse_isoforms(path: Path) -> None:
    what = "isoforms, which are not summed to miRNAs here"
    refuse_others(path, MIRNAS, _ISOFORMS, what, "miRNA Expression Quantification")


def recognise(head: Head) -> Guess | None:
    """Tell the files by name or header; those of isoforms are none."""
    if _ISOFORMS.search(head.path.name) or "isoform_coords" in head.text[:200]:
        return None
    return recognised(head, {"rpm": MIRNAS}, "mirna", "gdc-mirna")
