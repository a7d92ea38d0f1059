from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from omicstore.errors import StudyError
from omicstore.harmonize.assay import to_assays
from omicstore.harmonize.combine import combine
from omicstore.harmonize.duplicates import nearest_other
from omicstore.harmonize.replicates import choose
from omicstore.schema import FEATURES, PROFILES


@pytest.fixture
def joined(matrix, study, refs):
    def make(*raws, cohort="BLCA", of=study):
        return combine([a for i, raw in enumerate(raws) for a in to_assays(raw, cohort, of, refs, f"s{i}")])

    return make


def reasons(matrix) -> dict[str, str | None]:
    return dict(matrix.profiles.select("profile_id", "reason").iter_rows())


@pytest.mark.parametrize(
    ("chosen", "other", "reason"),
    [
        ("TCGA-4Z-0001-01A", "TCGA-4Z-0001-01B", "later vial"),
        ("TCGA-4Z-0001-01B-11R", "TCGA-4Z-0001", "patient-level id"),
        ("TCGA-4Z-0001-01A-11H-A100-07", "TCGA-4Z-0001-01A-11R-A100-07", "other analyte"),
        ("TCGA-4Z-0001-01A-11R-A100-07", "TCGA-4Z-0001-01A-21R-A100-07", "later portion"),
        ("TCGA-4Z-0001-01A-11R-A200-07", "TCGA-4Z-0001-01A-11R-A100-07", "other plate"),
        ("TCGA-4Z-0001-01A-11R-A100-07", "TCGA-4Z-0001-01A-11R-A100-13", "other center"),
        ("TCGA-4Z-0001-01A", "TCGA-4Z-0001-01", "later vial"),
    ],
)
def test_the_rules_in_turn(matrix, joined, chosen, other, reason) -> None:
    for ids in ([chosen, other], [other, chosen]):
        out = joined(matrix(ids, ["TP53"], [[1], [2]]))
        assert reasons(out) == {chosen: None, other: reason}
        assert out.rows.rows() == [("TCGA-4Z-0001-01", chosen)]
        assert out.values[0, 0] == 1 + ids.index(chosen)


def test_formalin_comes_last(matrix, joined) -> None:
    ids = ["TCGA-4Z-0001-01A", "TCGA-4Z-0001-01B"]
    info = pl.DataFrame({"raw_id": ids, "is_ffpe": ["true", "false"]})
    assert reasons(joined(matrix(ids, ["TP53"], [[1], [2]], profile_info=info))) == {ids[0]: "FFPE", ids[1]: None}


def test_where_nothing_decides(matrix, joined) -> None:
    ids = ["TCGA-4Z-0001", "TCGA-4Z-0001", "TCGA-4Z-0002"]
    values = np.array([[1, np.nan], [3, 4], [5, 6]])
    out = joined(matrix(ids, ["TP53", "ERBB2"], values))
    # the fewest missing values
    assert out.values[0].tolist() == [3, 4]
    assert reasons(out) == {"TCGA-4Z-0001": None, "TCGA-4Z-0001#2": "indistinguishable", "TCGA-4Z-0002": None}
    assert out.warnings == [
        "1 profiles differ from the chosen one of their sample in their values alone: TCGA-4Z-0001-01"
    ]
    # and then the smaller hash, whatever the order of the file
    values[0, 1] = 2
    first = joined(matrix(ids, ["TP53", "ERBB2"], values))
    second = joined(matrix(ids[::-1], ["TP53", "ERBB2"], values[::-1].copy()))
    assert first.profiles.equals(second.profiles)
    assert np.array_equal(first.values, second.values)
    chosen = first.profiles.filter(pl.col("sample_id") == "TCGA-4Z-0001-01").sort("content_hash")
    assert chosen.get_column("chosen").to_list() == [True, False]


def test_choosing_does_not_depend_on_the_order() -> None:
    rng = random.Random(1)
    profiles = [
        {
            "sample_id": rng.choice("ab"), "modality": "rna", "ffpe": rng.choice([None, True, False]), "platform": None,
            "sample_type_inferred": False, "vial": rng.choice([None, "A", "B"]), "analyte": rng.choice([None, "R", "H", "T"]),
            "portion": rng.choice([None, "11", "21"]), "plate": rng.choice([None, "A100", "A200"]), "center": "07",
            "source_order": 0, "n_missing": rng.randint(0, 1), "content_hash": f"{i:02d}",
        }
        for i in range(40)
    ]  # fmt: skip
    expected = {p["content_hash"]: c for p, c in zip(profiles, choose(profiles), strict=True)}
    for _ in range(5):
        rng.shuffle(profiles)
        assert {p["content_hash"]: c for p, c in zip(profiles, choose(profiles), strict=True)} == expected
    assert sum(c.chosen for c in expected.values()) == 2
    assert all((c.reason is None) == c.chosen for c in expected.values())


def test_sources_are_pooled_on_the_union_of_their_genes(matrix, joined) -> None:
    out = joined(
        matrix(["TCGA-4Z-0001-01A"], ["TP53", "ERBB2"], [[1, 2]], name="a"),
        matrix(["TCGA-4Z-0002-01A"], ["ERBB2", "MARCHF1"], [[3, 4]], name="b"),
    )
    assert out.features.get_column("symbol").to_list() == ["TP53", "ERBB2", "MARCHF1"]
    np.testing.assert_array_equal(out.values, [[1, 2, np.nan], [np.nan, 3, 4]])
    assert out.rows.get_column("sample_id").to_list() == ["TCGA-4Z-0001-01", "TCGA-4Z-0002-01"]
    assert out.features.columns == [c for c in FEATURES.columns if c not in FEATURES.optional]
    assert out.profiles.columns == list(PROFILES.columns)


