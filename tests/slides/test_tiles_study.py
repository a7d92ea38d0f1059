"""From slides and tile images to a store, and what is said of bad ones."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

import omicstore
from omicstore.build.plan import load_plan, plan
from omicstore.build.store import build_study
from omicstore.cli import app
from omicstore.errors import OmicstoreError, SourceError, StudyError, UnknownNameError, UsageError
from omicstore.readers import tiles as reader
from omicstore.readers.recognise import look
from omicstore.slides import encoder as encoder_module
from omicstore.slides.slide import Slide
from omicstore.sources import load_study

Write = Callable[..., Path]

SLIDES = ("TCGA-AB-0001-01Z-00-DX1.MADE", "TCGA-AB-0002-01Z-00-DX1.MADE")


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def slides(tmp_path: Path, slide: Path) -> Path:
    """A folder of two equal slides, one of glass alone, and one of nobody."""
    folder = tmp_path / "slides"
    folder.mkdir()
    for name in (*SLIDES, "nobody"):
        shutil.copy(slide, folder / f"{name}.tiff")
    import tifffile

    glass = np.full((512, 512, 3), 245, np.uint8)
    tifffile.imwrite(
        folder / "TCGA-AB-0003-01Z-00-DX1.MADE.tif", glass, tile=(256, 256), photometric="rgb",
        resolution=(40000, 40000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return folder


def test_a_study_of_slides(
    slides: Path, models: dict[str, Path], study: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = study(path="slides", format="tiles", encoder=str(models["dinov2"]), keep_tiles=True, exposure=["TCGA"])
    release = build_study(root, quiet)
    with Slide(slides / f"{SLIDES[0]}.tiff") as opened, omicstore.open(root / "data" / "store") as store:
        corners = opened.corners.tolist()
        cohort = store.query(modalities="patches")
        found = cohort.to_polars("patches")
        own = found.filter(pl.col("slide_id") == SLIDES[0])
        assert own.select("x", "y").rows() == [tuple(c) for c in corners]
        assert own["patch"].to_list() == list(range(len(corners)))
        assert set(own["magnification"]) == {20.0}
        assert set(own["encoder"]) == {"dinov2"}
        expected = encoder_module.load(models["dinov2"])([opened.tile(*c) for c in corners])
        np.testing.assert_allclose(own["features"].to_numpy(), expected, atol=1e-6)
        assert own["tile"].to_list() == [encoder_module.jpeg(opened.tile(*c)) for c in corners]
        assert cohort.slides().drop("path").rows() == [
            (name, name[:15], name[:12], "LAML", "dinov2", len(corners)) for name in SLIDES
        ]
        (provenance,) = store.table("provenance").to_dicts()
        assert json.loads(provenance["drops"]) == {"no barcode": 1, "no tissue": 1}
        said = json.loads(provenance["encoder"])
        assert (said["encoder"], said["seen"], said["source"]) == ("dinov2", ["TCGA"], "the study file")
        assert len(said["weights"]) == 64
        two = cohort.prototypes(k=2)
        assert two.means.shape == (2, 2, 16)
        assert two.slides["slide_id"].to_list() == list(SLIDES)
        np.testing.assert_array_equal(two.means[0], two.means[1])  # equal slides
        assert sum(f.height for f in cohort.patches(SLIDES[0])) == len(corners)
        with pytest.raises(UnknownNameError, match="slide of this query 'TCGA'"):
            cohort.patches("TCGA")
    # Again, from what is kept: the encoder is not loaded, the store is the same.
    shutil.rmtree(root / "data")
    with monkeypatch.context() as patch:
        patch.setattr(reader, "load", lambda folder: pytest.fail("the features are kept"))
        assert build_study(root, quiet) == release
    # Once more, with nothing kept or with damaged files.
    shutil.rmtree(root / "data")
    for kept in (root / ".omicstore" / "patches").iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    assert build_study(root, quiet) == release


def test_a_store_without_encoder_holds_the_tiles(slides: Path, study: Write) -> None:
    root = study(path="slides", format="tiles", keep_tiles=True, magnification=20)
    build_study(root, quiet)
    with omicstore.open(root / "data" / "store") as store:
        cohort = store.query(modalities="patches")
        found = cohort.to_polars("patches")
        assert "features" not in found.columns
        assert set(found["encoder"]) == {"none"}
        assert set(found["magnification"]) == {20.0}
        assert found["tile"].null_count() == 0
        with pytest.raises(OmicstoreError, match="None is of tiles that are stored without features"):
            cohort.prototypes()
        assert "encoder" not in store.table("provenance").columns


def test_two_encoders_of_one_slide(slides: Path, models: dict[str, Path], study: Write) -> None:
    root = study(path="slides", format="tiles", encoder=str(models["dinov2"]))
    body = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    body["study"]["sources"].append(body["study"]["sources"][0] | {"encoder": str(models["vit"])})
    (root / "params.yaml").write_text(yaml.safe_dump(body), "utf-8")
    build_study(root, quiet)
    with omicstore.open(root / "data" / "store") as store:
        cohort = store.query(modalities="patches")
        assert cohort.slides()["encoder"].to_list() == ["dinov2", "vit"] * 2
        with pytest.raises(UsageError, match="slides of several encoders: dinov2, vit.*encoder='dinov2'"):
            cohort.prototypes(k=2)
        assert cohort.prototypes(k=2, encoder="vit").means.shape == (2, 2, 16)
        with pytest.raises(UnknownNameError, match="encoder 'uni'"):
            cohort.prototypes(encoder="uni")
    done = CliRunner().invoke(app, ["query", "--modalities", "patches", "--store", str(root / "data" / "store")])
    assert "patches: encoders dinov2, vit;" in done.stdout


def test_other_weights_are_another_plan_and_other_features(
    slides: Path, models: dict[str, Path], tmp_path: Path, study: Write
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["dinov2"], folder)
    root = study(path="slides", format="tiles", encoder="model")
    assert plan(root) == {"LAML": True}
    text = (root / "plan" / "LAML.json").read_text("utf-8")
    assert json.loads(text)["sources"][0]["encoder"]["path"] == "model"  # as seen from the study
    assert load_plan(root, "LAML").study.sources[0].encoder == str(folder)
    assert plan(root) == {"LAML": False}
    shutil.rmtree(folder)
    shutil.copytree(models["vit"], folder)
    with pytest.raises(StudyError, match="changed since the plan was made"):
        load_plan(root, "LAML")
    assert plan(root) == {"LAML": True}


def images(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name in (
        "TCGA-AB-0001-01Z-00-DX1_512_0.png",
        "TCGA-AB-0001-01Z-00-DX1_0_0.png",
        "TCGA-AB-0002-01Z-00-DX1_7.jpg",
    ):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(folder / name)
    return folder


def test_a_folder_of_tile_images(tmp_path: Path, models: dict[str, Path], study: Write) -> None:
    folder = images(tmp_path / "tiles")
    root = study(path="tiles", format="tiles", encoder=str(models["vit"]), keep_tiles=True, magnification=20)
    build_study(root, quiet)
    with omicstore.open(root / "data" / "store") as store:
        found = store.query(modalities="patches").to_polars("patches")
    assert found.select("slide_id", "patch", "x", "y", "magnification").rows() == [
        ("TCGA-AB-0001-01Z-00-DX1", 0, 0, 0, 20.0),
        ("TCGA-AB-0001-01Z-00-DX1", 1, 512, 0, 20.0),
        ("TCGA-AB-0002-01Z-00-DX1", 0, None, None, 20.0),
    ]
    assert found["tile"][2] == (folder / "TCGA-AB-0002-01Z-00-DX1_7.jpg").read_bytes()  # a JPEG is kept as it is


@pytest.mark.parametrize("kind", ["L", "I;16", "RGBA", "P", "CMYK", "LA"])
def test_images_of_any_kind_look_as_they_did(tmp_path: Path, study: Write, kind: str) -> None:
    grey = np.full((16, 16), 100, np.uint8)
    grey[:, 8:] = 200
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if kind == "I;16" else Image.fromarray(grey).convert(kind)
    (tmp_path / "tiles").mkdir()
    picture.save(tmp_path / "tiles" / f"TCGA-AB-0001-01Z-00-DX1_0_0.{'jpg' if kind == 'CMYK' else 'png'}", quality=95)
    (tmp_path / "tiles" / "._TCGA-AB-0001-01Z-00-DX1_0_0.png").write_bytes(b"left by a system")
    root = study(path="tiles", format="tiles", keep_tiles=True)
    build_study(root, quiet)
    with omicstore.open(root / "data" / "store") as store:
        (tile,) = store.query(modalities="patches").to_polars("patches")["tile"]
    held = Image.open(io.BytesIO(tile))
    assert held.mode == "RGB"
    assert np.abs(np.asarray(held).astype(int) - grey[..., None]).max() <= 4


def test_what_is_transparent_is_glass() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert np.asarray(encoder_module.as_rgb(clear)).min() == 255
    with pytest.raises(ValueError, match="32-bit numbers"):
        encoder_module.as_rgb(Image.new("F", (4, 4)))


def test_two_tiles_of_one_place_are_refused(tmp_path: Path, study: Write) -> None:
    for part in "ab":
        (tmp_path / "tiles" / part).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "tiles" / part / "TCGA-AB-0001-01Z-00-DX1_0_512.png")
    root = study(path="tiles", format="tiles", keep_tiles=True)
    with pytest.raises(SourceError, match="b/TCGA.*is the tile at x 0, y 512 of slide.*and so is .*a/TCGA"):
        build_study(root, quiet)


def test_a_broken_image_is_named(tmp_path: Path, study: Write) -> None:
    folder = images(tmp_path / "tiles")
    broken = folder / "TCGA-AB-0001-01Z-00-DX1_0_0.png"
    broken.write_bytes(broken.read_bytes()[:2000])
    root = study(path="tiles", format="tiles", keep_tiles=True)
    with pytest.raises(SourceError, match="DX1_0_0.png.* cannot be read as an image"):
        build_study(root, quiet)
    assert not (root / "data" / "store" / "store.json").exists()


def test_real_pictures(real_data: Path, tmp_path: Path, models: dict[str, Path], study: Write) -> None:
    root = study(path=str(real_data / "tiles"), format="tiles", encoder=str(models["dinov2"]), cohort="GBMLGG")
    text = (root / "params.yaml").read_text("utf-8").replace("- LAML", "- GBMLGG")
    (root / "params.yaml").write_text(text, "utf-8")
    build_study(root, quiet)
    with omicstore.open(root / "data" / "store") as store:
        found = store.query(modalities="patches", sample_type="all").to_polars("patches")
    assert found["sample_id"].to_list() == ["TCGA-26-1442-01", "TCGA-HT-7470-01"]
    assert np.isfinite(found["features"].to_numpy()).all()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "neither features nor tiles of slides would be stored.*keep_tiles: true"),
        ({"encoder": "./no/such/model"}, "there is no folder .*no/such/model.*facebook/dinov2-base"),
        ({"keep_tiles": True, "magnification": "20x"}, "magnification is '20x'.*a number over 0"),
        ({"keep_tiles": True, "magnification": 0}, "magnification is 0"),
        ({"keep_tiles": True, "tile_size": 25.5}, "tile_size is 25.5.*a number of pixels"),
        ({"keep_tiles": "yes please"}, "keep_tiles is 'yes please'.*true or false"),
        ({"encoder": "uni", "exposure": {"TCGA": 1}}, "exposure is .*a list of data sets, none, or unknown"),
        ({"format": "matrix", "modality": "rna", "unit": "tpm", "encoder": "uni"}, "encoder is for patches, not for matrix"),
        ({"encoder": "uni", "magnifcation": 20}, "magnifcation"),
        ({"encoder": "uni", "exposure": "nonne"}, "exposure names 'nonne'. Expected none,"),
        ({"encoder": "uni", "exposure": ["PAIP", "TGCA"]}, "exposure names 'TGCA'. Expected TCGA,"),
        ({"encoder": "uni", "exposure": ["TCGA-BRAC"]}, "'TCGA-BRAC', which is no cohort of TCGA. Expected one of TCGA-BRCA"),
    ],
)  # fmt: skip
def test_mistakes_in_the_study_file(study: Write, more: dict[str, object], said: str) -> None:
    root = study(**{"path": "slides", "format": "tiles", **more})
    with pytest.raises((StudyError, UnknownNameError), match=said):
        load_study(root / "params.yaml")


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("none", ()),
        ("None", ()),
        ([], ()),
        (["TCIA", "tcga-blca"], ("TCIA", "tcga-blca")),
        ("unknown", ("unknown",)),
        ("TCGA", ("TCGA",)),
        (["TCGA", "PAIP"], ("TCGA", "PAIP")),
    ],
)
def test_exposure_in_the_study_file(study: Write, said: object, held: tuple[str, ...]) -> None:
    root = study(path="x", format="patches-h5", exposure=said)
    assert load_study(root / "params.yaml").sources[0].exposure == held


def test_folders_without_slides(tmp_path: Path, study: Write) -> None:
    (tmp_path / "empty").mkdir()
    for name, said in (("empty", "there is no slide and no image in the folder"), ("absent", "does not exist")):
        root = study(path=name, format="tiles", keep_tiles=True)
        with pytest.raises(OmicstoreError, match=said):
            build_study(root, quiet)
    Image.new("RGB", (8, 8)).save(tmp_path / "empty" / "picture.png")
    root = study(path="empty", format="tiles", keep_tiles=True)
    with pytest.raises(SourceError, match="none of 1 slides can be taken: 1 with no barcode.*study.samples"):
        build_study(root, quiet)


def test_slides_without_tissue_and_slides_of_other_pixels(tmp_path: Path, study: Write) -> None:
    import tifffile

    (tmp_path / "slides").mkdir()
    path = tmp_path / "slides" / "TCGA-AB-0001-01Z-00-DX1.tiff"
    about = {"tile": (256, 256), "photometric": "rgb", "resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    root = study(path="slides", format="tiles", keep_tiles=True)
    for pixels, said in (
        (np.full((512, 512, 3), 245, np.uint8), "none of 1 slides can be taken: 1 with no tissue.*256 pixels at 20x.*overview"),
        (np.full((512, 512, 3), 9, np.uint16), "cannot be read at x 0, y 0.*8-bit RGB"),
    ):  # fmt: skip
        tifffile.imwrite(path, pixels, **about)
        with pytest.raises(SourceError, match=said):
            build_study(root, quiet)


def test_one_slide_in_two_sources(tmp_path: Path, study: Write) -> None:
    for part in "ab":
        images(tmp_path / part)
    root = study(path="a", format="tiles", keep_tiles=True)
    body = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    body["study"]["sources"].append(body["study"]["sources"][0] | {"path": "b"})
    (root / "params.yaml").write_text(yaml.safe_dump(body), "utf-8")
    with pytest.raises(
        SourceError, match="/b: slide TCGA-AB-0001-01Z-00-DX1 of encoder none is there twice, here and as .*/a"
    ):
        build_study(root, quiet)


def test_slides_and_tiles_are_recognised(slides: Path, tmp_path: Path) -> None:
    for path in (slides, slides / f"{SLIDES[0]}.tiff", images(tmp_path / "tiles")):
        guess = reader.recognise(look(path))
        assert guess is not None
        assert (guess.format, guess.modality) == ("tiles", "patches")
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / f"figure{i}.png")
    assert reader.recognise(look(tmp_path / "pictures")) is None
    assert reader.recognise(look(tmp_path / "pictures" / "figure0.png")) is None
    assert reader.recognise(look(tmp_path)) is None
