"""Opening: places, formats, SQL, and what a result turns into."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys

import duckdb
import fsspec
import numpy as np
import polars as pl
import pytest

import omicstore
from omicstore import extras
from omicstore.errors import MissingExtraError, StoreError, UnknownNameError


@pytest.fixture
def store(tiny_store):
    with omicstore.open(tiny_store) as opened:
        yield opened


@pytest.fixture
def in_memory(tiny_store):
    files = fsspec.filesystem("memory")
    for path in tiny_store.rglob("*"):
        if path.is_file():
            files.pipe_file(f"/bucket/store/{path.relative_to(tiny_store).as_posix()}", path.read_bytes())
    yield "memory://bucket/store"
    files.rm("/bucket", recursive=True)


def test_url_gives_the_same(store, in_memory):
    with omicstore.open(in_memory) as remote:
        assert remote.release == store.release
        for arguments in ({"cohort": "AAA", "where": "sex = 'male'"}, {"cohort": "AAA,BBB", "genes": "GENE20"}):
            here, there = store.query(**arguments), remote.query(**arguments)
            assert here.summary() == there.summary()
            for modality, values in here.to_numpy().items():
                np.testing.assert_array_equal(values, there.to_numpy(modality))
        with remote.sql() as con:
            assert con.execute("SELECT count(*) FROM rna").fetchone()[0] > 0


def test_file_url(tiny_store, store):
    with omicstore.open(tiny_store.as_uri()) as opened:
        assert opened.release == store.release


def test_default_store_is_that_of_the_nearest_study(tmp_path, tiny_store, monkeypatch):
    study = tmp_path / "study"
    (study / "notebooks").mkdir(parents=True)
    (study / "params.yaml").write_text("study: {}\n")
    (study / "data").mkdir()
    (study / "data" / "store").symlink_to(tiny_store)
    monkeypatch.chdir(study / "notebooks")
    with omicstore.open() as opened:
        assert opened.cohorts == ["AAA", "BBB", "CCC"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"no params\.yaml in .* or above it"):
        omicstore.open()


def test_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"there is no store at .*dvc repro"):
        omicstore.open(tmp_path)
    with pytest.raises(StoreError, match="there is no store at memory://nowhere"):
        omicstore.open("memory://nowhere")
    with pytest.raises(StoreError, match="nonsense://x cannot be opened"):
        omicstore.open("nonsense://x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not what omicstore writes"),
        (b"[]", "is not what omicstore writes"),
        (b'{"format": "omicstore.store/9"}', r"has the format 'omicstore.store/9'\. Expected omicstore.store/1"),
    ],
)
def test_other_formats_are_refused(tmp_path, content, message):
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(StoreError, match=message):
        omicstore.open(tmp_path)
    assert not list(tmp_path.glob(".leases/*"))


def test_import_is_cheap():
    code = "import omicstore, sys; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("numpy", "polars", "pyarrow", "duckdb", "yaml"):
        assert f"'{heavy}'" not in loaded


def test_query_needs_no_slow_package(tiny_store):
    code = f"import omicstore, sys; omicstore.open({str(tiny_store)!r}).query('AAA').to_numpy(); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for slow in ("torch", "lightning", "great_expectations", "dvc", "pandas", "anndata", "sklearn", "scipy", "duckdb"):
        assert f"'{slow}'" not in loaded


def test_sql_views(store):
    with store.sql() as con:
        assert con.execute("SELECT count(*) FROM patients").fetchone()[0] == store.table("patients").height
        assert {"modality", "feature_id", "symbol"} <= {row[0] for row in con.execute("DESCRIBE features").fetchall()}
        long = con.execute("SELECT * FROM rna ORDER BY cohort, sample_id, feature_id")
        assert [c[0] for c in long.description] == ["sample_id", "cohort", "feature_id", "symbol", "value"]
        rows = long.fetchall()
        cohort = store.query(modalities="rna", sample_type="all", allow_mixed_units=True)
        values = cohort.to_numpy("rna")
        ids = cohort.features("rna")["feature_id"].to_list()
        flat = [
            (sample, name, feature, float(values[i, j]))
            for i, (sample, name) in enumerate(cohort.samples.select("sample_id", "cohort").rows())
            for j, feature in enumerate(ids)
            if not np.isnan(values[i, j])
        ]
        assert [(r[0], r[1], r[2], r[4]) for r in rows] == sorted(flat, key=lambda r: (r[1], r[0], r[2]))
        assert con.execute("SELECT count(*) FROM reports").fetchone()[0] == 40
        assert con.execute("SELECT count(DISTINCT symbol) FROM prot WHERE symbol = 'GENE3'").fetchone()[0] == 1


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO '{store}/store.json'",
        "COPY patients TO '{store}/x.csv'",
        "ATTACH '{store}/x.db'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "FROM '{store}/store.json'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "DELETE FROM patients",
        "SELECT * FROM some_python_variable",
        "EXPORT DATABASE '{store}/dump'",
    ],
)
def test_sql_can_do_nothing_but_read(store, tiny_store, statement):
    some_python_variable = pl.DataFrame({"a": [1]})
    assert some_python_variable.height
    before = sorted(p for p in tiny_store.rglob("*") if ".leases" not in p.parts)
    with store.sql() as con, pytest.raises(duckdb.Error):
        con.execute(statement.format(store=tiny_store))
    assert sorted(p for p in tiny_store.rglob("*") if ".leases" not in p.parts) == before


def test_to_polars_and_pandas(store):
    cohort = store.query("AAA", "rna,meth", genes="GENE3,GENE4")
    frame = cohort.to_polars("rna")
    have = cohort.samples.filter(pl.col("has_rna"))["sample_id"]
    assert frame.columns == ["sample_id", "ENSG00000000003", "ENSG00000000004"]
    assert frame["sample_id"].to_list() == have.to_list()
    assert frame.dtypes[1:] == [pl.Float32, pl.Float32]
    pandas = cohort.to_pandas("rna")
    assert pandas.index.tolist() == have.to_list()
    np.testing.assert_array_equal(pandas.to_numpy(), frame.drop("sample_id").to_numpy())


def test_to_torch(store):
    torch = pytest.importorskip("torch")
    cohort = store.query("AAA", "rna,meth")
    tensors = cohort.to_torch()
    assert tensors["rna"].dtype == torch.float32
    np.testing.assert_array_equal(tensors["meth"].numpy(), cohort.to_numpy("meth"))


def test_to_mudata(store):
    pytest.importorskip("mudata")
    cohort = store.query("AAA", "rna,meth,report")
    data = cohort.to_mudata()
    assert list(data.mod) == ["rna", "meth"]
    rna = data.mod["rna"]
    assert rna.obs_names.tolist() == cohort.samples.filter(pl.col("has_rna"))["sample_id"].to_list()
    assert rna.var["feature_id"].tolist() == cohort.features("rna")["feature_id"].to_list()
    np.testing.assert_array_equal(rna.X, cohort.to_polars("rna").drop("sample_id").to_numpy())
    assert data.obs.loc[rna.obs_names[0], "cohort"] == "AAA"
    assert data.uns["omicstore"]["release"] == store.release


@pytest.mark.parametrize(
    ("method", "package"), [("to_torch", "torch"), ("to_mudata", "mudata"), ("to_pandas", "pandas")]
)
def test_missing_package(store, monkeypatch, method, package):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", absent)
    cohort = store.query("AAA", "rna")
    arguments = ["rna"] if method == "to_pandas" else []
    with pytest.raises(MissingExtraError, match=rf"needs the package {package}, .*pip install 'omicstore\["):
        getattr(cohort, method)(*arguments)


def test_missing_fsspec(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "fsspec":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match="fsspec"):
        omicstore.open("memory://x")


def test_repr_says_simulated(store):
    assert "simulated data" in repr(store)
    assert "simulated data" in repr(store.query("AAA", "rna"))
    with pytest.raises(UnknownNameError, match="modality of this query"):
        store.query("AAA", "rna").to_numpy("meth")


def test_summary_is_json(store):
    text = json.dumps(store.query("AAA").summary(), sort_keys=True, allow_nan=False)
    assert text == json.dumps(store.query("AAA").summary(), sort_keys=True, allow_nan=False)
