"""Exports read back to the same numbers, whatever the format, and the same cohort gives the same bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import omicstore
from omicstore.export import EXPORTERS, export
from omicstore.export.text import rows_of_text, write_rows
from omicstore.store.cohort import Cohort

Read = Callable[[Path, str], tuple[list[str], list[str], NDArray[Any]]]


def from_parquet(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    frame = pl.read_parquet(folder / f"{modality}.parquet")
    assert set(frame.dtypes[1:]) <= {pl.Float32}
    return frame["sample_id"].to_list(), frame.columns[1:], frame[:, 1:].to_numpy()


def from_csv(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    frame = pl.read_csv(folder / f"{modality}.csv.gz")
    values = frame[:, 1:].cast(pl.Float32).fill_null(float("nan"))
    return frame["sample_id"].to_list(), frame.columns[1:], values.to_numpy()


def from_npz(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    with np.load(folder / "cohort.npz", allow_pickle=False) as held:
        parts = [held[f"{modality}/{name}"] for name in ("sample_ids", "feature_ids", "values")]
    return parts[0].tolist(), parts[1].tolist(), parts[2]


def from_h5mu(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    mudata = pytest.importorskip("mudata")
    with mudata.set_options(pull_on_update=False):
        part = mudata.read_h5mu(folder / "cohort.h5mu").mod[modality]
    return part.obs_names.to_list(), part.var["feature_id"].to_list(), part.X


def from_arrow(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    frame = pl.read_ipc(folder / f"{modality}.arrow")
    assert set(frame.dtypes[1:]) <= {pl.Float32}
    return frame["sample_id"].to_list(), frame.columns[1:], frame[:, 1:].to_numpy()


def from_h5ad(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    anndata = pytest.importorskip("anndata")
    data = anndata.read_h5ad(folder / f"{modality}.h5ad")
    assert data.uns["omicstore"]["modality"] == modality
    return data.obs_names.to_list(), data.var_names.to_list(), data.X


def from_safetensors(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(folder / f"{modality}.safetensors", "numpy") as held:
        facts = json.loads(held.metadata()["omicstore"])
        return facts["sample_ids"], facts["feature_ids"], held.get_tensor(f"{modality}/values")


def from_mae(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    frame = pl.read_csv(folder / f"{modality}.csv.gz", infer_schema_length=None)
    values = frame[:, 1:].cast(pl.Float32).fill_null(float("nan")).to_numpy().T
    return frame.columns[1:], [str(name) for name in frame["feature_id"]], np.ascontiguousarray(values, np.float32)


def from_cbioportal(folder: Path, modality: str) -> tuple[list[str], list[str], NDArray[Any]]:
    frame = pl.read_csv(folder / f"data_{modality}.txt", separator="\t", null_values="NA", infer_schema_length=None)
    n_keys = {"Hugo_Symbol": 2, "Composite.Element.REF": 1, "ENTITY_STABLE_ID": 3}[frame.columns[0]]
    names = [str(name).rpartition("|")[2].replace("GENE", "") for name in frame[:, 0]]
    ids = [f"ENSG{int(n):011d}" for n in names] if modality in ("rna", "meth") and n_keys == 2 else names
    values = frame[:, n_keys:].cast(pl.Float32).fill_null(float("nan")).to_numpy().T
    return frame.columns[n_keys:], ids, np.ascontiguousarray(values, np.float32)


READERS: dict[str, Read] = {
    "parquet": from_parquet,
    "arrow": from_arrow,
    "csv": from_csv,
    "h5ad": from_h5ad,
    "h5mu": from_h5mu,
    "npz": from_npz,
    "safetensors": from_safetensors,
    "cbioportal": from_cbioportal,
    "mae": from_mae,
}


@pytest.fixture
def cohort(tiny_store: Path) -> Iterator[Cohort]:
    """Two cohorts whose axes overlap by half: missing modalities, missing values, whole features that one lacks."""
    with omicstore.open(tiny_store) as store:
        yield store.query(cohort="AAA,BBB", modalities="rna,meth")


def test_every_format_is_read_back_here() -> None:
    assert set(READERS) == set(EXPORTERS)


@pytest.mark.parametrize("name", READERS)
class TestEveryFormat:
    def test_the_same_numbers_come_back(self, name: str, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, name, tmp_path / "out")
        for modality in cohort.modalities:
            measured = cohort.samples[f"has_{modality}"].to_numpy()
            assert 0 < measured.sum() < len(measured)
            ids, features, values = READERS[name](tmp_path / "out", modality)
            assert ids == cohort.samples["sample_id"].filter(pl.Series(measured)).to_list()
            assert features == cohort.features(modality)["feature_id"].to_list()
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, cohort.to_numpy(modality)[measured])
            assert np.isnan(values).any()

    def test_the_same_cohort_gives_the_same_bytes(self, name: str, cohort: Cohort, tmp_path: Path) -> None:
        folders = [tmp_path / "one", tmp_path / "two"]
        for folder in folders:
            export(cohort, name, folder)
        one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders)
        assert one == two

    def test_the_manifest_says_what_it_is(self, name: str, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, name.upper(), tmp_path / "out")
        body = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert (body["format"], body["written_as"]) == ("omicstore.export/1", name)
        assert body["release"] == cohort.store.release
        assert body["simulated"] is True
        assert body["query"]["cohorts"] == ["AAA", "BBB"]
        assert body["found"] == cohort.summary()
        there = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
        assert set(body["files"]) == there - {"manifest.json"}

    def test_a_modality_nobody_has(self, name: str, tiny_store: Path, tmp_path: Path) -> None:
        with omicstore.open(tiny_store) as store:
            export(store.query(cohort="CCC", modalities="rna,prot"), name, tmp_path / "out")
        ids, features, _ = READERS[name](tmp_path / "out", "prot")
        assert (ids, features) == ([], [])

    def test_the_scale_is_the_querys(self, name: str, tiny_store: Path, tmp_path: Path) -> None:
        with omicstore.open(tiny_store) as store:
            linear = store.query(cohort="AAA", modalities="rna", require="all").to_numpy("rna")
            export(store.query(cohort="AAA", modalities="rna", scale="log2p1"), name, tmp_path / "out")
        np.testing.assert_allclose(READERS[name](tmp_path / "out", "rna")[2], np.log2(1 + linear), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:From 0.4 .update:FutureWarning")
@pytest.mark.parametrize("pull", [None, True, False])
def test_h5mu_has_each_fact_once_however_it_is_read(pull: bool | None, cohort: Cohort, tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata")
    export(cohort, "h5mu", tmp_path / "out")
    with mudata.set_options(pull_on_update=pull):
        data = mudata.read_h5mu(tmp_path / "out" / "cohort.h5mu")
    assert data.obs.columns.tolist() == cohort.clinical().drop("sample_id").columns
    assert set(data.obs_names) == set(cohort.samples["sample_id"])


class TestTables:
    def test_parquet(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "parquet", tmp_path / "out")
        assert pl.read_parquet(tmp_path / "out" / "samples.parquet").equals(cohort.samples)
        assert pl.read_parquet(tmp_path / "out" / "features" / "rna.parquet").equals(cohort.features("rna"))

    @pytest.mark.parametrize("name", ["csv", "npz"])
    def test_csv(self, name: str, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, name, tmp_path / "out")
        frame = pl.read_csv(tmp_path / "out" / "samples.csv")
        assert frame.select("sample_id", "has_rna").equals(cohort.samples.select("sample_id", "has_rna"))

    def test_what_is_no_matrix(self, tiny_store: Path, tmp_path: Path) -> None:
        with omicstore.open(tiny_store) as store:
            cohort = store.query(cohort="AAA", modalities="rna,report")
            for name in EXPORTERS:
                left_out = export(cohort, name, tmp_path / name)
                expected = (
                    []
                    if name in ("parquet", "arrow", "csv")
                    else [f"report is no matrix and {name} cannot hold it; --format parquet can"]
                )
                assert left_out == expected
        reports = pl.read_parquet(tmp_path / "parquet" / "report.parquet")
        assert reports["text"][0] == "Report of SIMU-A1-AA00."
        assert pl.read_csv(tmp_path / "csv" / "report.csv.gz")["text"].equals(reports["text"])

    def test_csv_has_no_clock_time(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "csv", tmp_path / "out")
        assert (tmp_path / "out" / "rna.csv.gz").read_bytes()[3:8] == bytes(5)

    def test_patches(self, store_factory: ModuleType, tmp_path: Path) -> None:
        data = store_factory.make_cohort("AAA", n_patients=6, modalities=("rna",), missing=0.0)
        samples = data.parts["rna"].rows["sample_id"].to_list()[:3]
        data.patches = store_factory.make_patches(samples)
        data.write(tmp_path / "store", "AAA")
        store_factory.assemble(tmp_path / "store", ["AAA"], dataset="tiny", simulated=True)
        with omicstore.open(tmp_path / "store") as store:
            cohort = store.query(modalities="rna,patches", sample_type="all")
            assert export(cohort, "parquet", tmp_path / "parquet") == []
            left_out = export(cohort, "csv", tmp_path / "csv")
        frame = pl.read_parquet(tmp_path / "parquet" / "patches.parquet")
        written = pl.concat(data.patches)
        assert frame.height == written.height
        vectors = frame.sort("slide_id", "patch")["features"].to_list()
        assert vectors == written.sort("slide_id", "patch")["features"].to_list()
        with omicstore.open(tmp_path / "store") as store:
            export(store.query(modalities="rna,patches", sample_type="all"), "arrow", tmp_path / "arrow")
        assert pl.read_ipc(tmp_path / "arrow" / "patches.arrow").equals(frame)
        assert left_out == ["patches has vectors in its cells and csv cannot hold it; --format parquet can"]
        assert not (tmp_path / "csv" / "patches.csv.gz").exists()

    def test_patches_of_two_encoders(self, store_factory: ModuleType, tmp_path: Path) -> None:
        data = store_factory.make_cohort("AAA", n_patients=6, modalities=("rna",), missing=0.0)
        sample = data.parts["rna"].rows["sample_id"][0]
        one, two = store_factory.make_patches([sample]), store_factory.make_patches([sample], width=6)
        data.patches = [*one, *(part.with_columns(encoder=pl.lit("a/b")) for part in two)]
        data.write(tmp_path / "store", "AAA")
        store_factory.assemble(tmp_path / "store", ["AAA"], dataset="tiny", simulated=True)
        with omicstore.open(tmp_path / "store") as store:
            export(store.query(modalities="patches", sample_type="all"), "parquet", tmp_path / "out")
        for name, width in (("a_b", 6), ("uni", 4)):
            frame = pl.read_parquet(tmp_path / "out" / f"patches.{name}.parquet")
            assert (frame.height, len(frame["features"][0])) == (5, width)


def test_a_missing_value_of_one_feature_has_its_cell() -> None:
    values = np.array([[1.5], [np.nan]], np.float32)
    written = io.BytesIO()
    write_rows(written, [["a"], ["b"]], rows_of_text(values, ","), ",")
    write_rows(written, [["c"]], rows_of_text(values[:1, :0], ","), ",")
    assert written.getvalue() == b"a,1.5\nb,\nc\n"
