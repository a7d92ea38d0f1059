from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.errors import ReferenceMissingError, SourceError
from omicstore.harmonize.assay import to_assays
from omicstore.harmonize.axis import aggregate, make_axis
from omicstore.harmonize.probes import platform_of
from omicstore.harmonize.references import References
from omicstore.readers.references import read_reference
from omicstore.sources import Reference
from omicstore.units import parse_unit

MADE = Path(__file__).parents[1] / "made" / "illumina-manifest"
P = ["TCGA-4Z-0001-01A", "TCGA-4Z-0002-01A"]
PROBES = [f"cg0000000{i}" for i in range(9)] + ["rs00000009", "cg99999999", "cg00000010", "cg00000011"]
TP53 = "ENSG00000141510"


def betas(n: int) -> np.ndarray:
    return np.arange(2 * n, dtype=np.float32).reshape(2, n) / (2 * n)


def meth(matrix, features, values, **more):
    return matrix(P, features, values, modality="meth", unit="beta", **more)


def test_a_gene_is_the_mean_of_the_probes_that_speak_for_it(matrix, study, refs) -> None:
    values = betas(13)
    (assay,) = to_assays(meth(matrix, PROBES, values, platform="hm450"), "BLCA", study, refs, "abc")
    assert assay.features.select("feature_id", "n_probes").rows() == [
        (TP53, 4),
        ("ENSG00000141736", 1),
        ("symbol:NOENS", 1),
    ]
    assert assay.values[:, 0] == pytest.approx(values[:, [0, 1, 2, 8]].mean(axis=1))
    assert assay.drops.counts == {
        "SNP probe": 1,
        "probe not in the reference": 1,
        "probe in the 3'UTR only": 1,
        "probe in no gene": 2,
        "probe of a gene, but in none of its groups": 1,
        "gene of the probe unknown": 1,
    }
    assert assay.platform == "hm450"


def test_missing_betas(matrix, study, refs) -> None:
    values = betas(4)
    values[0, :3] = np.nan
    values[1, 0] = np.nan
    (assay,) = to_assays(meth(matrix, PROBES[:4], values), "BLCA", study, refs, "abc")
    assert np.isnan(assay.values[0, 0])
    assert assay.values[1, 0] == pytest.approx(values[1, 1:3].mean())


def test_masked_probes_are_left_out(matrix, study, make_refs) -> None:
    refs = make_refs("symbols", "hm450", "masks")
    (assay,) = to_assays(meth(matrix, PROBES[:9], betas(9)), "BLCA", study, refs, "abc")
    assert assay.features.get_column("n_probes").to_list()[0] == 3
    assert assay.drops.counts["masked probe"] == 1


def test_probes_are_kept_when_asked_for(matrix, study, refs) -> None:
    raw = meth(matrix, PROBES, betas(13), keep_probes=True, platform="hm450")
    genes, probes = to_assays(raw, "BLCA", study, refs, "abc")
    assert (genes.modality, probes.modality) == ("meth", "meth_probe")
    assert probes.features.get_column("feature_id").to_list() == sorted(set(PROBES) - {"rs00000009"})
    assert probes.drops.counts == {"SNP probe": 1}
    assert np.array_equal(probes.values[:, :9], betas(13)[:, :9])


def test_gene_level_methylation_is_taken_as_it_is(matrix, study, refs) -> None:
    (assay,) = to_assays(meth(matrix, ["TP53", "ERBB2"], [[0.1, 0.2], [0.3, 0.4]]), "BLCA", study, refs, "abc")
    assert assay.values == pytest.approx(np.array([[0.1, 0.2], [0.3, 0.4]]))


def test_m_values(matrix, study, refs) -> None:
    raw = matrix(P, PROBES[:2], [[0, 0], [10, -10]], modality="meth", unit="m_value")
    (assay,) = to_assays(raw, "BLCA", study, refs, "abc")
    assert assay.values[:, 0] == pytest.approx([0.5, 0.5])


def test_the_27k_array_is_recognised_and_all_its_genes_count(matrix, study, refs) -> None:
    (assay,) = to_assays(
        meth(matrix, ["cg00000001", "cg10000000", "cg10000001", "cg10000002"], betas(4)), "BLCA", study, refs, "abc"
    )
    assert assay.platform == "hm27"
    assert assay.features.select("symbol", "n_probes").rows() == [("TP53", 2), ("ERBB2", 1)]
    assert assay.drops.counts == {"probe in no gene": 1, "gene of the probe unknown": 1}


def test_a_wrong_platform_names_both(matrix, study, refs) -> None:
    raw = meth(matrix, ["cg00000001", "cg10000000"], betas(2), platform="HumanMethylation450")
    with pytest.raises(
        SourceError, match="the study file says platform HumanMethylation450, and its probes are those of hm27"
    ):
        to_assays(raw, "BLCA", study, refs, "abc")


def test_a_platform_without_a_reference(matrix, study, make_refs) -> None:
    raw = meth(matrix, ["cg00000001"], betas(1), platform="epic")
    with pytest.raises(ReferenceMissingError, match="methylation on epic"):
        to_assays(raw, "BLCA", study, make_refs("symbols"), "abc")


def test_probes_of_several_arrays_need_a_platform(matrix, study, refs) -> None:
    with pytest.raises(SourceError, match="do not tell which methylation array"):
        to_assays(meth(matrix, ["cg00000001"], betas(1)), "BLCA", study, refs, "abc")


