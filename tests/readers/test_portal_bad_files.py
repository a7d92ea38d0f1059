"""Each bad file or folder of cBioPortal, LinkedOmics, cptac and MAF ends in one message that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from omicstore.errors import OmicstoreError
from omicstore.readers import expand, read
from omicstore.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable

MADE = Path(__file__).parents[1] / "made" / "cbioportal" / "made_study"

BAD: dict[str, tuple[str, str | None, str | None, str]] = {
    "comments_only.maf": (
        "maf",
        "mut",
        "mutated",
        ": there are comments and no header. Expected a MAF with its header. To mend it: fetch it again",
    ),
    "no_consequence.maf": (
        "maf",
        "mut",
        "mutated",
        (
            ", line 2: there is no column Variant_Classification. Expected a MAF: Hugo_Symbol, Entrez_Gene_Id,"
            " Variant_Classification, Tumor_Sample_Barcode, separated by tab. To mend it: name another file or format"
        ),
    ),
    "all_silent.maf": (
        "maf",
        "mut",
        "mutated",
        (
            ": none of its 1 mutations changes a protein. Expected Variant_Classification such as Missense_Mutation."
            " To mend it: name another file"
        ),
    ),
    "no_attrib_name.cct": (
        "linkedomics",
        "rna",
        "tpm",
        (
            ", line 1: the header begins with 'gene'. Expected attrib_name, then patients."
            " To mend it: name another format, such as matrix"
        ),
    ),
    "word_in_call.cbt": (
        "linkedomics",
        "mut",
        "mutated",
        (
            ": no column holds numbers; the first rows have 'mutated' under 'TCGA.XX.A001'. Expected a matrix of numbers."
            " To mend it: name another file or format"
        ),
    ),
    "no_index_proteomics.csv": (
        "cptac",
        None,
        None,
        (
            ", line 3: below the levels Name, Database_ID stands 'C3L-00001'. Expected a line with Patient_ID alone,"
            " as pandas writes the name of an index. To mend it: write the frame with to_csv, with its index"
        ),
    ),
}


def _read_all(source: Source) -> None:
    for part in expand(source):
        read(part)


@pytest.mark.parametrize("name", sorted(BAD))
def test_message(bad: Path, name: str) -> None:
    form, modality, unit, message = BAD[name]
    path = bad / "portals" / name
    with pytest.raises(OmicstoreError) as caught:
        _read_all(Source(path, form, modality, "XX", unit))
    assert str(caught.value) == f"{path}{message}"
    assert caught.value.exit_code == 1


def _replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(study: Path) -> None:
        text = (study / name).read_text()
        assert old in text
        (study / name).write_text(text.replace(old, new))

    return change


def _written(name: str, text: str) -> Callable[[Path], None]:
    return lambda study: (study / name).write_text(text) and None


def _gone(name: str) -> Callable[[Path], None]:
    return lambda study: (study / name).unlink()


#: What is done to the made study, which part is read, and the message after the folder's path.
STUDIES: dict[str, tuple[Callable[[Path], None], str | None, str]] = {
    "no data file": (
        _gone("data_cna.txt"),
        None,
        (
            "/meta_cna.txt: the data file 'data_cna.txt' is not there. Expected it in the same folder."
            " To mend it: put it there, or take the meta file away"
        ),
    ),
    "no meta line": (
        _written("meta_cna.txt", "cancer_study_identifier: made_study\nDISCRETE\n"),
        None,
        "/meta_cna.txt, line 2: 'DISCRETE' is no line of a meta file. Expected key: value. To mend it: mend the line",
    ),
    "pointer of Git LFS": (
        _written("data_cna.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "gistic",
        (
            "/data_cna.txt: this is a pointer of Git LFS, not the data. Expected the data file itself."
            " To mend it: git lfs pull, in the repository that it is from"
        ),
    ),
    "samples of another study": (
        _written("data_cna.txt", "Hugo_Symbol\tEntrez_Gene_Id\tX1\nTP53\t7157\t0\n"),
        "gistic",
        (
            "/data_cna.txt, line 1: none of its 3 columns is a sample of the study. Expected Hugo_Symbol or Entrez_Gene_Id"
            " or Composite.Element.REF or ENTITY_STABLE_ID, then ids as in the clinical sample file."
            " To mend it: mend the header"
        ),
    ),
    "sample twice": (
        _replaced("data_cna.txt", "MB-0002-MET", "MB-0001"),
        "gistic",
        (
            "/data_cna.txt, line 1: the sample 'MB-0001' comes 2 times. Expected one column for each sample."
            " To mend it: take out all but one"
        ),
    ),
    "no sample file": (
        _gone("meta_clinical_sample.txt"),
        "gistic",
        (
            ": no meta file is of CLINICAL data with SAMPLE_ATTRIBUTES. Expected a clinical sample file, which every study"
            " has. To mend it: add meta_clinical_sample.txt and data_clinical_sample.txt"
        ),
    ),
    "sample of two patients": (
        _replaced("data_clinical_sample.txt", "MB-0004\tMB-0004", "MB-0004\tMB-0001"),
        "gistic",
        (
            "/data_clinical_sample.txt, column 'SAMPLE_ID': the sample 'MB-0001' comes 2 times."
            " Expected one row for each sample. To mend it: take out all but one"
        ),
    ),
    "word in a cell": (
        _replaced("data_cna.txt", "-2\t-1", "loss\t-1"),
        "gistic",
        (
            "/data_cna.txt, line 2, column 'MB-0001': 'loss' is no number. Expected a finite number, an empty cell or NA."
            " To mend it: mend the cell, or, where it stands for a missing value, add missing: ['loss'] in the study file"
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_study_message(tmp_path: Path, name: str) -> None:
    change, part, message = STUDIES[name]
    study = shutil.copytree(MADE, tmp_path / "study")
    change(study)
    with pytest.raises(OmicstoreError) as caught:
        _read_all(Source(study, "cbioportal", cohort="XX", part=part))
    assert str(caught.value) == f"{study}{message}"
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"part": "mrna"},
            (
                "made_study: nothing tells the unit of mrna (mRNA expression (microarray), CONTINUOUS). Expected a unit in"
                " the study file. To mend it: add a source with part: mrna and unit: log2(tpm+1), log2(intensity), ...,"
                " and give each other part that is wanted a source of its own with part: (one is clinical)"
            ),
        ),
        (
            {"part": "gsva_scores"},
            (
                "part gsva_scores of made_study cannot be taken: scores of gene sets are made of an expression profile."
                " Expected one of gistic, metabolites, methylation_hm450, mrna, made_mrna_seq_tpm,"
                " made_mrna_seq_tpm_zscores, mutations, rppa, clinical."
                " To mend it: correct part: of the source in study.sources, or leave it out"
            ),
        ),
        (
            {"part": "rna"},
            (
                "made_study has no part 'rna'."
                " Expected one of gistic, metabolites, methylation_hm450, mrna, made_mrna_seq_tpm,"
                " made_mrna_seq_tpm_zscores, mutations, rppa, clinical."
                " To mend it: correct part: of the source in study.sources"
            ),
        ),
        (
            {"unit": "tpm"},
            (
                "made_study: unit: tpm says nothing of which profile it is the unit. Expected part: beside it."
                " To mend it: add part: made_mrna_seq_tpm to the source"
            ),
        ),
    ],
)
def test_part_message(more: dict[str, str], message: str) -> None:
    with pytest.raises(OmicstoreError) as caught:
        expand(Source(MADE, "cbioportal", cohort="XX", **more))
    assert str(caught.value) == message


def test_linkedomics_names_say_what_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "table.cct"
    path.write_text("attrib_name\tTCGA.XX.A001\nTP53\t1\n")
    with pytest.raises(OmicstoreError) as caught:
        expand(Source(path, "linkedomics", cohort="XX"))
    assert str(caught.value) == (
        "the name of table.cct does not say what is measured. Expected modality: and unit: of the source."
        " To mend it: add them to the source in study.sources"
    )


def test_cptac_transcripts_need_a_unit(tmp_path: Path) -> None:
    path = tmp_path / "bcm_transcriptomics.csv"
    path.write_text("Patient_ID,TP53\nC3L-00001,1\n")
    with pytest.raises(OmicstoreError) as caught:
        expand(Source(path, "cptac", cohort="XX"))
    assert str(caught.value) == (
        "bcm_transcriptomics.csv: nothing tells the unit of its transcriptomics. Expected a unit in the study file:"
        " sources of the package differ. To mend it: add unit: to the source, with part: transcriptomics where the"
        " frame holds other assays too"
    )
