"""Slides, and folders of tile images: cut where there is tissue, and encoded by a vision model.

Slides (.svs, .ndpi, .tif, .tiff) are cut into tiles by `omicstore.slides.slide`. An image (.png, .jpg, or a TIFF whose
name says where on the slide it lies) is one tile as it is; `omicstore.slides.names` tells what its name says.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from omicstore.errors import MissingExtraError, SourceError
from omicstore.identifiers import find_barcode
from omicstore.progress import task
from omicstore.readers.recognise import Guess
from omicstore.readers.table import Drops, RawTable
from omicstore.slides.encoder import as_rgb, encoder_name, jpeg, load, locate
from omicstore.slides.exposure import NO_ENCODER
from omicstore.slides.names import SUFFIXES as IMAGES
from omicstore.slides.names import is_tile_image, tile_images
from omicstore.slides.slide import MAGNIFICATION, Slide
from omicstore.slides.slide import SUFFIXES as SLIDES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.Image import Image

    from omicstore.readers.recognise import Head
    from omicstore.slides.cache import FeatureCache
    from omicstore.slides.names import TileImage
    from omicstore.sources import Sampling, Source

__all__ = ["iter_patches", "read_slides", "recognise"]

_SCHEMA = {
    "raw_id": pl.String,
    "slide_id": pl.String,
    "path": pl.String,
    "encoder": pl.String,
    "n_patches": pl.Int64,
}

#: Tiles that are in memory at once.
HELD = 128

#: Enters the key of what is cached; raised when the same slide and settings give other patches.
_VERSION = 2


def read_slides(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """List the slides of a folder and how many tiles each has; these are encoded later, by `iter_patches`.

    Returns
    -------
    list of RawTable
        One, with the columns raw_id (the barcode in the slide's name, else the name), slide_id, path, encoder and
        n_patches, sorted by slide.

    Raises
    ------
    SourceError
        If the folder has no slide and no image, one cannot be read, or a slide is there twice.
    """
    files = _files(source.path)
    images = tile_images(p for p in files if is_tile_image(p))
    slides = [p for p in files if p.suffix.lower() in SLIDES and not is_tile_image(p)]
    if not images and not slides:
        found = "there is no slide and no image in the folder" if source.path.exists() else "no such folder"
        raise SourceError(
            source.path,
            found,
            expected=f"files that end in {', '.join(SLIDES + IMAGES)}",
            run="mend the path in the study file",
        )
    drops = Drops()
    named = [(slide_id, source.path, tiles) for slide_id, tiles in images.items()] + [(p.stem, p, None) for p in slides]
    encoder = NO_ENCODER if source.encoder is None else encoder_name(source.encoder)
    rows: list[dict[str, Any]] = []
    with task(f"finding tissue on {source.path.name}", len(named), "slides") as advance:
        for slide_id, path, tiles in sorted(named, key=lambda n: (n[0], str(n[1]))):
            advance()
            barcode = find_barcode(slide_id)
            if barcode is None and sampling is None:
                drops.add("no barcode", [slide_id])
                continue
            if tiles is not None:
                _refuse_same_place(tiles)
            count = len(tiles) if tiles is not None else _count(source, path)
            if count == 0:
                drops.add("no tissue", [slide_id])
                continue
            raw_id = barcode.text if barcode is not None else slide_id
            rows.append(dict(zip(_SCHEMA, (raw_id, slide_id, str(path), encoder, count), strict=True)))
    if not rows:
        raise _none_of(source, len(named), drops)
    frame = pl.DataFrame(rows, schema=_SCHEMA)
    twice = frame.filter(frame["slide_id"].is_duplicated())["slide_id"]
    if len(twice):
        raise SourceError(source.path, f"slide {twice[0]} is there twice", expected="each slide once")
    return [
        RawTable(
            "patches", source, source.modality, frame=frame, rows_in=len(named), columns_in=len(_SCHEMA), drops=drops
        )
    ]


def iter_patches(source: Source, slide: Mapping[str, Any], cache: FeatureCache) -> Iterator[pl.DataFrame]:
    """Cut and encode the tiles of one slide, some at a time; see `omicstore.readers.iter_patches`.

    What was made of the same slide by the same encoder with the same settings is taken from the cache.
    """
    path = Path(slide["path"])
    tiles = None if path.suffix.lower() in SLIDES and not is_tile_image(path) else _tiles(path)[slide["slide_id"]]
    folder = None if source.encoder is None else locate(source.encoder)
    facts = {
        "version": _VERSION,
        "slide": cache.describe(path)[0]
        if tiles is None
        else [(t.path.name, cache.describe(t.path)[0]) for t in tiles],
        "encoder": None if folder is None else [slide["encoder"], cache.describe(folder)[0]],
        "settings": [source.magnification, source.level0_magnification, source.tile_size, source.keep_tiles],
    }

    def make() -> Iterator[pl.DataFrame]:
        encode = None if folder is None else load(folder)
        places = _cut(source, path) if tiles is None else _opened(tiles)
        magnification = source.magnification or (MAGNIFICATION if tiles is None else None)
        with task(f"encoding {slide['slide_id']}", slide["n_patches"], "tiles") as advance:
            start = 0
            while batch := list(itertools.islice(places, HELD)):
                found: dict[str, Any] = {
                    "patch": pl.Series(range(start, start + len(batch)), dtype=pl.Int64),
                    "x": pl.Series([p.x for p in batch], dtype=pl.Int64),
                    "y": pl.Series([p.y for p in batch], dtype=pl.Int64),
                    "magnification": pl.Series([magnification] * len(batch), dtype=pl.Float64),
                    "encoder": [slide["encoder"]] * len(batch),
                }
                if encode is not None:
                    values = encode([p.image for p in batch])
                    found["features"] = pl.Series(values, dtype=pl.Array(pl.Float32, values.shape[1]))
                if source.keep_tiles:
                    found["tile"] = [p.jpeg or jpeg(p.image) for p in batch]
                yield pl.DataFrame(found)
                start += len(batch)
                advance(len(batch))

    return cache.patches(facts, make)


def recognise(head: Head) -> Guess | None:
    """Tell a slide by its ending, and a folder of slides or tile images by those of its files."""
    names = [Path(name) for name in head.names] if head.is_dir else [head.path]
    slides = [p for p in names if p.suffix.lower() in SLIDES and not is_tile_image(p)]
    images = [p for p in names if is_tile_image(p)]
    if not head.is_dir and not slides:
        return None  # a picture by itself may be anything
    if 2 * len(slides) > len(names):
        note = "its tiles are kept as they are; name a model (encoder: a folder or Hugging Face id) to encode them"
        return Guess("tiles", modality="patches", specific=10, notes=(note,), keys={"keep_tiles": True})
    barcoded = [p for p in images if find_barcode(tile_images([p]).popitem()[0]) is not None]
    if 2 * len(barcoded) > len(names):
        note = "each image is one tile and is kept; name a model (encoder: a folder or Hugging Face id) to encode them"
        return Guess("tiles", modality="patches", specific=10, notes=(note,), keys={"keep_tiles": True})
    return None


class _Place(NamedTuple):
    """A tile: where it lies in level 0, its picture, and its JPEG where that is what its file holds."""

    x: int | None
    y: int | None
    image: Image
    jpeg: bytes | None = None


def _none_of(source: Source, n: int, drops: Drops) -> SourceError:
    why = " and ".join(f"{count} with {reason}" for reason, count in sorted(drops.counts.items()))
    found = f"none of {n} slides can be taken: {why}"
    if "no barcode" in drops.counts:
        names = "TCGA-XX-XXXX-01Z-00-DX1.svs or TCGA-XX-XXXX-01Z-00-DX1_512_1024.png"
        return SourceError(
            source.path, found, expected=f"names such as {names}", run="give study.samples for other names"
        )
    tile = f"a tile of {source.tile_size} pixels at {source.magnification or MAGNIFICATION:g}x"
    return SourceError(
        source.path,
        found,
        expected=f"stained tissue on half of {tile}",
        run="look at a slide with omicstore.slides.overview, and mend magnification: and tile_size: of the source",
    )


def _files(path: Path) -> list[Path]:
    """Return the files below a folder; hidden ones are what systems leave there (``._tile.png``)."""
    if path.is_file():
        return [path]
    shown = (p for p in path.rglob("*") if not any(part.startswith(".") for part in p.relative_to(path).parts))
    return sorted(p for p in shown if p.is_file())


def _tiles(path: Path) -> dict[str, list[TileImage]]:
    return tile_images(p for p in _files(path) if is_tile_image(p))


def _refuse_same_place(tiles: list[TileImage]) -> None:
    """Two tiles of one place are the same tissue twice, or two slides under one name."""
    seen: dict[tuple[int, int], Path] = {}
    for tile in tiles:
        if tile.x is None or tile.y is None:
            continue
        if other := seen.get((tile.x, tile.y)):
            raise SourceError(
                tile.path,
                f"is the tile at x {tile.x}, y {tile.y} of slide {tile.slide_id}, and so is {other}",
                expected="one tile for each place of a slide",
                run="leave one of them out, or give the slides names of their own",
            )
        seen[tile.x, tile.y] = tile.path


def _slide(source: Source, path: Path) -> Slide:
    return Slide(path, source.magnification or MAGNIFICATION, source.tile_size, source.level0_magnification)


def _count(source: Source, path: Path) -> int:
    with _slide(source, path) as slide:
        return len(slide.corners)


def _cut(source: Source, path: Path) -> Iterator[_Place]:
    with _slide(source, path) as slide:
        for x, y in slide.corners.tolist():
            yield _Place(x, y, slide.tile(x, y))


def _opened(tiles: list[TileImage]) -> Iterator[_Place]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise MissingExtraError("pillow", "slides") from None
    for tile in tiles:
        try:
            with Image.open(tile.path) as file:
                raw = tile.path.read_bytes() if file.format == "JPEG" and file.mode == "RGB" else None
                picture = as_rgb(file)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise SourceError(
                tile.path,
                f"cannot be read as an image ({' '.join(str(error).split())[:160]})",
                expected="a whole .png, .jpg or .tiff",
                run="make it again, or leave it out of the folder",
            ) from None
        yield _Place(tile.x, tile.y, picture, raw)
