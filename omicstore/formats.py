"""The registry of upstream formats: one line each.

A new format is one module in `omicstore.readers` and one line here. Its module holds the reader that the line names
and, by convention,

- ``recognise(head) -> Guess | None``, by which ``omicstore sources`` tells files of the format;
- ``expand(source) -> list[Source]`` if one file or folder holds several modalities or tables (``several``): the
  parts, each with its modality, its unit and `omicstore.sources.Source.part` set. Each is read on its own;
- ``profile_ids(source) -> list[str]`` if the ids of a matrix cannot be found as in a delimited file;
- ``people(source) -> pl.DataFrame | None`` if the source itself lists samples with their patients, which counts where
  ids are no barcodes and the study file has no rule for them;
- ``iter_patches(source, slide, cache)`` if the kind is ``patches``: the patches of one slide, some at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from omicstore.errors import UnknownNameError

__all__ = ["ABOUT", "FORMATS", "Format", "get_format"]

#: Where an export says what it holds, in formats that have room for it: the key of ``uns`` or of the metadata.
ABOUT = "omicstore"


Kind = Literal["matrix", "table", "several", "report", "patches"]


@dataclass(frozen=True, slots=True)
class Format:
    """What omicstore knows of an upstream format before it opens a file.

    Attributes
    ----------
    name
        As in the study file.
    reader
        ``module:function``, imported when a file of the format is read; the function takes a source and the study's
        rule for ids and returns a list of `omicstore.readers.table.RawTable`.
    title
        What it is, for tables that a person reads.
    kind
        ``matrix`` (needs a modality and a unit), ``table`` (of patients: needs neither), ``several`` (the files say
        what they hold), ``report`` or ``patches``.
    modality, unit
        Where every file of the format has the same; a source may say otherwise.
    folder
        Whether a source is a folder of files (a single file is taken too).
    outcomes
        Whether it holds follow-up: ``yes``, ``no``, or ``perhaps``, which only reading can tell.
    """

    name: str
    reader: str
    title: str
    kind: Kind = "matrix"
    modality: str | None = None
    unit: str | None = None
    folder: bool = False
    outcomes: Literal["yes", "no", "perhaps"] = "no"


def _line(
    name: str,
    reader: str,
    title: str,
    kind: Kind = "matrix",
    modality: str | None = None,
    unit: str | None = None,
    **more: Any,
) -> Format:
    return Format(name, f"omicstore.readers.{reader}", title, kind, modality, unit, **more)


_FORMATS = (
    _line("matrix", "matrix:read_matrix", "a delimited matrix"),
    _line("xena-matrix", "matrix:read_xena_matrix", "a matrix of a UCSC Xena hub"),
    _line("xena-clinical", "xena:read_clinical", "phenotypes of a UCSC Xena hub", "table"),
    _line("xena-survival", "xena:read_survival", "follow-up of a UCSC Xena hub", "table", outcomes="yes"),
    _line("xena-mutation", "xena_mutation:read_mutations", "mutations of a UCSC Xena hub", "matrix", "mut", "mutated"),
    _line("firehose-rnaseqv2", "firehose:read_measurements", "Firehose RNA-seq", "matrix", "rna", "rsem_normalized"),
    _line("firehose-rppa", "firehose:read_measurements", "Firehose RPPA", "matrix", "prot", "log2_ratio"),
    _line("firehose-mirnaseq", "firehose:read_measurements", "Firehose miRNA-seq", "matrix", "mirna", "rpm"),
    _line("firehose-clinical", "firehose_clinical:read_clinical", "Firehose clinical data", "table", outcomes="yes"),
    _line("gdc-star-counts", "gdc_expression:read_expression", "GDC RNA-seq", "matrix", "rna", "tpm", folder=True),
    _line("gdc-methylation", "gdc_methylation:read", "GDC methylation", "matrix", "meth", "beta", folder=True),
    _line("gdc-mirna", "gdc_mirna:read_mirna", "GDC miRNA", "matrix", "mirna", "rpm", folder=True),
    _line("gdc-rppa", "gdc_rppa:read_rppa", "GDC RPPA", "matrix", "prot", "log2_ratio", folder=True),
    _line("gdc-cnv", "gdc_cnv:read_copy_number", "GDC copy number", "matrix", "cnv", "copy_number", folder=True),
    _line("gdc-clinical", "gdc_clinical:read_clinical", "GDC clinical data", "table", outcomes="yes"),
    _line("gdc-biotab", "gdc_biotab:read_biotab", "TCGA biotab tables", "table", folder=True, outcomes="yes"),
    _line("mcat-table", "mcat:read_table", "a table of MCAT or PORPOISE", "several", outcomes="yes"),
    _line("clinical-table", "clinical_table:read_table", "a row per patient or sample", "table", outcomes="perhaps"),
    _line("maf", "maf:read_maf", "mutations (MAF)", "matrix", "mut", "mutated", folder=True),
    _line("cbioportal", "cbioportal:read", "a study of cBioPortal", "several", folder=True, outcomes="perhaps"),
    _line("h5ad", "h5ad:read", "an AnnData of scverse", "several"),
    _line("h5mu", "h5mu:read", "a MuData of scverse", "several"),
    _line("parquet", "arrow:read_columns", "a matrix in Parquet"),
    _line("arrow", "arrow:read_columns", "a matrix in Arrow IPC (Feather)"),
    _line("linkedomics", "linkedomics:read", "files of LinkedOmics", "several", folder=True, outcomes="perhaps"),
    _line("cptac", "cptac:read", "a frame of the cptac package", "several", outcomes="perhaps"),
    _line("tcga-cdr", "tcga_cdr:read_outcomes", "outcomes of TCGA (Liu 2018)", "table", outcomes="yes"),
    _line("reports", "reports:read_reports", "a table of pathology reports", "report", "report"),
    _line("patches-h5", "patches_h5:read_slides", "features of slide patches", "patches", "patches", folder=True),
    _line("tiles", "tiles:read_slides", "slides, or tiles of them", "patches", "patches", folder=True),
)

#: Name to declaration.
FORMATS: dict[str, Format] = {f.name: f for f in _FORMATS}


def get_format(name: str, where: str = "") -> Format:
    """Return the declaration of a format.

    Raises
    ------
    UnknownNameError
        If there is no such format; names the nearest ones, and `where` it was asked for.
    """
    found = FORMATS.get(name)
    if found is None:
        raise UnknownNameError(f"format in {where}" if where else "format", name, FORMATS)
    return found
