"""One training of ARO on arrays that are at hand, and its predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import lightning.pytorch as lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from models.aro.module import ARO
from models.batch import MultiOmicsBatch
from models.loaders import Batches, SeededBatches
from models.train import fit

if TYPE_CHECKING:
    from models.aro.config import AROConfig

__all__ = ["Arrays", "Trained", "Training", "run"]

#: Per modality (n, F), NaN where not observed.
Arrays: TypeAlias = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Training:
    """What to train on, how, and what to predict then.

    Attributes
    ----------
    train, val
        Transformed rows.
    config
        ARO's settings.
    seed
        Of weights, batch order and masks.
    refit
        Whether to train once more, from the start, on train and val together, for as many epochs as val has chosen.
        The rate of a `plateau` schedule then follows the loss of val rows that are trained on.
    shown
        Rows to predict from, a hidden modality all NaN, and the modality to predict.
    """

    train: Arrays
    val: Arrays
    config: AROConfig
    seed: int
    refit: bool
    shown: tuple[tuple[Arrays, str], ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave.

    Attributes
    ----------
    epochs
        How many val has chosen.
    guesses
        Per entry of `Training.shown` (n, F).
    """

    epochs: int
    guesses: tuple[NDArray[np.float32], ...]


class _Parts(lightning.LightningDataModule):
    """Loaders over rows in memory."""

    def __init__(self, train: MultiOmicsBatch, val: MultiOmicsBatch, *, batch_size: int, seed: int) -> None:
        super().__init__()
        self.train, self.val, self.batch_size, self.seed = train, val, batch_size, seed

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches in an order that seed and epoch decide."""
        return self._loader(self.train, self.seed)

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches in the order of the rows."""
        return self._loader(self.val, None)

    def _loader(self, whole: MultiOmicsBatch, seed: int | None) -> DataLoader[MultiOmicsBatch]:
        order = SeededBatches(len(whole), self.batch_size, seed=seed)
        return DataLoader(Batches(whole), batch_size=None, sampler=order)


def run(training: Training) -> Trained:
    """Train, and predict.

    Parameters
    ----------
    training
        What and how.

    Raises
    ------
    OmicstoreError
        If no epoch ended in a finite val loss.
    """
    config, seed = training.config, training.seed
    val = _batch(training.val)
    data = _Parts(_batch(training.train), val, batch_size=config.batch_size, seed=seed)
    module = _new(training)
    best = fit(module, data, config, devices=1, seed=seed, advance=lambda: None)
    epochs = best.epoch + 1
    if training.refit:
        both = {m: np.vstack([values, training.val[m]]) for m, values in training.train.items()}
        data = _Parts(_batch(both), val, batch_size=config.batch_size, seed=seed)
        module = _new(training)
        # It ends after its last epoch, whatever the loss; the module knows how long its schedule would have been.
        fixed = replace(config, max_epochs=epochs, patience=epochs)
        fit(module, data, fixed, devices=1, seed=seed, advance=lambda: None)
    else:
        module.load_state_dict(best.weights)
    guesses = [module.predict_arrays([_batch(rows)], [target])[target] for rows, target in training.shown]
    return Trained(epochs, tuple(guesses))


def _new(training: Training) -> ARO:
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        return ARO({m: values.shape[1] for m, values in training.train.items()}, training.config)


def _batch(rows: Arrays) -> MultiOmicsBatch:
    names = [str(i) for i in range(len(next(iter(rows.values()))))]
    return MultiOmicsBatch.from_arrays(rows, names, names)
