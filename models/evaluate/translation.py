"""From each modality to each: what a model predicts of one when it reads another alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.evaluate.bootstrap import Estimate, estimate, patient_weights
from models.evaluate.metrics import prediction_metrics
from models.evaluate.prediction import FEWEST_TEST, observed_array

if TYPE_CHECKING:
    from models.batch import MultiOmicsBatch
    from models.module import MultiOmicsModule

__all__ = ["Translation", "translation_matrix"]


@dataclass(frozen=True, slots=True)
class Translation:
    """One cell of the matrix.

    Attributes
    ----------
    source, target
        What is read, and what is predicted; the same on the diagonal, which is reconstruction.
    n_samples
        Rows that have both.
    scores
        Per name of `models.evaluate.metrics.METRICS` its value and interval; empty where there are fewer rows than
        `models.evaluate.prediction.FEWEST_TEST`.
    """

    source: str
    target: str
    n_samples: int
    scores: dict[str, Estimate]


def translation_matrix(
    module: MultiOmicsModule, batch: MultiOmicsBatch, *, n_boot: int, seed: int
) -> list[Translation]:
    """Return MSE, R2 and mean Pearson r for each ordered pair of modalities, the diagonal included.

    A cell is judged on the rows that have both, in the transformed scale. All but the source is taken out of the batch
    before the model reads it. Intervals are the patient bootstrap's, from the same resamples within a cell.

    Parameters
    ----------
    module
        Anything that reconstructs.
    batch
        The test rows.
    n_boot, seed
        As `models.evaluate.bootstrap.patient_weights` takes them.
    """
    cells = []
    for source in batch.modalities:
        for target in batch.modalities:
            both = batch.take((batch.has(source) & batch.has(target)).nonzero()[:, 0])
            scores: dict[str, Estimate] = {}
            if len(both) >= FEWEST_TEST:
                guess = module.predict_arrays([both.only([source])], [target])[target]
                weights = patient_weights(both.patient_id, n_boot, seed)
                found = prediction_metrics(observed_array(both, target), guess, weights)
                scores = {name: estimate(values) for name, values in found.items()}
            cells.append(Translation(source, target, len(both), scores))
    return cells
