"""How well hidden and missing modalities are given back, beside the training mean and ridge regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.baselines.prediction import Ridge, TrainMean
from models.evaluate.bootstrap import patient_weights
from models.evaluate.metrics import prediction_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.datamodule import CohortDataModule
    from models.imputmae.module import ImpuTMAE

__all__ = ["OURS", "reconstruction_scores", "side_by_side"]

#: What the names of the model's own methods begin with.
OURS = "ImpuTMAE"


def side_by_side(rows: MultiOmicsBatch, modalities: Sequence[str]) -> NDArray[np.float32]:
    """Return the features of some modalities, (n, p), 0 where nothing was observed."""
    return np.concatenate([rows.input(m).numpy() for m in modalities], axis=1)


def reconstruction_scores(
    data: CohortDataModule, pretrained: dict[str, ImpuTMAE], bootstrap: int, seed: int
) -> dict[str, dict[str, dict[str, NDArray[np.float64]]]]:
    """Return how well each modality of the test part is predicted: per task, method and measure (1 + bootstrap,).

    Tasks are ``M from itself``: hidden halves from the other half, and from other modalities where the model has them;
    and ``A+B to M``. Beside both the training mean, and beside the second ridge regression, all fitted on train.

    Parameters
    ----------
    data
        The fold.
    pretrained
        By view; ``all`` reads every modality.
    bootstrap, seed
        Resamples of the patients.
    """
    train, test = data.part("train"), data.part("test")
    found: dict[str, dict[str, dict[str, NDArray[np.float64]]]] = {}
    for m in data.modalities:
        others = [other for other in data.modalities if other != m]
        own = train.take(torch.nonzero(train.has(m))[:, 0])
        wanted = own.measured(m)
        shown = test.take(torch.nonzero(test.has(m))[:, 0])
        guesses: dict[str, NDArray[np.floating]] = {
            f"{OURS}, {name}": _guess(module, shown, m) for name, module in pretrained.items() if m in module.axes
        }
        guesses["train mean"] = TrainMean(wanted).predict(shown.measured(m))
        found[f"{m} from itself"] = _scores(shown, m, guesses, bootstrap, seed)
        if not others:
            continue
        paired = test.take(torch.nonzero(test.present.all(dim=1))[:, 0])
        guesses = {
            OURS: _guess(pretrained["all"], paired.only(others), m),
            "train mean": TrainMean(wanted).predict(paired.measured(m)),
            "ridge": Ridge(side_by_side(own, others), wanted).predict(side_by_side(paired, others)),
        }
        found[f"{'+'.join(others)} to {m}"] = _scores(paired, m, guesses, bootstrap, seed)
    return found


def _guess(module: ImpuTMAE, rows: MultiOmicsBatch, modality: str) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(module.reconstruct(rows, [modality])[modality].numpy())


def _scores(
    rows: MultiOmicsBatch, modality: str, guesses: dict[str, NDArray[np.floating]], bootstrap: int, seed: int
) -> dict[str, dict[str, NDArray[np.float64]]]:
    truth, weights = rows.measured(modality), patient_weights(rows.patient_id, bootstrap, seed)
    return {name: prediction_metrics(truth, guess, weights) for name, guess in guesses.items()}
