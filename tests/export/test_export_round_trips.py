"""What is exported can be the source of another study: built again, it has the same values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import omicstore
from omicstore.build.store import build_study
from omicstore.export import export
from omicstore.export.cbioportal_clinical import DAYS_PER_MONTH
from omicstore.store.cohort import Cohort

UNITS = {
    "rna": "tpm",
    "meth": "beta",
    "prot": "log2_ratio",
    "metab": "intensity",
    "mirna": "rpm",
    "cnv": "gistic",
    "mut": "mutated",
}


def entry(path: str, name: str, **more: str) -> dict[str, str]:
    return {"path": f"out/{path}", "format": name, "cohort": "AAA"} | more


#: Format -> the sources of a study that reads the export.
SOURCES: dict[str, Callable[[], list[dict[str, str]]]] = {
    "h5mu": lambda: [entry("cohort.h5mu", "h5mu")],
    "cbioportal": lambda: [entry("", "cbioportal")],
    "h5ad": lambda: [entry(f"{m}.h5ad", "h5ad") for m in UNITS],
    "parquet": lambda: [entry(f"{m}.parquet", "parquet", modality=m, unit=u) for m, u in UNITS.items()],
    "arrow": lambda: [entry(f"{m}.arrow", "arrow", modality=m, unit=u) for m, u in UNITS.items()],
}


@pytest.fixture(scope="module")
def first(store_factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every kind of matrix; antibodies of two genes, a metabolite with an odd name."""
    root = tmp_path_factory.mktemp("first") / "store"
    data = store_factory.make_cohort("AAA", n_patients=12, modalities=("rna", "meth", "prot", "metab"), n_normals=2)
    rng = np.random.default_rng(1)
    rna = data.parts["rna"]
    for modality in ("mirna", "cnv", "mut"):
        values = {
            "mirna": rng.gamma(2.0, 30.0, rna.values.shape),
            "cnv": rng.integers(-2, 3, rna.values.shape),
            "mut": rng.integers(0, 2, rna.values.shape),
        }[modality].astype(np.float32)
        values[0, 3] = np.nan
        features = rna.features
        if modality == "mirna":
            ids = sorted(f"hsa-mir-{i}" for i in range(features.height))
            features = pl.DataFrame(
                {"feature_id": ids, "symbol": [None] * len(ids)}, schema_overrides={"symbol": pl.String}
            )
        rows = rna.rows.with_columns(pl.col("profile_id").str.replace("rna", modality))
        data.parts[modality] = store_factory.Part(modality, values, rows, features, UNITS[modality])
        more = (
            data.tables["profiles"]
            .filter(modality="rna", chosen=True)
            .with_columns(
                pl.lit(modality).alias("modality"), pl.col("profile_id", "raw_id").str.replace("rna", modality)
            )
        )
        data.tables["profiles"] = pl.concat([data.tables["profiles"], more])
    data.parts["meth"].platform = "hm450"
    data.parts["metab"].features = data.parts["metab"].features.with_columns(
        feature_id=pl.Series(sorted(["name:2,3-bisphospho glycerate", *data.parts["metab"].features["feature_id"][1:]]))
    )
    data.write(root, "AAA")
    store_factory.assemble(root, ["AAA"], dataset="tiny", simulated=True)
    return root


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    lines = ["id\tgene\tchrom\tchromStart\tchromEnd\tstrand"]
    lines += [f"ENSG{i:011d}.1\tGENE{i}\tchr{i % 22 + 1}\t{i + 1}\t{i + 2}\t+" for i in range(30)]
    (tmp_path / "genes.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "genes.tsv"


def second(root: Path, sources: list[dict[str, str]]) -> Path:
    """Build a study whose sources are an export in the folder ``out``."""
    study: dict[str, Any] = {
        "dataset": "again",
        "cohorts": ["AAA"],
        "references": {"genes": {"path": "genes.tsv", "format": "xena-probemap"}},
        "sources": sources,
    }
    (root / "params.yaml").write_text(yaml.safe_dump({"study": study}))
    build_study(root, lambda _: None)
    return root / "data" / "store"


def assert_same(one: Cohort, two: Cohort) -> None:
    assert two.matrices == one.matrices
    assert two.units == one.units
    for modality in one.matrices:
        a, b = one.to_pandas(modality), two.to_pandas(modality)
        assert b.index.tolist() == a.index.tolist()
        assert b.columns.tolist() == a.columns.tolist(), modality
        np.testing.assert_array_equal(b.to_numpy(), a.to_numpy(), err_msg=modality)


@pytest.mark.usefixtures("genes")
@pytest.mark.parametrize("name", SOURCES)
def test_a_study_of_an_export_has_the_same_values(name: str, first: Path, tmp_path: Path) -> None:
    with omicstore.open(first) as store:
        cohort = store.query(sample_type="all")
        assert set(cohort.matrices) == set(UNITS)
        export(cohort, name, tmp_path / "out")
        with omicstore.open(second(tmp_path, SOURCES[name]())) as again:
            assert_same(cohort, again.query(sample_type="all"))


@pytest.mark.usefixtures("genes")
def test_a_logarithm_is_undone(first: Path, tmp_path: Path) -> None:
    with omicstore.open(first) as store:
        linear = store.query(modalities="rna")
        export(store.query(modalities="rna", scale="log2p1"), "h5mu", tmp_path / "out")
        with omicstore.open(second(tmp_path, [entry("cohort.h5mu", "h5mu")])) as again:
            found = again.query()
            assert found.units == {"rna": {"AAA": "tpm"}}
            np.testing.assert_allclose(
                found.to_numpy("rna"), linear.to_numpy("rna")[linear.samples["has_rna"]], rtol=2e-6
            )


@pytest.mark.usefixtures("genes")
def test_cbioportal_brings_outcomes(first: Path, tmp_path: Path) -> None:
    with omicstore.open(first) as store:
        export(store.query(), "cbioportal", tmp_path / "out")
        wanted = store.table("outcomes").sort("patient_id", "endpoint")
        with omicstore.open(second(tmp_path, [entry("", "cbioportal")])) as again:
            found = again.table("outcomes").sort("patient_id", "endpoint")
            people = again.table("patients").select("patient_id", "sex", "age_years", "stage")
    assert found.select("patient_id", "endpoint", "event").equals(wanted.select("patient_id", "endpoint", "event"))
    np.testing.assert_allclose(found["time_days"], wanted["time_days"], rtol=1e-12)
    assert people.equals(pl.DataFrame(people.to_dicts(), schema=people.schema))
    assert set(people["sex"]) == {"female", "male"}


class TestStudyFolder:
    @pytest.fixture
    def study(self, first: Path, tmp_path: Path) -> Path:
        with omicstore.open(first) as store:
            assert export(store.query(), "cbioportal", tmp_path / "study") == []
        return tmp_path / "study"

    def meta(self, study: Path, name: str) -> dict[str, str]:
        lines = (study / f"meta_{name}.txt").read_text().splitlines()
        return dict(line.split(": ", 1) for line in lines)

    def test_each_profile_has_its_place(self, study: Path) -> None:
        found = {m: self.meta(study, m) for m in UNITS}
        kinds = {m: (f["genetic_alteration_type"], f["datatype"], f["stable_id"]) for m, f in found.items()}
        assert kinds == {
            "rna": ("MRNA_EXPRESSION", "CONTINUOUS", "rna_seq_mrna"),
            "meth": ("METHYLATION", "CONTINUOUS", "methylation_hm450"),
            "prot": ("PROTEIN_LEVEL", "LOG2-VALUE", "rppa"),
            "cnv": ("COPY_NUMBER_ALTERATION", "DISCRETE", "gistic"),
            "metab": ("GENERIC_ASSAY", "LIMIT-VALUE", "metab_values"),
            "mirna": ("GENERIC_ASSAY", "LIMIT-VALUE", "mirna_values"),
            "mut": ("GENERIC_ASSAY", "BINARY", "mutated_genes"),
        }
        assert found["mut"]["profile_description"].startswith("Genes with a mutation: true or false. The variants are")
        assert len({f["stable_id"] for f in found.values()}) == len(found)
        for f in found.values():
            assert (study / f["data_filename"]).is_file()
            assert ("generic_entity_meta_properties" in f) == (f["genetic_alteration_type"] == "GENERIC_ASSAY")

    @pytest.mark.parametrize(
        ("modality", "unit", "place"),
        [
            ("rna", "counts", ("MRNA_EXPRESSION", "CONTINUOUS", "rna_seq_mrna")),
            ("rna", "zscore", ("MRNA_EXPRESSION", "Z-SCORE", "rna_seq_mrna_median_all_sample_Zscores")),
            ("rna", "fpkm", ("MRNA_EXPRESSION", "CONTINUOUS", "rna_seq_mrna")),
            ("rna", "log2_ratio", ("MRNA_EXPRESSION", "CONTINUOUS", "mrna")),
            ("prot", "zscore", ("PROTEIN_LEVEL", "Z-SCORE", "rppa_Zscores")),
            ("prot", "intensity", ("GENERIC_ASSAY", "LIMIT-VALUE", "prot_values")),
            ("meth", "beta", ("GENERIC_ASSAY", "LIMIT-VALUE", "meth_values")),  # of no one array
        ],
    )
    def test_the_unit_decides(
        self, store_factory: ModuleType, tmp_path: Path, modality: str, unit: str, place: tuple[str, ...]
    ) -> None:
        data = store_factory.make_cohort("AAA", n_patients=6, modalities=(modality,), units={modality: unit})
        data.write(tmp_path / "store", "AAA")
        store_factory.assemble(tmp_path / "store", ["AAA"], dataset="tiny", simulated=True)
        with omicstore.open(tmp_path / "store") as store:
            export(store.query(), "cbioportal", tmp_path / "out")
        fields = self.meta(tmp_path / "out", modality)
        assert (fields["genetic_alteration_type"], fields["datatype"], fields["stable_id"]) == place
        assert fields["profile_description"].endswith(f"unit: {unit}")

    def test_cells_are_what_the_validator_takes(self, study: Path) -> None:
        cells = {}
        for modality, n_keys in {"cnv": 2, "mut": 3, "metab": 3}.items():
            frame = pl.read_csv(study / f"data_{modality}.txt", separator="\t", infer_schema=False)
            cells[modality] = set(frame[:, n_keys:].unpivot()["value"])
            if n_keys == 3:
                assert frame["ENTITY_STABLE_ID"].str.contains(r"^[A-Za-z0-9_-]+$").all()
                assert frame["ENTITY_STABLE_ID"].is_unique().all()
        assert cells["cnv"] == {"-2", "-1", "0", "1", "2", "NA"}
        assert cells["mut"] == {"true", "false", "NA"}

    def test_study_and_clinical_files(self, study: Path) -> None:
        about = self.meta(study, "study")
        assert about["cancer_study_identifier"].replace("_", "").isalnum()
        assert about["cancer_study_identifier"].islower()
        assert "imulated" in about["description"]
        assert about["add_global_case_list"] == "true"
        for level, first_columns in (("patient", ["PATIENT_ID"]), ("sample", ["PATIENT_ID", "SAMPLE_ID"])):
            lines = (study / f"data_clinical_{level}.txt").read_text().splitlines()
            assert [line.startswith("#") for line in lines[:5]] == [True] * 4 + [False]
            assert len({line.count("\t") for line in lines}) == 1
            assert set(lines[2][1:].split("\t")) <= {"STRING", "NUMBER"}
            assert lines[4].split("\t")[: len(first_columns)] == first_columns
            rows = [dict(zip(lines[4].split("\t"), line.split("\t"), strict=True)) for line in lines[5:]]
            assert len({row[first_columns[-1]] for row in rows}) == len(rows)
            if level == "patient":
                assert {row["OS_STATUS"] for row in rows} == {"0:LIVING", "1:DECEASED"}
                assert {row["PFS_STATUS"] for row in rows} == {"0:CENSORED", "1:PROGRESSION"}
                assert all(float(row["OS_MONTHS"]) * DAYS_PER_MONTH >= 0 for row in rows)

    def test_case_lists(self, study: Path, first: Path) -> None:
        with omicstore.open(first) as store:
            samples = store.query().samples
        lists = {}
        for path in sorted((study / "case_lists").iterdir()):
            fields = dict(line.split(": ", 1) for line in path.read_text().splitlines())
            lists[fields["stable_id"].split("_", 3)[-1]] = fields["case_list_ids"].split("\t")
        assert lists["rppa"] == samples.filter("has_prot")["sample_id"].to_list()
        everything = pl.all_horizontal(pl.col(f"has_{m}") for m in UNITS)
        assert lists["complete"] == samples.filter(everything)["sample_id"].to_list()

    def test_genes_without_a_name_are_counted(self, store_factory: ModuleType, tmp_path: Path) -> None:
        data = store_factory.make_cohort("AAA", n_patients=6, modalities=("rna",), missing=0.0)
        frame = data.parts["rna"].features
        data.parts["rna"].features = frame.with_columns(
            symbol=pl.when(pl.int_range(pl.len()) < 4).then(None).otherwise("symbol")
        )
        data.write(tmp_path / "store", "AAA")
        store_factory.assemble(tmp_path / "store", ["AAA"], dataset="tiny", simulated=True)
        with omicstore.open(tmp_path / "store") as store:
            left_out = export(store.query(), "cbioportal", tmp_path / "out")
        assert left_out == ["4 of 30 features of rna have no symbol or Entrez id of their own; they are left out"]
        assert json.loads((tmp_path / "out" / "manifest.json").read_text())["left_out"] == left_out

    def test_ids_that_no_portal_takes(self, store_factory: ModuleType, tmp_path: Path) -> None:
        data = store_factory.make_cohort("AAA", n_patients=6, modalities=("rna",), missing=0.0)
        rename = pl.col("sample_id").str.replace("AA05-01", "AA05 01")
        data.parts["rna"].rows = data.parts["rna"].rows.with_columns(rename)
        data.tables["profiles"] = data.tables["profiles"].with_columns(rename)
        data.write(tmp_path / "store", "AAA")
        store_factory.assemble(tmp_path / "store", ["AAA"], dataset="tiny", simulated=True)
        with (
            omicstore.open(tmp_path / "store") as store,
            pytest.raises(omicstore.errors.ExportError, match="does not take the sample_id 'SIMU-C2-AA05 01'"),
        ):
            export(store.query(), "cbioportal", tmp_path / "out")


class TestMultiAssayExperiment:
    def test_five_lines_of_r_name_what_is_there(self, first: Path, tmp_path: Path) -> None:
        with omicstore.open(first) as store:
            cohort = store.query(modalities="rna,prot")
            export(cohort, "mae", tmp_path / "out")
            samples = cohort.samples
        lines = (tmp_path / "out" / "make.R").read_text().splitlines()
        assert len(lines) == 5
        assert 'c("rna", "prot")' in lines[2]
        assert all(line.count("(") == line.count(")") for line in lines)
        assert 'row.names = id, colClasses = setNames("character", id)' in lines[1]  # or 001 becomes 1
        for name in ("patients.csv", "sampleMap.csv", "features/rna.csv", "rna.csv.gz", "README.md", "provenance.csv"):
            assert (tmp_path / "out" / name).is_file()
        mapped = pl.read_csv(tmp_path / "out" / "sampleMap.csv")
        assert mapped.columns == ["assay", "primary", "colname"]
        for modality in ("rna", "prot"):
            header = pl.read_csv(tmp_path / "out" / f"{modality}.csv.gz", n_rows=1).columns[1:]
            own = mapped.filter(assay=modality)
            assert own["colname"].to_list() == header
            assert own["primary"].to_list() == samples.filter(f"has_{modality}")["patient_id"].to_list()
        patients = pl.read_csv(tmp_path / "out" / "patients.csv")
        assert patients["patient_id"].is_unique().all()
        assert set(mapped["primary"]) <= set(patients["patient_id"])
        assert "OS_time_days" in patients.columns
