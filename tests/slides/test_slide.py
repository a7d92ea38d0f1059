"""Tissue, magnification and tiles of a slide."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omicstore.errors import SourceError
from omicstore.slides import overview
from omicstore.slides.names import TileImage, is_tile_image, tile_images
from omicstore.slides.slide import Slide
from omicstore.slides.tissue import tissue_mask

_SPEC = importlib.util.spec_from_file_location("made_slides", Path(__file__).with_name("conftest.py"))
made = importlib.util.module_from_spec(_SPEC)
sys.modules["made_slides"] = made
_SPEC.loader.exec_module(made)


def test_the_mask_is_the_tissue(slide: Path) -> None:
    with Slide(slide) as opened:
        mask = opened.mask
    assert mask.shape == (1024, 1024)
    assert (mask != made.tissue(1024)).mean() < 0.001


def test_glass_alone_has_no_tissue_and_tissue_alone_no_glass() -> None:
    rng = np.random.default_rng(0)
    glass = rng.integers(238, 248, (64, 64, 3)).astype(np.uint8)
    assert not tissue_mask(glass).any()
    assert not tissue_mask(np.zeros((64, 64, 3), np.uint8)).any()
    stained = (np.array(made.STAIN) + rng.integers(-30, 30, (64, 64, 3))).astype(np.uint8)
    assert tissue_mask(stained).all()


def test_spots_and_holes_are_taken_away() -> None:
    picture = np.full((64, 64, 3), made.GLASS, np.uint8)
    picture[10:50, 10:50] = made.STAIN
    picture[20:22, 20:22] = made.GLASS
    picture[60:62, 60:62] = made.STAIN
    mask = tissue_mask(picture, small=16)
    assert mask.sum() == 40 * 40
    assert mask[21, 21]
    assert not mask[61, 61]


@pytest.mark.parametrize(("magnification", "side"), [(20.0, 256), (10.0, 512)])
def test_tiles_lie_on_a_grid_and_hold_tissue(slide: Path, magnification: float, side: int) -> None:
    where = made.tissue(1024)
    with Slide(slide, magnification) as opened:
        assert opened.level0_magnification == 20.0
        assert opened.side == side
        kept = {tuple(corner) for corner in opened.corners.tolist()}
        for y in range(0, 1024, side):
            for x in range(0, 1024, side):
                share = where[y : y + side, x : x + side].mean()
                if abs(share - 0.5) > 0.01:
                    assert ((x, y) in kept) == (share > 0.5)
        assert [tuple(c) for c in opened.corners.tolist()] == sorted(kept, key=lambda c: (c[1], c[0]))
        for x, y in opened.corners.tolist()[:2]:
            tile = opened.tile(x, y)
            assert tile.size == (256, 256)
            whole = np.full((1024, 1024, 3), made.GLASS, float)
            whole[where] = made.STAIN
            expected = whole[y : y + side, x : x + side].mean(axis=(0, 1))
            np.testing.assert_allclose(np.asarray(tile).mean(axis=(0, 1)), expected, atol=2.0)


def test_a_picture_read_by_blocks_is_the_picture(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Slide(slide) as opened:
        whole = opened.picture
    monkeypatch.setattr("omicstore.slides.slide.BLOCK", 300)
    with Slide(slide) as opened:
        np.testing.assert_array_equal(opened.picture, whole)


def test_a_slide_that_does_not_say_its_magnification(tmp_path: Path) -> None:
    path = made.made_slide(tmp_path / "TCGA-AB-0001-01Z-00-DX1.MADE.tiff", 512, mpp=None)
    with pytest.raises(
        SourceError, match="does not say at which magnification it was scanned.*level0_magnification: 40"
    ):
        Slide(path)
    with Slide(path, level0_magnification=20.0) as opened:
        assert opened.side == 256


def test_a_slide_scanned_at_less_than_what_is_asked_for(tmp_path: Path) -> None:
    path = made.made_slide(tmp_path / "TCGA-AB-0001-01Z-00-DX1.MADE.tiff", 512, mpp=1.0)
    with pytest.raises(SourceError, match="was scanned at 10x, and tiles are asked for at 20x.*magnification: 10"):
        Slide(path)


def count(path: Path) -> int:
    with Slide(path) as opened:
        return len(opened.corners)


def test_a_file_that_is_no_slide(tmp_path: Path) -> None:
    path = tmp_path / "TCGA-AB-0001-01Z-00-DX1.svs"
    path.write_bytes(b"II*\0 this is none")
    with pytest.raises(SourceError, match="cannot be opened as a slide"):
        Slide(path)
    whole = made.made_slide(tmp_path / "whole.tiff", 512).read_bytes()
    path.write_bytes(whole[: len(whole) // 8])
    with pytest.raises(SourceError, match="cannot be (opened as a slide|read at x)"):
        count(path)


def test_overview_draws_the_tiles(slide: Path, tmp_path: Path) -> None:
    out = overview(slide, tmp_path / "slide.png", tile_size=128)
    picture = np.asarray(Image.open(out))
    assert picture.shape == (1024, 1024, 3)
    with Slide(slide, tile_size=128) as opened:
        x, y = opened.corners[0]
    assert tuple(picture[y, x]) == (20, 60, 200)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("S1_512_1024.png", ("S1", 512, 1024, None)),
        ("S1_0_512_1024.png", ("S1_0", 512, 1024, None)),
        ("S1_x512_y1024.jpg", ("S1", 512, 1024, None)),
        ("S1 [x=512,y=1024,w=256,h=256].tif", ("S1", 512, 1024, None)),
        ("S1/512_1024.png", ("S1", 512, 1024, None)),
        ("S1_7.png", ("S1", None, None, 7)),
        ("S1.png", ("S1", None, None, None)),
        ("TCGA-26-1442-01Z-00-DX1.FD8D4EB7-AD5E-49E8-BD0B-6CDDEA8DDB35_1.png",
         ("TCGA-26-1442-01Z-00-DX1.FD8D4EB7-AD5E-49E8-BD0B-6CDDEA8DDB35", None, None, 1)),
    ],
)  # fmt: skip
def test_names_of_tiles(name: str, said: tuple[object, ...]) -> None:
    tile = TileImage.of(Path("tiles") / name)
    assert (tile.slide_id, tile.x, tile.y, tile.number) == said


def test_a_tiff_is_a_tile_if_its_name_says_where() -> None:
    names = ("S1.tif", "S1_512_0.tif", "S1.svs", "S1.PNG", "S1.txt")
    assert [is_tile_image(Path(name)) for name in names] == [False, True, False, True, False]


@settings(deadline=None, max_examples=50)
@given(st.permutations(["S1_0_0.png", "S1_512_0.png", "S1_0_512.png", "S2_10.png", "S2_9.png"]))
def test_tiles_are_row_by_row_whatever_order_they_come_in(names: list[str]) -> None:
    found = tile_images(Path(name) for name in names)
    assert [t.path.name for t in found["S1"]] == ["S1_0_0.png", "S1_512_0.png", "S1_0_512.png"]
    assert [t.path.name for t in found["S2"]] == ["S2_9.png", "S2_10.png"]


def test_the_magnification_of_an_aperio_slide(tmp_path: Path) -> None:
    import tifffile

    picture = np.full((512, 512, 3), made.STAIN, np.uint8)
    about = "Aperio Image Library v11.2.1 \r\n512x512 [0,0 512x512] (256x256) JPEG/RGB Q=70|AppMag = 40|MPP = 0.2525"
    path = tmp_path / "TCGA-AB-0001-01Z-00-DX1.MADE.svs"
    tifffile.imwrite(path, picture, tile=(256, 256), photometric="rgb", description=about, metadata=None)
    with Slide(path) as opened:
        assert opened.level0_magnification == 40.0
        assert opened.corners.tolist() == [[0, 0]]
        assert opened.tile(0, 0).size == (256, 256)


@pytest.mark.parametrize(
    ("colour", "kept"),
    [
        ((20, 20, 180), False), ((40, 70, 160), False), ((20, 140, 40), False), ((10, 10, 10), False),  # pens
        ((200, 120, 170), True), ((110, 70, 150), True), ((90, 50, 120), True), ((230, 150, 180), True),  # H&E
        ((150, 110, 80), True), ((160, 170, 205), True),  # DAB and its pale counterstain
    ],
)  # fmt: skip
def test_ink_is_no_tissue(colour: tuple[int, int, int], kept: bool) -> None:
    picture = np.full((200, 200, 3), 245, np.uint8)
    picture[20:100, 20:180] = colour
    assert tissue_mask(picture)[60, 100] == kept
