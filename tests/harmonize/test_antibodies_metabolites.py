from __future__ import annotations

import csv
import gzip

import polars as pl
import pytest

from omicstore.harmonize.antibodies import antibodies, antibody_symbols
from omicstore.harmonize.assay import to_assays
from omicstore.harmonize.metabolites import MetaboliteNames, metabolites


@pytest.mark.parametrize(
    ("name", "feature_id", "quality", "suffix"),
    [
        ("ACC1_Caution", "ACC1", "caution", None),
        ("CD20 _Caution", "CD20", "caution", None),
        ("HER2-M-V", "HER2", "valid", "M-V"),
        ("ARID1A-R-C", "ARID1A", "caution", "R-C"),
        ("E-Cadherin-R-V", "E-Cadherin", "valid", "R-V"),
        ("53BP1-R-E", "53BP1", "under evaluation", "R-E"),
        ("PARP-Ab-3", "PARP-Ab-3", None, None),
        ("Akt_pS473", "Akt_pS473", None, None),
    ],
)
def test_marks_of_quality_become_columns(name, feature_id, quality, suffix) -> None:
    (found,) = antibodies([name], None)
    assert (found.feature_id, found.quality, found.suffix, found.source_name) == (feature_id, quality, suffix, name)


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("HER2", "ERBB2"),
        ("HER2_pY1248", "ERBB2"),
        ("4E-BP1_pT37_T46", "EIF4EBP1"),
        ("Akt", "AKT1;AKT2;AKT3"),
        ("Myosin IIa pS1943", "MYH9"),
        ("Myosin-IIa-pS1943", "MYH9"),
        ("Bim(CST2933)", "BCL2L11"),
        ("Acetyl-a-Tubulin (Lys40)", "TUBA1A;TUBA1B;TUBA1C"),
        ("Annexin 1", "ANXA1"),
        ("TAZ", "WWTR1"),
        ("p53", "TP53"),
        ("Caspase-7_cleavedD198", "CASP7"),
        ("TP53_pS15", "TP53"),
        ("Nonsense", None),
    ],
)
def test_genes_of_antibodies(refs, name, symbols) -> None:
    assert antibody_symbols(name, refs.genes) == symbols


def test_on_a_collision_both_keep_their_full_id() -> None:
    found = antibodies(["XRCC1-R-C", "XRCC1-R-E", "YB-1-R-V"], None)
    assert [a.feature_id for a in found] == ["XRCC1-R-C", "XRCC1-R-E", "YB-1"]


def test_unknown_antibodies_are_counted(matrix, study, refs) -> None:
    raw = matrix(["TCGA-4Z-0001-01A"], ["HER2", "Nonsense"], [[1, 2]], modality="prot", unit="log2_ratio")
    (assay,) = to_assays(raw, "BLCA", study, refs, "s")
    assert assay.warnings == ["1 antibodies have no known gene, e.g. Nonsense"]
    assert assay.features.get_column("symbol").to_list() == ["ERBB2", None]


def test_every_real_antibody_has_a_gene(real_data, real_refs) -> None:
    names = set()
    for path in [*sorted(real_data.glob("tcga/*/*.rppa.tsv.gz")), real_data / "ccle" / "CCLE_RPPA_20181003.csv.gz"]:
        with gzip.open(path, "rt") as handle:
            names.update(next(csv.reader(handle, delimiter="," if ".csv" in path.name else "\t"))[1:])
    with gzip.open(real_data / "tcga" / "BRCA" / "RPPA.gz", "rt") as handle:
        names.update(line.split("\t", 1)[0] for line in handle.readlines()[1:])
    lost = [a.source_name for a in antibodies(sorted(names), real_refs.genes) if a.symbols is None]
    assert lost == []


INFO = pl.DataFrame(
    {
        "raw_feature": ["a", "b", "LysoPC(18:0)", "LysoPC(16:0)", "Glucose", "x", "y"],
        "kegg": ["C00001", "NA", "C04230", "C04230", "C00221", "C00009", "C00009"],
        "Compound ID": ["HMDB0002111", "52", None, None, None, "HMDB0000973", "HMDB0000973"],
    }
)


def test_kegg_where_it_is_certain(refs) -> None:
    names = [*INFO.get_column("raw_feature"), "Alanine", "alpha-thing"]
    found, uncertain = metabolites(names, INFO, refs.metabolites)
    assert [m.feature_id for m in found] == [
        "C00001", "name:b", "name:LysoPC(18:0)", "name:LysoPC(16:0)", "name:Glucose", "C00009", "C00009", "C00041",
        "name:alpha-thing",
    ]  # fmt: skip
    assert found[0].hmdb == "HMDB0002111"
    assert found[1].hmdb is None
    assert found[2].kegg == "C04230"
    assert uncertain == {
        "KEGG id of several names": ["LysoPC(18:0)", "LysoPC(16:0)"],
        "file and reference give different KEGG ids": ["Glucose"],
    }


def test_synonyms_are_merged_and_counted(matrix, study, refs) -> None:
    raw = matrix(["TCGA-4Z-0001-01A"], ["Alanine", "L-alanine"], [[2, 4]], modality="metab", unit="intensity")
    (assay,) = to_assays(raw, "BLCA", study, refs, "s")
    assert assay.values.tolist() == [[3]]
    assert assay.features.select("feature_id", "n_sources", "source_name").rows() == [
        ("C00041", 2, "Alanine;L-alanine")
    ]


def test_a_name_with_several_ids_has_none_for_certain() -> None:
    frame = pl.DataFrame(
        {"query": ["glu", "glu"], "match": ["A", "B"], "kegg": ["C00001", "C00002"], "hmdb": ["HMDB0000001", None]}
    )
    assert MetaboliteNames(frame).lookup("GLU") == (None, "HMDB0000001")
