"""Each bad file or folder of the GDC ends in one message: where, what was found, what was expected, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from omicstore.errors import SourceError
from omicstore.readers import read
from omicstore.sources import Source

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = "To mend it: download the file again and compare its checksum"
SHEET = (
    "To mend it: put the Sample Sheet of the cart at portal.gdc.cancer.gov into the folder,"
    " or fetch files and sheet together with: omicstore fetch gdc"
)
STAR = "rna_seq.augmented_star_gene_counts.tsv"

BAD: dict[str, str] = {
    "biotab_one_header.txt": (
        ", line 2: the header is bcr_patient_barcode, gender, and the second line is TCGA-05-4244,"
        " MALE. Expected the three header lines of biotab files: bcr_patient_barcode in the first"
        " two, CDE_ID in the third. To mend it: name another file or format in the study file"
    ),
    "clinical_not_cases.json": (
        ": this is no clinical JSON of the GDC (KeyError: 'submitter_id'). Expected a list of cases"
        f" with submitter_id, demographic and diagnoses. {AGAIN}"
    ),
    "clinical_short_line.tsv": (
        ", line 3: the line has 2 cells. Expected 3, as in the header, separated by tab. To mend it:"
        " mend the line; a file that ends in the middle of a line is truncated"
    ),
    "clinical_truncated.tar.gz": (
        ": the archive is truncated or damaged (Compressed file ended before the end-of-stream marker"
        f" was reached). Expected a whole tar.gz file. {AGAIN}"
    ),
    "clinical_without_case.tsv": (
        ": its columns are project_id, gender, and none names the case or says something of the"
        " patient. Expected clinical.tsv of the GDC portal: cases.submitter_id (or"
        " case_submitter_id), gender, vital_status and others. To mend it: name the clinical tar.gz,"
        " its folder or its clinical.tsv in the study file"
    ),
    "clinical_without_table": (
        ": there is no clinical.tsv in it; there is exposure.tsv. Expected clinical.tsv, and"
        " follow_up.tsv where the portal gave one. To mend it: download Clinical (TSV) at the portal,"
        " or: omicstore fetch gdc"
    ),
    "cut_short": (
        f"/u1/n1.{STAR}, line 5: the line has 6 cells. Expected 9, as"
        " in the header, separated by tab. To mend it: mend the line; a file that ends in the middle of"
        " a line is truncated"
    ),
    "file_not_in_sheet": (
        f"/u2/n2.{STAR}: gdc_sample_sheet.tsv has no line about this"
        f" file. Expected a line with its File ID or File Name, and one answer to whose it is. {SHEET}"
    ),
    "gene_twice": (
        f"/u1/n1.{STAR}: the feature 'ENSG00000141510.18' comes twice."
        " Expected one row for each feature. To mend it: take one of them out"
    ),
    "htseq_counts": (
        ": it holds counts, and the study says unit: tpm. Expected unit: counts. To mend it: mend"
        " unit: of this source in the study file"
    ),
    "isoforms": (
        ": it holds isoforms, which are not summed to miRNAs here, e.g."
        " a.mirbase21.isoforms.quantification.txt. Expected files named"
        " *.mirbase21.mirnas.quantification.txt. To mend it: choose Data Type miRNA Expression"
        " Quantification at the portal, or: omicstore fetch gdc"
    ),
    "mutations_without_effect.tsv": (
        ", line 1: the columns are Sample_ID, gene, chrom. Expected Sample_ID, gene, effect and"
        " others, as the mutations of Xena's GDC hub have. To mend it: name another file or format in"
        " the study file"
    ),
    "no_counts": (
        ": there is no file of STAR counts or HTSeq counts or HTSeq FPKM or HTSeq FPKM-UQ in the"
        " folder; what is there is notes.txt. Expected files named"
        f" *.{STAR} or *.htseq.counts or *.FPKM.txt or *.FPKM-UQ.txt,"
        " at any depth. To mend it: correct path or format of the source in study.sources"
    ),
    "no_sheet": (
        ": nothing says whose its 2 files are: there is no sample sheet, and no barcode in the name"
        f" n1.{STAR}. Expected gdc_sample_sheet*.tsv (or"
        f" metadata.*.json) of the cart, in the folder or beside it. {SHEET}"
    ),
    "other_project": (
        ": none of its 1 files is left: 1 file of another project, e.g."
        f" n1.{STAR} (TCGA-LUAD). Expected files of BLCA. To mend it:"
        " correct path, cohort or drop of the source in study.sources"
    ),
    "segments": (
        ": it holds segments of chromosomes, which are not turned into genes here, e.g."
        " a.nocnv_grch38.seg.v2.txt. Expected files named *.gene_level_copy_number.v36.tsv. To mend"
        " it: choose Data Type Gene Level Copy Number at the portal, or: omicstore fetch gdc"
    ),
    "sheet_without_sample_id": (
        "/gdc_sample_sheet.tsv, line 1: there is no column Sample ID. Expected a sample sheet of the"
        f" GDC: File ID, File Name, ..., Project ID, Case ID, Sample ID. {SHEET}"
    ),
    "two_gene_models": (
        f"/u2/n2.{STAR}: its 4 features are not those of"
        f" n1.{STAR}: 2 missing, e.g. ENSG00000141510.18; 3 more, e.g."
        " ENSG00000141510.15. Expected the same 3 features in every file (there gene-model: GENCODE"
        " v22, here gene-model: GENCODE v36). To mend it: download the file again if it was cut"
        " short, or give files of another release a source of their own"
    ),
    "word_in_number": (
        f"/u1/n1.{STAR}, line 4, column 'tpm_unstranded': 'high' is no"
        " number. Expected a finite number, an empty cell or NA. To mend it: mend the cell, or, where"
        " it stands for a missing value, add missing: ['high'] in the study file"
    ),
    "wrong_md5": (
        f"/u1/n1.{STAR}: its md5 is c5b73e07ec5c4ac0aceb0fb7cf57f3e0."
        " Expected 00000000000000000000000000000000, as the manifest says. To mend it: delete the"
        " file and download it again"
    ),
}

OTHERS: dict[str, dict[str, Any]] = {
    "isoforms": {"format": "gdc-mirna", "modality": "mirna", "unit": "rpm"},
    "segments": {"format": "gdc-cnv", "modality": "cnv", "unit": "copy_number"},
    "biotab_one_header.txt": {"format": "gdc-biotab", "modality": None, "unit": None},
    "mutations_without_effect.tsv": {"format": "xena-mutation", "modality": "mut", "unit": "mutated"},
}
CLINICAL = {"format": "gdc-clinical", "modality": None, "unit": None}
RNA = {"format": "gdc-star-counts", "modality": "rna", "unit": "tpm"}


@pytest.mark.parametrize("name", sorted(BAD))
def test_message(bad: Path, name: str) -> None:
    values = OTHERS.get(name, CLINICAL if name.startswith("clinical") else RNA)
    with pytest.raises(SourceError) as caught:
        read(Source(bad / "gdc" / name, cohort="BLCA", **values))
    assert str(caught.value) == f"{bad / 'gdc' / name}{BAD[name]}"
    assert caught.value.exit_code == 1


def test_every_bad_file_is_tried(bad: Path) -> None:
    assert {p.name for p in (bad / "gdc").iterdir()} == set(BAD)
