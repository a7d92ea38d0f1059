"""Which rows lose a modality, as it is taken from more and more of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from models.batch import MultiOmicsBatch

__all__ = ["DropPlan"]


@dataclass(frozen=True, slots=True)
class DropPlan:
    """Which rows lose a modality, drawn once, so that every model loses the same.

    Attributes
    ----------
    modality
        Which one is taken.
    seed
        Of the draw.
    order
        The ids of the rows that have it and another one, in the order in which they lose it: what is taken at one
        share is taken at every larger one. A row with nothing else keeps it, as there would be nothing to judge.
    """

    modality: str
    seed: int
    order: tuple[str, ...]

    @classmethod
    def draw(cls, batch: MultiOmicsBatch, modality: str, seed: int) -> DropPlan:
        """Draw the order of the rows of a batch; the order in which they stand makes no difference."""
        can = batch.has(modality) & (batch.present.sum(dim=1) > 1)
        ids = sorted(batch.sample_id[i] for i in can.nonzero()[:, 0].tolist())
        shuffled = np.random.default_rng(seed).permutation(len(ids)).tolist()
        return cls(modality, seed, tuple(ids[i] for i in shuffled))

    def apply(self, batch: MultiOmicsBatch, share: float) -> MultiOmicsBatch:
        """Return the batch as it would be had this share of the rows in `order` never been measured.

        Parameters
        ----------
        batch
            The rows that the plan was drawn for.
        share
            In [0, 1]; rounded to whole rows.
        """
        lost = set(self.order[: round(share * len(self.order))])
        rows = torch.tensor([s in lost for s in batch.sample_id], device=batch.present.device)
        column = torch.tensor([m == self.modality for m in batch.modalities], device=batch.present.device)
        return replace(batch, present=batch.present & ~(rows[:, None] & column))
