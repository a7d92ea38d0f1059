"""ARO: one autoencoder over the concatenated modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from models.components.compiling import compile_in_place
from models.components.encoders import mlp
from models.components.losses import observed_huber
from models.components.masking import drop_modalities
from models.module import Embedding, MultiOmicsModule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor

    from models.aro.config import AROConfig
    from models.batch import MultiOmicsBatch

__all__ = ["ARO"]

#: Epochs over which the rate of the cosine schedule rises.
_RISE = 3


class ARO(MultiOmicsModule):
    """One multilayer perceptron from all modalities to all modalities.

    Dropout on the input, ``1 + layers`` hidden layers with ReLU, one linear layer out. What is missing enters as 0: the
    training mean under the `default` transform, "at or below the mean" under `paper`. The embedding is the last hidden
    layer.

    Parameters
    ----------
    axes
        Per modality the number of features, in the order in which they are concatenated.
    config
        Settings.

    Examples
    --------
    >>> from models.aro.config import PRESETS
    >>> with torch.device("meta"):
    ...     ARO({"rna": 50455, "prot": 20639}, PRESETS["paper"]).n_parameters
    303863222
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"missing_modality", "unpaired", "translate"})

    def __init__(self, axes: dict[str, int], config: AROConfig) -> None:
        super().__init__(axes)
        self.config = config
        width = sum(axes.values())
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.encoder = mlp([width, *[config.hidden] * (1 + config.layers)], dropout=config.dropout)
        self.decoder_dropout = nn.Dropout(config.decoder_dropout)
        self.decoder = nn.Linear(config.hidden, width)

    def configure_model(self) -> None:
        """Compile encoder and decoder in place where the settings ask for it."""
        if self.config.compile:
            compile_in_place(self.encoder)
            compile_in_place(self.decoder)

    def _inputs(self, batch: MultiOmicsBatch, keep: Tensor) -> Tensor:
        """Return (B, sum of features): what the first layer reads of the modalities to keep, (B, M) bool."""
        inputs = torch.cat([batch.input(m, keep[:, batch.modalities.index(m)]) for m in self.axes], dim=1)
        return inputs / keep.sum(dim=1, keepdim=True).clamp(min=1) if self.config.average else inputs

    def _hidden(self, batch: MultiOmicsBatch, keep: Tensor) -> Tensor:
        hidden: Tensor = self.encoder(self.input_dropout(self._inputs(batch, keep)))
        return hidden

    def _decode(self, hidden: Tensor) -> dict[str, Tensor]:
        out: Tensor = self.decoder(self.decoder_dropout(hidden))
        if self.config.output == "softplus":
            out = nn.functional.softplus(out)
        return dict(zip(self.axes, torch.split(out, list(self.axes.values()), dim=1), strict=True))

    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        """Embed the rows of a batch: from all that is present, and from each modality alone."""
        alone = {}
        for modality in self.axes:
            z = self._hidden(batch, batch.only([modality]).present)
            alone[modality] = torch.where(batch.has(modality)[:, None], z, torch.full_like(z, torch.nan))
        return Embedding(self._hidden(batch, batch.present), alone)

    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, Tensor]:
        """Predict `targets` from what is present; per target (B, F)."""
        decoded = self._decode(self._hidden(batch, batch.present))
        return {m: decoded[m] for m in targets}

    def loss(self, batch: MultiOmicsBatch) -> Tensor:
        """Return the Huber loss over observed entries, averaged over what the model may read of each row.

        With masking, a training step reads what `drop_modalities` leaves, and validation reads everything and then each
        modality alone, so that the epoch is chosen for imputation as well as for reconstruction.
        """
        losses = [
            observed_huber(self._decode(self._hidden(batch, keep)), batch, balance=self.config.balance)
            for keep in self._views(batch)
        ]
        return torch.stack(losses).mean()

    def _views(self, batch: MultiOmicsBatch) -> list[Tensor]:
        if self.config.mask_modality == 0:
            return [batch.present]
        if self.training:
            return [drop_modalities(batch.present, self.config.mask_modality)]
        alone = []
        for modality in self.axes:
            only, has = batch.only([modality]).present, batch.has(modality)
            alone.append(torch.where(has[:, None], only, batch.present))
        return [batch.present, *alone]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, its rate by the schedule that the settings name."""
        config = self.config
        optimizer = torch.optim.AdamW(self.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True)
        if config.schedule == "cosine":
            rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / (_RISE + 1), total_iters=_RISE)
            fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.max_epochs)
            both = torch.optim.lr_scheduler.ChainedScheduler([rise, fall], optimizer)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": both}}
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=config.lr_patience)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val/loss"}}
