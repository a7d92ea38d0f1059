"""What ARO's table shows beside it: the simple methods, fitted on train and val together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.baselines.prediction import PCAReconstruction, TrainMean
from models.bench.rivals import GroupMean, rival_guesses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch

__all__ = ["Tissues", "reconstructed", "translated"]

#: Patient to tissue, for the methods that read it.
Tissues = dict[str, str | None]


def translated(
    known: Sequence[MultiOmicsBatch], pair: tuple[str, str], judged: MultiOmicsBatch, tissues: Tissues | None
) -> dict[str, NDArray[np.float64]]:
    """Return what the simple methods predict of one modality from another.

    Parameters
    ----------
    known
        The parts to fit on.
    pair
        (source, target).
    judged
        Rows with both.
    tissues
        Where they are known.

    Returns
    -------
    Per method (n, F).
    """
    source, target = pair
    fitted_on = [part.take(torch.nonzero(part.has(source) & part.has(target))[:, 0]) for part in known]
    inputs, targets = (np.vstack([part.measured(m) for part in fitted_on]) for m in pair)
    groups = None if tissues is None else (_groups(tissues, fitted_on), _groups(tissues, [judged]))
    return rival_guesses((inputs, targets), judged.measured(source), groups)


def reconstructed(
    known: Sequence[MultiOmicsBatch],
    modalities: Sequence[str],
    target: str,
    judged: MultiOmicsBatch,
    *,
    width: int,
    tissues: Tissues | None,
) -> dict[str, NDArray[np.float64]]:
    """Return what is simple for a modality that is itself shown.

    Parameters
    ----------
    known, judged, tissues
        As in `translated`.
    modalities
        All that are shown.
    target
        Which to give back.
    width
        Components of PCA, or as many as the rows have: a fold with fewer rows is still the same method.

    Returns
    -------
    Per method (n, F).
    """
    whole = {m: np.vstack([part.measured(m) for part in known]) for m in modalities}
    places = np.cumsum([0, *(v.shape[1] for v in whole.values())])
    at = list(modalities).index(target)
    pca = PCAReconstruction(np.hstack(list(whole.values())), width)
    rebuilt = pca.predict(np.hstack([judged.measured(m) for m in modalities]))
    found = {
        "train mean": TrainMean(whole[target]).predict(judged.measured(target)),
        "PCA": rebuilt[:, places[at] : places[at + 1]],
    }
    if tissues is not None:
        means = GroupMean(_groups(tissues, known), whole[target])
        found["tissue mean"] = means.predict_groups(_groups(tissues, [judged]))
    return found


def _groups(tissues: Mapping[str, str | None], parts: Sequence[MultiOmicsBatch]) -> list[str | None]:
    return [tissues.get(patient) for part in parts for patient in part.patient_id]
