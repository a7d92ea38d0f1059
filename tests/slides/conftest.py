"""Made slides and made encoders: a pyramid with two spots of tissue, and tiny models with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

GLASS, STAIN = 245, (200, 120, 170)

#: Centre and radii of the spots of tissue, as shares of the side.
SPOTS = ((0.35, 0.5, 0.2, 0.3), (0.8, 0.25, 0.1, 0.1))


def tissue(size: int) -> np.ndarray:
    """Where a made slide has tissue."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    return np.any([((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1 for cx, cy, rx, ry in SPOTS], axis=0)


def made_slide(path: Path, size: int = 1024, *, mpp: float | None = 0.5, seed: int = 0) -> Path:
    """Write a pyramid TIFF (levels 1, 4, 16) of two spots of tissue on glass."""
    import tifffile

    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), GLASS, np.uint8)
    where = tissue(size)
    picture[where] = (np.array(STAIN) + rng.integers(-25, 25, (int(where.sum()), 3))).clip(0, 255)
    with tifffile.TiffWriter(path) as out:
        for down in (1, 4, 16):
            out.write(
                picture[::down, ::down].copy(),
                photometric="rgb",
                tile=(256, 256),
                compression="deflate",
                resolutionunit="CENTIMETER" if mpp else "NONE",
                resolution=(1e4 / mpp / down,) * 2 if mpp else (1, 1),
                subifds=2 if down == 1 else None,
                subfiletype=0 if down == 1 else 1,
            )
    return path


@pytest.fixture(scope="session")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made slide; only for reading."""
    return made_slide(tmp_path_factory.mktemp("slide") / "TCGA-AB-0001-01Z-00-DX1.MADE.tiff")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny encoders with random weights: vit, dinov2, vit without a pooler."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("models")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.utils.logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vit = transformers.ViTConfig(**small, image_size=32, patch_size=8)
        transformers.ViTModel(vit).save_pretrained(root / "vit")
        transformers.ViTModel(vit, add_pooling_layer=False).save_pretrained(root / "no_pooler")
        transformers.Dinov2Model(transformers.Dinov2Config(**small, image_size=28, patch_size=14)).save_pretrained(
            root / "dinov2"
        )
    for name in ("vit", "no_pooler"):
        transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(root / name)
    transformers.BitImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}
    ).save_pretrained(root / "dinov2")
    transformers.utils.logging.enable_progress_bar()
    return {folder.name: folder for folder in sorted(root.iterdir())}


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    """Write the params.yaml of a study with one source, and return its folder."""

    def write(**source: object) -> Path:
        entry = {"cohort": "LAML", **source}
        section = {"dataset": "tcga", "cohorts": ["LAML"], "sources": [entry]}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": section}), "utf-8")
        return tmp_path

    return write
