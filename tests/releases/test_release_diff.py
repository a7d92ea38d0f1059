"""``diff`` says what changed, all of it and nothing else."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_factory import CohortData, make_cohort, make_patches

import omicstore
import omicstore.store.matrixfile
from omicstore.releases import diff, release
from omicstore.store.writer import assemble

COHORTS = ("AAA", "BBB")
QUIET = {
    "cohorts": {"added": [], "removed": []},
    "samples": {},
    "matrices": [],
    "tables": {},
    "reports": {},
    "patches": {},
}


def fresh() -> dict[str, CohortData]:
    return {c: make_cohort(c, n_patients=6, n_features=5, reports=c == "AAA") for c in COHORTS}


def write(root: Path, data: dict[str, CohortData]) -> str:
    for cohort, held in data.items():
        held.write(root, cohort)
    return assemble(root, list(data), dataset="tiny", simulated=True)


def differ(old: Path, new: Path) -> dict:
    with omicstore.open(old) as a, omicstore.open(new) as b:
        return diff(a, b)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("base")
    write(root, fresh())
    return root


cells = st.tuples(
    st.sampled_from(COHORTS), st.sampled_from(["rna", "meth"]), st.integers(0, 99), st.integers(0, 4),
    st.one_of(st.floats(0, 1, width=32), st.just(float("nan")), st.just(-0.0)),
)  # fmt: skip


@settings(max_examples=12, deadline=None, derandomize=True)
@given(cells)
def test_one_cell_changes_the_id_and_is_named(base: Path, cell: tuple) -> None:
    cohort, modality, row, column, value = cell
    data = fresh()
    part = data[cohort].parts[modality]
    row %= len(part.values)
    old, new = part.values[row, column], np.float32(value)
    part.values[row, column] = new
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), data)
        found = differ(base, Path(folder))
    same = old.tobytes() == new.tobytes() or bool(np.isnan(old) and np.isnan(new))
    assert found["same"] == same
    if same:
        return
    (matrix,) = found["matrices"]
    assert (matrix["cohort"], matrix["modality"]) == (cohort, modality)
    assert matrix["samples"]["n_added"] == matrix["features"]["n_removed"] == matrix["other_profile"]["n"] == 0
    values = matrix["values"]
    assert (values["n_changed"], values["n_samples"], values["n_features"]) == (1, 1, 1)
    (example,) = values["examples"]
    assert example["sample_id"] == part.rows["sample_id"][row]
    assert example["feature_id"] == part.features["feature_id"][column]
    for said, meant in ((example["old"], old), (example["new"], new)):
        assert (said is None and np.isnan(meant)) or np.float32(said).tobytes() == meant.tobytes()
    assert {k: v for k, v in found.items() if k in QUIET} == QUIET | {"matrices": [matrix]}


def test_other_bytes_are_the_same_release(base: Path, tmp_path: Path) -> None:
    write(tmp_path, fresh())
    for path in tmp_path.rglob("*.parquet"):
        pq.write_table(pq.read_table(path, partitioning=None), path, compression="zstd", row_group_size=3)
    found = differ(base, tmp_path)
    assert found["same"]
    assert {k: found[k] for k in QUIET} == QUIET


def test_equal_parts_are_not_read(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = fresh()
    data["BBB"].parts["meth"].values[0, 0] = 0.25
    write(tmp_path, data)
    opened = []
    real = omicstore.store.matrixfile.MatrixFile.__init__
    monkeypatch.setattr(
        omicstore.store.matrixfile.MatrixFile,
        "__init__",
        lambda self, root, path: opened.append(path) or real(self, root, path),
    )
    differ(base, tmp_path)
    assert len(opened) == 2
    assert all(path.startswith("cohort=BBB/modality=meth/values-") for path in opened)


def test_everything_at_once(base: Path, tmp_path: Path) -> None:
    data = fresh()
    held = data["AAA"]
    rna = held.parts["rna"]
    lost, kept = rna.rows["sample_id"][0], rna.features["feature_id"].to_list()
    rna.values, rna.rows = rna.values[1:, 1:], rna.rows[1:]
    rna.features = rna.features[1:].with_columns(symbol=pl.lit("ANEW"))
    rna.unit = "fpkm"
    profiles = held.tables["profiles"]
    held.tables["profiles"] = profiles.filter((pl.col("sample_id") != lost) | (pl.col("modality") != "rna"))
    first = held.tables["patients"]["patient_id"][0]
    held.tables["patients"] = held.tables["patients"].with_columns(
        age_years=pl.when(pl.col("patient_id") == first).then(None).otherwise("age_years")
    )
    held.tables["outcomes"] = held.tables["outcomes"].filter(pl.col("endpoint") != "PFI")
    held.tables["labels"] = held.tables["labels"].with_columns(label=pl.lit("S0"))
    held.tables["provenance"] = held.tables["provenance"].with_columns(
        sha256=pl.when(pl.col("modality") == "rna").then(pl.lit("f" * 64)).otherwise("sha256")
    )
    held.reports = held.reports.with_columns(text=pl.lit("Nothing."))
    held.patches = make_patches([lost])
    data["CCC"] = make_cohort("CCC", n_patients=3, modalities=("metab",))
    del data["BBB"]
    write(tmp_path, data)
    found = differ(base, tmp_path)
    assert found["cohorts"] == {"added": ["CCC"], "removed": ["BBB"]}
    changes = {(m["cohort"], m["modality"]): m["change"] for m in found["matrices"]}
    assert changes == {
        ("AAA", "rna"): "changed", ("CCC", "metab"): "added",
        ("BBB", "rna"): "removed", ("BBB", "meth"): "removed", ("BBB", "prot"): "removed",
    }  # fmt: skip
    matrix = found["matrices"][0]
    assert matrix["facts"] == {"unit": ["tpm", "fpkm"]}
    assert matrix["samples"] == {"n_added": 0, "added": [], "n_removed": 1, "removed": [lost]}
    assert matrix["features"]["removed"] == kept[:1]
    assert matrix["features"]["described_anew"]["n"] == 4
    assert matrix["values"]["n_changed"] == 0
    tables = found["tables"]
    assert tables["patients"]["by_cohort"]["AAA"] == {"n_added": 0, "n_removed": 0, "n_changed": 1}
    (changed,) = tables["patients"]["changed"]
    assert (changed["patient_id"], changed["columns"]["age_years"][1]) == (first, None)
    assert tables["outcomes"]["by_cohort"]["AAA"]["n_removed"] == 6
    assert tables["labels"]["columns"] == {"label": 4}
    (source,) = found["sources"]["changed"]
    assert (source["cohort"], source["modality"], source["new"]) == ("AAA", "rna", "f" * 64)
    assert source["old"] == fresh()["AAA"].tables["provenance"].filter(pl.col("modality") == "rna")["sha256"][0]
    assert found["reports"]["AAA"]["columns"] == {"text": 6}
    assert "Nothing." not in str(found["reports"])
    assert found["patches"]["AAA"]["added"] == [f"{lost}-DX1.uni.parquet"]
    back = differ(tmp_path, base)
    assert back["cohorts"] == {"added": ["BBB"], "removed": ["CCC"]}
    assert back["matrices"][0]["features"]["added"] == kept[:1]
    assert back["tables"]["outcomes"]["by_cohort"]["AAA"]["n_added"] == 6


def test_between_releases_of_one_store(tmp_path: Path) -> None:
    data = fresh()
    write(tmp_path, data)
    with omicstore.open(tmp_path) as store:
        release(store, "v1", date="")
    again = copy.deepcopy(data)
    again["AAA"].parts["rna"].values[:2] = 1.5
    write(tmp_path, again)
    write(tmp_path, again)
    with omicstore.open(tmp_path, release="v1") as old, omicstore.open(tmp_path) as new:
        found = diff(old, new)
    assert found["old"]["names"] == ["v1"]
    assert found["new"]["names"] == []
    assert found["matrices"][0]["values"] | {"examples": []} == {
        "n_changed": 10, "n_samples": 2, "n_features": 5, "examples": [],
    }  # fmt: skip
    assert len(found["matrices"][0]["values"]["examples"]) == 5


def test_a_changed_file_is_no_other_file(base: Path, tmp_path: Path) -> None:
    """A source's id follows from its content, and each profile names it."""
    data = fresh()
    tables = data["AAA"].tables
    for name in ("provenance", "profiles"):
        tables[name] = tables[name].with_columns(source_id=pl.lit("anew"))
    tables["provenance"] = tables["provenance"].with_columns(sha256=pl.lit("0" * 64), name=pl.lit("all.tsv"))
    write(tmp_path / "old", data)
    for name in ("provenance", "profiles"):
        tables[name] = tables[name].with_columns(source_id=pl.lit("newest"))
    tables["provenance"] = tables["provenance"].with_columns(sha256=pl.lit("1" * 64))
    write(tmp_path / "new", data)
    found = differ(tmp_path / "old", tmp_path / "new")
    assert list(found["tables"]) == ["provenance"]
    assert found["sources"]["added"] == found["sources"]["removed"] == []
    assert [(s["modality"], s["old"][:1], s["new"][:1]) for s in found["sources"]["changed"]] == [
        ("meth", "0", "1"), ("prot", "0", "1"), ("rna", "0", "1"),
    ]  # fmt: skip
