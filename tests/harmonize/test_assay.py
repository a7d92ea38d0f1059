from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omicstore.errors import SourceError, StudyError
from omicstore.harmonize.assay import to_assays
from omicstore.schema import FEATURES, PROFILES

P = ["TCGA-4Z-0001-01A", "TCGA-4Z-0002-01A", "TCGA-4Z-0003-11A"]


def one(raw, study, refs, cohort="BLCA"):
    assays = to_assays(raw, cohort, study, refs, "abc")
    assert len(assays) == 1
    return assays[0]


def column(assay, feature_id):
    return assay.values[:, assay.features.get_column("feature_id").to_list().index(feature_id)]


def test_genes_are_summed_in_linear_units_and_counted(matrix, study, refs) -> None:
    raw = matrix(
        P[:2],
        ["TP53|7157", "?|7157", "?|424242", "MARCH1|55016"],
        [[1, 2, 5, 3], [3, 0, 5, np.log2(9)]],
        unit="log2(tpm+1)",
    )
    assay = one(raw, study, refs)
    assert column(assay, "ENSG00000141510") == pytest.approx([1 + 3, 7 + 0])
    assert column(assay, "ENSG00000145416") == pytest.approx([7, 8])
    assert assay.features.get_column("n_sources").to_list() == [2, 1]
    assert assay.drops.counts == {"Entrez id unknown": 1}
    assert assay.drops.examples["Entrez id unknown"] == ["?|424242"]
    assert (assay.unit, assay.unit_in, assay.upstream_fit) == ("tpm", "log2(tpm+1)", "none")


def test_z_scores_of_one_gene_are_averaged(matrix, study, refs) -> None:
    assay = one(matrix(P[:1], ["TP53", "P53|7157"], [[1, 3]], unit="zscore"), study, refs)
    assert assay.values.tolist() == [[2.0]]
    assert assay.upstream_fit == "unknown"


def test_a_sum_with_a_missing_part_is_missing(matrix, study, refs) -> None:
    assay = one(matrix(P[:2], ["TP53|7157", "?|7157"], [[1, np.nan], [1, 2]]), study, refs)
    assert np.isnan(assay.values[0, 0])
    assert assay.values[1, 0] == 3


def test_the_code_of_zero_is_zero(matrix, study, refs) -> None:
    assay = one(matrix(P[:2], ["TP53"], [[-9.9658], [-6.5064]], unit="log2(tpm+0.001)", decimals=4), study, refs)
    assert assay.values[0, 0] == 0.0
    assert assay.values[1, 0] == pytest.approx(0.01, rel=0.01)


def test_frames_have_the_columns_of_the_store(matrix, study, refs) -> None:
    assay = one(matrix(P, ["TP53", "ERBB2"], np.arange(6)), study, refs)
    assert assay.features.columns == [c for c in FEATURES.columns if c not in FEATURES.optional]
    assert set(PROFILES.columns) - set(assay.profiles.columns) == {"chosen", "reason", "nearest_profile", "nearest_r"}
    assert assay.profiles.get_column("sample_type").to_list() == ["primary", "primary", "normal"]
    assert assay.profiles.get_column("site").to_list() == ["4Z"] * 3
    tp53 = assay.features.filter(pl.col("symbol") == "TP53").row(0, named=True)
    assert (tp53["entrez"], tp53["chromosome"], tp53["start"]) == ("7157", "chr17", 7661779)


def test_rows_and_hashes_do_not_depend_on_the_order_of_the_file(matrix, study, refs) -> None:
    values = np.arange(6, dtype=float).reshape(3, 2)
    names = ["TP53", "ERBB2"]
    straight = one(matrix(P, names, values), study, refs)
    turned = one(matrix(P[::-1], names[::-1], values[::-1, ::-1].copy()), study, refs)
    assert np.array_equal(straight.values, turned.values)
    assert straight.profiles.equals(turned.profiles)
    assert straight.profiles.get_column("content_hash").n_unique() == 3


def test_patient_level_barcodes_are_primary_and_say_so(matrix, study, refs) -> None:
    profiles = one(matrix(["TCGA-4Z-0001"], ["TP53"], [[1]]), study, refs).profiles.row(0, named=True)
    assert profiles["sample_id"] == "TCGA-4Z-0001-01"
    assert profiles["profile_id"] == "TCGA-4Z-0001"
    assert profiles["sample_type_inferred"] is True


