"""How well hidden and missing modalities are given back, beside the training mean and ridge regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.baselines.prediction import Ridge, TrainMean
from models.evaluate.metrics import prediction_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.datamodule import CohortDataModule
    from models.imputmae.module import ImpuTMAE

__all__ = ["reconstruction_scores", "side_by_side"]


def side_by_side(rows: MultiOmicsBatch, modalities: Sequence[str]) -> NDArray[np.float32]:
    """Return the features of some modalities, (n, p), 0 where nothing was observed."""
    return np.concatenate([rows.input(m).numpy() for m in modalities], axis=1)


def reconstruction_scores(
    data: CohortDataModule, pretrained: dict[str, ImpuTMAE]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return per modality of the test part MSE, R2 and Pearson of each way to predict it.

    ``itself``: hidden halves from the other half, and from other modalities where there are any. ``others``: without
    it. Beside both the training mean, and ridge regression on the others.
    """
    train, test = data.part("train"), data.part("test")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for m in data.modalities:
        rows = test.take(torch.nonzero(test.has(m))[:, 0])
        truth = torch.where(rows.target_mask(m), rows.values[m], torch.nan).numpy()
        own_train = train.take(torch.nonzero(train.has(m))[:, 0])
        wanted = torch.where(own_train.target_mask(m), own_train.values[m], torch.nan).numpy()
        others = [other for other in data.modalities if other != m]
        guesses = {"train mean": TrainMean(wanted).predict(truth)}
        for name, module in pretrained.items():
            if m in module.axes:
                with torch.inference_mode():
                    guesses[f"ImpuTMAE, {name}, from itself"] = module.reconstruct(rows, [m])[m].numpy()
        if others:
            with torch.inference_mode():
                guesses["ImpuTMAE, from the others"] = pretrained["all"].reconstruct(rows.only(others), [m])[m].numpy()
            ridge = Ridge(side_by_side(own_train, others), wanted)
            guesses["ridge, from the others"] = ridge.predict(side_by_side(rows, others))
        found[m] = {
            name: {key: float(v[0]) for key, v in prediction_metrics(truth, guess, np.ones((1, len(truth)))).items()}
            for name, guess in guesses.items()
        }
    return found
