"""What a query counts, refuses and warns of; a test for each rule of the command line's "What is counted"."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from store_factory import make_cohort, make_store

import omicstore
from omicstore.errors import MixedUnitsError, UnknownNameError, UsageError
from omicstore.store import values as values_module
from omicstore.store.writer import assemble


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("again"))


@pytest.fixture
def store(tiny_store):
    with omicstore.open(tiny_store) as opened:
        yield opened


def truth(data, cohort, modality, samples):
    """Values of the samples as they went in; NaN rows where absent."""
    part = data[cohort].parts.get(modality)
    found = np.full((len(samples), part.values.shape[1]), np.nan, np.float32)
    at = {s: i for i, s in enumerate(part.rows["sample_id"])}
    for i, sample in enumerate(samples):
        if sample in at:
            found[i] = part.values[at[sample]]
    return found


def test_values_are_those_that_went_in(store, data):
    cohort = store.query("AAA", ["rna", "meth"], sample_type="all")
    for modality, values in cohort.to_numpy().items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, truth(data, "AAA", modality, cohort.samples["sample_id"]))
        assert (
            cohort.features(modality)["feature_id"].to_list()
            == data["AAA"].parts[modality].features["feature_id"].to_list()
        )


def test_axes_are_joined_over_cohorts(store, data):
    cohort = store.query("AAA,BBB", "rna", sample_type="all")
    ids = cohort.features("rna")["feature_id"].to_list()
    assert ids == sorted(
        {*data["AAA"].parts["rna"].features["feature_id"], *data["BBB"].parts["rna"].features["feature_id"]}
    )
    values = cohort.to_numpy("rna")
    for name in ("AAA", "BBB"):
        mine = (cohort.samples["cohort"] == name).to_numpy()
        own = data[name].parts["rna"].features["feature_id"].to_list()
        columns = [ids.index(f) for f in own]
        expected = truth(data, name, "rna", cohort.samples["sample_id"].filter(pl.Series(mine)))
        np.testing.assert_array_equal(values[mine][:, columns], expected)
        assert np.isnan(np.delete(values[mine], columns, axis=1)).all()


@pytest.mark.parametrize("genes", [None, ["GENE3"], [f"GENE{i}" for i in range(10, 25)]])
@pytest.mark.parametrize("where", [None, "sex = 'female'"])
@pytest.mark.parametrize("cohort", ["AAA", "AAA,BBB"])
def test_both_ways_of_reading_agree(store, monkeypatch, genes, where, cohort):
    chosen = store.query(cohort, "rna,meth", genes=genes, where=where, sample_type="all")
    monkeypatch.setattr(values_module, "_index_is_shorter", lambda *a: True)
    by_index = chosen.to_numpy()
    monkeypatch.setattr(values_module, "_index_is_shorter", lambda *a: False)
    by_row = chosen.to_numpy()
    monkeypatch.setattr(values_module, "_BLOCK_BYTES", 1)
    in_blocks = chosen.to_numpy()
    for modality in by_index:
        np.testing.assert_array_equal(by_index[modality], by_row[modality])
        np.testing.assert_array_equal(by_index[modality], in_blocks[modality])


def test_primary_is_the_default_and_says_what_it_leaves_out(store):
    cohort = store.query("AAA", "rna,meth")
    assert cohort.samples["sample_type"].unique().to_list() == ["primary"]
    summary = cohort.summary()
    assert summary["sample_type"] == "primary"
    assert summary["left_out"] == {"normal": 4}
    assert summary["notes"] == ["left out by sample type: 4 normal; --sample-type all takes everything"]
    assert summary["warnings"] == []
    everything = store.query("AAA", "rna,meth", sample_type="all")
    assert len(everything) == len(cohort) + 4
    assert everything.summary()["left_out"] == {}
    assert len(store.query("AAA", "rna,meth", sample_type="normal")) == 4
    assert len(store.query("AAA", "rna,meth", sample_type="primary,normal")) == len(everything)


def test_cell_lines_where_there_is_nothing_else(tmp_path):
    lines = make_cohort("CCLE", n_patients=6, n_normals=0, sample_type="cell_line", code="50", modalities=("prot",))
    lines.write(tmp_path, "CCLE")
    make_cohort("AAA", n_patients=6, modalities=("prot",)).write(tmp_path, "AAA")
    assemble(tmp_path, ["CCLE", "AAA"], dataset="tiny", simulated=True)
    with omicstore.open(tmp_path) as store:
        assert store.query("CCLE").summary()["sample_type"] == "cell_line"
        assert len(store.query("CCLE")) == lines.parts["prot"].rows.height
        assert store.query().summary()["sample_type"] == "primary,cell_line"
        assert len(store.query("AAA", sample_type="cell_line")) == 0


def test_leukaemia_is_primary_blood(tmp_path):
    make_cohort("LAML", n_patients=6, n_normals=0, code="03").write(tmp_path, "LAML")
    assemble(tmp_path, ["LAML"], dataset="tiny", simulated=True)
    with omicstore.open(tmp_path) as store:
        assert len(store.query("laml", "rna")) == store.body["matrices"]["LAML"]["rna"]["n_profiles"]


def test_counts(store, data):
    cohort = store.query("AAA", "rna,meth")
    have = {m: {s for s in data["AAA"].parts[m].rows["sample_id"] if s.endswith("-01")} for m in ("rna", "meth")}
    summary = cohort.summary()
    assert summary["n_samples"] == len(have["rna"] | have["meth"]) == len(cohort)
    assert summary["n_complete"] == len(have["rna"] & have["meth"])
    assert summary["n_patients"] == cohort.samples["patient_id"].n_unique()
    assert summary["modalities"]["rna"] == {
        "n_samples": len(have["rna"]), "n_profiles": len(have["rna"]) + 1, "n_features": 30, "unit": "tpm", "units": {"AAA": "tpm"},
    }  # fmt: skip
    assert json.loads(json.dumps(summary)) == summary


def test_require(store):
    some = store.query("AAA", "rna,meth")
    both = store.query("AAA", "rna,meth", require="all")
    meth = store.query("AAA", "rna,meth", require=["meth"])
    assert len(both) == some.summary()["n_complete"] == both.summary()["n_complete"]
    assert len(meth) == some.summary()["modalities"]["meth"]["n_samples"]
    assert len(store.query("AAA", "rna,meth", require="rna,meth")) == len(both)
    with pytest.raises(UnknownNameError, match="unknown modality in --require 'prot'"):
        store.query("AAA", "rna,meth", require="prot")


def test_samples_are_aligned_and_sorted(store):
    cohort = store.query("BBB,AAA", "rna,prot", sample_type="all")
    samples = cohort.samples
    assert samples.columns == ["sample_id", "patient_id", "cohort", "sample_type", "site", "has_rna", "has_prot"]
    assert samples.select("cohort", "sample_id").equals(
        samples.select("cohort", "sample_id").sort("cohort", "sample_id")
    )
    for modality, values in cohort.to_numpy().items():
        absent = ~samples[f"has_{modality}"].to_numpy()
        assert values.shape == (len(samples), len(cohort.features(modality)))
        assert absent.any()
        assert np.isnan(values[absent]).all()


def test_names_are_case_insensitive_and_lists_work(store):
    one = store.query(["aaa", "Bbb"], ["RNA"], genes="gene3", sample_type="Primary").summary()
    two = store.query("AAA,BBB", "rna", genes=["GENE3"]).summary()
    assert one == two
    assert one["cohorts"] == ["AAA", "BBB"]


def test_absent_modality_is_empty_with_a_warning(store):
    cohort = store.query("CCC", "rna,prot")
    assert cohort.warnings == ["prot: not measured in CCC; the column is empty there"]
    assert cohort.to_numpy("prot").shape == (len(cohort), 0)
    assert not cohort.samples["has_prot"].any()
    assert cohort.summary()["modalities"]["prot"] == {
        "n_samples": 0,
        "n_profiles": 0,
        "n_features": 0,
        "unit": None,
        "units": {},
    }
    assert cohort.summary()["n_complete"] == 0
    assert store.query("AAA", "cnv").warnings == [
        "cnv: not measured in AAA; the column is empty there", "no sample matches",
    ]  # fmt: skip
    assert store.query("CCC").warnings == []
    assert cohort.features("prot").height == 0
    assert cohort.to_polars("prot").height == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cohort": "AAB"}, "unknown cohort 'AAB'. Expected one of AAA"),
        ({"modalities": "rnna"}, "unknown modality 'rnna'. Expected one of rna, mirna"),
        ({"modalities": "rna", "genes": "GEN3"}, "unknown gene 'GEN3'. Expected one of GENE3"),
        ({"sample_type": "primry"}, "unknown sample type 'primry'. Expected one of primary"),
        ({"scale": "log2"}, "unknown scale 'log2'. Expected one of log2p1"),
        ({"where": "sexx = 'female'"}, "unknown column in --where 'sexx'. Expected one of sex"),
    ],
)
def test_mistyped_names_name_the_nearest(store, arguments, message):
    with pytest.raises(UnknownNameError) as caught:
        store.query(**{"cohort": "AAA", **arguments})
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


def test_genes_by_symbol_id_version_and_antibody(store):
    by = store.query("AAA", "rna,meth,prot", genes="GENE7,ENSG00000000011.4,AB005")
    assert by.features("rna")["symbol"].to_list() == ["GENE7", "GENE11"]
    assert by.features("prot")["feature_id"].to_list() == ["AB005", "AB007"]
    assert by.summary()["modalities"]["meth"]["n_features"] == 2
    assert "prot does not have ENSG00000000011.4" in by.notes
    assert by.to_numpy("prot").shape == (len(by), 2)


def test_features_of_other_cohorts_do_not_count(store):
    assert store.query("AAA", "rna").summary()["modalities"]["rna"]["n_features"] == 30
    with pytest.raises(UnknownNameError, match="unknown gene 'GENE40'"):
        store.query("AAA", "rna", genes="GENE40")
    assert store.query("BBB", "rna", genes="GENE40").summary()["modalities"]["rna"]["n_features"] == 1


def test_where(store):
    everyone = store.query("AAA", "rna,meth")
    women = store.query("AAA", "rna,meth", where="sex = 'female'")
    patients = store.table("patients").filter(pl.col("sex") == "female")["patient_id"]
    assert set(women.samples["patient_id"]) == set(everyone.samples["patient_id"]) & set(patients)
    plate = store.query("AAA", "rna", where=["plate = 'P1'", "chosen_is_no_column IS NULL"][0])
    assert 0 < len(plate) < len(store.query("AAA", "rna"))
    assert len(store.query("AAA", "rna", where="age_years > 1000")) == 0
    assert store.query("AAA", "rna", where="age_years > 1000").warnings == [
        "no sample matches; omicstore columns lists the values that --where can ask for"
    ]
    assert len(store.query("AAA", "rna", where="site IN ('A1') -- a comment")) > 0


@pytest.mark.parametrize(
    "where",
    [
        "sex = ", "1); DROP TABLE sample_rows; SELECT (1", "sex IN (SELECT content FROM read_text('/etc/hostname'))", "sex = 'female' LIMIT",
        "EXISTS (FROM '/etc/passwd')", "getenv('HOME') = '/'",
    ],
)  # fmt: skip
def test_where_that_is_no_expression_over_the_columns(store, where):
    with pytest.raises(UsageError):
        store.query("AAA", "rna", where=where)


def test_units_are_not_mixed(store):
    with pytest.raises(MixedUnitsError) as caught:
        store.query(modalities="rna")
    assert "rna has different units: tpm in AAA, BBB; zscore in CCC" in str(caught.value)
    assert caught.value.exit_code == 1
    mixed = store.query(modalities="rna", allow_mixed_units=True)
    assert mixed.warnings == ["rna has mixed units: tpm in AAA, tpm in BBB, zscore in CCC"]
    assert mixed.summary()["modalities"]["rna"]["unit"] is None
    assert mixed.summary()["modalities"]["rna"]["units"] == {"AAA": "tpm", "BBB": "tpm", "CCC": "zscore"}


@pytest.mark.parametrize(("scale", "function"), [("log2p1", np.log2), ("log10p1", np.log10)])
def test_scale(store, scale, function):
    linear = store.query("AAA", "rna,meth").to_numpy()
    scaled = store.query("AAA", "rna,meth", scale=scale)
    np.testing.assert_allclose(scaled.to_numpy("rna"), function(1 + linear["rna"].astype(float)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scaled.to_numpy("meth"), linear["meth"])
    assert scaled.warnings == [f"meth stays as stored, {scale} is not for beta"]


def test_scale_of_mixed_units_leaves_zscores(store):
    linear = store.query(modalities="rna", allow_mixed_units=True)
    scaled = store.query(modalities="rna", allow_mixed_units=True, scale="log2p1")
    z = (linear.samples["cohort"] == "CCC").to_numpy()
    np.testing.assert_array_equal(scaled.to_numpy("rna")[z], linear.to_numpy("rna")[z])
    np.testing.assert_allclose(scaled.to_numpy("rna")[~z], np.log2(1 + linear.to_numpy("rna")[~z]), rtol=1e-5)


def test_reports_belong_to_the_primary_sample(store):
    cohort = store.query("AAA", "report,rna", sample_type="all")
    with_report = cohort.samples.filter(pl.col("has_report"))
    assert with_report["sample_type"].unique().to_list() == ["primary"]
    assert len(with_report) == 40
    texts = cohort.to_polars("report")
    assert texts["sample_id"].to_list() == with_report["sample_id"].to_list()
    assert (texts["text"] == "Report of " + texts["patient_id"] + ".").all()
    with pytest.raises(UsageError, match="report is no matrix"):
        cohort.to_numpy("report")
    assert list(cohort.to_numpy()) == ["rna"]


def test_take(store):
    cohort = store.query("AAA,BBB", "rna,meth")
    part = cohort.take(np.array([50, 3, 7]))
    assert part.samples.equals(cohort.samples[[3, 7, 50]])
    np.testing.assert_array_equal(part.to_numpy("rna"), cohort.to_numpy("rna")[[3, 7, 50]])
    assert part.summary()["n_samples"] == 3


def test_info_and_columns(store):
    info = store.info()
    assert info["cohorts"]["AAA"]["n_patients"] == 40
    rna = info["cohorts"]["AAA"]["modalities"]["rna"]
    assert rna["n_samples"] == store.query("AAA", "rna", sample_type="all").summary()["n_samples"]
    assert rna["unit"] == "tpm"
    assert info["cohorts"]["AAA"]["modalities"]["report"]["availability_percent"] == 100.0
    assert "prot" not in info["cohorts"]["CCC"]["modalities"]
    assert json.loads(json.dumps(info)) == info
    columns = store.columns()
    for name in columns["column"]:
        store.query("AAA", "rna", where=f'"{name}" IS NULL OR TRUE')
    assert columns.filter(pl.col("column") == "sex")["example"].item() in ("female", "male")


def test_unknown_table(store):
    with pytest.raises(UnknownNameError, match="unknown table 'patient'. Expected one of patients"):
        store.table("patient")