@pytest.mark.parametrize(
    ("modality", "feature", "unit", "value", "message"),
    [
        (
            "meth",
            "TP53",
            "beta",
            1.7,
            r"x\.tsv: profile 'TCGA-4Z-0001-01A', feature 'TP53': 1\.7 cannot be beta\. Expected values of beta in \[0, 1\]",
        ),
        ("rna", "TP53", "tpm", -1, r"-1 cannot be tpm\. Expected finite values of tpm of at least 0"),
        ("rna", "TP53", "tpm", np.inf, "inf cannot be tpm"),
        ("rna", "TP53", "log2(tpm+0.001)", -12, r"-12 cannot be log2\(tpm\+0\.001\) \(it would be -0\.000756 tpm\)"),
        ("rna", "TP53", "log2(tpm+1)", 200, r"200 cannot be log2\(tpm\+1\)"),
        ("prot", "HER2", "log2_ratio", -np.inf, "-inf cannot be log2_ratio"),
    ],
)
def test_values_out_of_range_are_refused(matrix, study, refs, modality, feature, unit, value, message) -> None:
    raw = matrix(P[:2], [feature], [[value], [0.5]], modality=modality, unit=unit, decimals=4)
    with pytest.raises(SourceError, match=message):
        to_assays(raw, "BLCA", study, refs, "abc")


def test_what_rounding_alone_does_is_no_error(matrix, study, refs) -> None:
    assay = one(matrix(P[:1], ["TP53"], [[1.0000001]], modality="meth", unit="beta"), study, refs)
    assert assay.values[0, 0] == 1.0


def test_units_fit_their_modality(matrix, study, refs) -> None:
    with pytest.raises(StudyError, match="modality rna with the unit beta"):
        to_assays(matrix(P[:1], ["TP53"], [[1]], unit="beta"), "BLCA", study, refs, "abc")
    with pytest.raises(StudyError, match="modality meth with the unit tpm"):
        to_assays(matrix(P[:1], ["TP53"], [[1]], modality="meth"), "BLCA", study, refs, "abc")


def test_mixed_profile_ids(matrix, study, refs) -> None:
    with pytest.raises(
        SourceError, match="mixed ids: 1 are barcodes, e.g. 'TCGA-4Z-0001-01A', and 1 are not, e.g. 'gene_name'"
    ):
        to_assays(matrix([P[0], "gene_name"], ["TP53"], [1, 2]), "BLCA", study, refs, "abc")
    with pytest.raises(SourceError, match=r"no id is barcodes, e.g. 'a'.*add study.samples"):
        to_assays(matrix(["a", "b"], ["TP53"], [1, 2]), "BLCA", study, refs, "abc")


def test_mixed_features(matrix, study, refs) -> None:
    with pytest.raises(
        SourceError,
        match="mixed ids: 1 of 2 features are Ensembl gene ids, e.g. 'ENSG00000141510', and the rest are not, e.g. 'ERBB2'",
    ):
        to_assays(matrix(P[:1], ["ENSG00000141510", "ERBB2"], [[1, 2]]), "BLCA", study, refs, "abc")
    with pytest.raises(SourceError, match="mixed ids: 1 of 2 features are probes"):
        to_assays(
            matrix(P[:1], ["cg00000001", "ERBB2"], [[1, 0]], modality="meth", unit="beta"), "BLCA", study, refs, "abc"
        )


def test_probes_given_for_genes(matrix, study, refs) -> None:
    with pytest.raises(SourceError, match="its features are methylation probes"):
        to_assays(matrix(P[:1], ["cg00000001", "cg00000002"], [[1, 2]]), "BLCA", study, refs, "abc")


def test_no_known_gene(matrix, study, refs) -> None:
    with pytest.raises(SourceError, match="none of its 1 features is a gene"):
        to_assays(matrix(P[:1], ["x"], [[1]]), "BLCA", study, refs, "abc")


def test_nothing_in_it(matrix, study, refs) -> None:
    with pytest.raises(SourceError, match="there are 0 samples in it"):
        to_assays(matrix([], ["TP53"], []), "BLCA", study, refs, "abc")
    with pytest.raises(SourceError, match="there are 0 features in it"):
        to_assays(matrix(P[:1], [], [[]]), "BLCA", study, refs, "abc")
    with pytest.raises(SourceError, match="every profile is empty"):
        to_assays(matrix(P[:1], ["TP53"], [[np.nan]]), "BLCA", study, refs, "abc")


def test_a_profile_without_values_is_counted(matrix, study, refs) -> None:
    assay = one(matrix(P[:2], ["TP53"], [[np.nan], [1]]), study, refs)
    assert assay.values.shape == (1, 1)
    assert assay.drops.counts == {"no value measured": 1}


def test_wrong_cohort(matrix, study, refs) -> None:
    ids = ["TCGA-A1-0001-01A", "TCGA-A1-0002-01A", "TCGA-4Z-0001-01A"]
    with pytest.raises(
        SourceError,
        match=r"wrong cohort: the tissue source sites of 2 of 3 barcodes .* \(2 of BRCA\), e.g. TCGA-A1-0001-01A. Expected barcodes of BLCA",
    ):
        to_assays(matrix(ids, ["TP53"], [1, 2, 3]), "BLCA", study, refs, "abc")


