"""Where a slide has tissue."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from omicstore.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["tissue_mask"]

#: Otsu's threshold is kept between these saturations (of 255): glass and the noise of JPEG are under the first, stained
#: tissue is over the second, and on a slide of one kind alone the threshold would cut that kind in two.
LOWEST, HIGHEST = 13, 51

#: Pixels darker than this (of 255) are no tissue: the saturation of black is noise.
DARK = 25


#: More saturated than this (of 255), and at least as green as red, is the ink of a blue or green pen: haematoxylin and
#: eosin have more red than green, and the blue of a counterstain is pale. Red ink cannot be told from eosin so.
INK = 100


def tissue_mask(picture: NDArray[np.uint8], small: int = 64) -> NDArray[np.bool_]:
    """Tell stained tissue from glass and from blue, green and black ink, by Otsu's threshold on the saturation.

    Parameters
    ----------
    picture
        (height, width, 3) uint8 RGB, a slide made small.
    small
        Spots and holes of up to so many pixels are taken away.

    Returns
    -------
    numpy.ndarray
        (height, width) bool.

    Notes
    -----
    N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. Syst. Man Cybern. 9 (1979).

    Raises
    ------
    MissingExtraError
        If scikit-image is not installed.
    """
    try:
        filters, morphology = import_module("skimage.filters"), import_module("skimage.morphology")
    except ImportError:
        raise MissingExtraError("scikit-image", "slides") from None

    most = picture.max(axis=2).astype(np.uint16)
    saturation = (255 * (most - picture.min(axis=2)) // np.maximum(most, 1)).astype(np.uint8)
    saturation[(most < DARK) | ((saturation > INK) & (picture[..., 1] >= picture[..., 0]))] = 0
    flat = saturation.min() == saturation.max()
    threshold = LOWEST if flat else int(np.clip(filters.threshold_otsu(saturation), LOWEST, HIGHEST))
    mask = saturation > threshold
    found: NDArray[np.bool_] = morphology.remove_small_holes(
        morphology.remove_small_objects(mask, max_size=small), max_size=small
    )
    return found
