"""Whole slides: opened through tiffslide, made small by blocks, and cut into tiles where there is tissue."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from omicstore.errors import MissingExtraError, SourceError
from omicstore.slides.tissue import tissue_mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["MAGNIFICATION", "SUFFIXES", "Slide"]

SUFFIXES = (".svs", ".ndpi", ".tif", ".tiff")

#: At which slides are cut where a study does not say.
MAGNIFICATION = 20.0

#: The longest side of the picture in which tissue is looked for, and of a block that is read for it, in pixels.
OVERVIEW, BLOCK = 2048, 2048

#: The least share of tissue of a tile that is kept.
TISSUE = 0.5

#: Micrometres per pixel of a slide that was scanned through a microscope; what is beyond is some other resolution.
FINEST, COARSEST = 0.05, 10.0


class Slide:
    """An open slide and the grid of tiles on it; a context manager.

    Parameters
    ----------
    path
        A file that tiffslide reads.
    magnification
        At which tiles are cut.
    tile_size
        The side of a tile, in pixels at `magnification`.
    level0_magnification
        At which the slide was scanned, where it does not say.

    Raises
    ------
    SourceError
        If it is no slide, does not say at which magnification it was scanned, or that is under `magnification`.
    MissingExtraError
        If tiffslide is not installed.
    """

    def __init__(
        self,
        path: Path,
        magnification: float = MAGNIFICATION,
        tile_size: int = 256,
        level0_magnification: float | None = None,
    ) -> None:
        try:
            import tiffslide
        except ImportError:
            raise MissingExtraError("tiffslide", "slides") from None
        self.path, self.magnification, self.tile_size = path, magnification, tile_size
        try:
            self._stream = path.open("rb")
        except OSError as error:
            raise SourceError(path, f"cannot be read: {error.strerror}") from None
        logger = logging.getLogger("tifffile")
        level = logger.level
        logger.setLevel(logging.CRITICAL)  # what is wrong with a file is said once, below
        try:
            self._file = tiffslide.TiffSlide(self._stream)
            self.width, self.height = self._file.dimensions
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            self._stream.close()
            raise SourceError(
                path,
                f"cannot be opened as a slide ({' '.join(str(error).split())[:200]})",
                expected="a whole .svs, .ndpi or tiled .tiff",
                run="download it again, or leave it out of the folder",
            ) from None
        finally:
            logger.setLevel(level)
        try:
            self.level0_magnification = self._scanned_at(level0_magnification)
        except SourceError:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _close(self) -> None:
        self._file.close()
        self._stream.close()

    @property
    def side(self) -> int:
        """The side of a tile in pixels of level 0."""
        return max(1, round(self.tile_size * self.level0_magnification / self.magnification))

    @property
    def scale(self) -> float:
        """Pixels of level 0 for one of `picture`."""
        return max(1.0, max(self.width, self.height) / OVERVIEW)

    @cached_property
    def picture(self) -> NDArray[np.uint8]:
        """The slide made small, (height, width, 3) uint8 RGB; read by blocks, so that no level is in memory whole."""
        from PIL import Image

        scale = self.scale
        width, height = max(1, int(self.width / scale)), max(1, int(self.height / scale))
        level = self._file.get_best_level_for_downsample(scale)
        shrink = scale / self._file.level_downsamples[level]
        step = max(1, int(BLOCK / shrink))
        found = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, step):
            for left in range(0, width, step):
                h, w = min(step, height - top), min(step, width - left)
                size = (max(1, round(w * shrink)), max(1, round(h * shrink)))
                block = self._read(round(left * scale), round(top * scale), level, size)
                found[top : top + h, left : left + w] = np.asarray(block.resize((w, h), Image.Resampling.BOX))
        return found

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Where `picture` has tissue, (height, width) bool; spots and holes under a quarter of a tile do not count."""
        return tissue_mask(self.picture, max(16, int((self.side / self.scale) ** 2 / 4)))

    @cached_property
    def corners(self) -> NDArray[np.int64]:
        """Upper left corners of the tiles that are kept, (tiles, 2): x and y in level 0, row by row."""
        xs = np.arange(0, self.width - self.side + 1, self.side)
        ys = np.arange(0, self.height - self.side + 1, self.side)
        # A tile's share of tissue is four look-ups in the running sum of the mask.
        total = np.pad(self.mask.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))

        def edges(starts: NDArray[np.int64], most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            low = np.minimum(np.floor(starts / self.scale).astype(np.int64), most - 1)
            high = np.clip(np.ceil((starts + self.side) / self.scale).astype(np.int64), low + 1, most)
            return low, high

        (left, right), (top, bottom) = edges(xs, total.shape[1] - 1), edges(ys, total.shape[0] - 1)
        held = total[bottom][:, right] - total[top][:, right] - total[bottom][:, left] + total[top][:, left]
        area = (bottom - top)[:, None] * (right - left)[None, :]
        rows, columns = np.nonzero(held >= TISSUE * area)
        return np.stack([xs[columns], ys[rows]], axis=1).astype(np.int64)

    def tile(self, x: int, y: int) -> Image:
        """Return the tile whose upper left corner is at `x`, `y` of level 0, as an RGB picture of `tile_size`."""
        from PIL import Image

        level = self._file.get_best_level_for_downsample(self.side / self.tile_size)
        side = max(1, round(self.side / self._file.level_downsamples[level]))
        found = self._read(x, y, level, (side, side))
        whole = (self.tile_size, self.tile_size)
        return found if found.size == whole else found.resize(whole, Image.Resampling.LANCZOS)

    def _read(self, x: int, y: int, level: int, size: tuple[int, int]) -> Image:
        try:
            found: Image = self._file.read_region((x, y), level, size).convert("RGB")
        except (OSError, ValueError, TypeError, LookupError, RuntimeError) as error:
            raise SourceError(
                self.path,
                f"cannot be read at x {x}, y {y} ({' '.join(str(error).split())[:200]})",
                expected="a whole slide of 8-bit RGB",
                run="download it again, or leave it out of the folder",
            ) from None
        return found

    def _scanned_at(self, said: float | None) -> float:
        found = said or _number(self._file.properties.get("tiffslide.objective-power"))
        if found is None:
            mpp = _number(self._file.properties.get("tiffslide.mpp-x"))
            # 10x is 1 micrometre per pixel, 40x a quarter of it; scanners are near that, not at it.
            found = round(10 / mpp, 1) if mpp is not None and FINEST <= mpp <= COARSEST else None
        if found is None:
            raise SourceError(
                self.path,
                "does not say at which magnification it was scanned",
                expected="an objective power or micrometres per pixel in the file",
                run="add level0_magnification: 40 (or what it is) to the source",
            )
        # 0.2525 micrometres per pixel is what many call 40x.
        if found < 0.9 * self.magnification:
            raise SourceError(
                self.path,
                f"was scanned at {found:g}x, and tiles are asked for at {self.magnification:g}x",
                expected="a magnification of at most that of the slide",
                run=f"set magnification: {found:g} in the source",
            )
        return float(found)


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
