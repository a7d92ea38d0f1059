"""What a batch holds of the slides of a sample: how many patches, what of each, and what the columns are called."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

__all__ = ["PATCHES", "SlideAxis", "SlideSettings"]

#: The modality in stores and batches.
PATCHES = "patches"


@dataclass(frozen=True, slots=True)
class SlideSettings:
    """How slides are to be read.

    Attributes
    ----------
    n
        Patches of a sample.
    pixels
        0: the vectors that a slide encoder made. Else the tiles themselves, brought to that many pixels a side.
    encoder
        Whose vectors; need not be named where the store has those of one.
    """

    n: int = 16
    pixels: int = 0
    encoder: str = ""

    @classmethod
    def of(cls, config: object) -> SlideSettings:
        """Return what a model's settings say of slides (slide_patches, slide_pixels, slide_encoder), else the usual."""
        usual = cls()
        return cls(
            n=getattr(config, "slide_patches", usual.n),
            pixels=getattr(config, "slide_pixels", usual.pixels),
            encoder=getattr(config, "slide_encoder", usual.encoder),
        )


@dataclass(frozen=True, slots=True)
class SlideAxis:
    """The columns of slides in a batch: `n` patches, each of `width` numbers, side by side.

    Nothing of it is learned from rows. It is kept with the fitted state, so that whoever reads later reads the same.

    Attributes
    ----------
    n, pixels, encoder
        As in `SlideSettings`; the encoder is always named.
    width
        Numbers of a patch: of its vector, or 3 x pixels x pixels.
    seed
        Of the draw of patches of training rows.

    Examples
    --------
    >>> SlideAxis(n=2, pixels=0, encoder="uni", width=3, seed=0).names
    ('uni/0/0', 'uni/0/1', 'uni/0/2', 'uni/1/0', 'uni/1/1', 'uni/1/2')
    """

    n: int
    pixels: int
    encoder: str
    width: int
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called: encoder (or ``tile``), patch, number."""
        return _names("tile" if self.pixels else self.encoder, self.n, self.width)

    def to_json(self) -> dict[str, Any]:
        """Return what a state's JSON file holds of it."""
        return asdict(self)


@lru_cache(maxsize=4)
def _names(of: str, n: int, width: int) -> tuple[str, ...]:
    return tuple(f"{of}/{i}/{j}" for i in range(n) for j in range(width))