def test_arrays_told_apart_by_size_and_share() -> None:
    ids = [f"cg{i:08d}" for i in range(60_000)]
    hm450 = frozenset(ids[:30_000])
    assert platform_of(ids, {"hm450": hm450}) == "epic"
    assert platform_of(ids[:20_000], {"hm450": hm450}) == "hm450"
    assert platform_of(ids[:25_000], {}) == "hm27"
    assert platform_of([], {}) is None
    # a 27k file without a 27k reference
    assert platform_of([*ids[:9400], *(f"cg9{i:07d}" for i in range(600))], {"hm450": hm450}) == "hm27"


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_aggregation_is_the_loop_over_genes(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    n, m = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 12))
    how = data.draw(st.sampled_from(["sum", "mean"]))
    values = rng.random((n, m)).astype(np.float32)
    values[rng.random((n, m)) < 0.2] = np.nan
    pairs = [(f"g{rng.integers(0, 4)}", int(c)) for c in rng.integers(0, m, size=data.draw(st.integers(1, 15)))]
    axis = make_axis(pl.DataFrame(pairs, schema=["feature_id", "column"], orient="row"), how)
    rows = rng.permutation(n)
    out = aggregate(values, rows, axis, parse_unit("beta"), None)
    again = aggregate(values.copy(), rows, axis, parse_unit("beta"), None, reuse=True)
    assert out.tobytes() == again.tobytes()
    for j, gene in enumerate(axis.frame.get_column("feature_id")):
        taken = values[rows][:, [c for g, c in pairs if g == gene]].astype(np.float64)
        for i in range(n):
            seen = taken[i][~np.isnan(taken[i])]
            mean = seen.mean() if seen.size else np.nan
            expected = taken[i].sum() if how == "sum" else mean
            assert out[i, j] == pytest.approx(expected, rel=1e-6, nan_ok=True)


def manifest_refs(name: str, platform: str) -> References:
    entries = [Reference("symbols", Path("symbols"), "hgnc")]
    entries.append(Reference("probes", MADE / name, "illumina-manifest", platform))
    hgnc = pl.DataFrame(
        [("HGNC:1", "TP53", None, None, "7157", TP53), ("HGNC:2", "ERBB2", None, None, "2064", "ENSG00000141736")],
        schema=["hgnc_id", "symbol", "alias_symbol", "prev_symbol", "entrez_id", "ensembl_gene_id"],
        orient="row",
    )
    return References(entries, lambda entry: hgnc if entry.kind == "symbols" else read_reference(entry))


def test_a_probe_speaks_for_each_gene_in_the_group_that_fits(matrix, study) -> None:
    refs = manifest_refs("made_450k.csv", "hm450")
    names = [*(f"cg0000000{i}" for i in range(1, 6)), "rs00000006"]
    (assay,) = to_assays(meth(matrix, names, betas(6), platform="hm450"), "BLCA", study, refs, "abc")
    # cg1 lies in TP53's 3'UTR and before ERBB2; cg2 in the body of one and the first exon of the other; cg5 before TP53
    assert assay.features.select("feature_id", "n_probes").rows() == [(TP53, 2), ("ENSG00000141736", 2)]
    assert assay.values[0] == pytest.approx([(betas(6)[0, 1] + betas(6)[0, 4]) / 2, betas(6)[0, :2].mean()])
    assert assay.drops.counts == {"SNP probe": 1, "probe in no gene": 1, "probe in the 3'UTR only": 1}


@pytest.mark.parametrize("suffixed", [True, False])
def test_epic_v2_by_its_suffixes_or_by_its_plain_names(matrix, study, suffixed: bool) -> None:
    refs = manifest_refs("made_epic_v2.csv", "EPIC v2")
    names = ["cg00000001_TC21", "cg00000001_TC22", "cg00000002_BC11", "cg00000003_TO11", "cg00000004_BC21"]
    columns = [0, 1, 2, 3, 4] if suffixed else [0, 2, 3, 4]
    kept = [names[i] if suffixed else names[i].partition("_")[0] for i in columns]
    more = {} if suffixed else {"platform": "935k"}
    (assay,) = to_assays(meth(matrix, kept, betas(5)[:, columns], **more), "BLCA", study, refs, "abc")
    assert assay.platform == "epicv2"
    n = 3 if suffixed else 2  # each replicate of a probe counts
    assert assay.features.select("feature_id", "n_probes").rows() == [(TP53, n), ("ENSG00000141736", 1)]
    assert assay.drops.counts == {"probe in the 3'UTR only": 1}


def test_epic_v2_is_not_taken_for_another_array(matrix, study, refs) -> None:
    raw = meth(matrix, ["cg00000001_TC21", "cg00000002_BC11"], betas(2))
    with pytest.raises(ReferenceMissingError, match="methylation on epicv2"):
        to_assays(raw, "BLCA", study, refs, "abc")
    v1, v2 = frozenset({"cg01", "cg02"}), frozenset({"cg02", "cg03", "cg04"})
    hm450 = frozenset({"cg02", "cg09"})
    assert platform_of(["cg02", "cg03", "cg04"], {"hm450": hm450, "epic": v1, "epicv2": v2}) == "epicv2"
    assert platform_of(["cg02", "cg01"], {"hm450": hm450, "epic": v1, "epicv2": v2}) == "epic"
