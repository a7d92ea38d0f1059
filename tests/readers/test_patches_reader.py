"""Slides as TRIDENT and CLAM leave them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import polars as pl
import pytest

from omicstore.errors import SourceError
from omicstore.readers import iter_patches, patches_h5, read
from omicstore.slides.cache import FeatureCache
from omicstore.sources import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from omicstore.sources import Source

    Make = Callable[..., Source]

SLIDE = "TCGA-AB-0001-01Z-00-DX1.B34C267B-CAAA-4AB6-AD5C-276C26F997A1"


def put(path: Path, features: np.ndarray, coords: np.ndarray | None = None, **attributes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        count = features.shape[-2]
        at = file.create_dataset("coords", data=np.arange(2 * count).reshape(count, 2) if coords is None else coords)
        at.attrs.update(attributes)
        file.create_dataset("features", data=features)
    return path


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "20x_256px_0px_overlap" / "features_uni_v1"
    put(folder / f"{SLIDE}.h5", np.arange(12.0).reshape(4, 3).astype(np.float16), target_magnification=20)
    put(folder / "TCGA-AB-0002-01A-01-TS1.h5", np.ones((1, 2, 3), np.float32))  # as CLAM stacks one bag
    put(folder / "thumbnail.h5", np.ones((1, 3)))
    put(folder / "TCGA-AB-0003-01Z-00-DX1.h5", np.ones((0, 3)))
    return folder


def test_slides_of_a_folder(slides: Path, source: Make) -> None:
    (raw,) = read(source(slides, "patches-h5", modality="patches", unit=None))
    assert raw.frame is not None
    assert raw.frame.drop("path").rows() == [
        ("TCGA-AB-0001-01Z-00-DX1", SLIDE, "uni_v1", 4, 3),
        ("TCGA-AB-0002-01A-01-TS1", "TCGA-AB-0002-01A-01-TS1", "uni_v1", 2, 3),
    ]
    assert raw.drops.counts == {"no barcode": 1, "no patch": 1}
    assert raw.rows_in == 4
    (raw,) = read(source(slides, "patches-h5", modality="patches", unit=None), Sampling(origin="id"))
    assert raw.frame is not None
    assert "thumbnail" in raw.frame["raw_id"].to_list()


def patches(of: Source, slide_id: str) -> list[pl.DataFrame]:
    (raw,) = read(of)
    assert raw.frame is not None
    (slide,) = raw.frame.filter(pl.col("slide_id") == slide_id).to_dicts()
    return list(iter_patches(of, slide, FeatureCache(of.path, lambda path: ("", 0))))


def test_patches_come_in_batches(slides: Path, source: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches_h5, "BATCH", 3)
    folder = source(slides, "patches-h5", modality="patches", unit=None)
    frames = patches(folder, SLIDE)
    assert [f.height for f in frames] == [3, 1]
    whole = pl.concat(frames)
    assert whole.schema["features"] == pl.Array(pl.Float32, 3)
    assert whole["patch"].to_list() == [0, 1, 2, 3]
    assert whole["x"].to_list() == [0, 2, 4, 6]
    assert whole["y"].to_list() == [1, 3, 5, 7]
    assert set(whole["magnification"]) == {20.0}
    np.testing.assert_array_equal(whole["features"].to_numpy(), np.arange(12).reshape(4, 3))
    (frame,) = patches(folder, "TCGA-AB-0002-01A-01-TS1")
    assert frame["magnification"].to_list() == [20.0, 20.0]  # of the folder's name


def test_a_folder_of_clam_says_nothing_of_encoder_and_magnification(tmp_path: Path, source: Make) -> None:
    put(tmp_path / "h5_files" / f"{SLIDE}.h5", np.ones((2, 3), np.float32), patch_level=1, patch_size=256)
    folder = source(tmp_path, "patches-h5", modality="patches", unit=None)
    (frame,) = patches(folder, SLIDE)
    assert frame["encoder"].to_list() == ["unknown"] * 2
    assert frame["magnification"].to_list() == [None, None]
    (frame,) = patches(replace(folder, encoder="resnet50", magnification=20.0), SLIDE)
    assert frame["encoder"].to_list() == ["resnet50"] * 2
    assert frame["magnification"].to_list() == [20.0, 20.0]


def test_a_whole_job_of_trident(tmp_path: Path, source: Make) -> None:
    job = tmp_path / "20x_256px_0px_overlap"
    put(job / "features_uni_v2" / f"{SLIDE}.h5", np.ones((2, 3)))
    (job / "patches").mkdir()
    with h5py.File(job / "patches" / f"{SLIDE}_patches.h5", "w") as file:
        file.create_dataset("coords", data=np.ones((2, 2)))
    (job / "slide_features_titan").mkdir()
    with h5py.File(job / "slide_features_titan" / f"{SLIDE}.h5", "w") as file:
        file.create_dataset("features", data=np.ones(5))
    (raw,) = read(source(tmp_path, "patches-h5", modality="patches", unit=None))
    assert raw.frame is not None
    assert raw.frame["encoder"].to_list() == ["uni_v2"]
    assert raw.drops.counts == {"coordinates without features": 1, "features of a whole slide, not of patches": 1}
    put(job / "features_phikon" / f"{SLIDE}.h5", np.ones((2, 5)))
    with pytest.raises(
        SourceError, match=r"several encoders: phikon \(5 numbers\), uni_v2 \(3 numbers\).*features_phikon"
    ):
        read(source(tmp_path, "patches-h5", modality="patches", unit=None))


def test_a_slide_in_two_folders_is_refused(tmp_path: Path, source: Make) -> None:
    for magnification in ("10x_256px_0px_overlap", "20x_256px_0px_overlap"):
        put(tmp_path / magnification / "features_uni_v1" / f"{SLIDE}.h5", np.ones((2, 3)))
    with pytest.raises(SourceError, match="1 slides are there twice.*a source of its own: 10x_256px.*, 20x_256px"):
        read(source(tmp_path, "patches-h5", modality="patches", unit=None))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_feature_that_is_no_number_is_named(tmp_path: Path, source: Make, wrong: float) -> None:
    features = np.ones((4, 3), np.float32)
    features[2, 1] = wrong
    put(tmp_path / f"{SLIDE}.h5", features)
    with pytest.raises(SourceError, match="patch 2 has a number that is NaN or infinite"):
        patches(source(tmp_path, "patches-h5", modality="patches", unit=None), SLIDE)


def test_bad_slides(tmp_path: Path, source: Make) -> None:
    path = put(tmp_path / "a" / f"{SLIDE}.h5", np.ones((4, 3)), np.ones((3, 2)))
    with pytest.raises(SourceError, match=r"coords has the shape \(3, 2\) and features \(4, 3\)"):
        read(source(path.parent, "patches-h5", modality="patches", unit=None))
    with h5py.File(path, "w") as file:
        file.create_dataset("coords", data=np.ones((3, 2)))
    with pytest.raises(SourceError, match="none of 1 files has a barcode in its name and a patch with features"):
        read(source(path.parent, "patches-h5", modality="patches", unit=None))
    whole = put(tmp_path / "b" / f"{SLIDE}.h5", np.ones((400, 30)))
    whole.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(SourceError, match="no whole HDF5 file"):
        read(source(whole.parent, "patches-h5", modality="patches", unit=None))
    (tmp_path / "d" / "pt_files").mkdir(parents=True)
    (tmp_path / "d" / "pt_files" / f"{SLIDE}.pt").write_bytes(b"")
    with pytest.raises(SourceError, match="there are .pt files but no .h5 file.*h5_files"):
        read(source(tmp_path / "d", "patches-h5", modality="patches", unit=None))
    (tmp_path / "c").mkdir()
    with pytest.raises(SourceError, match="there is no .h5 file in the folder"):
        read(source(tmp_path / "c", "patches-h5", modality="patches", unit=None))
