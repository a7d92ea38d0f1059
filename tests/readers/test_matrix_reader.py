"""Matrices in the shapes that people have them in come out as profiles by features."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omicstore.errors import SourceError, StudyError, UnknownNameError
from omicstore.formats import FORMATS
from omicstore.readers import read
from omicstore.sources import Sampling, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str], Path]
    Make = Callable[..., Source]

IDS = ["TCGA-AB-0001-01A", "TCGA-AB-0002-01A", "TCGA-AB-0003-11A"]
ROWS = "gene\t" + "\t".join(IDS) + "\nTP53\t1\t2\t3\nEGFR\t4\tNA\t6\n"
COLUMNS = ",TP53,EGFR\n" + "".join(f"{i},{a},{b}\n" for i, a, b in zip(IDS, "123", ["4", "", "6"], strict=True))
VALUES = [[1, 4], [2, np.nan], [3, 6]]


def test_every_format_has_a_reader() -> None:
    for form in FORMATS.values():
        module, _, function = form.reader.partition(":")
        assert callable(getattr(import_module(module), function)), form.name
        assert (form.kind == "several") == hasattr(import_module(module), "expand"), form.name
    with pytest.raises(UnknownNameError, match="one of matrix"):
        read(Source("x", "matrixx"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "text"), [("rows.tsv.gz", ROWS), ("columns.csv", COLUMNS)])
def test_both_orientations(write: Write, source: Make, name: str, text: str) -> None:
    (raw,) = read(source(write(name, text)))
    assert (raw.kind, raw.modality, raw.ids, raw.features) == ("matrix", "rna", IDS, ["TP53", "EGFR"])
    assert raw.values is not None
    assert raw.values.flags.c_contiguous
    np.testing.assert_array_equal(raw.values, np.array(VALUES, np.float32))
    assert raw.feature_info is None
    assert raw.profile_info is None


def test_dotted_and_patient_barcodes_tell_the_orientation(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv", "probe\tTCGA.AB.0001.01A\tTCGA.AB.0002.01A\ncg1\t.1\t.2\n")))
    assert raw.ids == ["TCGA.AB.0001.01A", "TCGA.AB.0002.01A"]  # as the file has them
    (raw,) = read(source(write("b.csv", "x,A,B\nTCGA-AB-0001,1,2\n")))
    assert raw.features == ["A", "B"]


def test_features_tell_the_orientation_where_samples_have_no_grammar(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.csv", "id,ENSG00000000003.10,ENSG00000000005\nline1,1,2\n")))
    assert raw.ids == ["line1"]
    (raw,) = read(source(write("b.csv", "id,a,b\nTSPAN6|7105,1,2\nTNMD|64102,3,4\n")))
    assert raw.ids == ["a", "b"]


def test_sampling_tells_the_orientation(write: Write, source: Make, tmp_path: Path) -> None:
    path = write("a.csv", "Name,A1_T,A2_N\nx,1,2\ny,3,4\n")
    (raw,) = read(source(path), Sampling(origin="column", pattern=r"^(?P<patient>A\d)_(?P<type>[TN])$"))
    assert raw.ids == ["A1_T", "A2_N"]
    write("map.csv", "column,sample_id\nx,X-1\ny,Y-1\n")
    (raw,) = read(source(path), Sampling(path=tmp_path / "map.csv"))
    assert raw.ids == ["x", "y"]
    lines = write("b.csv", ",14-3-3_beta,Akt\nDMS53_LUNG,1,2\nT24_URINARY_TRACT,3,4\n")
    (raw,) = read(source(lines), Sampling(origin="id", cohort="CCLE", tissue="_(.+)$"))
    assert raw.ids == ["DMS53_LUNG", "T24_URINARY_TRACT"]
    with pytest.raises(StudyError, match="no regular expression"):
        read(source(path), Sampling(origin="column", pattern="("))


def test_study_file_overrides_orientation_and_id(write: Write, source: Make) -> None:
    path = write("a.csv", "n,name,s1,s2\n1,x,1,2\n2,y,3,4\n")
    (raw,) = read(source(path, id="name", orientation="features_in_rows"))
    assert (raw.features, raw.ids) == (["x", "y"], ["n", "s1", "s2"])
    (raw,) = read(source(path, id="name", orientation="features_in_columns", drop=("^n$",)))
    assert (raw.ids, raw.features) == (["x", "y"], ["s1", "s2"])
    assert raw.drops.counts["dropped by the study file"] == 1
    with pytest.raises(SourceError, match="there is no column 'nam'. Expected one of 'name'"):
        read(source(path, id="nam"))


def test_columns_about_features(write: Write, source: Make) -> None:
    text = 'm/z,Name,KEGG,Class,S1_T,S2_N\n1.5,"a,b",C00001,x,1,2\n2.5,c,,y,3,4\n'
    (raw,) = read(source(write("a.csv", text), id="Name"), Sampling(origin="column", pattern=r"^(?P<patient>S\d)_"))
    assert (raw.ids, raw.features) == (["S1_T", "S2_N"], ["a,b", "c"])
    np.testing.assert_array_equal(raw.values, [[1, 3], [2, 4]])
    assert raw.feature_info is not None
    assert raw.feature_info.rows() == [("a,b", "1.5", "C00001", "x"), ("c", "2.5", None, "y")]
    assert raw.feature_info.columns == ["raw_feature", "m/z", "KEGG", "Class"]


def test_entrez_ids_before_the_barcodes_are_no_sample(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv", f"Hugo_Symbol\tEntrez_Gene_Id\t{IDS[0]}\nTP53\t7157\t0.5\n")))
    assert raw.ids == IDS[:1]
    assert raw.feature_info is not None
    assert raw.feature_info.rows() == [("TP53", "7157")]


def test_text_columns_beside_features_describe_the_profiles(write: Write, source: Make) -> None:
    text = f"A,B,platform,id\n1,2,GPL1,{IDS[0]}\n3,4,GPL2,{IDS[1]}\n"
    (raw,) = read(source(write("a.csv", text), id="id"))
    assert raw.ids == IDS[:2]
    np.testing.assert_array_equal(raw.values, [[1, 2], [3, 4]])
    assert raw.profile_info is not None
    assert raw.profile_info.rows() == [(IDS[0], "GPL1"), (IDS[1], "GPL2")]
    assert raw.drops.counts == {"text column": 1}


@pytest.mark.parametrize("text", [ROWS, COLUMNS])
def test_select_and_drop(write: Write, source: Make, text: str) -> None:
    (raw,) = read(source(write("a.txt", text), select=("^TP", "EGFR"), drop=("TP53",)))
    assert raw.features == ["EGFR"]
    np.testing.assert_array_equal(raw.values, np.array(VALUES, np.float32)[:, 1:])
    (raw,) = read(source(write("a.txt", text), select=("TP53",)))
    assert raw.drops.examples == {"not selected": ["EGFR"]}
    with pytest.raises(SourceError, match=r"select \['KRAS'\] finds none of 2"):
        read(source(write("a.txt", text), select=("KRAS",)))


def test_drop_leaves_out_samples_that_have_no_barcode(write: Write, source: Make) -> None:
    text = COLUMNS + "Control,7,8\n"
    with pytest.raises(SourceError, match="line 5: mixed ids: 1 of 4 samples"):
        read(source(write("a.csv", text)))
    (raw,) = read(source(write("a.csv", text), drop=("Control",)))
    assert raw.ids == IDS
    rows = ROWS.replace("\n", "\tControl\n", 1).replace("3\n", "3\t7\n").replace("6\n", "6\t8\n")
    with pytest.raises(SourceError, match="line 1: mixed ids: 1 of 4 samples"):
        read(source(write("b.tsv", rows)))
    (raw,) = read(source(write("b.tsv", rows), drop=("Control",)))
    assert raw.ids == IDS


def test_replicates_and_repeated_features(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.csv", f",A,B\n{IDS[0]},1,2\n{IDS[0]},3,4\n")))
    assert raw.ids == [IDS[0]] * 2
    (raw,) = read(source(write("a.tsv", f"g\t{IDS[0]}\nA\t1\nA\t2\n")))
    assert raw.features == ["A", "A"]  # harmonising merges them
    (raw,) = read(source(write("c.csv", f",SLC35E2|9906,SLC35E2|728661\n{IDS[0]},1,2\n")))
    assert raw.features == ["SLC35E2|9906", "SLC35E2|728661"]


def test_rows_without_an_id_are_counted(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.csv", COLUMNS + ",7,8\n")))
    assert raw.ids == IDS
    assert raw.drops.counts == {"row without an id": 1}
    assert (raw.rows_in, raw.columns_in) == (4, 3)


def test_word_in_a_sample_column_is_no_annotation(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match=f"line 2, column '{IDS[1]}': 'x' is no number"):
        read(source(write("a.tsv", f"g\t{IDS[0]}\t{IDS[1]}\nA\t1\tx\n")))


def test_numbers_for_missing_are_counted(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.csv", f",A,B\n{IDS[0]},1e-12,2\n"), missing=("1e-12",)))
    assert raw.values is not None
    assert np.isnan(raw.values[0, 0])
    assert raw.warnings == ["1 cells hold 1e-12 and were read as missing"]


def test_nothing_but_missing_is_no_matrix(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="no cell holds a number"):
        read(source(write("a.csv", f",A,B\n{IDS[0]},NA,\n")))


def test_prose_is_no_matrix(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="no column holds numbers; the first rows have ' or nearly' under"):
        read(source(write("a.txt", "Words, with, commas\nnone here\nsome, or nearly, so\n")))


def test_xena_matrix_has_features_in_rows(write: Write, source: Make) -> None:
    (raw,) = read(source(write("a.tsv", "sample\ts1\ts2\nx\t1\t2\n"), "xena-matrix"))
    assert raw.ids == ["s1", "s2"]


@pytest.mark.parametrize(
    ("corner", "in_rows"), [("gene", True), ("Hugo_Symbol", True), ("patient_id", False), ("Sample", False)]
)
def test_the_first_header_cell_tells_what_ids_that_say_nothing_are(
    write: Write, source: Make, corner: str, in_rows: bool
) -> None:
    path = write("a.csv", f"{corner},P1,P2,P3\nA1,1,2,3\nA2,4,5,6\n")
    (raw,) = read(source(path, "matrix"), Sampling(origin="id"))
    assert raw.ids == (["P1", "P2", "P3"] if in_rows else ["A1", "A2"])


def test_ids_and_header_that_say_nothing_are_refused(write: Write, source: Make) -> None:
    with pytest.raises(SourceError, match="cannot tell which ids are samples: P1, P2"):
        read(source(write("a.csv", "x,P1,P2\nA1,1,2\nA2,4,5\n"), "matrix"), Sampling(origin="id"))
