"""Terms, citations and a description travel with every export, and say that simulated data is simulated."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from typer.testing import CliRunner

import omicstore
from omicstore.cli import app
from omicstore.export import EXPORTERS, export
from omicstore.export.citations import CITATIONS
from omicstore.export.croissant import _record_set
from omicstore.export.terms import SIMULATED, terms_of
from omicstore.store.cohort import Cohort


@pytest.fixture
def cohort(tiny_store: Path) -> Iterator[Cohort]:
    with omicstore.open(tiny_store) as store:
        yield store.query(cohort="AAA", modalities="rna,prot")


@pytest.fixture
def licensed(store_factory: ModuleType, tmp_path: Path) -> Path:
    """A store of one cohort that is not simulated: one source with a licence, one from a portal, one of neither."""
    data = store_factory.make_cohort("AAA", n_patients=6, modalities=("rna", "meth", "prot"))
    data.tables["provenance"] = data.tables["provenance"].with_columns(
        pl.Series("licence", ["CC-BY-4.0", None, None]),
        pl.Series("reader", ["matrix", "xena-matrix", "matrix"]),
        pl.Series("path", ["rna.tsv", "https://hub.example/meth.tsv", "prot.tsv"]),
    )
    data.write(tmp_path / "store", "AAA")
    store_factory.assemble(tmp_path / "store", ["AAA"], dataset="lab", simulated=False)
    return tmp_path / "store"


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


# mlcroissant 1.1 calls what rdflib has renamed.
of_rdflib = pytest.mark.filterwarnings("ignore:.*Dataset.*:DeprecationWarning")


@pytest.mark.parametrize("name", EXPORTERS)
class TestBeside:
    def test_every_export_has_them(self, name: str, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, name, tmp_path / "out")
        provenance = next((tmp_path / "out").glob("provenance.*"))
        read = {".parquet": pl.read_parquet, ".arrow": pl.read_ipc, ".csv": pl.read_csv}[provenance.suffix]
        frame = read(provenance)
        assert frame["modality"].to_list() == ["prot", "rna"]
        assert set(frame["cohort"]) == {"AAA"}
        text = (tmp_path / "out" / "CITATION.md").read_text()
        assert SIMULATED in text
        assert cohort.store.release in text
        assert "| rna.tsv |" in text
        assert "meth.tsv" not in text

    @of_rdflib
    def test_croissant_is_valid(
        self, name: str, cohort: Cohort, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        mlcroissant = pytest.importorskip("mlcroissant")
        export(cohort, name, tmp_path / "out")
        path = tmp_path / "out" / "croissant.json"
        with caplog.at_level(logging.ERROR):  # it warns of a version that is no semantic one, and of the missing date
            dataset = mlcroissant.Dataset(jsonld=str(path))
        assert not dataset.metadata.ctx.issues.errors
        body = json.loads(path.read_text())
        assert body["version"] == cohort.store.release
        assert body["description"].startswith(SIMULATED)
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
        held = {f["@id"]: (f["sha256"], f["contentSize"]) for f in body["distribution"]}
        assert held == {n: (f["sha256"], f"{f['bytes']} B") for n, f in manifest.items() if n != "croissant.json"}


@of_rdflib
@pytest.mark.parametrize("name", ["parquet", "csv"])
def test_croissant_reads_the_records(name: str, cohort: Cohort, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    export(cohort, name, tmp_path / "out")
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    rows = list(dataset.records("rna"))
    frame = cohort.to_polars("rna")
    assert [row["rna/sample_id"].decode() for row in rows] == frame["sample_id"].to_list()
    first = frame.columns[1]
    assert rows[1][f"rna/{first}"] == pytest.approx(frame[first][1], nan_ok=True)
    assert len(list(dataset.records("samples"))) == len(cohort)
    assert [r["features/prot/feature_id"].decode() for r in dataset.records("features/prot")] == cohort.features(
        "prot"
    )["feature_id"].to_list()


@of_rdflib
def test_croissant_reads_tables_that_have_features_in_rows(cohort: Cohort, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    export(cohort, "mae", tmp_path / "out")
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    rows = list(dataset.records("rna"))
    frame = cohort.to_polars("rna")
    assert [row["rna/feature_id"].decode() for row in rows] == frame.columns[1:]
    assert rows[0][f"rna/{frame['sample_id'][1]}"] == pytest.approx(frame[1, 1], nan_ok=True)
    ids = [row["samples/sample_id"].decode() for row in dataset.records("samples")]
    assert ids == cohort.samples["sample_id"].to_list()


def test_croissant_has_no_space_in_an_identifier() -> None:
    columns = {"sample_id": pl.String, "name:a b": pl.Float32, "name:a_b": pl.Float32}
    fields = _record_set("metab", "metab.csv.gz", columns, "")["field"]
    assert [field["@id"] for field in fields] == ["metab/sample_id", "metab/name:a_b_2", "metab/name:a_b"]
    assert [field["source"]["extract"]["column"] for field in fields] == list(columns)


def test_terms_of_each_source(licensed: Path) -> None:
    with omicstore.open(licensed) as store:
        meth, prot, rna = terms_of(store)
    assert (rna.name, rna.licence, rna.url, rna.cite) == ("rna.tsv", "CC-BY-4.0", None, ())
    assert (meth.licence, meth.url, meth.cite) == (None, "https://hub.example/meth.tsv", ("xena",))
    assert (prot.licence, prot.cohorts, prot.modalities) == (None, ("AAA",), ("prot",))


def test_licence_of_croissant(licensed: Path, tmp_path: Path) -> None:
    with omicstore.open(licensed) as store:
        export(store.query(modalities="rna"), "parquet", tmp_path / "one")
        export(store.query(), "parquet", tmp_path / "all")
    one, all_ = (json.loads((tmp_path / name / "croissant.json").read_text()) for name in ("one", "all"))
    assert one["license"] == ["CC-BY-4.0"]
    assert all_["license"] == [
        "CC-BY-4.0",
        "2 of 3 sources state no licence here: see CITATION.md and their publishers",
    ]
    assert "doi:10.1038/s41587-020-0546-8" in all_["citeAs"]
    assert "imulated" not in all_["description"]


class TestCite:
    def test_json(self, licensed: Path) -> None:
        body = json.loads(invoke("cite", "--store", str(licensed), "--json"))
        assert [source["licence"] for source in body["sources"]] == [None, None, "CC-BY-4.0"]
        assert list(body["citations"]) == ["xena"]

    def test_a_person_reads_it(self, licensed: Path) -> None:
        text = invoke("cite", "--store", str(licensed))
        assert "CC-BY-4.0" in text
        assert "none stated" in text
        assert f"[1] {CITATIONS['xena'].text}" in text

    def test_bibtex(self, licensed: Path) -> None:
        text = invoke("cite", "--store", str(licensed), "--bibtex")
        assert text.startswith("@article{xena2020,")
        assert text.count("@") == 1

    def test_simulated_data_is_nobodys(self, tiny_store: Path) -> None:
        text = invoke("cite", "--store", str(tiny_store))
        assert text.startswith(SIMULATED)
        assert "[1]" not in text

    def test_one_or_the_other(self, licensed: Path) -> None:
        result = CliRunner().invoke(app, ["cite", "--store", str(licensed), "--json", "--bibtex"])
        assert result.exit_code == 2


def test_dois_are_unique() -> None:
    assert len({c.doi for c in CITATIONS.values()}) == len(CITATIONS)
