"""RPPA of the GDC: ``*_RPPA_data.tsv``, one file per sample, a row per antibody.

Batches were measured with other sets of antibodies; the matrix has all of them, and an antibody that a batch lacks is
missing there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from omicstore.readers.gdc_columns import Form
from omicstore.readers.gdc_profiles import named_files, people, read_profiles, recognised

if TYPE_CHECKING:
    from omicstore.readers.recognise import Guess, Head
    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["people", "profile_ids", "read_rppa", "recognise"]

RPPA = Form(
    "RPPA",
    re.compile(r"_RPPA_data\.tsv(?:\.gz)?$"),
    "peptide_target",
    {"log2_ratio": "protein_expression"},
    "*_RPPA_data.tsv",
    apart="AGID",
)


def read_rppa(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read the files of a folder, or one file. The features are the peptide targets.

    Raises
    ------
    SourceError
        As `omicstore.readers.gdc_expression.read_expression`.
    """
    del sampling  # samples are named by the sheet
    return [read_profiles(source, (RPPA,), RPPA, union=True)]


def profile_ids(source: Source) -> list[str]:
    """Return the ids of the profiles, from the sample sheet or the file names."""
    return [file.raw_id for file in named_files(source, (RPPA,))]


def recognise(head: Head) -> Guess | None:
    """Tell the files by name or header."""
    return recognised(head, {"log2_ratio": RPPA}, "prot", "gdc-rppa")
