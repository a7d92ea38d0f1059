"""What a cohort says of its samples and values, and its values a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import polars as pl
import pytest

import omicstore
from omicstore.store.reader import Store


@pytest.fixture
def store(tiny_store: Path) -> Iterator[Store]:
    with omicstore.open(tiny_store) as opened:
        yield opened


class TestBlocks:
    @pytest.mark.parametrize("most_bytes", [1, 1000, 1 << 20])
    def test_joined_they_are_the_matrix(self, store: Store, most_bytes: int) -> None:
        cohort = store.query(cohort="AAA,BBB", modalities="rna,meth", scale="log2p1", allow_mixed_units=True)
        for modality in cohort.matrices:
            parts = list(cohort.blocks(modality, most_bytes))
            whole = cohort.to_numpy(modality)[cohort.samples[f"has_{modality}"].to_numpy()]
            np.testing.assert_array_equal(np.concatenate(parts), whole)
            assert len(parts) == 1 or max(p.nbytes for p in parts) <= max(most_bytes, whole[0].nbytes)

    def test_a_read_of_a_split_is_logged_once(self, store: Store) -> None:
        logged: list[int] = []
        cohort = store.query(cohort="AAA", modalities="rna")
        split = SimpleNamespace(state=None, admit=lambda _: None, log=lambda store, modalities, n: logged.append(n))
        cohort._split = split  # type: ignore[assignment]
        assert len(list(cohort.blocks("rna", 1))) > 1
        cohort.to_numpy("rna")
        assert logged == [len(cohort)]

    def test_nobody(self, store: Store) -> None:
        assert list(store.query(cohort="CCC", modalities="rna,prot").blocks("prot")) == []


class TestClinical:
    def test_a_row_per_sample(self, store: Store) -> None:
        cohort = store.query(sample_type="all", allow_mixed_units=True)
        table = cohort.clinical()
        assert table["sample_id"].to_list() == cohort.samples["sample_id"].to_list()
        row = table.row(3, named=True)
        patient = store.table("patients").row(by_predicate=pl.col("patient_id") == row["patient_id"], named=True)
        assert (row["sex"], row["age_years"], row["stage"]) == (patient["sex"], patient["age_years"], patient["stage"])
        outcome = store.table("outcomes").filter(patient_id=row["patient_id"], endpoint="OS").row(0, named=True)
        assert (row["OS_time_days"], row["OS_event"]) == (outcome["time_days"], outcome["event"])
        assert row["label_subtype"].startswith("S")
        assert "race" not in table.columns  # nobody's is known

    def test_a_samples_own_label_comes_first(self, store_factory: ModuleType, tmp_path: Path) -> None:
        data = store_factory.make_cohort("AAA", n_patients=4, modalities=("rna",), missing=0.0, n_normals=1)
        own = {
            "patient_id": "SIMU-A1-AA00",
            "sample_id": "SIMU-A1-AA00-11",
            "cohort": "AAA",
            "task": "subtype",
            "label": "X",
        }
        labels = data.tables["labels"].with_columns(sample_id=pl.lit(None, pl.String))
        data.tables["labels"] = pl.concat([labels, pl.DataFrame(own | {"source": "tiny"})], how="diagonal")
        data.write(tmp_path, "AAA")
        store_factory.assemble(tmp_path, ["AAA"], dataset="tiny", simulated=True)
        with omicstore.open(tmp_path) as store:
            found = dict(store.query(sample_type="all").clinical().select("sample_id", "label_subtype").iter_rows())
        assert (found["SIMU-A1-AA00-01"], found["SIMU-A1-AA00-11"]) == ("S0", "X")


class TestFacts:
    def test_unit_and_scale(self, store: Store) -> None:
        assert store.query(cohort="AAA", modalities="rna").facts("rna") == {
            "modality": "rna", "unit": "tpm", "upstream_fit": "none",
        }  # fmt: skip
        logged = store.query(cohort="AAA", modalities="rna,prot", scale="log10p1")
        assert logged.facts("rna")["unit"] == "log10(tpm+1)"
        assert logged.facts("prot")["unit"] == "log2_ratio"

    def test_mixed_units_are_none(self, store: Store) -> None:
        mixed = store.query(cohort="AAA,CCC", modalities="rna", allow_mixed_units=True)
        assert "unit" not in mixed.facts("rna")


def test_to_anndata(store: Store) -> None:
    pytest.importorskip("anndata")
    cohort = store.query("AAA", "rna,meth")
    data = cohort.to_anndata("rna")
    have = cohort.samples["has_rna"].to_numpy()
    np.testing.assert_array_equal(data.X, cohort.to_numpy("rna")[have])
    assert data.var_names.tolist() == cohort.features("rna")["feature_id"].to_list()
    assert data.obs["OS_time_days"].tolist() == cohort.clinical().filter(have)["OS_time_days"].to_list()
    assert data.uns["omicstore"]["unit"] == "tpm"
