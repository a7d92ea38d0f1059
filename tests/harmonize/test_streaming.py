"""A matrix of probes gives the same assay, to the last bit, whether it is held or read in blocks of any size."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.diskmatrix import DiskMatrix
from omicstore.errors import OmicstoreError
from omicstore.harmonize.assay import to_assays
from omicstore.harmonize.combine import combine
from omicstore.harmonize.references import References
from omicstore.readers import matrix_blocks, numbers, read
from omicstore.readers.table import Blocks, RawTable
from omicstore.sources import Reference, Source, Study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROBES = [f"cg{i:08d}" for i in range(14)] + ["rs00000001", "ch.1.131529R", "cg99999999"]
GROUPS = ["TSS1500", "TSS200", "5'UTR", "1stExon", "Body", "3'UTR", None]
SYMBOLS = ["TP53", "ERBB2", "TP53,ERBB2", "ERBB2,MARCHF1,TP53", "GONE", None]
HGNC = pl.DataFrame(
    [("HGNC:1", "TP53", "1", "ENSG01"), ("HGNC:2", "ERBB2", "2", "ENSG02"), ("HGNC:3", "MARCHF1", "3", None)],
    schema=["hgnc_id", "symbol", "entrez_id", "ensembl_gene_id"],
    orient="row",
).with_columns(alias_symbol=pl.lit(None, pl.String), prev_symbol=pl.lit(None, pl.String))
STUDY = Study(dataset="test", cohorts=("BLCA",), sources=())


def made_references(probes: pl.DataFrame) -> References:
    frames = {"symbols": HGNC, "probes": probes, "masks": pl.DataFrame({"probe_id": ["cg00000003"]})}
    entries = [Reference(kind, kind, "hgnc", "hm450" if kind == "probes" else None) for kind in frames]  # type: ignore[arg-type]
    return References(entries, lambda entry: frames[entry.kind])


def annotated(genes: list[tuple[str | None, str | None]]) -> pl.DataFrame:
    rows = [(name, "chr1", i, None, *gene) for i, (name, gene) in enumerate(zip(PROBES, genes, strict=False))]
    names = ["probe_id", "chromosome", "start", "entrez", "symbol", "gene_group"]
    schema = dict.fromkeys(names, pl.String) | {"start": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def table(
    path: Path, ids: list[str], features: list[str], values: np.ndarray, unit: str, modality: str, *, keep: bool
) -> RawTable:
    source = Source(path, "matrix", modality, "BLCA", unit, platform="hm450", keep_probes=keep)
    return RawTable("matrix", source, modality, ids=ids, features=features, values=values)


def in_blocks(raw: RawTable, along: str, cuts: list[int], *, lazy: bool) -> RawTable:
    """Return the same table in blocks; `lazy` names its rows only as they come."""
    assert raw.values is not None
    rows = raw.values if along == "profiles" else raw.values.T
    given = RawTable("matrix", raw.source, raw.modality, ids=list(raw.ids), features=list(raw.features))
    names = given.ids if along == "profiles" else given.features
    all_names = list(names)
    if lazy:
        names.clear()

    def blocks() -> Iterator[np.ndarray]:
        if lazy:
            names.clear()
        bounds = [0, *sorted({c % len(rows) for c in cuts} - {0}), len(rows)]
        for start, stop in pairwise(bounds):
            if lazy:
                names.extend(all_names[start:stop])
            yield np.ascontiguousarray(rows[start:stop])

    given.blocks = Blocks(along, blocks)  # type: ignore[arg-type]
    return given


def outcome(raw: RawTable, refs: References) -> object:
    """Return all that comes out of a table, or the error."""
    try:
        assays = to_assays(raw, "BLCA", STUDY, refs, "abc")
    except OmicstoreError as error:
        return str(error)
    return [
        (
            *(a.modality, a.platform, a.values[:].tobytes(), a.values.shape, a.profiles.rows(), a.features.rows()),
            *(a.warnings, a.drops.counts, a.drops.examples),
        )
        for a in assays
    ]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_blocks_give_the_same_as_the_whole(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    n, features = draw(st.integers(1, 6)), draw(st.lists(st.sampled_from(PROBES), min_size=1, max_size=40))
    unit = draw(st.sampled_from(["beta", "m_value"]))
    values = (rng.beta(0.5, 0.5, (n, len(features))) * 10 ** -rng.uniform(0, 9)).astype(np.float32)
    if unit == "m_value":
        values = rng.normal(0, 8, values.shape).astype(np.float32)
    values[rng.random(values.shape) < draw(st.sampled_from([0.0, 0.2, 0.9]))] = np.nan
    if draw(st.booleans()):
        values[rng.integers(n)] = np.nan
    if draw(st.integers(0, 9)) == 0:
        values[rng.integers(n), rng.integers(len(features))] = draw(st.sampled_from([1.7, -0.2, np.inf]))
    genes = draw(
        st.lists(
            st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(GROUPS)), min_size=len(PROBES), max_size=len(PROBES)
        )
    )
    refs = made_references(annotated(genes))
    ids = [f"TCGA-4Z-{i:04d}-01A" for i in rng.permutation(n)]
    path = tmp_path_factory.getbasetemp() / "x.tsv"
    modality = draw(st.sampled_from(["meth", "meth", "meth_probe"]))
    whole = table(path, ids, features, values, unit, modality, keep=draw(st.booleans()))
    along, cuts = draw(st.sampled_from(["profiles", "features"])), draw(st.lists(st.integers(0, 60), max_size=6))
    parts = in_blocks(whole, along, cuts, lazy=draw(st.booleans()) if along == "features" else False)
    found, expected = outcome(parts, refs), outcome(whole, refs)
    if isinstance(expected, str):  # where several things are wrong, either may be told first
        assert isinstance(found, str)
    else:
        assert found == expected


def test_an_array_that_the_first_probes_do_not_tell_is_found_by_all(tmp_path: Path) -> None:
    hm450 = annotated([("TP53", "Body")] * len(PROBES))
    hm27 = hm450.select("symbol", "chromosome", "start", id=pl.lit("cg70000000"), end="start", strand=pl.lit("."))
    entries = [Reference("symbols", tmp_path, "hgnc")] + [
        Reference("probes", tmp_path, "hgnc", name) for name in ("hm450", "hm27")
    ]
    refs = References(entries, lambda e: HGNC if e.kind == "symbols" else hm450 if e.platform == "hm450" else hm27[:1])
    rows = np.random.default_rng(0).random((2, 14)).astype(np.float32)
    names = ["cg70000000", *PROBES[:13]]
    ids = ["TCGA-4Z-0001-01A", "TCGA-4Z-0002-01A"]
    source = Source(tmp_path / "x", "matrix", "meth", "BLCA", "beta")
    for cuts in ([1], [2, 9], []):
        whole = RawTable("matrix", source, "meth", ids=ids, features=names, values=rows.copy())
        parts = in_blocks(whole, "features", cuts, lazy=True)
        found = outcome(parts, refs)
        assert not isinstance(found, str), found
        assert found == outcome(whole, refs)


def test_kept_probes_of_two_sources_are_joined_on_the_disk_as_in_memory(tmp_path: Path) -> None:
    refs = made_references(annotated([("TP53", "Body")] * len(PROBES)))
    joined = []
    for along in (None, "features"):
        assays = []
        for n, names in ((3, PROBES[:9]), (2, PROBES[4:14])):
            ids = [f"TCGA-4Z-000{i}-0{n}A" for i in range(n)]
            values = np.random.default_rng(n).random((n, len(names))).astype(np.float32)
            raw = table(tmp_path / "x", ids, names, values, "beta", "meth_probe", keep=True)
            if along is not None:
                raw = in_blocks(raw, along, [2, 5], lazy=True)
            assays += to_assays(raw, "BLCA", STUDY, refs, f"abc{n}", tmp_path)
        matrix = combine(assays)
        joined.append((matrix.values[:].tobytes(), matrix.rows.rows(), matrix.profiles.rows(), matrix.features.rows()))
        assert isinstance(matrix.values, DiskMatrix) == (along is not None)
    assert joined[0] == joined[1]
    assert not list(tmp_path.iterdir())  # the files have no name


def write(path: Path, rows: list[list[str]]) -> Path:
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return path


CASES = {
    "plain": lambda cell: cell,
    "missing": lambda cell: {"0.25": "NA", "0.5": ""}.get(cell, cell),
    "beta of 1.7": lambda cell: "1.7" if cell == "0.25" else cell,
    "infinite": lambda cell: "inf" if cell == "0.25" else cell,
    "a word": lambda cell: "high" if cell == "0.25" else cell,
    "all missing": lambda cell: "NA" if cell[0] == "0" else cell,
    "a probe without name": lambda cell: "" if cell == "cg00000002" else cell,
    "a probe twice": lambda cell: "cg00000001" if cell == "cg00000002" else cell,
    "genes among probes": lambda cell: "TP53" if cell == "cg00000002" else cell,
    "mixed ids": lambda cell: "control" if cell == "TCGA-4Z-0002-01A" else cell,
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("more", [{}, {"drop": ("^cg0000000[45]$",)}, {"missing": ("0.125",)}, {"keep_probes": True}])
def test_files_streamed_and_held_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, more: dict[str, Any], *, turned: bool
) -> None:
    rng = np.random.default_rng(3)
    ids = [f"TCGA-4Z-{i:04d}-01A" for i in range(5)]
    cells = [[str(v) for v in row] for row in rng.choice([0.125, 0.25, 0.5, 0.75], (14, 5)).tolist()]
    rows = [["probe", *ids], *([name, *row] for name, row in zip(PROBES, cells, strict=False))]
    if turned:
        rows = [list(column) for column in zip(*rows, strict=True)]
    path = write(tmp_path / "x.tsv", [[CASES[case](cell) for cell in row] for row in rows])
    refs = made_references(annotated([("TP53", "Body"), ("TP53,ERBB2", "TSS200")] * 7))
    monkeypatch.setattr(numbers, "CHUNK", 60)
    told = []
    for least in (0, 1 << 40):
        monkeypatch.setattr(matrix_blocks, "STREAMED", least)
        try:
            (raw,) = read(Source(path, "matrix", "meth", "BLCA", "beta", platform="hm450", **more))
        except OmicstoreError as error:
            told.append(str(error))
            continue
        in_the_middle = turned and case == "a probe without name"  # such a column is left out by another way of reading
        assert (raw.blocks is None) == (least > 0 or in_the_middle)
        found = outcome(raw, refs)
        about = (raw.ids, raw.features, raw.decimals, raw.rows_in, raw.columns_in, raw.drops, raw.warnings)
        told.append(found if isinstance(found, str) else (found, about))
    assert told[0] == told[1]


MEMORY = """
import resource, sys
from pathlib import Path
import polars as pl
from omicstore.harmonize.assay import to_assays
from omicstore.harmonize.references import References
from omicstore.readers import read
from omicstore.sources import Reference, Source, Study

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

