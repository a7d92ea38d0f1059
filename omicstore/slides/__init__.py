"""Slides: tissue, tiles, the features of an encoder, what encoders have seen, prototypes, and a picture to look at."""

from omicstore.slides.overview import overview
from omicstore.slides.prototypes import Prototypes, prototypes

__all__ = ["Prototypes", "overview", "prototypes"]
