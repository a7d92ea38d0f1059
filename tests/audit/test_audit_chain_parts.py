"""The audit's own code gives what the code that it judges gives, by another way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluate.bootstrap import patient_weights
from models.files import hash_array, hash_ids
from models.transforms.pipeline import fit_pipeline
from models.transforms.steps import PIPELINES
from omicstore.audit import encoding
from omicstore.audit.chain.content import MatrixFile, slide_hash, table_hash
from omicstore.audit.chain.metrics import Resamples, concordance
from omicstore.audit.chain.persons import groups
from omicstore.audit.chain.sketch import Sketch
from omicstore.audit.refit import _fit_block, differs, steps_of
from omicstore.schema import TABLES
from omicstore.splits.identity import components
from omicstore.store import hashing
from omicstore.store.matrixfile import MatrixWriter
from omicstore.store.patchfile import write_slides

HOUSE = Path(__file__).parents[2] / "omicstore"


def test_the_verifier_loads_nothing_of_what_it_verifies() -> None:
    names = [
        "omicstore.audit." + ".".join(p.relative_to(HOUSE / "audit").with_suffix("").parts)
        for p in (HOUSE / "audit").rglob("*.py")
        if p.name != "__init__.py"
    ]
    assert len(names) > 20
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(sorted(n for n in sys.modules if n.split('.')[0] in ('models', 'validation') "
        "or n.split('.')[0] == 'omicstore' and n.split('.')[1:2] not in ([], ['audit'], ['errors'], ['identifiers'])))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- hashes

COLUMNS = {
    pl.Int64: st.integers(-(2**62), 2**62),
    pl.Int8: st.integers(-100, 100),
    pl.Float64: st.floats(),
    pl.Float32: st.floats(width=32),
    pl.String: st.text(max_size=5),
    pl.Boolean: st.booleans(),
    pl.Binary: st.binary(max_size=5),
}


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
@settings(deadline=None)
@given(data=st.data())
def test_columns_have_the_hash_that_the_store_gives_them(dtype: type[pl.DataType], data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.none() | COLUMNS[dtype], max_size=6))
    column = pl.Series("x", cells, dtype=dtype)
    assert encoding.column_hash(column) == hashing.column_hash(column)


def test_a_column_that_no_store_holds_is_refused() -> None:
    with pytest.raises(TypeError, match=r"column x has the type List\(Int64\), which no store holds"):
        encoding.column_hash(pl.Series("x", [[1]]))


@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("AB"), st.sampled_from("pqr"), st.none() | st.sampled_from("xy")), max_size=8
    )
)
def test_tables_have_the_hash_that_the_store_gives_them(rows: list[tuple[str, str, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema=["cohort", "patient_id", "site"], orient="row")
    table = TABLES["patients"]
    shuffled = table.conform(frame).sample(fraction=1, shuffle=True, seed=1)
    assert table_hash(shuffled, "patients") == hashing.table_hash(table.conform(frame), table)


@settings(deadline=None)
@given(values=arrays(np.float32, (5, 3), elements=st.floats(width=32)))
def test_matrices_have_the_hash_that_the_store_gives_them(
    values: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("m") / "m.parquet"
    keys = {"sample_id": list("abcde"), "profile_id": list("ABCDE")}
    with MatrixWriter(path, list(keys), 3) as out:
        out.write(keys, values)
    true = {name: hashing.column_hash(pl.Series(cells)) for name, cells in keys.items()}
    file = MatrixFile(path)
    assert file.content_hash("v") == hashing.node_hash("values", {**true, "values": "v"})
    bits = np.concatenate([block for _, block in file.blocks()])
    assert encoding.array_hash(bits.view(np.float32)) == hash_array(values)
    assert (file.rows([3, 1]) == bits[[3, 1]]).all()


def test_slides_have_the_hash_that_the_store_gives_them(tmp_path: Path) -> None:
    slide = pl.DataFrame(
        {
            "slide_id": "S", "sample_id": "P-01", "patch": range(3000), "x": range(3000), "y": 0, "magnification": 20.0,
            "encoder": "uni", "features": np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32),
            "tile": [str(i).encode() for i in range(3000)],
        },
        schema_overrides={"features": pl.Array(pl.Float32, 4)},
    )  # fmt: skip
    written = next(iter(write_slides([slide], tmp_path, "AAA")))
    assert slide_hash(tmp_path / written.name) == (3000, written.hash)


def test_names_have_the_hash_that_models_give_them() -> None:
    assert encoding.axis_hash(["b", "a"]) == hash_ids(["b", "a"]) != encoding.row_hash(["b", "a"])


# -- index and matrices

FEW = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(
    bits=arrays(np.uint32, (7, 5), elements=FEW), row=st.integers(0, 6), column=st.integers(0, 4),
    change=st.integers(1, 2**32 - 1), cut=st.integers(0, 7),
)  # fmt: skip
def test_one_changed_cell_is_where_the_sums_differ(
    bits: np.ndarray, row: int, column: int, change: int, cut: int
) -> None:
    turned = bits.T.copy()
    for tampered, expected in ((False, ([], [])), (True, ([row], [column]))):
        if tampered:
            turned[column, row] = np.uint32((int(turned[column, row]) + change) % 2**32)
        sketch = Sketch(7, 5)
        sketch.matrix(0, bits[:cut], np.arange(5))
        sketch.matrix(cut, bits[cut:], np.arange(5))
        sketch.index(0, turned[:2])
        sketch.index(2, turned[2:])
        assert tuple(place.tolist() for place in sketch.places()) == expected


def test_a_feature_that_a_cohort_lacks_is_missing_in_the_index() -> None:
    bits = np.array([[1, 2]], np.uint32)
    sketch = Sketch(1, 3)
    sketch.matrix(0, bits, np.array([0, 2]))
    sketch.index(0, np.array([[1], [encoding.NAN_BITS], [2]], np.uint32))
    assert [place.size for place in sketch.places()] == [0, 0]


# -- people

NODES = st.sampled_from([f"patient:{p}" for p in "abcdef"] + [f"sample:{s}" for s in "12345"])


@settings(deadline=None)
@given(edges=st.lists(st.tuples(NODES, NODES), max_size=12))
def test_people_are_grouped_as_the_split_groups_them(edges: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(edges, schema={"left": pl.String, "right": pl.String}, orient="row")
    assert groups(edges, "abcdef") == components(frame, "abcdef")


# -- transforms and metrics

NUMBERS = arrays(
    np.float32, st.tuples(st.integers(1, 9), st.integers(1, 4)),
    elements=st.floats(0, 1000, width=32) | st.just(np.float32(np.nan)),
)  # fmt: skip


@settings(deadline=None)
@given(values=NUMBERS, transform=st.sampled_from(list(PIPELINES)), unit=st.sampled_from(["tpm", "beta"]))
def test_steps_learn_what_the_models_learn(values: np.ndarray, transform: str, unit: str) -> None:
    names = [f"F{i}" for i in range(values.shape[1])]
    true = fit_pipeline(transform, values, names, unit)
    steps = steps_of(transform, unit)
    assert steps is not None
    assert [step.name for step in true.steps] == list(steps)
    kept, learned = _fit_block(values, steps)
    assert [name for name, own in zip(names, kept, strict=True) if own] == list(true.features)
    for own, expected in zip(learned, true.params, strict=True):
        assert own.keys() == expected.keys()
        for key, numbers in expected.items():
            assert not differs(own[key][kept], numbers).any()


TIMES = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=12
)  # few levels: ties of times and risks


@settings(deadline=None)
@given(people=TIMES)
def test_concordance_is_that_of_lifelines(people: list[tuple[int, int, int]]) -> None:
    from lifelines.utils import concordance_index

    time, event, risk = (np.array(column, float) for column in zip(*people, strict=True))
    found = concordance(time, event, risk, np.ones((1, len(people))))[0]
    try:
        expected = concordance_index(time, -risk, event)
    except ZeroDivisionError:
        assert np.isnan(found)
        return
    assert found == pytest.approx(expected)


def test_whole_weights_are_people_that_come_several_times_and_never_meet_themselves() -> None:
    time, event, risk = np.array([1.0, 2.0, 3.0]), np.ones(3), np.array([1.0, 3.0, 2.0])
    # (0,1) and (0,2) are wrong, (1,2) is right; with weights 1, 2, 1: wrong 2 + 1, right 2.
    assert concordance(time, event, risk, np.array([[1.0, 2.0, 1.0]])).tolist() == [2 / 5]


def test_resamples_are_those_of_the_evaluation() -> None:
    people = ["c", "a", "a", "b"]
    assert np.array_equal(Resamples(7, 3).weights(people), patient_weights(people, 7, 3))
