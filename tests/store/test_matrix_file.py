"""Reading numbers straight out of Parquet gives what a Parquet reader gives."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import make_store

import omicstore
from omicstore.errors import StoreError
from omicstore.store import matrixfile
from omicstore.store.filesystem import LocalRoot
from omicstore.store.matrixfile import MatrixFile, MatrixWriter


def write(path, values, per_group):
    with MatrixWriter(path, ["sample_id"], values.shape[1]) as out:
        out.rows_per_group = per_group
        out.write({"sample_id": [f"s{i:03d}" for i in range(len(values))]}, values)


def matrix(n, width, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)
    values[values > 1.5] = np.nan
    return values


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(1, 20), width=st.integers(1, 9), per_group=st.integers(1, 8))
def test_any_rows_and_columns(tmp_path_factory, data, n, width, per_group):
    folder = tmp_path_factory.mktemp("m")
    values = matrix(n, width)
    write(folder / "m.parquet", values, per_group)
    file = MatrixFile(LocalRoot(folder), "m.parquet")
    assert (file.n_rows, file.width) == (n, width)
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=25)), np.int64)
    low = data.draw(st.integers(0, width - 1))
    high = data.draw(st.integers(low + 1, width))
    at = np.array(data.draw(st.permutations(range(len(rows)))), np.int64)
    out = np.full((len(rows), high - low), -9, np.float32)
    file.read(rows, out, at=at, columns=(low, high))
    expected = np.empty_like(out)
    expected[at] = values[rows, low:high]
    np.testing.assert_array_equal(out, expected)
    assert (file._begin != -2).all()  # nothing went through Arrow
    file.close()


def rewrite(path, how):
    table = pq.read_table(path)
    if how == "polars":
        pl.read_parquet(path).write_parquet(path.with_name("r.parquet"), compression="uncompressed")
    elif how == "duckdb":
        duckdb.sql(f"COPY (FROM '{path}') TO '{path.with_name('r.parquet')}' (COMPRESSION uncompressed)")
    else:
        options = {
            "lz4": {"compression": "lz4"},
            "dictionary": {"compression": "none", "use_dictionary": True},
            "pages": {"compression": "none", "use_dictionary": False, "data_page_size": 64, "write_batch_size": 4},
            "version 2 pages": {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
            "checksums": {"compression": "none", "use_dictionary": False, "write_page_checksum": True},
        }[how]
        pq.write_table(table, path.with_name("r.parquet"), row_group_size=7, **options)


@pytest.mark.parametrize(
    ("how", "straight"),
    [
        ("polars", False), ("duckdb", False), ("lz4", False), ("dictionary", False), ("pages", False),
        ("version 2 pages", False), ("checksums", True),
    ],
)  # fmt: skip
def test_what_another_tool_wrote_is_read_through_arrow(tmp_path, how, straight):
    values = matrix(30, 11)
    write(tmp_path / "m.parquet", values, 8)
    rewrite(tmp_path / "m.parquet", how)
    file = MatrixFile(LocalRoot(tmp_path), "r.parquet")
    out = np.empty((30, 5), np.float32)
    file.read(np.arange(30)[::-1], out, columns=(3, 8))
    np.testing.assert_array_equal(out, values[::-1, 3:8])
    assert bool((file._begin >= 0).all()) is straight
    file.close()


@given(st.binary(max_size=40))
def test_any_header_is_survived(header):
    assert matrixfile._page_values(header) >= -(2**63)


def test_broken_file_ends_in_one_message(tmp_path):
    (tmp_path / "m.parquet").write_bytes(b"PAR1 this is none PAR1")
    with pytest.raises(StoreError, match=r"m\.parquet cannot be read .*dvc checkout"):
        MatrixFile(LocalRoot(tmp_path), "m.parquet")
    with pytest.raises(StoreError, match="cannot be read"):
        MatrixFile(LocalRoot(tmp_path), "absent.parquet")


def test_index_is_the_matrices_turned(tiny_store, monkeypatch):
    with omicstore.open(tiny_store) as store:
        for modality, entry in store.body["index"].items():
            index = pl.read_parquet(tiny_store / entry["path"])
            assert index["feature_id"].to_list() == store.union_features(modality)["feature_id"].to_list()
            turned = index["values"].to_numpy()
            first = 0
            for cohort in store.cohorts:
                held = store.body["matrices"][cohort].get(modality)
                if held is None:
                    continue
                values = pl.read_parquet(tiny_store / held["values"], hive_partitioning=False)["values"].to_numpy()
                part = turned[:, first : first + len(values)]
                axis = store.axis(modality, cohort)
                np.testing.assert_array_equal(part[axis], values.T)
                assert np.isnan(np.delete(part, axis, axis=0)).all()
                first += len(values)
            assert first == turned.shape[1] == entry["n_profiles"]


def test_blocks_of_the_index_do_not_change_it(tmp_path, tiny_store, monkeypatch):
    monkeypatch.setattr("omicstore.store.index._BLOCK_BYTES", 1)
    monkeypatch.setattr("omicstore.store.matrixfile._ROW_GROUP_BYTES", 2000)
    make_store(tmp_path)
    with omicstore.open(tiny_store) as store:
        for entry in store.body["index"].values():
            small, whole = pl.read_parquet(tmp_path / entry["path"]), pl.read_parquet(tiny_store / entry["path"])
            assert pq.ParquetFile(tmp_path / entry["path"]).num_row_groups > 1
            assert small.equals(whole)
