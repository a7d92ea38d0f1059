"""The registry of upstream formats: one line each.

A new format is one module in `omicstore.readers` and one line here. Its module holds the reader that the line names
and, by convention,

- ``recognise(head) -> Guess | None``, by which ``omicstore sources`` tells files of the format;
- ``expand(source) -> list[Source]`` if one file or folder holds several modalities or tables (``several``): the
  parts, each with its modality, its unit and `omicstore.sources.Source.part` set. Each is read on its own;
- ``profile_ids(source) -> list[str]`` if the ids of a matrix cannot be found as in a delimited file;
- ``people(source) -> pl.DataFrame | None`` if the source itself lists samples with their patients, which counts where
  ids are no barcodes and the study file has no rule for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omicstore.errors import UnknownNameError

__all__ = ["ABOUT", "FORMATS", "Format", "get_format"]

#: Where an export says what it holds, in formats that have room for it: the key of ``uns`` or of the metadata.
ABOUT = "omicstore"


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
    kind: Literal["matrix", "table", "several", "report", "patches"] = "matrix"
    modality: str | None = None
    unit: str | None = None
    folder: bool = False
    outcomes: Literal["yes", "no", "perhaps"] = "no"


_R = "omicstore.readers"

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("matrix", f"{_R}.matrix:read_matrix", "a delimited matrix"),
        Format("xena-matrix", f"{_R}.matrix:read_xena_matrix", "a matrix of a UCSC Xena hub"),
        Format("xena-clinical", f"{_R}.xena:read_clinical", "phenotypes of a UCSC Xena hub", "table"),
        Format("xena-survival", f"{_R}.xena:read_survival", "follow-up of a UCSC Xena hub", "table", outcomes="yes"),
        Format(
            "xena-mutation",
            f"{_R}.xena_mutation:read_mutations",
            "mutations of a UCSC Xena hub",
            "matrix",
            "mut",
            "mutated",
        ),
        Format(
            "firehose-rnaseqv2",
            f"{_R}.firehose:read_measurements",
            "Firehose RNA-seq",
            "matrix",
            "rna",
            "rsem_normalized",
        ),
        Format("firehose-rppa", f"{_R}.firehose:read_measurements", "Firehose RPPA", "matrix", "prot", "log2_ratio"),
        Format("firehose-mirnaseq", f"{_R}.firehose:read_measurements", "Firehose miRNA-seq", "matrix", "mirna", "rpm"),
        Format(
            "firehose-clinical",
            f"{_R}.firehose_clinical:read_clinical",
            "Firehose clinical data",
            "table",
            outcomes="yes",
        ),
        Format(
            "gdc-star-counts",
            f"{_R}.gdc_expression:read_expression",
            "RNA-seq of the GDC",
            "matrix",
            "rna",
            "tpm",
            folder=True,
        ),
        Format(
            "gdc-methylation",
            f"{_R}.gdc_methylation:read_methylation",
            "methylation arrays of the GDC",
            "matrix",
            "meth",
            "beta",
            folder=True,
        ),
        Format("gdc-mirna", f"{_R}.gdc_mirna:read_mirna", "miRNA of the GDC", "matrix", "mirna", "rpm", folder=True),
        Format("gdc-rppa", f"{_R}.gdc_rppa:read_rppa", "RPPA of the GDC", "matrix", "prot", "log2_ratio", folder=True),
        Format(
            "gdc-cnv",
            f"{_R}.gdc_cnv:read_copy_number",
            "copy number of genes by the GDC",
            "matrix",
            "cnv",
            "copy_number",
            folder=True,
        ),
        Format("gdc-clinical", f"{_R}.gdc_clinical:read_clinical", "clinical data of the GDC", "table", outcomes="yes"),
        Format(
            "gdc-biotab",
            f"{_R}.gdc_biotab:read_biotab",
            "TCGA's clinical tables (biotab)",
            "table",
            folder=True,
            outcomes="yes",
        ),
        Format("mcat-table", f"{_R}.mcat:read_table", "a table of MCAT or PORPOISE", "several", outcomes="yes"),
        Format(
            "clinical-table",
            f"{_R}.clinical_table:read_table",
            "a table with a row per patient or sample",
            "table",
            outcomes="perhaps",
        ),
        Format("maf", f"{_R}.maf:read_maf", "mutations (MAF)", "matrix", "mut", "mutated", folder=True),
        Format(
            "cbioportal", f"{_R}.cbioportal:read", "a study of cBioPortal", "several", folder=True, outcomes="perhaps"
        ),
        Format("h5ad", f"{_R}.h5ad:read", "an AnnData of scverse", "several"),
        Format("h5mu", f"{_R}.h5mu:read", "a MuData of scverse", "several"),
        Format("parquet", f"{_R}.arrow:read_columns", "a matrix in Parquet"),
        Format("arrow", f"{_R}.arrow:read_columns", "a matrix in Arrow IPC (Feather)"),
        Format(
            "linkedomics", f"{_R}.linkedomics:read", "files of LinkedOmics", "several", folder=True, outcomes="perhaps"
        ),
        Format("cptac", f"{_R}.cptac:read", "a frame of the cptac package", "several", outcomes="perhaps"),
        Format("tcga-cdr", f"{_R}.tcga_cdr:read_outcomes", "outcomes of TCGA (Liu 2018)", "table", outcomes="yes"),
        Format("reports", f"{_R}.reports:read_reports", "a table of pathology reports", "report", "report"),
        Format(
            "patches-h5", f"{_R}.patches_h5:read_slides", "features of slide patches", "patches", "patches", folder=True
        ),
        Format("tiles", f"{_R}.tiles:read_slides", "slides, or tiles of them", "patches", "patches", folder=True),
    )
}


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
