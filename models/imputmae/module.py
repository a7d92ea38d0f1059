"""ImpuTMAE: masked autoencoders per modality, a joint decoder, and imputation of what is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import nn

from models.components.compiling import compile_in_place
from models.components.losses import observed_mse
from models.components.masking import drop_modalities
from models.imputmae.masking import hide_tokens, n_visible
from models.imputmae.tokens import FeatureLayout, ImageLayout, VectorLayout
from models.imputmae.vit import Encoded, JointDecoder, ModalityEncoder
from models.module import Embedding, MultiOmicsModule
from models.slides.axis import PATCHES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor

    from models.batch import MultiOmicsBatch
    from models.imputmae.config import FineTuneConfig, ImpuTMAEConfig
    from models.imputmae.tokens import Layout

__all__ = ["ImpuTMAE", "class_tokens", "optimizers", "slide_layout", "vector_layout"]

#: Seed of the masks of validation: they are the same in every epoch.
_VAL_SEED = 0


def vector_layout(n_features: int, config: ImpuTMAEConfig) -> VectorLayout:
    """Return the patches of a matrix modality.

    Examples
    --------
    >>> from models.imputmae.config import ImpuTMAEConfig
    >>> vector_layout(25_978, ImpuTMAEConfig()).n_tokens, vector_layout(400_000, ImpuTMAEConfig(max_tokens=64)).n_tokens
    (51, 64)
    """
    least = math.ceil(n_features / config.max_tokens) if config.max_tokens else 1
    return VectorLayout(n_features, max(min(config.patch, n_features), least), config.shared)


def slide_layout(n_features: int, config: ImpuTMAEConfig) -> FeatureLayout | ImageLayout:
    """Return how the patches of slides are read: a token per vector, or per square of a tile.

    Examples
    --------
    >>> from models.imputmae.config import ImpuTMAEConfig
    >>> slide_layout(16 * 1024, ImpuTMAEConfig())
    FeatureLayout(vectors=16, width=1024)
    >>> slide_layout(4 * 3 * 256**2, ImpuTMAEConfig(slide_patches=4, slide_pixels=256)).n_tokens
    1024
    """
    if config.slide_pixels:
        return ImageLayout(config.slide_pixels, config.square, tiles=config.slide_patches)
    return FeatureLayout(config.slide_patches, n_features // config.slide_patches)


class ImpuTMAE(MultiOmicsModule):
    """A vision transformer per modality over its visible patches, and one decoder over the places of all.

    A modality that is missing is fully masked: its encoder is not run, the decoder sees mask tokens in its places, and
    it is no target. So is a patch, or a value, of which nothing was observed.

    Parameters
    ----------
    axes
        Per modality the number of features.
    config
        Settings.
    layouts
        How to read modalities, where not as `slide_layout` has it for patches and `vector_layout` for others.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"missing_modality", "translate"})

    def __init__(
        self, axes: dict[str, int], config: ImpuTMAEConfig, layouts: Mapping[str, Layout] | None = None
    ) -> None:
        super().__init__(axes)
        self.config = config
        given = layouts or {}
        self.layouts: dict[str, Layout] = {
            m: given.get(m) or (slide_layout if m == PATCHES else vector_layout)(n, config) for m, n in axes.items()
        }
        sizes = (config.hidden, config.layers, config.heads, config.mlp, config.dropout)
        self.encoders = nn.ModuleDict({m: ModalityEncoder(own, *sizes) for m, own in self.layouts.items()})
        self.decoder = JointDecoder(
            self.layouts,
            config.hidden,
            config.decoder_hidden,
            config.decoder_layers,
            config.decoder_heads,
            config.decoder_mlp,
            config.dropout,
        )

    def configure_model(self) -> None:
        """Compile the transformers in place where the settings ask for it."""
        if self.config.compile:
            for part in (*self.encoders.values(), self.decoder):
                compile_in_place(cast("ModalityEncoder | JointDecoder", part).blocks)

    def seen(self, batch: MultiOmicsBatch) -> dict[str, Tensor]:
        """Return per modality (B, N) bool: the tokens with anything in them that may be read."""
        return {m: layout.seen(batch.target_mask(m)) for m, layout in self.layouts.items()}

    def _read(self, batch: MultiOmicsBatch, visible: Mapping[str, Tensor], share: float = 0.0) -> dict[str, Encoded]:
        """Run encoders on the rows that have a visible token; `share` of the tokens at least is hidden in each row."""
        found = {}
        for modality, own in visible.items():
            slots = max(n_visible(own.shape[1] // self.layouts[modality].parts, share), 1)
            found[modality] = self.encoders[modality](batch.input(modality), own, own.any(dim=1), slots)
        return found

    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        """Embed the rows of a batch: from all that is present, and from each modality alone.

        What is absent is imputed and encoded; (B, M x D).
        """
        alone = {}
        for modality in self.axes:
            z = self._embed(batch.only([modality]))
            alone[modality] = torch.where(batch.has(modality)[:, None], z, torch.full_like(z, torch.nan))
        return Embedding(self._embed(batch), alone)

    def _embed(self, batch: MultiOmicsBatch) -> Tensor:
        return class_tokens(self.encoders, self.layouts, self.complete(batch)).flatten(1)

    def complete(self, batch: MultiOmicsBatch) -> MultiOmicsBatch:
        """Return the batch with its absent modalities imputed; what was measured stays as it is."""
        imputed = self.decoder(self._read(batch, self.seen(batch)))
        values, observed = dict(batch.values), dict(batch.observed)
        for modality in self.axes:
            has = batch.has(modality)[:, None]
            guess = imputed[modality].to(batch.values[modality].dtype)
            values[modality] = torch.where(has, batch.values[modality], guess)
            observed[modality] = batch.observed[modality] | ~has
        known = torch.tensor([m in self.axes for m in batch.modalities], device=batch.present.device)
        return replace(batch, values=values, observed=observed, present=batch.present | known)

    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, Tensor]:
        """Predict `targets` from what is present; per target (B, F).

        A modality that is present is given back half by half, each patch while it is hidden: it was never learned what
        to say of a patch that can be seen.
        """
        seen = self.seen(batch)
        encoded = self._read(batch, seen)
        whole = self.decoder(encoded)
        found = {}
        for modality in targets:
            guess, there = whole[modality], seen[modality]
            even = torch.arange(there.shape[1], device=there.device) % 2 == 0
            for half in (even, ~even):
                halved = self.decoder(encoded | self._read(batch, {modality: there & ~half}))
                guess = torch.where(self.layouts[modality].spread(there & half), halved[modality], guess)
            found[modality] = guess
        return found

    def loss(self, batch: MultiOmicsBatch) -> Tensor:
        """Return the mean squared error of the observed values in hidden patches, () float32.

        Every modality counts the same. In training a share of the patches is hidden, and with some probability a whole
        modality. Validation hides the same patches each time and then, if training hides modalities, each in turn
        in the rows that have another.
        """
        generator = None if self.training else torch.Generator().manual_seed(_VAL_SEED)
        losses = [self._hidden_error(batch, keep, generator) for keep in self._views(batch)]
        return torch.stack(losses).mean()

    def _views(self, batch: MultiOmicsBatch) -> list[Tensor]:
        """Return which modalities may be read, (B, M) bool, for each term of the loss."""
        if self.config.mask_modality == 0:
            return [batch.present]
        if self.training:
            return [drop_modalities(batch.present, self.config.mask_modality)]
        without = [batch.hide([m]).present for m in self.axes]
        return [batch.present, *(torch.where(k.any(dim=1, keepdim=True), k, batch.present) for k in without)]

    def _hidden_error(self, batch: MultiOmicsBatch, keep: Tensor, generator: torch.Generator | None) -> Tensor:
        seen, visible, hidden = self.seen(batch), {}, {}
        # Rows that show all they may: of these a whole modality is to be told from the others.
        whole = (batch.present & ~keep).any(dim=1, keepdim=True) & self.config.whole_sources
        for modality, there in seen.items():
            own = keep[:, batch.modalities.index(modality)][:, None]
            parts = torch.unflatten(there, 1, (self.layouts[modality].parts, -1)).flatten(0, 1)
            shown = hide_tokens(parts, self.config.mask, generator).reshape(there.shape)
            visible[modality] = torch.where(whole, there, shown) & own
            hidden[modality] = self.layouts[modality].spread(there & ~visible[modality])
        share = 0.0 if self.config.whole_sources else self.config.mask
        predicted = self.decoder(self._read(batch, visible, share))
        return observed_mse(predicted, batch, balance="modalities", only=hidden)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; the rate rises along a line and falls along a cosine."""
        return optimizers(self, self.config)


def class_tokens(encoders: nn.ModuleDict, layouts: Mapping[str, Layout], batch: MultiOmicsBatch) -> Tensor:
    """Return (B, M, D) the class token of each modality, all that was observed being visible; 0 where it is absent."""
    found = []
    for modality, encoder in encoders.items():
        layout = layouts[modality]
        seen = layout.seen(batch.target_mask(modality))
        slots = layout.n_tokens // layout.parts
        found.append(encoder(batch.input(modality), seen, seen.any(dim=1), slots).cls)
    return torch.stack(found, dim=1)


def optimizers(module: nn.Module, config: ImpuTMAEConfig | FineTuneConfig) -> OptimizerLRSchedulerConfig:
    """Return AdamW on what learns; the rate rises for `warm_up` epochs and then falls to 0 along a cosine."""

    def share(epoch: int) -> float:
        if epoch < config.warm_up:
            return (epoch + 1) / config.warm_up
        done = (epoch - config.warm_up) / max(config.max_epochs - config.warm_up, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    learned = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=config.lr, weight_decay=config.weight_decay)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, share)}}
