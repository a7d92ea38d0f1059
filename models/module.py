"""What every model of the house is."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import lightning.pytorch as lightning
import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from models.batch import MultiOmicsBatch

__all__ = ["CAPABILITIES", "Embedding", "MultiOmicsModule"]

#: What a model may be able to do; the command line and the tests choose by it.
CAPABILITIES = frozenset({"missing_modality", "unpaired", "translate", "survival"})


@dataclass(frozen=True, slots=True)
class Embedding:
    """Where samples lie in a model's own space.

    Attributes
    ----------
    z
        (B, D), from all that is present.
    per_modality
        Per modality (B, D), from that modality alone; NaN rows where it is absent.
    """

    z: Tensor
    per_modality: dict[str, Tensor]


class MultiOmicsModule(lightning.LightningModule):
    """Base of every model: it reads batches, embeds samples and reconstructs modalities.

    Attributes
    ----------
    capabilities
        Members of `CAPABILITIES`.
    axes
        Per modality the number of features, in the model's order.
    """

    capabilities: ClassVar[frozenset[str]]

    def __init__(self, axes: dict[str, int]) -> None:
        super().__init__()
        self.axes = dict(axes)

    @abstractmethod
    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        """Embed the rows of a batch."""

    @abstractmethod
    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, Tensor]:
        """Predict modalities, on the transformed scale, from what is present.

        Parameters
        ----------
        batch
            What may be read.
        targets
            The modalities to predict.

        Returns
        -------
        Per target (B, F).
        """

    @abstractmethod
    def loss(self, batch: MultiOmicsBatch) -> Tensor:
        """Return the loss that is optimised, () float32; it may mask while the module is in training mode."""

    def training_step(self, batch: MultiOmicsBatch, batch_idx: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        """Return the loss of one training batch."""
        value = self.loss(batch)
        self.log("train/loss", value, on_step=False, on_epoch=True, batch_size=len(batch), sync_dist=True)
        return value

    def validation_step(self, batch: MultiOmicsBatch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Log the loss of one validation batch."""
        self.log("val/loss", self.loss(batch), batch_size=len(batch), sync_dist=True)

    @property
    def n_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(p.numel() for p in self.parameters())

    @torch.inference_mode()
    def export_embeddings(self, batches: Iterable[MultiOmicsBatch]) -> tuple[list[str], NDArray[np.float32]]:
        """Return sample ids and their (n, D) float32 embeddings, in the order of the batches."""
        self.eval()
        ids: list[str] = []
        parts = []
        for batch in batches:
            ids.extend(batch.sample_id)
            parts.append(self.encode(batch.to(self.device)).z.float().cpu().numpy())
        return ids, np.concatenate(parts)

    @torch.inference_mode()
    def predict_arrays(
        self, batches: Iterable[MultiOmicsBatch], targets: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return per target the (n, F) float32 prediction, in the order of the batches."""
        self.eval()
        parts: dict[str, list[Any]] = {m: [] for m in targets}
        for batch in batches:
            for modality, guess in self.reconstruct(batch.to(self.device), targets).items():
                parts[modality].append(guess.float().cpu().numpy())
        return {m: np.concatenate(p) for m, p in parts.items()}
