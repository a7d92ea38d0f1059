"""One change anywhere in a store is found by its release id or its index, and named."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from chain_study import (
    edit_cell,
    edit_json,
    edit_table,
    failed,
    flip,
    reseal_store,
    store_body,
    stored,
)

from omicstore.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tamper = Callable[[Path], None]


def of_rna(root: Path, what: str = "values") -> Path:
    return stored(root, "matrices", "AAA", "rna", what)


def first(root: Path, what: str) -> str:
    """Return the first sample, or the fourth feature, of the rna matrix of AAA."""
    if what == "sample":
        return str(pl.read_parquet(of_rna(root), hive_partitioning=False)["sample_id"][0])
    return str(pl.read_parquet(of_rna(root, "features"), hive_partitioning=False)["feature_id"][3])


def state_another_hash(root: Path, path: Path) -> None:
    """Let store.json state of a file whatever an audit says that it holds."""
    from omicstore.audit.chain.content import MatrixFile, table_hash
    from omicstore.audit.encoding import node_hash

    name = path.relative_to(root / "data/store").as_posix()

    def edit(body: dict[str, Any]) -> None:
        if "/values-" in name:
            import hashlib

            file = MatrixFile(path)
            digest = hashlib.sha256(f"float32[{file.n_rows},{file.width}]".encode())
            for _, bits in file.blocks():
                digest.update(bits.tobytes())
            body["files"][name]["hash"] = file.content_hash(digest.hexdigest())
            entry = body["matrices"]["AAA"]["rna"]
            facts = {key: entry[key] for key in ("unit", "upstream_fit", "platform")}
            hashes = {key: body["files"][entry[key]]["hash"] for key in ("values", "features")}
            entry["hash"] = node_hash("matrix", {**facts, **hashes})
        else:
            table = name.split("/")[-1].split("-")[0]
            body["files"][name]["hash"] = table_hash(pl.read_parquet(path, hive_partitioning=False), table)

    edit_json(root / "data/store/store.json", edit)


@pytest.mark.parametrize("sealed", ["no", "file", "release"])
def test_one_cell_of_a_matrix_is_named(tampered: Path, sealed: str) -> None:
    sample, feature = first(tampered, "sample"), first(tampered, "feature")
    edit_cell(of_rna(tampered), 0, 3, 77.25)
    if sealed != "no":
        state_another_hash(tampered, of_rna(tampered))
    if sealed == "release":
        reseal_store(tampered)
    found = failed(tampered)["release"]
    assert re.search(
        rf"rna.* AAA: sample {sample}, feature {feature} is 77\.25 in the matrix and \S+ in the index", found
    )
    if sealed == "file":
        assert "and what it names gives" in found


def test_one_cell_of_the_index_is_named(tampered: Path) -> None:
    sample = first(tampered, "sample")
    feature = pl.read_parquet(stored(tampered, "index", "rna", "path"), hive_partitioning=False)["feature_id"][5]
    edit_cell(stored(tampered, "index", "rna", "path"), 5, 0, -1.5)
    assert f"the index of rna, AAA: sample {sample}, feature {feature} is" in failed(tampered)["release"]


def test_a_number_where_a_cohort_lacks_the_feature_is_named(tampered: Path) -> None:
    # The union begins with features that AAA alone has: the index holds NaN for BBB there.
    index = stored(tampered, "index", "rna", "path")
    width = len(pl.read_parquet(index, hive_partitioning=False)["values"][0])
    edit_cell(index, 0, width - 1, 2.0)
    assert "is nan in the matrix and 2.0 in the index" in failed(tampered)["release"]


@pytest.mark.parametrize(
    ("table", "change", "named"),
    [
        ("patients", pl.when(pl.int_range(pl.len()) == 2).then(17.0).otherwise("age_years").alias("age_years"), "age_years is 17.0"),
        ("outcomes", pl.when(pl.int_range(pl.len()) == 2).then(1.5).otherwise("time_days").alias("time_days"), "time_days is 1.5"),
        ("labels", pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("S9")).otherwise("label").alias("label"), "label is 'S9'"),
        ("profiles", pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("P9")).otherwise("plate").alias("plate"), "plate is 'P9'"),
        ("provenance", pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("x")).otherwise("unit").alias("unit"), "unit is 'x'"),
    ],
)  # fmt: skip
def test_one_cell_of_the_catalogue_is_named(tampered: Path, table: str, change: pl.Expr, named: str) -> None:
    path = stored(tampered, "tables", table)
    edit_table(path, change)
    found = failed(tampered)["release"]
    assert f"the table {table}: " in found
    assert f"{named}, and" in found
    shutil.rmtree(tampered / "data/store/cohort=AAA/catalog")
    found = failed(tampered)["release"]
    assert f"{path.relative_to(tampered / 'data/store')} does not have the content that store.json states" in found


def test_what_a_release_id_leaves_out_may_differ(tampered: Path) -> None:
    edit_table(stored(tampered, "tables", "provenance"), path=pl.lit("/elsewhere"))
    assert failed(tampered) == {}


def test_one_word_of_a_report_and_one_number_of_a_slide_are_found(tampered: Path) -> None:
    edit_table(stored(tampered, "reports", "AAA"), text=pl.col("text").str.replace("Report", "report", n=1))
    slide = next(path for path in store_body(tampered)["files"] if "/patches-" in path)
    edit_table(tampered / "data/store" / slide, x=pl.col("x") + (pl.int_range(pl.len()) == 0).cast(pl.Int64))
    found = failed(tampered)["release"]
    assert "the reports of AAA: " in found
    assert f"slide {slide.split('/')[-1].split('.')[0]}: {slide} does not have the content" in found


def test_the_table_of_samples_is_held_against_the_matrices(tampered: Path) -> None:
    path = stored(tampered, "samples")
    swapped = pl.when(pl.col("row_rna") == 0).then(1).when(pl.col("row_rna") == 1).then(0).otherwise("row_rna")
    edit_table(path, swapped.cast(pl.Int32).alias("row_rna"))
    assert "its rna row is 1, and in the matrix 0" in failed(tampered)["release"]
    # No release id covers it: sealed again, it is found all the same.
    from omicstore.audit.chain.content import samples_hash

    digest = samples_hash(pl.read_parquet(path))
    name = path.relative_to(tampered / "data/store").as_posix()
    edit_json(tampered / "data/store/store.json", lambda body: body["files"][name].update(hash=digest))
    assert "its rna row is 1, and in the matrix 0" in failed(tampered)["release"]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda b: b["matrices"]["AAA"]["rna"].update(unit="counts"), "rna of AAA: its hash in store.json is not that of"),
        (lambda b: b.update(simulated=False), "and what it names gives"),
        (lambda b: b["cohorts"].remove("BBB"), "and what it names gives"),
        (lambda b: b["files"].update({"extra.parquet": {"rows": 1, "hash": "0"}}), "extra.parquet, which is no part of anything"),
        (lambda b: b["matrices"]["AAA"]["prot"].update(axis="0"), "the features of prot of AAA: store.json states another axis"),
        (lambda b: b["index"].pop("rna"), "store.json names no index of rna"),
        (lambda b: b.pop("reports"), "store.json lacks what every store has"),
    ],
)  # fmt: skip
def test_one_word_of_store_json_is_found(tampered: Path, edit: Callable[[Any], None], named: str) -> None:
    edit_json(tampered / "data/store/store.json", edit)
    assert named in failed(tampered)["release"]


def test_a_feature_that_is_called_otherwise_is_named(tampered: Path) -> None:
    edit_table(of_rna(tampered, "features"), symbol=pl.col("symbol").str.replace("GENE5", "GENE55"))
    assert "the features of rna of AAA" in failed(tampered)["release"]
    index = stored(tampered, "index", "prot", "features")
    edit_table(index, symbol=pl.col("symbol").str.replace("GENE5", "GENE55"))
    assert "the index of prot: AB005: symbol is 'GENE55', and 'GENE5' in the matrices" in failed(tampered)["release"]


def test_every_file_of_the_store_is_missed_and_named(chained: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    for path in store_body(chained)["files"]:
        shutil.copytree(chained / "data/store", store)
        (store / path).unlink()
        found = audit(chained / "splits/default", store, ["release"])["release"].found
        shutil.rmtree(store)
        assert f"{path} is absent" in found


@pytest.mark.parametrize("at", [0.2, 0.5])
def test_a_flipped_byte_of_the_store_is_found_where_it_changes_anything(
    chained: Path, tmp_path: Path, at: float
) -> None:
    store = tmp_path / "store"
    shutil.copytree(chained / "data/store", store)
    missed = []
    for path in store_body(chained)["files"]:
        flip(store / path, at)
        if audit(chained / "splits/default", store, ["release"])["release"].status == "pass":
            same = pl.read_parquet(store / path, hive_partitioning=False)
            true = pl.read_parquet(chained / "data/store" / path, hive_partitioning=False)
            missed += [] if same.equals(true) else [path]
        shutil.copy(chained / "data/store" / path, store / path)
    assert missed == []