def test_the_same_barcode_in_two_sources(matrix, joined) -> None:
    out = joined(
        matrix(["TCGA-4Z-0001-01A"], ["TP53"], [[1]], name="a"), matrix(["TCGA-4Z-0001-01A"], ["TP53"], [[2]], name="b")
    )
    assert reasons(out) == {"TCGA-4Z-0001-01A": None, "TCGA-4Z-0001-01A#2": "later source"}
    assert out.values.tolist() == [[1]]


def test_the_larger_array_is_taken(matrix, joined) -> None:
    out = joined(
        matrix(["TCGA-4Z-0001-01A"], ["cg00000001", "cg10000000"], [[0.1, 0.2]], modality="meth", unit="beta"),
        matrix(
            ["TCGA-4Z-0001-01A"],
            ["cg00000001", "cg00000002"],
            [[0.3, 0.3]],
            modality="meth",
            unit="beta",
            platform="450k",
        ),
    )
    assert sorted(out.profiles.select("platform", "reason").rows()) == [("hm27", "other platform"), ("hm450", None)]
    assert out.platform == "hm27+hm450"
    np.testing.assert_allclose(out.values, [[0.3, np.nan]])
    assert out.features.select("symbol", "platform").rows() == [("TP53", "hm27+hm450"), ("ERBB2", "hm27")]


def test_units_must_agree(matrix, joined) -> None:
    with pytest.raises(StudyError, match=r"rna of BLCA comes in two units: tpm in a and zscore in b"):
        joined(
            matrix(["TCGA-4Z-0001-01A"], ["TP53"], [[1]], name="a"),
            matrix(["TCGA-4Z-0002-01A"], ["TP53"], [[1]], name="b", unit="zscore"),
        )


def test_platforms_of_metabolites_are_set_side_by_side(matrix, joined, sampled) -> None:
    rule = sampled(origin="column", pattern=r"^(?P<patient>\w+)_(?P<type>[TN])$", types={"T": "primary", "N": "normal"})
    more = {"modality": "metab", "unit": "intensity", "cohort": "C"}
    out = joined(
        matrix(["A_T", "B_T"], ["Glucose", "x"], [[1, 2], [3, 4]], platform="gc-ms", **more),
        matrix(["A_T", "C_N"], ["glucose", "L-alanine"], [[5, 6], [7, 8]], platform="lc-ms", **more),
        cohort="C",
        of=rule,
    )
    assert out.features.get_column("feature_id").to_list() == ["C00031@gc-ms", "C00031@lc-ms", "C00041", "name:x"]
    assert out.features.get_column("platform").to_list() == ["gc-ms", "lc-ms", "lc-ms", "gc-ms"]
    nan = np.nan
    np.testing.assert_array_equal(out.values, [[1, 5, 6, 2], [3, nan, nan, 4], [nan, 7, 8, nan]])
    assert out.rows.rows() == [("A-T", "A_T+A_T#2"), ("B-T", "B_T"), ("C-N", "C_N")]
    assert out.profiles.height == 4
    assert out.profiles.get_column("chosen").all()


def test_a_matrix_without_replicates_is_not_copied(matrix, study, refs) -> None:
    (assay,) = to_assays(matrix(["TCGA-4Z-0002-01A", "TCGA-4Z-0001-01A"], ["TP53"], [1, 2]), "BLCA", study, refs, "s")
    out = combine([assay])
    assert out.values is assay.values
    assert out.values.tolist() == [[2], [1]]


def test_a_near_duplicate_is_found(matrix, joined) -> None:
    rng = np.random.default_rng(3)
    symbols = ["TP53", "ERBB2", "MARCHF1", "MTARC1", "SEPTIN1", "SLC35E2A", "SLC35E2B", "AAA1", "BBB1", "NOENS"]
    values = rng.gamma(2.0, 20.0, size=(30, len(symbols)))
    values[7] = values[3] * 1.01
    out = joined(matrix([f"TCGA-4Z-{i:04d}-01A" for i in range(30)], symbols, values))
    found = out.profiles.filter(pl.col("nearest_r") > 0.99).select("profile_id", "nearest_profile").rows()
    assert found == [("TCGA-4Z-0003-01A", "TCGA-4Z-0007-01A"), ("TCGA-4Z-0007-01A", "TCGA-4Z-0003-01A")]


def test_the_nearest_is_another_patients() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(700, 40)).astype(np.float32)
    values[1] = values[0]
    values[600] = values[0] + rng.normal(scale=0.01, size=40)
    values[rng.random(values.shape) < 0.05] = np.nan
    patients = ["p0", "p0", *(f"p{i}" for i in range(2, 700))]
    nearest, r = nearest_other(values, patients, log=False)
    assert nearest[0] == 600
    assert nearest[1] == 600
    assert r[0] > 0.8
    assert np.array_equal(r, np.round(r, 3))
    order = rng.permutation(700)
    again, r_again = nearest_other(values[order], [patients[i] for i in order], log=False)
    np.testing.assert_allclose(r_again, r[order], atol=0.0011)
    assert order[again[np.flatnonzero(order == 0)[0]]] == 600


def test_no_other_patient_has_no_nearest() -> None:
    nearest, r = nearest_other(np.ones((2, 3), dtype=np.float32), ["a", "a"], log=False)
    assert nearest.tolist() == [-1, -1]
    assert np.isnan(r).all()
