"""The small bad files that can be read, and that harmonising refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from omicstore.errors import SourceError
from omicstore.harmonize.assay import to_assays
from omicstore.readers import read
from omicstore.sources import Source


@pytest.mark.parametrize(
    ("name", "cohort", "modality", "unit", "message"),
    [
        (
            "beta_of_1.7.tsv",
            "XX",
            "meth",
            "beta",
            (
                "{path}: profile 'TCGA-XX-A002-01A', feature 'cg00000108': 1.7 cannot be beta. Expected values of beta"
                " in [0, 1]. To mend it: correct the unit of the source, or the file"
            ),
        ),
        (
            "wrong_cohort.tsv",
            "BLCA",
            "rna",
            "tpm",
            (
                "{path}: wrong cohort: the tissue source sites of 2 of 2 barcodes belong to other cohorts (2 of BRCA),"
                " e.g. TCGA-A1-A0SB-01A. Expected barcodes of BLCA. To mend it: correct the cohort of the source in"
                " study.sources"
            ),
        ),
    ],
)
def test_message(bad: Path, study, make_refs, name, cohort, modality, unit, message) -> None:
    refs = make_refs("symbols", "hm450", "sites")
    (raw,) = read(Source(bad / name, "matrix", modality, cohort, unit))
    with pytest.raises(SourceError) as caught:
        to_assays(raw, cohort, study, refs, "s")
    assert str(caught.value) == message.format(path=bad / name)
    assert caught.value.exit_code == 1
