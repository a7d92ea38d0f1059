"""Readers: one module per family of upstream formats, all giving `RawTable`.

A new format is one module (or function) and one line in `READERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.readers.table import RawTable
    from omicstore.sources import Sampling, Source

__all__ = ["READERS", "read"]

#: Format to ``module:function``, imported when a file of the format is read.
READERS: dict[str, str] = {
    "matrix": "omicstore.readers.matrix:read_matrix",
    "xena-matrix": "omicstore.readers.matrix:read_xena_matrix",
    "xena-clinical": "omicstore.readers.xena:read_clinical",
    "xena-survival": "omicstore.readers.xena:read_survival",
    "firehose-rnaseqv2": "omicstore.readers.firehose:read_measurements",
    "firehose-rppa": "omicstore.readers.firehose:read_measurements",
    "firehose-mirnaseq": "omicstore.readers.firehose:read_measurements",
    "firehose-clinical": "omicstore.readers.firehose_clinical:read_clinical",
    "mcat-table": "omicstore.readers.mcat:read_table",
    "clinical-table": "omicstore.readers.clinical_table:read_table",
    "tcga-cdr": "omicstore.readers.tcga_cdr:read_outcomes",
    "reports": "omicstore.readers.reports:read_reports",
    "patches-h5": "omicstore.readers.patches_h5:read_slides",
}


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read one upstream file.

    Parameters
    ----------
    source
        The file and what the study says of it.
    sampling
        The study's rule for ids that are no barcodes.

    Returns
    -------
    list of RawTable
        One or more: some files hold measurements and follow-up both.

    Raises
    ------
    SourceError
        If the file is not what the study says it is.
    """
    if source.format not in READERS:
        raise UnknownNameError("format", source.format, READERS)
    module, _, function = READERS[source.format].partition(":")
    reader: Callable[[Source, Sampling | None], list[RawTable]] = getattr(import_module(module), function)
    return reader(source, sampling)
