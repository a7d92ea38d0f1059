"""Flexynesis (Uyar et al. 2025, Nat. Commun. 16:8261): networks per modality, fused, with settings searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.outside.run import Outside, matrices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from models.outside.run import Array, Followed

__all__ = ["FLEXYNESIS", "flexynesis_risks"]

FLEXYNESIS = Outside("Flexynesis", "flexynesis==1.1.14", "OMICSTORE_FLEXYNESIS_PYTHON", "flexynesis_survival.py")


def flexynesis_risks(
    searches: Sequence[tuple[Followed, Sequence[Mapping[str, Array]]]], *, rounds: int, epochs: int, seed: int
) -> list[list[NDArray[np.float64]]]:
    """Return, per search, the risks that its DirectPred gives groups of new samples; higher = earlier event.

    Parameters
    ----------
    searches
        Per search the samples to learn from, a fifth of which it sets apart itself to choose on, and per group of new
        samples, per modality, (m, F). Samples to learn from without every modality are left out, as Flexynesis does.
    rounds
        Settings tried in each search.
    epochs
        At most, in each round; ten without gain end it.
    seed
        Of each search, its fifth, weights and batches.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    for i, (known, new) in enumerate(searches):
        arrays |= known.whole().arrays(f"known{i}")
        for j, views in enumerate(new):
            arrays |= matrices(f"new{i}-{j}", views)
    found = FLEXYNESIS.run(arrays, {"seed": seed, "rounds": rounds, "epochs": epochs, "searches": len(searches)})
    return [[found[f"new{i}-{j}"] for j in range(len(new))] for i, (_, new) in enumerate(searches)]
