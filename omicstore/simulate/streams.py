"""One random stream for each part of a simulated study."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *part: str) -> np.random.Generator:
    """Return the random generator of one part of the study.

    Parts do not share a generator, so that a change to one part, or a further cohort, leaves the others as they were.

    Parameters
    ----------
    seed
        The study's seed.
    part
        The names that say which part, e.g. ``"BRCA", "rna"``.

    Examples
    --------
    >>> bool(stream(7, "BRCA", "rna").random() == stream(7, "BRCA", "rna").random())
    True
    >>> bool(stream(7, "BRCA", "rna").random() == stream(7, "LGG", "rna").random())
    False
    """
    # crc32 and not hash(): the latter changes with PYTHONHASHSEED.
    return np.random.default_rng(np.random.SeedSequence([seed, *(zlib.crc32(name.encode()) for name in part)]))
