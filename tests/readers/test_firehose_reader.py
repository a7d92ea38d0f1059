"""Firehose files, turned and in their own orientation.

The files in their own orientation are made from the published description of the archives' layout: two header lines,
of which the second says what each column holds. They hold no published values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.errors import SourceError
from omicstore.readers import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from omicstore.sources import Source

    Write = Callable[[str, str], Path]
    Make = Callable[..., Source]

A, B = "TCGA-AB-0001-01A-11R-A29S-07", "TCGA-AB-0002-11A-11R-A29S-07"

RNASEQ = f"""Hybridization REF\t{A}\t{B}
gene_id\tnormalized_count\tnormalized_count
?|100130426\t0.0000\t1.5000
SLC35E2|728661\t2.0000\t3.0000
SLC35E2|9906\t4.0000\t5.0000
"""

RSEM = f"""Hybridization REF\t{A}\t{A}\t{A}\t{B}\t{B}\t{B}
gene_id\traw_count\tscaled_estimate\ttranscript_id\traw_count\tscaled_estimate\ttranscript_id
A1BG|1\t10.5\t1.2e-06\tuc002qsd.3,uc002qsf.1\t20.5\t2.2e-06\tuc002qsd.3
"""

RPPA = f"""Sample REF\t{A}\t{B}
Composite Element REF\tProtein Expression\tProtein Expression
14-3-3_beta\t0.25\tNA
"""

MIRNA = f"""HYBRIDIZATION R\t{A}\t{A}\t{A}\t{B}\t{B}\t{B}
miRNA_ID\tread_count\treads_per_million_miRNA_mapped\tcross-mapped\tread_count\treads_per_million_miRNA_mapped\tcross-mapped
hsa-let-7a-1\t10\t1.5\tN\t20\t2.5\tN
hsa-let-7a-2\t30\t3.5\tY\t40\t4.5\tN
"""

MIRNA_TURNED = f"""aliquot\tmachine\tmiRNA_ID\thsa-let-7a-1\thsa-let-7a-2
{A}\tHiSeq\tread_count\t10\t30
{A}.1\tHiSeq\treads_per_million_miRNA_mapped\t1.5\t3.5
{A}.2\tHiSeq\tcross-mapped\tN\tY
{B}\tGA\tread_count\t20\t40
{B}.1\tGA\treads_per_million_miRNA_mapped\t2.5\t4.5
{B}.2\tGA\tcross-mapped\tN\tN
"""


def test_rnaseq_in_its_own_orientation(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv.gz", RNASEQ), "firehose-rnaseqv2", unit="rsem_normalized"))
    assert raw.ids == [A, B]
    assert raw.features == ["?|100130426", "SLC35E2|728661", "SLC35E2|9906"]
    np.testing.assert_array_equal(raw.values, [[0, 2, 4], [1.5, 3, 5]])
    assert raw.rows_in == 3


def test_raw_counts_among_other_kinds(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv", RSEM), "firehose-rnaseqv2", unit="counts"))
    assert raw.ids == [A, B]
    np.testing.assert_array_equal(raw.values, [[10.5], [20.5]])
    assert raw.drops.counts == {"column of another kind": 4}
    with pytest.raises(
        SourceError, match="it holds raw_count, scaled_estimate, transcript_id, .* Expected unit: counts"
    ):
        read(source(write("a.tsv", RSEM), "firehose-rnaseqv2", unit="rsem_normalized"))


def test_rppa_in_its_own_orientation(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv", RPPA), "firehose-rppa", modality="prot", unit="log2_ratio"))
    np.testing.assert_array_equal(raw.values, [[0.25], [np.nan]])


@pytest.mark.parametrize("text", [MIRNA, MIRNA_TURNED], ids=["own orientation", "turned"])
def test_mirna_takes_the_kind_of_the_unit(write: Write, source: Make, text: str) -> None:
    path = write("a.mirnaseq.tsv", text)
    (raw,) = read(source(path, "firehose-mirnaseq", modality="mirna", unit="rpm"))
    assert (raw.ids, raw.features) == ([A, B], ["hsa-let-7a-1", "hsa-let-7a-2"])
    np.testing.assert_array_equal(raw.values, [[1.5, 3.5], [2.5, 4.5]])
    assert raw.decimals == 1
    (raw,) = read(source(path, "firehose-mirnaseq", modality="mirna", unit="counts"))
    np.testing.assert_array_equal(raw.values, [[10, 30], [20, 40]])
    assert sum(raw.drops.counts.values()) == 4


def test_turned_mirna_keeps_the_machine(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv", MIRNA_TURNED), "firehose-mirnaseq", modality="mirna", unit="rpm"))
    assert raw.profile_info is not None
    assert raw.profile_info.rows() == [(A, "HiSeq"), (B, "GA")]
    assert raw.drops.counts == {"row of another kind": 4}


CLINICAL = {
    "patient.bcr_patient_barcode": ["tcga-ab-0001", "tcga-ab-0002", "tcga-ab-0003", "tcga-ab-0004"],
    "patient.gender": ["female", "male", "", "male"],
    "patient.age_at_initial_pathologic_diagnosis": ["63", "", "51", "70"],
    "patient.race": ["white", "", "asian", "NA"],
    "patient.stage_event.pathologic_stage": ["stage iia", "", "", "stage x"],
    "patient.neoplasm_histologic_grade": ["high grade", "g3", "", ""],
    "patient.days_to_death": ["", "", "", ""],
    "patient.days_to_last_followup": ["100", "200", "", "0"],
    "patient.vital_status": ["alive", "alive", "alive", "alive"],
    "patient.follow_ups.follow_up.days_to_last_followup": ["300", "", "", ""],
    "patient.follow_ups.follow_up.vital_status": ["alive", "dead", "", ""],
    "patient.follow_ups.follow_up-2.days_to_death": ["", "450", "", ""],
    "patient.unknown": ["", "", "", "x"],
}


def turned() -> str:
    return (
        "\n".join("\t".join(row) for row in [list(CLINICAL), *map(list, zip(*CLINICAL.values(), strict=True))]) + "\n"
    )


def own_orientation() -> str:
    return "\n".join("\t".join([name, *cells]) for name, cells in CLINICAL.items()) + "\n"


@pytest.mark.parametrize("text", [turned(), own_orientation()], ids=["turned", "own orientation"])
def test_clinical(write: Write, source: Make, text: str) -> None:
    clinical, outcome = read(source(write("a.tsv.gz", text), "firehose-clinical", modality=None, unit=None))
    assert clinical.frame is not None
    assert clinical.frame.rows(named=True)[0] == {
        "raw_id": "TCGA-AB-0001", "sex": "female", "age_years": 63.0, "race": "white", "stage": "Stage IIA",
        "grade": "High Grade", "vital_status": "alive",
    }  # fmt: skip
    assert clinical.frame["sex"].to_list() == ["female", "male", None, "male"]
    assert clinical.frame["grade"].to_list() == ["High Grade", "G3", None, None]
    assert clinical.frame["vital_status"].to_list() == ["alive", "dead", "alive", "alive"]
    assert outcome.frame is not None
    assert outcome.frame.rows() == [
        ("TCGA-AB-0001", "OS", 300.0, 0),
        ("TCGA-AB-0002", "OS", 450.0, 1),
        ("TCGA-AB-0004", "OS", 0.0, 0),
    ]
    assert outcome.drops.counts == {"no OS": 1}
    assert clinical.columns_in == len(CLINICAL)


def test_clinical_of_something_else(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="no column and no row 'patient.bcr_patient_barcode'"):
        read(source(write("a.tsv", "a\tb\nc\td\n"), "firehose-clinical", modality=None, unit=None))
