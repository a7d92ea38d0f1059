"""Slides of several encoders, and damaged ones, in an open store."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import omicstore
from omicstore.errors import StoreError, UsageError


@pytest.fixture
def place(tmp_path: Path, store_factory: ModuleType) -> Path:
    """A store with the slides of three samples by two encoders, of 4 and of 5 numbers."""
    data = store_factory.make_cohort("AAA", n_patients=6, missing=0.0)
    samples = data.parts["rna"].rows["sample_id"].to_list()[:3]
    wide = [f.with_columns(encoder=pl.lit("owner/wide")) for f in store_factory.make_patches(samples, width=5)]
    data.patches = [*store_factory.make_patches(samples, n=30), *wide]
    data.write(tmp_path, "AAA")
    joined(tmp_path)
    return tmp_path


def joined(root: Path) -> None:
    from omicstore.store.writer import assemble

    assemble(root, ["AAA"], dataset="tiny", simulated=True)


def test_slides_of_two_encoders(place: Path) -> None:
    with omicstore.open(place) as store:
        cohort = store.query("AAA", "patches", sample_type="all")
        slides = cohort.slides()
        assert slides["encoder"].to_list() == ["owner/wide", "uni"] * 3
        assert slides["n_patches"].to_list() == [5, 30] * 3
        assert all("owner--wide" in path for path in slides.filter(pl.col("encoder") == "owner/wide")["path"])
        assert slides["patient_id"].null_count() == 0
        with pytest.raises(UsageError, match="features of owner/wide and uni do not fit in one table"):
            cohort.to_polars("patches")
        (frame,) = cohort.patches(slides["slide_id"][0], "uni")
        assert frame["features"].dtype == pl.Array(pl.Float32, 4)
        found = cohort.prototypes(k=16, encoder="uni")
        assert found.means.shape == (3, 16, 4)
        assert found.slides["encoder"].to_list() == ["uni"] * 3
        assert cohort.prototypes(k=16, encoder="owner/wide").weights[0, 5:].tolist() == [0.0] * 11


def test_a_damaged_slide_is_named(place: Path) -> None:
    with omicstore.open(place) as store:
        cohort = store.query("AAA", "patches", sample_type="all")
        slides = cohort.slides()
        file = place / slides["path"][0]
        file.write_bytes(file.read_bytes()[:200])
        with pytest.raises(StoreError, match="owner--wide.parquet"):
            list(cohort.patches(slides["slide_id"][0], "owner/wide"))
