"""A file that was changed after the release is found, whichever it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from tiny_study import body_of, rewrite

import omicstore
from omicstore.files import canonical_json
from validation.matrices import profile_matrices


@pytest.fixture(scope="module")
def pristine(store_factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one cohort with reports and patches; not to be changed."""
    root = tmp_path_factory.mktemp("pristine")
    data = store_factory.make_cohort("BRCA", n_patients=6, modalities=("rna", "meth"), reports=True)
    data.patches = store_factory.make_patches(data.parts["rna"].rows["sample_id"].to_list()[:2])
    data.write(root, "BRCA")
    store_factory.assemble(root, ["BRCA"], dataset="tiny", simulated=True)
    return root


@pytest.fixture
def store(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    shutil.copytree(pristine, tmp_path / "store")
    return tmp_path / "store"


def changed(store: Path) -> dict[str, str]:
    """Return the files that are not as the release says: path to what was found."""
    with omicstore.open(store) as opened:
        files = profile_matrices(opened, lambda: None)["files"]
    return dict(files.filter(~pl.col("intact")).select("path", "found").iter_rows())


def change_number(keys: dict[str, list[str]], values: Any) -> None:
    values[1, 1] += 1


def change_cell(path: Path, column: str, value: Any) -> None:
    frame = pl.read_parquet(path)
    new = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value, frame.schema[column])).otherwise(column)
    frame.with_columns(new.alias(column)).write_parquet(path)


def change_body(store: Path, change: Callable[[dict[str, Any]], None]) -> None:
    body = body_of(store)
    change(body)
    (store / "store.json").write_bytes(canonical_json(body))


def test_untouched_store_is_intact(pristine: Path) -> None:
    assert changed(pristine) == {}


def test_other_encoding_is_no_change(store: Path) -> None:
    for name in ("patients", "profiles"):
        path = store / body_of(store)["tables"][name]
        pl.read_parquet(path).write_parquet(path, compression="zstd", row_group_size=3)
    values = store / body_of(store)["matrices"]["BRCA"]["rna"]["values"]
    pl.read_parquet(values, hive_partitioning=False).write_parquet(values, compression="zstd")
    assert changed(store) == {}


@pytest.mark.parametrize("table", ["patients", "outcomes", "labels", "profiles", "provenance"])
def test_table(store: Path, table: str) -> None:
    path = body_of(store)["tables"][table]
    change_cell(store / path, "cohort", "XXX")
    assert list(changed(store)) == [path]


def test_matrix_and_therefore_index(store: Path) -> None:
    body = body_of(store)
    path, index = body["matrices"]["BRCA"]["rna"]["values"], body["index"]["rna"]["path"]
    rewrite(store / path, change_number)
    found = changed(store)
    assert list(found) == [path, index]
    assert found[index] == "feature ENSG00000000001 is not as in the matrix of BRCA"


def test_index_alone(store: Path) -> None:
    path = body_of(store)["index"]["meth"]["path"]
    rewrite(store / path, change_number)
    assert changed(store) == {path: "feature ENSG00000000001 is not as in the matrix of BRCA"}


def test_axis_and_union_axis(store: Path) -> None:
    body = body_of(store)
    axis, union = body["matrices"]["BRCA"]["rna"]["features"], body["index"]["rna"]["features"]
    change_cell(store / axis, "symbol", "TP53")
    change_cell(store / union, "symbol", "TP53")
    assert list(changed(store)) == [axis, union]


def test_report_patches_and_samples(store: Path) -> None:
    body = body_of(store)
    (patch,) = sorted(path for path in body["files"] if "patches" in path)[:1]
    change_cell(store / body["reports"]["BRCA"], "text", "another")
    change_cell(store / patch, "x", 7)
    change_cell(store / body["samples"], "sample_type", "normal")
    assert list(changed(store)) == sorted([body["reports"]["BRCA"], patch, body["samples"]])


def test_unit_in_store_json(store: Path) -> None:
    change_body(store, lambda body: body["matrices"]["BRCA"]["rna"].update(unit="fpkm"))
    assert changed(store) == {"store.json": "unit, platform or hashes of rna are not those of the release"}


def test_release_id(store: Path) -> None:
    change_body(store, lambda body: body.update(dataset="other"))
    assert changed(store) == {"store.json": "the release id is not that of the files it names"}


@pytest.mark.parametrize("key", ["values", "features"])
def test_missing_file(store: Path, key: str) -> None:
    path = body_of(store)["matrices"]["BRCA"]["meth"][key]
    (store / path).unlink()
    assert changed(store)[path].startswith("cannot be read: ")


def test_truncated_file(store: Path) -> None:
    path = body_of(store)["matrices"]["BRCA"]["meth"]["values"]
    (store / path).write_bytes((store / path).read_bytes()[:-40])
    assert changed(store)[path].startswith("cannot be read: ")


def test_store_json_is_canonical(store: Path) -> None:
    content = (store / "store.json").read_bytes()
    assert content == canonical_json(json.loads(content))
