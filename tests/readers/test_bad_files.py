"""Each bad file ends in one message that names the place, what was found, what was expected and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from omicstore.errors import SourceError
from omicstore.readers import read
from omicstore.readers.references import read_reference
from omicstore.sources import Reference, Source

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = "To mend it: download the file again and compare its checksum"

BAD: dict[str, str] = {
    "truncated.tsv.gz": (
        ": the gzip data ends too early, after 1,242 decompressed bytes: the file is truncated."
        f" Expected a whole gzip file. {AGAIN}"
    ),
    "damaged.tsv.gz": (
        ": the gzip data is damaged after 0 decompressed bytes (invalid lookback distance found)."
        f" Expected a whole gzip file. {AGAIN}"
    ),
    "empty.tsv": f": the file is empty. Expected a header and rows. {AGAIN}",
    "no_rows.tsv": (
        f": there is a header of 3 columns and no row: 0 samples. Expected at least one row. {AGAIN}"
    ),
    "one_column.txt": (
        ", line 1: the header 'sample TCGA-XX-A001-01A TCGA-XX-A002-01A' is one cell."
        " Expected columns separated by tab, comma or semicolon."
        " To mend it: write the file with one of these delimiters"
    ),
    "mixed_delimiters.tsv": (
        ", line 3: the line has 1 cell. Expected 4, as in the header, separated by tab."
        " To mend it: use one delimiter in the whole file"
    ),
    "short_line.tsv": (
        ", line 3: the line has 3 cells. Expected 4, as in the header, separated by tab."
        " To mend it: mend the line; a file that ends in the middle of a line is truncated"
    ),
    "duplicate_column.csv": (
        ", line 1: the feature 'TP53' comes 2 times, in columns 2 and 4. Expected one column for each feature."
        " To mend it: rename or take out one of them, or leave both out with drop: ['TP53'] in the study file"
    ),
    "word_in_number.tsv": (
        ", line 3, column 'TCGA-XX-A002-01A': 'high' is no number."
        " Expected a finite number, an empty cell or NA."
        " To mend it: mend the cell, or, where it stands for a missing value, add missing: ['high'] in the study file"
    ),
    "infinite.tsv": (
        ", line 3, column 'TCGA-XX-A001-01A': '-inf' is infinite."
        " Expected a finite number, an empty cell or NA."
        " To mend it: mend the cell, or, where it stands for a missing value, add missing: ['-inf'] in the study file"
    ),
    "mixed_ids.csv": (
        ", line 4: mixed ids: 1 of 3 samples have no barcode, the first is 'patient_7'."
        " Expected a barcode such as TCGA-XX-XXXX-01A for every sample, or for none."
        " To mend it: leave it out with drop: ['patient_7'] in the study file,"
        " or give study.samples a table of all ids"
    ),
    "not_a_matrix.csv": (
        ": no column holds numbers; the first rows have 'tumour suppressor' under 'comment'."
        " Expected a matrix of numbers. To mend it: name another file or format"
    ),
    "web_page.tsv": f": this is a web page or XML, not a table. Expected delimited text. {AGAIN}",
    "two_members.zip": (
        ": the zip file holds 2 files (a.csv, b.csv). Expected exactly one."
        " To mend it: unpack it and name the file that is meant"
    ),
    "unclear_orientation.csv": (
        ": cannot tell which ids are samples: s1, s2, ... in the header and x1, x2, ... in the rows."
        " Expected barcodes, or ids that study.samples of params.yaml explains."
        " To mend it: add orientation: features_in_rows or orientation: features_in_columns"
        " to this source in the study file"
    ),
    "wrong_unit.mirnaseq.tsv": (
        ": it holds read_count, and the study says unit: rpm. Expected unit: counts."
        " To mend it: mend unit: of this source in the study file"
    ),
    "no_endpoint.tsv": (
        ", line 1: there is no endpoint; the columns are sample, gender."
        " Expected OS and OS.time, or another endpoint and its time."
        " To mend it: mend path or format in the study file"
    ),
    "TCGA-XX-A001-01Z-00-DX1.h5": (
        ": this is no whole HDF5 file (file signature not found)."
        " Expected a file with the datasets coords and features, as TRIDENT and CLAM write it."
        " To mend it: make or download the file again"
    ),
}  # fmt: skip

OTHERS: dict[str, dict[str, Any]] = {
    "wrong_unit.mirnaseq.tsv": {"format": "firehose-mirnaseq", "modality": "mirna", "unit": "rpm"},
    "no_endpoint.tsv": {"format": "xena-survival", "modality": None, "unit": None},
    "TCGA-XX-A001-01Z-00-DX1.h5": {"format": "patches-h5", "modality": "patches", "unit": None},
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_message(bad: Path, name: str) -> None:
    values = {"format": "matrix", "modality": "rna", "cohort": "XX", "unit": "tpm"} | OTHERS.get(name, {})
    with pytest.raises(SourceError) as caught:
        read(Source(bad / name, **values))
    assert str(caught.value) == f"{bad / name}{BAD[name]}"
    assert caught.value.exit_code == 1


def test_site_na_read_as_missing(bad: Path) -> None:
    path = bad / "tss_na_missing.csv"
    with pytest.raises(SourceError) as caught:
        read_reference(Reference("sites", path, "tcga-tss"))
    assert str(caught.value) == (
        f"{path}, line 3, column 'code': 2 sites have no code; one of them may be the site 'NA', read as missing."
        " Expected a code of two characters in every row. To mend it: write the table again with 'NA' kept as text"
        " (pandas: keep_default_na=False)"
    )
    assert caught.value.exit_code == 1


def test_absent_file_and_folder(tmp_path: Path) -> None:
    for path, found in ((tmp_path / "none.tsv", "no such file"), (tmp_path, "this is a folder")):
        with pytest.raises(SourceError, match=found):
            read(Source(path, "matrix", "rna", "XX", "tpm"))


def test_good_files_for_later_checks_can_be_read(bad: Path) -> None:
    """A beta of 1.7 and a wrong cohort are for harmonising to find: reading does not know their ranges."""
    for name in ("beta_of_1.7.tsv", "wrong_cohort.tsv"):
        (raw,) = read(Source(bad / name, "matrix", "meth", "XX", "beta"))
        assert raw.values is not None
        assert raw.values.shape == (2, 2)
