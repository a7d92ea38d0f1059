"""The release id speaks of content, not of files."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import make_cohort

from omicstore.errors import StoreError
from omicstore.schema import PROVENANCE, Table
from omicstore.store.hashing import column_hash, table_hash, values_hash
from omicstore.store.writer import assemble

TABLE = Table("t", {"key": pl.String, "number": pl.Int64, "value": pl.Float64, "flag": pl.Boolean}, ("key",))

cells = st.tuples(
    st.text(max_size=4) | st.none(),
    st.integers(-5, 5) | st.none(),
    st.floats(allow_infinity=False) | st.none(),
    st.booleans() | st.none(),
)
rows = st.lists(cells, min_size=1, max_size=8)


def frame_of(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TABLE.columns, orient="row")


@settings(max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert table_hash(frame_of(rows), TABLE) == table_hash(frame_of(shuffled), TABLE)


@settings(max_examples=60)
@given(rows, st.data())
def test_one_cell_flips_it(rows, data):
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, 3))
    old = rows[row][column]
    new = data.draw(
        [st.text(max_size=4), st.integers(-5, 5), st.floats(-9, 9), st.booleans()][column].filter(lambda v: v != old)
    )
    changed = [list(r) for r in rows]
    changed[row][column] = new
    same = sorted(map(repr, rows)) == sorted(repr(tuple(r)) for r in changed)
    assert same or table_hash(frame_of(rows), TABLE) != table_hash(frame_of([tuple(r) for r in changed]), TABLE)


@settings(max_examples=30, deadline=None)
@given(rows, st.sampled_from(["lz4", "zstd", "uncompressed"]), st.integers(1, 4))
def test_re_encoding_keeps_it(tmp_path_factory, rows, compression, group):
    path = tmp_path_factory.mktemp("encoded") / "t.parquet"
    frame = frame_of(rows)
    frame.write_parquet(path, compression=compression, row_group_size=group, statistics=False)
    again = pl.read_parquet(path)
    assert table_hash(again, TABLE) == table_hash(frame, TABLE)
    narrow = again.with_columns(pl.col("number").cast(pl.Int8), pl.col("key").cast(pl.Categorical).cast(pl.String))
    assert table_hash(narrow, TABLE) == table_hash(frame, TABLE)


def test_null_nan_and_zero_are_told_apart():
    hashes = {column_hash(pl.Series([v], dtype=pl.Float64)) for v in (None, float("nan"), 0.0)}
    assert len(hashes) == 3
    assert column_hash(pl.Series([None], dtype=pl.String)) != column_hash(pl.Series([""]))


def test_every_nan_is_the_same():
    odd = np.array([[0x7FC00001]], np.uint32).view(np.float32)
    assert np.isnan(odd).all()
    assert values_hash(odd) == values_hash(np.full((1, 1), np.nan, np.float32))


def test_shape_enters():
    values = np.arange(6, dtype=np.float32)
    assert values_hash(values.reshape(2, 3)) != values_hash(values.reshape(3, 2))


def test_fortran_order_does_not_matter():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert values_hash(np.asfortranarray(values)) == values_hash(values)


def test_strange_types_are_refused():
    with pytest.raises(StoreError, match="column 'when' has the type Date"):
        column_hash(pl.Series("when", [None], dtype=pl.Date))


def test_paths_are_no_part_of_it():
    frame = pl.DataFrame({"source_id": ["s"], "cohort": ["A"], "modality": ["rna"], "name": ["f"], "path": ["/here"]})
    here = PROVENANCE.conform(frame)
    there = here.with_columns(path=pl.lit("/there"))
    assert table_hash(here, PROVENANCE) == table_hash(there, PROVENANCE)
    assert table_hash(here.with_columns(name=pl.lit("g")), PROVENANCE) != table_hash(here, PROVENANCE)


def release_of(root, data) -> str:
    data.write(root, "AAA")
    return assemble(root, ["AAA"], dataset="tiny", simulated=True)


def test_release_follows_every_kind_of_content(tmp_path):
    def fresh():
        return make_cohort("AAA", n_patients=6, n_features=4, reports=True)

    base = release_of(tmp_path / "base", fresh())
    assert release_of(tmp_path / "same", fresh()) == base
    changes = {
        "value": lambda d: d.parts["rna"].values.__setitem__((0, 0), 77.0),
        "unit": lambda d: setattr(d.parts["rna"], "unit", "counts"),
        "fit": lambda d: setattr(d.parts["rna"], "upstream_fit", "all_samples"),
        "symbol": lambda d: setattr(
            d.parts["rna"], "features", d.parts["rna"].features.with_columns(symbol=pl.lit("X"))
        ),
        "sex": lambda d: d.tables.update(patients=d.tables["patients"].with_columns(sex=pl.lit("male"))),
        "text": lambda d: setattr(d, "reports", d.reports.with_columns(text=pl.lit("other"))),
    }
    seen = {base}
    for name, change in changes.items():
        data = fresh()
        change(data)
        seen.add(release_of(tmp_path / name, data))
    assert len(seen) == len(changes) + 1
    moved = fresh()
    moved.tables["provenance"] = moved.tables["provenance"].with_columns(path=pl.lit("/elsewhere"))
    assert release_of(tmp_path / "moved", moved) == base


def test_input_order_does_not_matter(tmp_path):
    data, turned = make_cohort("AAA", n_patients=6), make_cohort("AAA", n_patients=6)
    for part in turned.parts.values():
        part.values, part.rows = part.values[::-1], part.rows.reverse()
    turned.tables = {name: frame.reverse() for name, frame in turned.tables.items()}
    assert release_of(tmp_path / "a", data) == release_of(tmp_path / "b", turned)
    files = sorted(
        p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.suffix in (".json", ".parquet")
    )
    assert files
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path


def test_store_json_is_canonical(tiny_store):
    content = (tiny_store / "store.json").read_bytes()
    body = json.loads(content)
    assert content == json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    assert all((tiny_store / path).is_file() for path in body["files"])
