"""An InterSIM-like study for MODIS: unpaired training rows, of which some are labelled, and complete test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightning.pytorch as lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from models.batch import MultiOmicsBatch, Targets
from models.loaders import Batches, SeededBatches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.modis.settings import Setting
    from omicstore.simulate.intersim import ClusteredOmics

    Array = NDArray[np.float32]

__all__ = ["UnpairedStudy", "make_study"]

#: Shares of the samples that train and choose the epoch; the rest is test.
_TRAIN, _VAL = 0.7, 0.1


@dataclass(frozen=True, slots=True)
class MinMax:
    """The least and the greatest value of each feature over the rows it was fitted on."""

    low: Array
    span: Array

    @classmethod
    def fit(cls, values: Array) -> MinMax:
        """Learn from (n, F)."""
        low, high = values.min(axis=0), values.max(axis=0)
        return cls(low, np.where(high > low, high - low, np.float32(1)))

    def apply(self, values: Array) -> Array:
        """Return (n, F), 0 to 1 over the rows that it was fitted on."""
        return np.asarray((values - self.low) / self.span, dtype=np.float32)


class UnpairedStudy(lightning.LightningDataModule):
    """The three parts of a study, with loaders over those that training reads.

    Parameters
    ----------
    parts
        ``train``, ``val`` and ``test``.
    truth
        The classes of the same rows, also of those that are not labelled.
    batch_size, seed
        Of the loaders.
    """

    def __init__(
        self,
        parts: Mapping[str, MultiOmicsBatch],
        truth: Mapping[str, NDArray[np.int64]],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.parts, self.truth = dict(parts), dict(truth)
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the training rows, in an order that seed and epoch decide."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return the validation rows in one batch."""
        return self._loader("val", None)

    def _loader(self, part: str, seed: int | None) -> DataLoader[MultiOmicsBatch]:
        whole = self.parts[part]
        size = len(whole) if seed is None else self.batch_size
        return DataLoader(Batches(whole), batch_size=None, sampler=SeededBatches(len(whole), size, seed=seed))


def make_study(drawn: ClusteredOmics, setting: Setting, *, batch_size: int, seed: int) -> UnpairedStudy:
    """Divide samples into parts, and take from those that train what the setting takes.

    Each training and validation sample keeps one modality, drawn evenly; a test sample keeps all, so that a translation
    can be compared with what was measured. Each feature is scaled to 0 to 1 over the training rows that have it.

    Parameters
    ----------
    drawn
        The samples, complete.
    setting
        Which rows are labelled, and which are left out.
    batch_size, seed
        Of the loaders; the seed also divides and labels.
    """
    rng = np.random.default_rng([seed, 5])
    n, modalities = len(drawn.cluster), tuple(drawn.values)
    order = rng.permutation(n)
    first, second = round(_TRAIN * n), round((_TRAIN + _VAL) * n)
    kept = rng.permutation(np.arange(n) % len(modalities))
    rows = {
        "train": setting.thinned(order[:first], drawn.cluster, kept, rng, part=1.0),
        "val": setting.thinned(order[first:second], drawn.cluster, kept, rng, part=_VAL / _TRAIN),
        "test": order[second:],
    }
    scalers = {
        m: MinMax.fit(drawn.values[m][rows["train"][kept[rows["train"]] == i]]) for i, m in enumerate(modalities)
    }
    parts = {}
    for part, own in rows.items():
        arrays = {m: scalers[m].apply(drawn.values[m][own]) for m in modalities}
        label = drawn.cluster[own]
        if part != "test":
            for i, m in enumerate(modalities):
                arrays[m][kept[own] != i] = np.nan
            label = np.where(setting.labelled(label, rng), label, -1)
        ids = [f"S{i:06d}" for i in own]
        targets = Targets.empty(len(own))
        targets.label[:] = torch.from_numpy(label)
        parts[part] = MultiOmicsBatch.from_arrays(arrays, ids, ids, targets)
    truth = {part: drawn.cluster[own] for part, own in rows.items()}
    return UnpairedStudy(parts, truth, batch_size=batch_size, seed=seed)