def test_single_foreign_barcodes_are_a_warning(matrix, study, refs) -> None:
    assay = one(matrix([*P, "TCGA-A1-0001-01A"], ["TP53"], [1, 2, 3, 4]), study, refs)
    assert assay.warnings == [
        "1 barcodes are of another cohort's tissue source sites (1 of BRCA), e.g. TCGA-A1-0001-01A"
    ]


def test_unions_and_controls_are_of_their_cohort(matrix, study, refs) -> None:
    ids = ["TCGA-AA-0001-01A", "TCGA-AF-0002-01A", "TCGA-07-0227-20A"]
    assay = one(matrix(ids, ["TP53"], [1, 2, 3], cohort="COADREAD"), study, refs, "COADREAD")
    assert assay.warnings == []


def test_another_cohorts_source_gives_nothing(matrix, study, refs) -> None:
    assert to_assays(matrix(P, ["TP53"], [1, 2, 3], cohort="BRCA"), "BLCA", study, refs, "abc") == []


def test_mirna_ids_stay(matrix, study, refs) -> None:
    assay = one(matrix(P[:1], ["hsa-mir-21", "hsa-let-7a-1"], [[2, 1]], modality="mirna", unit="rpm"), study, refs)
    assert assay.features.get_column("feature_id").to_list() == ["hsa-let-7a-1", "hsa-mir-21"]
    assert assay.values.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("modality", "names", "kind"),
    [
        ("mirna", ["cg00000029", "cg00000108"], "array probes"),
        ("mirna", ["A1BG|1", "A2M|2"], "genes"),
        ("mirna", ["ENSG00000141510.16"], "genes"),
        ("prot", ["hsa-mir-21", "hsa-let-7a-1"], "miRNA"),
        ("prot", ["A1BG|1", "A2M|2"], "genes"),
    ],
)
def test_features_of_another_modality_are_refused(matrix, study, refs, modality, names, kind) -> None:
    unit = {"mirna": "rpm", "prot": "log2_ratio"}[modality]
    raw = matrix(P[:1], names, [[1.0] * len(names)], modality=modality, unit=unit)
    with pytest.raises(SourceError, match=f"of its {len(names)} features are {kind}"):
        one(raw, study, refs)


def test_names_by_the_sampling_rule(matrix, sampled, make_refs) -> None:
    lines = sampled(origin="id", sample_type="cell_line", tissue="_(.+)$")
    raw = matrix(["DMS53_LUNG"], ["HER2"], [[1]], modality="prot", unit="log2_ratio", cohort="C")
    profile = one(raw, lines, make_refs(), "C").profiles.row(0, named=True)
    assert (profile["sample_id"], profile["patient_id"], profile["sample_type"]) == (
        "DMS53_LUNG",
        "DMS53_LUNG",
        "cell_line",
    )
    paired = sampled(
        origin="column", pattern=r"^(?P<patient>[A-Z]+\d+)_(?P<type>[TN])$", types={"T": "primary", "N": "normal"}
    )
    raw = matrix(["C1_T", "C1_N"], ["HER2"], [[1], [2]], modality="prot", unit="log2_ratio", cohort="C")
    profiles = one(raw, paired, make_refs(), "C").profiles
    assert profiles.select("sample_id", "patient_id", "sample_type").rows() == [
        ("C1-N", "C1", "normal"),
        ("C1-T", "C1", "primary"),
    ]
    raw = matrix(["C1_T", "Alignment"], ["HER2"], [[1], [2]], modality="prot", unit="log2_ratio", cohort="C")
    with pytest.raises(SourceError, match="mixed ids: 1 are in the form of study.samples"):
        to_assays(raw, "C", paired, make_refs(), "abc")


def test_names_by_a_sample_table(matrix, sampled, make_refs, tmp_path) -> None:
    table = tmp_path / "samples.csv"
    table.write_text("column,sample_id,patient_id,cohort,sample_type\nx1,S1,P1,C,primary\nx2,S2,P2,D,primary\n")

    def raw():
        return matrix(["x1", "x2"], ["HER2"], [[1], [2]], modality="prot", unit="log2_ratio", cohort="C")

    assay = one(raw(), sampled(path=table), make_refs(), "C")
    assert assay.profiles.get_column("sample_id").to_list() == ["S1"]
    assert assay.drops.counts == {"sample of another cohort": 1}
    table.write_text("column,patient\nx1,P1\n")
    with pytest.raises(StudyError, match="has no column sample_id, patient_id"):
        to_assays(raw(), "C", sampled(path=table), make_refs(), "abc")


def test_ffpe_comes_from_the_file(matrix, study, refs) -> None:
    info = pl.DataFrame({"raw_id": P[:2], "is_ffpe": ["YES", None]})
    assay = one(matrix(P[:2], ["TP53"], [1, 2], profile_info=info), study, refs)
    assert assay.profiles.get_column("ffpe").to_list() == [True, None]
