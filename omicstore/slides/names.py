"""What the names of tile images say: of which slide they are, and where on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["SUFFIXES", "TileImage", "is_tile_image", "tile_images"]

SUFFIXES = (".png", ".jpg", ".jpeg")

_TAGGED = re.compile(r"[_ \[-]*x=?(\d+)[_, -]*y=?(\d+)(?:\D.*)?$", re.IGNORECASE)
_PLAIN = re.compile(r"_(\d+)_(\d+)$")
_NUMBER = re.compile(r"_(\d+)$")
_BARE = re.compile(r"(\d+)_(\d+)")


@dataclass(frozen=True, slots=True)
class TileImage:
    """A tile's file, the slide that it is of, x and y in level 0, and its number; None where the name does not say."""

    path: Path
    slide_id: str
    x: int | None = None
    y: int | None = None
    number: int | None = None

    @classmethod
    def of(cls, path: Path) -> TileImage:
        """Read a file's name: ``<slide>_<x>_<y>.png``, ``<slide>_x1_y2``, QuPath's ``<slide> [x=1,y=2,w=3,h=4]``,
        ``<slide>_<number>``, or ``<x>_<y>`` in a folder that is named as the slide.

        Examples
        --------
        >>> from pathlib import Path
        >>> tile = TileImage.of(Path("TCGA-AB-0001-01Z-00-DX1_512_1024.png"))
        >>> tile.slide_id, tile.x, tile.y
        ('TCGA-AB-0001-01Z-00-DX1', 512, 1024)
        """  # noqa: D205 - a sentence of names
        stem = path.stem
        if bare := _BARE.fullmatch(stem):
            return cls(path, path.parent.name, int(bare[1]), int(bare[2]))
        found = _TAGGED.search(stem) or _PLAIN.search(stem)
        if found and found.start():
            return cls(path, stem[: found.start()], int(found[1]), int(found[2]))
        number = _NUMBER.search(stem)
        if number and number.start():
            return cls(path, stem[: number.start()], number=int(number[1]))
        return cls(path, stem)


def is_tile_image(path: Path) -> bool:
    """Whether a file is a tile rather than a slide: by its ending; of a TIFF by whether its name says where it is."""
    ending = path.suffix.lower()
    return ending in SUFFIXES or (ending in (".tif", ".tiff") and TileImage.of(path).x is not None)


def tile_images(paths: Iterable[Path]) -> dict[str, list[TileImage]]:
    """Return the tile images by slide: row by row where their places are known, else by number and name."""
    found: dict[str, list[TileImage]] = {}
    for path in sorted(paths):
        tile = TileImage.of(path)
        found.setdefault(tile.slide_id, []).append(tile)
    for tiles in found.values():
        tiles.sort(key=lambda t: tuple(-1 if v is None else v for v in (t.y, t.x, t.number)))
    return found