text = pl.String
names = [f"GENE{i}" for i in range(500)]
genes = pl.DataFrame({"hgnc_id": names, "symbol": names, "entrez_id": names, "ensembl_gene_id": names}).with_columns(
    alias_symbol=pl.lit(None, text), prev_symbol=pl.lit(None, text)
)
probes = pl.DataFrame({"probe_id": [f"cg{i:08d}" for i in range(80_000)]}).with_columns(
    chromosome=pl.lit("chr1"), start=pl.lit(1), entrez=pl.lit(None, text), gene_group=pl.lit("Body"),
    symbol=pl.format("GENE{}", pl.int_range(pl.len()) % 500),
)
frames = {"symbols": genes, "probes": probes}
refs = References([Reference(kind, Path(kind), "hgnc", "hm450") for kind in frames], lambda entry: frames[entry.kind])
source = Source(Path(sys.argv[1]), "matrix", "meth", "BLCA", "beta", platform="hm450", keep_probes=len(sys.argv) > 2)
(raw,) = read(source)
next(raw.blocks.read())
refs.genes, refs.probes("hm450")
before = peak()
assays = to_assays(raw, "BLCA", Study("test", ("BLCA",), ()), refs, "abc")
print(*assays[-1].values.shape, peak() - before)
"""


@pytest.mark.parametrize("keep", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_streaming_takes_less_memory_than_the_matrix(tmp_path: Path, *, keep: bool) -> None:
    """80,000 probes of 400 samples are 128 MB of float32."""
    n, m = 80_000, 400
    cells = b"".join(b"\t.%d" % (i % 10) for i in range(m)) + b"\n"
    head = "probe\t" + "\t".join(f"TCGA-4Z-{i:04d}-01A" for i in range(m)) + "\n"
    path = tmp_path / "x.tsv"
    path.write_bytes(head.encode() + b"".join(b"cg%08d" % i + cells for i in range(n)))
    asked = [sys.executable, "-c", MEMORY, str(path), *(["keep"] if keep else [])]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    rows, columns, grown = done.stdout.split()
    assert (int(rows), int(columns)) == (m, n if keep else 500)
    assert float(grown) < (100 if keep else 50)
