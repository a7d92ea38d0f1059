"""The drop-modality sweep: how a score falls as one modality is taken from more and more rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from omicstore.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.module import MultiOmicsModule

__all__ = ["DropPlan", "Dropped", "drop_sweep", "embedding_score"]


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

    def to_json(self) -> str:
        """Return the plan as canonical JSON."""
        return canonical_json(asdict(self) | {"order": list(self.order)}).decode()

    @classmethod
    def from_json(cls, text: str) -> DropPlan:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        return cls(body["modality"], body["seed"], tuple(body["order"]))


@dataclass(frozen=True, slots=True)
class Dropped:
    """One point of the curve.

    Attributes
    ----------
    share, n_rows
        What was asked for, and how many rows lost the modality.
    scores
        By name.
    """

    share: float
    n_rows: int
    scores: dict[str, float]


def drop_sweep(
    batch: MultiOmicsBatch,
    plan: DropPlan,
    shares: Sequence[float],
    score: Callable[[MultiOmicsBatch], Mapping[str, float]],
) -> list[Dropped]:
    """Return the scores at each share; nothing is trained again.

    Parameters
    ----------
    batch
        The test rows.
    plan
        Which rows lose what.
    shares
        Each in [0, 1].
    score
        Judges a model on a batch: `embedding_score`, or any function of one.
    """
    return [Dropped(share, round(share * len(plan.order)), dict(score(plan.apply(batch, share)))) for share in shares]


def embedding_score(
    module: MultiOmicsModule, judge: Callable[[NDArray[np.float32]], Mapping[str, float]]
) -> Callable[[MultiOmicsBatch], Mapping[str, float]]:
    """Return a score of any model: `judge` of its (n, D) embedding of the rows, in the order of the batch."""
    return lambda batch: judge(module.export_embeddings([batch])[1])
