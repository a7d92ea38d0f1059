"""A trained model with the rows that it is judged on: all that a protocol may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.baselines.rowspace import RowSpace
from models.batch import MultiOmicsBatch, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from models.evaluate.labels import Labelled
    from models.module import MultiOmicsModule
    from models.settings import EvaluateSettings
    from models.tune.saved import Tuned

__all__ = ["PARTS", "Trial", "joined", "side_by_side"]

PARTS = ("train", "val", "test")


def side_by_side(batch: MultiOmicsBatch) -> NDArray[np.float32]:
    """Return all modalities side by side, (n, features), 0 wherever there is nothing to read."""
    return np.hstack([batch.input(m).numpy() for m in batch.modalities])


def joined(batches: Sequence[MultiOmicsBatch]) -> MultiOmicsBatch:
    """Return the rows of several batches of the same modalities as one."""
    names = batches[0].modalities
    return MultiOmicsBatch(
        {m: torch.cat([b.values[m] for b in batches]) for m in names},
        {m: torch.cat([b.observed[m] for b in batches]) for m in names},
        torch.cat([b.present for b in batches]),
        Targets(*(torch.cat([getattr(b.targets, name) for b in batches]) for name in ("label", "time", "event"))),
        tuple(s for b in batches for s in b.sample_id),
        tuple(p for b in batches for p in b.patient_id),
    )


@dataclass(frozen=True)
class Trial:
    """What is judged, on what.

    Attributes
    ----------
    name
        The model's, for the tables.
    module
        The model.
    parts
        ``train``, ``val`` and ``test``, whole.
    patients
        A row per patient: patient_id, cohort, age_years, sex, stage.
    settings
        What was asked for.
    features
        Per modality the ids of its features.
    labelled
        Task to the labels of the parts, of the tasks to judge.
    tuned
        Name to head, of those trained on the model.
    own_task
        The task whose classes the model itself has learned, if it has learned any.
    """

    name: str
    module: MultiOmicsModule
    parts: Mapping[str, MultiOmicsBatch]
    patients: pl.DataFrame
    settings: EvaluateSettings
    features: Mapping[str, Sequence[str]]
    labelled: Mapping[str, Labelled] = field(default_factory=dict)
    tuned: Mapping[str, Tuned] = field(default_factory=dict)
    own_task: str | None = None

    @property
    def test(self) -> MultiOmicsBatch:
        """The test rows."""
        return self.parts["test"]

    def embed(self, batch: MultiOmicsBatch) -> NDArray[np.float32]:
        """Return the (n, D) embedding of the rows of a batch."""
        return self.module.export_embeddings(batch.pieces())[1]

    @cached_property
    def z(self) -> dict[str, NDArray[np.float32]]:
        """The embedding of each part."""
        return {part: self.embed(batch) for part, batch in self.parts.items()}

    @property
    def width(self) -> int:
        """Dimensions of the embedding, which PCA gets as well."""
        return int(self.z["train"].shape[1])

    @cached_property
    def axes(self) -> RowSpace:
        """The principal axes of all modalities side by side, found on the training rows."""
        return RowSpace.fit(side_by_side(self.parts["train"]))

    def components(self, batch: MultiOmicsBatch) -> NDArray[np.float64]:
        """Return as many principal components of the rows as the embedding is wide, or as the training rows have."""
        return self.axes.scores(side_by_side(batch))[:, : self.width]

    @cached_property
    def readers(self) -> dict[str, Callable[[MultiOmicsBatch], NDArray[np.floating]]]:
        """What a probe may read, by the name of its method: the model's embedding, and principal components."""
        return {"embedding": self.embed, "pca": self.components}

    def cohorts(self, batch: MultiOmicsBatch) -> list[str]:
        """Return the cohort of each row, empty where the patients table has none."""
        known = dict(self.patients.select("patient_id", "cohort").drop_nulls().iter_rows())
        return [known.get(p, "") for p in batch.patient_id]
