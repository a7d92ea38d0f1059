"""Parquet and Arrow matrices: which column is the id, which way round, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omicstore.errors import SourceError
from omicstore.readers import profile_ids, read
from omicstore.readers.arrow import recognise
from omicstore.readers.recognise import look
from omicstore.sources import Sampling, Source

IDS = ["TCGA-4Z-0001-01A", "TCGA-4Z-0002-01A", "TCGA-4Z-0003-01A"]
Save = Callable[[pa.Table, Path], None]


def to_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def to_arrow(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def to_compressed(table: pa.Table, path: Path) -> None:
    pl.from_arrow(table).write_ipc(path, compression="zstd")


def to_stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def table(**more: object) -> pa.Table:
    columns = {"sample_id": IDS, "TP53": [1.0, 2.0, None], "EGFR": [0.5, 1.5, 2.5]} | more
    return pa.table(
        {name: value if isinstance(value, pa.Array) else pa.array(value) for name, value in columns.items()}
    )


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Source]:
    """Write a table and return a source of it."""

    def make(table: pa.Table, save: Save = to_parquet, **more: object) -> Source:
        form = "parquet" if save is to_parquet else "arrow"
        path = tmp_path / f"x.{form}"
        save(table, path)
        values: dict[str, object] = {"modality": "rna", "cohort": "XX", "unit": "tpm"} | more
        return Source(path, form, **values)  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("save", [to_parquet, to_arrow, to_compressed, to_stream])
class TestEveryKindOfFile:
    def test_samples_in_rows(self, put: Callable[..., Source], save: Save) -> None:
        source = put(table(), save)
        (raw,) = read(source)
        assert (raw.ids, raw.features) == (IDS, ["TP53", "EGFR"])
        np.testing.assert_array_equal(raw.values, np.array([[1, 0.5], [2, 1.5], [np.nan, 2.5]], np.float32))
        assert raw.values.dtype == np.float32
        assert profile_ids(source) == IDS

    def test_features_in_rows(self, put: Callable[..., Source], save: Save) -> None:
        turned = pa.table(
            {"gene": ["TP53", "EGFR"], "note": ["a", None]} | {i: [float(k), k + 0.5] for k, i in enumerate(IDS)}
        )
        source = put(turned, save)
        (raw,) = read(source)
        assert (raw.ids, raw.features) == (IDS, ["TP53", "EGFR"])
        np.testing.assert_array_equal(raw.values, np.array([[0, 0.5], [1, 1.5], [2, 2.5]], np.float32))
        assert raw.feature_info.rows() == [("TP53", "a"), ("EGFR", None)]
        assert profile_ids(source) == IDS

    def test_recognised(self, put: Callable[..., Source], save: Save) -> None:
        source = put(table(), save)
        assert recognise(look(source.path)).format == source.format


class TestColumns:
    def test_the_index_of_pandas(self, put: Callable[..., Source], tmp_path: Path) -> None:
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"TP53": [1.0, 2.0, 3.0]}, index=IDS)
        source = put(pa.Table.from_pandas(frame))
        assert "__index_level_0__" in pq.read_schema(source.path).names
        assert read(source)[0].ids == IDS
        named = put(pa.Table.from_pandas(frame.rename_axis("barcode")))
        assert read(named)[0].ids == IDS

    def test_text_describes_samples(self, put: Callable[..., Source]) -> None:
        batch = pa.array(["x", "y", None]).dictionary_encode()
        (raw,) = read(put(table(batch=batch)))
        assert raw.features == ["TP53", "EGFR"]
        assert raw.profile_info.rows() == [(IDS[0], "x"), (IDS[1], "y"), (IDS[2], None)]

    def test_every_type_of_number(self, put: Callable[..., Source]) -> None:
        more = {
            "int": pa.array([1, None, 3], pa.int16()), "flag": [True, None, False], "half": pa.array(np.float16([1, 2, 3])),
            "money": pa.array([1, 2, 3]).cast(pa.decimal128(25, 2)), "none": pa.nulls(3), "words": ["1.5", "NA", " 2 "],
        }  # fmt: skip
        (raw,) = read(put(table(**more)))
        assert raw.features == ["TP53", "EGFR", *more]
        expected = [[1, 1, 1, 1, np.nan, 1.5], [np.nan, np.nan, 2, 2, np.nan, np.nan], [3, 0, 3, 3, np.nan, 2]]
        np.testing.assert_array_equal(raw.values[:, 2:], np.array(expected, np.float32))

    def test_only_what_is_asked(self, put: Callable[..., Source]) -> None:
        (raw,) = read(put(table(KRAS=[1.0, 2.0, 3.0]), select=("TP53", "KRAS"), drop=("KRAS",)))
        assert raw.features == ["TP53"]
        assert raw.drops.counts == {"not selected": 1, "dropped by the study file": 1}

    def test_a_number_that_stands_for_missing(self, put: Callable[..., Source]) -> None:
        (raw,) = read(put(table(KRAS=[-9.0, 2.0, 3.0]), missing=("-9",)))
        assert np.isnan(raw.values[0, 2])
        assert raw.warnings == ["1 cells hold -9 and were read as missing"]

    def test_ids_of_the_study(self, put: Callable[..., Source]) -> None:
        lines = pa.table({"line": ["A", "B"], "TP53": [1.0, 2.0]})
        source = put(lines, id="line", orientation="features_in_columns")
        assert read(source, Sampling(origin="id", cohort="XX"))[0].ids == ["A", "B"]

    def test_names_with_dots_and_prefixes(self, put: Callable[..., Source]) -> None:
        (raw,) = read(put(pa.table({"sample_id": IDS, "A": [1.0, 2.0, 3.0], "A.1": [4.0, 5.0, 6.0]})))
        assert raw.features == ["A", "A.1"]
        np.testing.assert_array_equal(raw.values[0], np.float32([1, 4]))


class TestBad:
    def test_lists(self, put: Callable[..., Source]) -> None:
        source = put(table(vector=[[1.0], [2.0], [3.0]]))
        with pytest.raises(
            SourceError, match=r"x\.parquet: the column 'vector' holds lists\. Expected numbers or text"
        ):
            read(source)
        dropped = put(table(vector=[[1.0], [2.0], [3.0]]), drop=("vector",))
        assert read(dropped)[0].features == ["TP53", "EGFR"]

    def test_structures_and_bytes(self, put: Callable[..., Source]) -> None:
        for value, words in (([{"a": 1}] * 3, "structures"), ([b"x"] * 3, "values of the type binary")):
            with pytest.raises(SourceError, match=f"the column 'odd' holds {words}"):
                read(put(table(odd=value)))

    def test_no_id(self, put: Callable[..., Source]) -> None:
        source = put(pa.table({"TP53": [1.0], "EGFR": [2.0]}))
        with pytest.raises(SourceError, match=r"there is no id column: the first, 'TP53', holds numbers.*add id:"):
            read(source)
        with pytest.raises(SourceError, match=r"there is no column 'samples'\. Expected one of 'sample_id'"):
            read(put(table(), id="samples"))

    def test_a_word_among_numbers(self, put: Callable[..., Source]) -> None:
        source = put(table(KRAS=["1.5", "low", "2"]))
        with pytest.raises(SourceError, match=r"column 'KRAS': 'low' in row 2 is no number.*missing: \[low\]"):
            read(source)

    def test_a_feature_twice(self, put: Callable[..., Source]) -> None:
        twice = pa.Table.from_arrays(
            [pa.array(IDS), pa.array([1.0, 2, 3]), pa.array([1.0, 2, 3])], ["sample_id", "A", "A"]
        )
        with pytest.raises(SourceError, match="the feature 'A' comes 2 times, in columns 2 and 3"):
            read(put(twice))

    def test_no_number(self, put: Callable[..., Source]) -> None:
        with pytest.raises(SourceError, match="no cell holds a number"):
            read(put(pa.table({"sample_id": IDS, "A": pa.nulls(3, pa.float32())})))

    def test_mixed_ids(self, put: Callable[..., Source]) -> None:
        mixed = pa.table({"sample_id": [*IDS[:2], "control"], "TP53": [1.0, 2.0, 3.0]})
        with pytest.raises(SourceError, match="mixed ids: 1 of 3 samples have no barcode, the first is 'control'"):
            read(put(mixed))

    @pytest.mark.parametrize(("save", "title"), [(to_parquet, "Parquet"), (to_arrow, "Arrow")])
    def test_truncated(self, put: Callable[..., Source], save: Save, title: str) -> None:
        source = put(table(), save)
        whole = source.path.read_bytes()
        for n in (0, 3, 12, len(whole) // 2, len(whole) - 4):
            source.path.write_bytes(whole[:n])
            with pytest.raises(SourceError, match=rf"this is no whole {title} file .*make or download"):
                read(source)

    def test_another_format(self, put: Callable[..., Source]) -> None:
        source = put(table())
        source.path.write_text("gene,TCGA-4Z-0001-01A\nTP53,1\n")
        with pytest.raises(SourceError, match="this is no whole Parquet file"):
            read(source)
        assert recognise(look(source.path)) is None


def test_what_our_own_export_says(put: Callable[..., Source]) -> None:
    facts = (
        '{"modality": "prot", "unit": "log2_ratio", "cohorts": "AAA", "upstream_fit": "all_samples", "simulated": true}'
    )
    source = put(table().replace_schema_metadata({"omicstore": facts}))
    guess = recognise(look(source.path))
    assert (guess.modality, guess.unit, guess.cohort) == ("prot", "log2_ratio", "AAA")
    (raw,) = read(source)
    assert raw.source.upstream_fit == "all_samples"
    assert raw.warnings == ["the file was exported from a store of simulated data"]
