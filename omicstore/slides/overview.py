"""A picture of what is taken of a slide."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np

from omicstore.errors import MissingExtraError
from omicstore.slides.slide import MAGNIFICATION, Slide

__all__ = ["overview"]

TISSUE_LINE, TILE_LINE = (0, 110, 0), (20, 60, 200)


def overview(
    path: str | Path,
    out: str | Path,
    *,
    magnification: float = MAGNIFICATION,
    tile_size: int = 256,
    level0_magnification: float | None = None,
) -> Path:
    """Draw a slide made small, the outline of its tissue (green) and the tiles that are kept (blue).

    Parameters
    ----------
    path
        The slide.
    out
        The PNG to write.
    magnification, tile_size, level0_magnification
        As in the study file.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    SourceError
        If it is no slide that can be cut at that magnification.
    MissingExtraError
        If scikit-image, tiffslide or pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw

        segmentation = import_module("skimage.segmentation")
    except ImportError:
        raise MissingExtraError("scikit-image", "slides") from None

    with Slide(Path(path), magnification, tile_size, level0_magnification) as slide:
        picture = slide.picture.copy()
        picture[segmentation.find_boundaries(slide.mask, mode="thick")] = TISSUE_LINE
        image = Image.fromarray(picture)
        draw = ImageDraw.Draw(image)
        for x, y in slide.corners.astype(np.float64) / slide.scale:
            draw.rectangle((x, y, x + slide.side / slide.scale, y + slide.side / slide.scale), outline=TILE_LINE)
    image.save(out, "PNG")
    return Path(out)
