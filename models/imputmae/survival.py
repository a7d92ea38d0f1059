"""ImpuTMAE tuned for survival in bins of time: impute what is missing, encode it, attend over modalities."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import nn

from models.components.heads import DiscreteTimeHead, HeadConfig
from models.imputmae.module import class_tokens, optimizers
from models.module import Embedding, MultiOmicsModule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor

    from models.batch import MultiOmicsBatch
    from models.components.time_bins import TimeBins
    from models.imputmae.config import FineTuneConfig
    from models.imputmae.module import ImpuTMAE
    from models.imputmae.vit import ModalityEncoder

__all__ = ["ImputedBody", "SurvivalImpuTMAE"]


class ImputedBody(nn.Module):
    """The encoders of a pre-trained ImpuTMAE, and one self-attention layer over their class tokens.

    What a patient lacks is imputed by the pre-trained model, which stays as it is, and then read like the rest. Of the
    encoders only the last layers and the norm after them learn.

    Parameters
    ----------
    pretrained
        It is copied, not changed.
    config
        Settings.
    """

    def __init__(self, pretrained: ImpuTMAE, config: FineTuneConfig) -> None:
        super().__init__()
        self.imputer, self.encoders, self.fusion = _parts(pretrained, config)
        self.train()  # the copies have the mode of their original

    def forward(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, D), the mean over modalities."""
        return _fused(self.imputer, self.encoders, self.fusion, batch)


def _parts(pretrained: ImpuTMAE, config: FineTuneConfig) -> tuple[ImpuTMAE, nn.ModuleDict, nn.TransformerEncoderLayer]:
    """Return what imputes, copies of the encoders whose last layers learn, and the layer that attends over them."""
    imputer = copy.deepcopy(pretrained).requires_grad_(requires_grad=False)
    encoders = copy.deepcopy(pretrained.encoders).requires_grad_(requires_grad=False)
    for encoder in encoders.values():
        own = cast("ModalityEncoder", encoder).blocks
        learns = [own.norm, *list(own.layers)[own.num_layers - config.unfreeze :]]
        for p in (p for part in learns if part is not None for p in part.parameters()):
            p.requires_grad_(requires_grad=True)
    sizes = (pretrained.config.hidden, pretrained.config.heads, pretrained.config.mlp)
    fusion = nn.TransformerEncoderLayer(*sizes, config.dropout, activation="gelu", batch_first=True, norm_first=True)
    return imputer, encoders, fusion


def _fused(imputer: ImpuTMAE, encoders: nn.ModuleDict, fusion: nn.Module, batch: MultiOmicsBatch) -> Tensor:
    # Here, not in the constructor: Lightning sets the mode of all parts at once, and what imputes draws no dropout.
    imputer.eval()
    with torch.no_grad():
        whole = imputer.complete(batch)
    fused: Tensor = fusion(class_tokens(encoders, imputer.layouts, whole))
    return fused.mean(dim=1)


class SurvivalImpuTMAE(MultiOmicsModule):
    """What `ImputedBody` does, and a linear head for survival in bins of time.

    Parameters
    ----------
    pretrained
        It is copied, not changed.
    bins
        Of follow-up time, fitted on training rows.
    config
        Settings.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"missing_modality", "translate", "survival"})

    def __init__(self, pretrained: ImpuTMAE, bins: TimeBins, config: FineTuneConfig) -> None:
        super().__init__(pretrained.axes)
        self.config = config
        self.imputer, self.encoders, self.fusion = _parts(pretrained, config)
        self.head = DiscreteTimeHead(pretrained.config.hidden, bins, HeadConfig(dropout=config.dropout, norm=True))
        self.train()  # the copies have the mode of their original

    def _fused(self, batch: MultiOmicsBatch) -> Tensor:
        return _fused(self.imputer, self.encoders, self.fusion, batch)

    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        """Embed the rows of a batch by what the head reads: from all that is present, and from each modality alone."""
        alone = {}
        for modality in self.axes:
            z = self._fused(batch.only([modality]))
            alone[modality] = torch.where(batch.has(modality)[:, None], z, torch.full_like(z, torch.nan))
        return Embedding(self._fused(batch), alone)

    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, Tensor]:
        """Predict `targets` as the pre-trained model does; per target (B, F)."""
        return self.imputer.reconstruct(batch, targets)

    def hazards(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, T) logits of the hazards."""
        logits: Tensor = self.head(self._fused(batch))
        return logits

    def risk(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B,) the risk of the head; higher = earlier event."""
        return self.head.risk(self.hazards(batch))

    def loss(self, batch: MultiOmicsBatch) -> Tensor:
        """Return the negative log-likelihood per patient with follow-up, () float32."""
        return self.head.loss(self.hazards(batch), batch.targets)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW on what learns, with the schedule of pre-training."""
        return optimizers(self, self.config)
