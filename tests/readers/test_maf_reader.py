"""Mutations from MAF files: what counts as mutated, in whom, and what is said of the rest."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.readers import profile_ids, read
from omicstore.readers.maf import CHANGING, SILENT, recognise
from omicstore.readers.recognise import look
from omicstore.sources import Source

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.readers.table import RawTable

HEADER = "Hugo_Symbol\tEntrez_Gene_Id\tVariant_Classification\tTumor_Sample_Barcode\tMutation_Status\n"
A, B, C = (f"TCGA-XX-A00{i}-01A-11D-A10Y-09" for i in (1, 2, 3))
ROWS = (
    f"TP53\t7157\tMissense_Mutation\t{A}\tSomatic\n"
    f"TP53\t7157\tSilent\t{B}\tSomatic\n"
    f"TP53\t7157\tMissense_Mutation\t{A}\tSomatic\n"
    f"EGFR\t0\tNonsense_Mutation\t{B}\tSomatic\n"
    f"Unknown\t0\tIGR\t{B}\tSomatic\n"
    f"BRCA1\t672\tFrame_Shift_Del\t{A}\tGermline\n"
)


def one(path: Path) -> RawTable:
    source = Source(path, "maf", "mut", "XX", "mutated")
    (raw,) = read(source)
    assert profile_ids(source) == raw.ids
    return raw


def test_mutated_or_not(tmp_path: Path) -> None:
    path = tmp_path / "a.maf"
    path.write_text("#version 2.4\n" + HEADER + ROWS)
    raw = one(path)
    assert raw.ids == [A, B]
    assert raw.features == ["EGFR", "TP53|7157"]
    np.testing.assert_array_equal(raw.values, [[0, 1], [1, 0]])
    assert raw.feature_info is not None
    assert [json.loads(c) for c in raw.feature_info["consequences"]] == [
        {"Nonsense_Mutation": 1},
        {"Missense_Mutation": 2, "Silent": 1},
    ]
    assert raw.drops.counts == {
        "mutation outside of genes": 1,
        "mutation that is not somatic": 1,
        "protein not changed: Silent": 1,
    }
    assert raw.warnings == [
        (
            "samples without any mutation are not known: the file names 2 samples by their mutations, "
            "and does not list those that were looked at"
        )
    ]


def test_samples_that_the_gdc_lists_are_not_mutated(tmp_path: Path) -> None:
    path = tmp_path / "a.maf"
    path.write_text(f"#version gdc-1.0.0\n#tumor.aliquots.submitter_id {A},{B},{C}\n" + HEADER + ROWS)
    raw = one(path)
    assert raw.ids == [A, B, C]
    assert raw.values is not None
    assert not raw.values[2].any()
    assert raw.warnings == []


def test_a_folder_as_the_gdc_client_leaves_it(tmp_path: Path) -> None:
    for name, sample, packed in (("one", A, False), ("two", B, True)):
        text = f"#version gdc-1.0.0\n#tumor.aliquot {name}\n{HEADER}TP53\t7157\tSplice_Site\t{sample}\t\n"
        folder = tmp_path / name
        folder.mkdir()
        if packed:
            (folder / f"{name}.wxs.maf.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name}.wxs.maf").write_text(text)
    empty = tmp_path / "three.maf"
    empty.write_text(f"#version gdc-1.0.0\n#tumor.aliquot 31720585\n{HEADER}")
    raw = one(tmp_path)
    assert raw.ids == [A, B]
    assert raw.warnings == []
    assert raw.drops.examples == {"file without a mutation, whose sample has a UUID and no barcode": ["31720585"]}
    guess = recognise(look(tmp_path))
    assert guess is not None
    assert (guess.format, guess.modality, guess.unit) == ("maf", "mut", "mutated")


def test_consequences_are_one_thing_or_the_other() -> None:
    assert not CHANGING & SILENT


def test_an_unknown_consequence_is_counted_and_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.maf"
    path.write_text(HEADER + f"TP53\t7157\tMissense_Mutation\t{A}\t\nTP53\t7157\tFusion\t{B}\t\n")
    raw = one(path)
    np.testing.assert_array_equal(raw.values, [[1], [0]])
    assert raw.drops.counts == {"consequence unknown: Fusion": 1}


@pytest.mark.parametrize(("caller", "genes", "ones"), [("muse", 120, 120), ("mutect2", 115, 117)])
def test_real_files_of_callers(real_data: Path, caller: str, genes: int, ones: int) -> None:
    raw = one(real_data / "fixtures" / "xena_gdc_files" / "TCGA-BRCA" / "Raw_Data" / f"{caller}_snv")
    assert raw.values is not None
    assert raw.values.shape == (986, genes)
    assert raw.values.sum() == ones


def test_real_files_of_aliquots(real_data: Path) -> None:
    folder = real_data / "fixtures" / "gdc_native" / "NGTA" / "data"
    raw = one(folder)
    assert raw.values is not None
    assert raw.values.shape == (2, 58)
    path = next(folder.glob("*.maf"))
    guess = recognise(look(path))
    assert guess is not None
    assert guess.format == "maf"


def test_genes_and_samples_may_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.maf"
    path.write_text(HEADER + ROWS)
    (raw,) = read(Source(path, "maf", "mut", "XX", "mutated", select=("^TP53",), drop=(B,)))
    assert (raw.ids, raw.features) == ([A], ["TP53|7157"])


def test_a_gene_without_entrez_id_is_the_same_gene(tmp_path: Path) -> None:
    path = tmp_path / "a.maf"
    rows = (f"TP53\t7157\tMissense_Mutation\t{A}\t\n", f"TP53\t0\tNonsense_Mutation\t{B}\t\n")
    path.write_text(HEADER + "".join(rows))
    raw = one(path)
    assert raw.features == ["TP53|7157"]
    np.testing.assert_array_equal(raw.values, [[1], [1]])
    assert raw.feature_info is not None
    assert json.loads(raw.feature_info["consequences"][0]) == {"Missense_Mutation": 1, "Nonsense_Mutation": 1}
