"""From the slides of a query to the rows of a batch."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from models.slides.axis import SlideAxis
from omicstore.errors import MissingExtraError, StudyError
from omicstore.store.patches import of_encoder

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from models.slides.axis import SlideSettings
    from omicstore.store.cohort import Cohort

__all__ = ["choose", "find_axis", "read_slides"]


def find_axis(cohort: Cohort, settings: SlideSettings, seed: int) -> SlideAxis:
    """Return what the slides of a query are to be read as.

    Parameters
    ----------
    cohort
        A query that asks for patches.
    settings
        What is wanted.
    seed
        Of the draw of patches of training rows.

    Raises
    ------
    StudyError
        If there is no slide, or vectors are asked for and there are none, or of several lengths.
    """
    every = cohort.slides()
    if every.is_empty():
        raise StudyError(
            "no training row has a slide",
            expected="a modality that the training cohorts have",
            run="edit train.modalities or train.cohorts in params.yaml",
        )
    if settings.pixels:
        # The tiles of a slide are the same whoever encoded them.
        encoder = settings.encoder or every["encoder"].sort()[0]
        of_encoder(every, encoder)
        return SlideAxis(settings.n, settings.pixels, encoder, 3 * settings.pixels**2, seed)
    slides = of_encoder(every, settings.encoder or None)
    encoder = slides["encoder"][0]
    held = cohort.store.body["patches"]
    widths = {held[name]["encoders"].get(encoder) for name in slides["cohort"].unique()}
    if None in widths or len(widths) != 1:
        raise StudyError(
            f"the vectors of {encoder} have the lengths {', '.join(map(str, sorted(widths, key=str)))}",
            expected="one length; None is of tiles that are stored without vectors",
            run="name encoder: in the sources of patches, or set slide_pixels in train.config to read the tiles",
        )
    return SlideAxis(settings.n, 0, encoder, int(widths.pop()), seed)


def choose(sample_id: str, total: int, n: int, seed: int | None) -> NDArray[np.int64]:
    """Return which of the `total` patches of a sample a row holds, ascending: `n`, or all where there are fewer.

    Parameters
    ----------
    sample_id
        Whose: with the seed it decides the draw, so that this depends on no other row.
    total, n
        How many there are, and how many are wanted.
    seed
        Of a draw; where absent they lie evenly over the slide, since the first ones are all from one edge of it.

    Examples
    --------
    >>> choose("a", 10, 4, None).tolist(), choose("a", 3, 4, None).tolist()
    ([1, 3, 6, 8], [0, 1, 2])
    """
    if total <= n:
        return np.arange(total)
    if seed is None:
        return np.asarray((2 * np.arange(n) + 1) * total // (2 * n), dtype=np.int64)
    mine = int.from_bytes(hashlib.sha256(sample_id.encode()).digest()[:8], "big")
    return np.sort(np.random.default_rng([seed, mine]).choice(total, n, replace=False))


def read_slides(cohort: Cohort, axis: SlideAxis, *, draw: bool) -> NDArray[np.float32]:
    """Return (samples, n x width) numbers of the patches of each sample, NaN where it has none, or fewer.

    A vector is brought to mean 0 and variance 1 over its own numbers, as a masked image autoencoder does with its
    squares (He et al. 2022, CVPR, 16000: section 4.1); pixels are brought from 0-255 to -1 to 1, channels first. So
    nothing is learned from any row, and a state may say of patches that they are read as they are.

    Parameters
    ----------
    cohort
        A query that asks for patches. Of a held-out part they come out only through a state that names them.
    axis
        What to read.
    draw
        Whether the patches are drawn, as for training rows; else they lie evenly over the slides of the sample.
    """
    slides = of_encoder(cohort.slides(), axis.encoder) if len(cohort.slides()) else cohort.slides()
    rows = {sample: i for i, sample in enumerate(cohort.samples["sample_id"])}
    chosen: dict[str, list[int]] = {}
    places: dict[str, tuple[int, int]] = {}
    for (sample,), own in slides.sort("slide_id").group_by("sample_id", maintain_order=True):
        filled = 0
        ends = np.cumsum(own["n_patches"].to_numpy())
        picked = choose(str(sample), int(ends[-1]), axis.n, axis.seed if draw else None)
        for slide_id, start, end in zip(own["slide_id"], [0, *ends[:-1]], ends, strict=True):
            mine = picked[(picked >= start) & (picked < end)] - start
            if len(mine):
                chosen[slide_id], places[slide_id] = mine.tolist(), (rows[str(sample)], filled)
                filled += len(mine)
    values = np.full((len(rows), axis.n, axis.width), np.nan, dtype=np.float32)
    column, numbers = ("tile", _pixels) if axis.pixels else ("features", _vectors)
    if chosen:
        for slide_id, found in cohort.pick_patches(chosen, column, axis.encoder):
            row, first = places[slide_id]
            values[row, first : first + len(found)] = numbers(found, axis)
    return values.reshape(len(rows), axis.n * axis.width)


def _vectors(found: pl.Series, axis: SlideAxis) -> NDArray[np.float32]:
    """Return (patches, width) each with mean 0 and variance 1; a vector of one number all over is 0."""
    values = found.to_numpy().reshape(len(found), axis.width).astype(np.float64)
    centred = values - values.mean(axis=1, keepdims=True)
    sd = centred.std(axis=1, keepdims=True)
    return np.asarray(np.divide(centred, sd, out=np.zeros_like(centred), where=sd > 0), dtype=np.float32)


def _pixels(found: pl.Series, axis: SlideAxis) -> NDArray[np.float32]:
    """Return (patches, 3 x pixels x pixels) in -1 to 1."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("pillow", "slides") from None
    tiles = []
    for picture in found:
        with Image.open(io.BytesIO(picture)) as opened:
            image = opened.convert("RGB")
        if image.size != (axis.pixels, axis.pixels):
            image = image.resize((axis.pixels, axis.pixels), Image.Resampling.BOX)
        tiles.append(np.asarray(image, dtype=np.float32).transpose(2, 0, 1).reshape(-1) / 127.5 - 1)
    return np.stack(tiles)
