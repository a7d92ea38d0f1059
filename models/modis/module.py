"""MODIS: coupled variational autoencoders, an adversary that also classifies, and two steps per batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from models.modis.clustering import cluster_loss
from models.modis.networks import Adversary, Variational
from models.module import Embedding, MultiOmicsModule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.batch import MultiOmicsBatch
    from models.modis.config import MODISConfig

__all__ = ["MODIS"]

#: Adam's, as published.
_BETAS = (0.5, 0.999)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a batch that have one modality."""

    index: int
    modality: str
    values: Tensor
    observed: Tensor
    label: Tensor


class MODIS(MultiOmicsModule):
    """A variational autoencoder per modality, whose latents an adversary cannot tell apart by modality.

    The adversary also says the class. It learns from labelled rows and, by a clustering loss, from all. A sample may
    have any of the modalities; none needs to have two, since nothing ties modalities but the shared space. To translate
    is to encode one modality and decode another. Of a sample with several, the latent is their mean.

    Parameters
    ----------
    axes
        Per modality the number of features.
    config
        Settings.

    Examples
    --------
    >>> from models.modis.config import PRESETS
    >>> with torch.device("meta"):
    ...     MODIS({"meth": 367, "rna": 131, "prot": 160}, PRESETS["paper"]).n_parameters
    3036442
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"missing_modality", "unpaired", "translate"})

    def __init__(self, axes: dict[str, int], config: MODISConfig) -> None:
        super().__init__(axes)
        # Two losses in turn, each with its optimizer: Lightning is told to leave the steps to `training_step`.
        self.automatic_optimization = False
        self.config = config
        #: What the clustering loss counts in training; in validation it counts in full, so that epochs compare.
        self.clustering = 1.0
        self.autoencoders = nn.ModuleDict(
            {
                m: Variational(
                    n,
                    config.wide_hidden if n >= config.wide_from else config.hidden,
                    config.latent,
                    eps=config.batch_norm_eps,
                )
                for m, n in axes.items()
            }
        )
        first = config.adversary
        self.adversary = Adversary(
            config.latent, (first, first // 2, first // 4), modalities=len(axes), classes=config.n_classes
        )

    def _autoencoder(self, modality: str) -> Variational:
        found = self.autoencoders[modality]
        assert isinstance(found, Variational)
        return found

    def _rows(self, batch: MultiOmicsBatch) -> list[_Rows]:
        """Return what the batch has of each modality; fewer than two rows make neither a variance nor a pair."""
        found = []
        for i, modality in enumerate(self.axes):
            rows = batch.has(modality).nonzero()[:, 0]
            if len(rows) > 1:
                values, mask = batch.input(modality)[rows], batch.target_mask(modality)[rows]
                found.append(_Rows(i, modality, values, mask, batch.targets.label[rows]))
        return found

    # Encoding and decoding.

    def _latent(self, modality: str, values: Tensor) -> Tensor:
        mu, logvar = self._autoencoder(modality).encode(values)
        return Variational.draw(mu, logvar) if self.training or self.config.sample_latent else mu

    def encode(self, batch: MultiOmicsBatch) -> Embedding:
        """Embed the rows of a batch: the mean of the latents of what is present, and each modality's own.

        A row without any modality lies at 0, the mean of the prior.
        """
        total = torch.zeros((len(batch), self.config.latent), device=batch.present.device)
        count = torch.zeros((len(batch), 1), device=batch.present.device)
        alone = {}
        for modality in self.axes:
            z = self._latent(modality, batch.input(modality)).float()
            has = batch.has(modality)[:, None]
            total, count = total + torch.where(has, z, torch.zeros_like(z)), count + has
            alone[modality] = torch.where(has, z, torch.full_like(z, torch.nan))
        return Embedding(total / count.clamp(min=1), alone)

    def reconstruct(self, batch: MultiOmicsBatch, targets: Sequence[str]) -> dict[str, Tensor]:
        """Predict `targets` from what is present; per target (B, F)."""
        z = self.encode(batch).z
        return {m: self._autoencoder(m).decode(z) for m in targets}

    def class_probabilities(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, C): the probability of each class."""
        logits: Tensor = self.adversary(self.encode(batch).z)[2]
        return logits.float().softmax(dim=1)

    # Losses.

    def loss(self, batch: MultiOmicsBatch) -> Tensor:
        """Return the loss of the autoencoders, () float32, summed over modalities.

        Squared error of what is observed, divergence from the prior, how well the adversary is deceived, the cross
        entropy of labelled rows, and the clustering loss. In validation it is what `MODISConfig.select` says.
        """
        return self._loss(self._rows(batch))

    def _loss(self, parts: list[_Rows]) -> Tensor:
        total = torch.zeros((), device=self.device)
        for rows in parts:
            own = self._autoencoder(rows.modality)
            mu, logvar = own.encode(rows.values)
            z = Variational.draw(mu, logvar) if self.training or self.config.sample_latent else mu
            error = (own.decode(z).float() - rows.values).square() * rows.observed
            total = total + error.sum() / rows.observed.sum()
            hidden, of_modality, of_class = self.adversary(z)
            if not self.training and self.config.select == "fit":
                total = total + _brier(of_class, rows.label)
                continue
            clusters = (self.clustering if self.training else 1.0) * cluster_loss(hidden, of_class)
            total = total + self.config.beta * self._divergence(mu, logvar) + clusters
            total = total + _deception(of_modality, rows.index) + _class_loss(of_class, rows.label)
        return total

    def _divergence(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """Return how far the posteriors are from the standard normal, in nats (Kullback-Leibler)."""
        total = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).float().sum()
        return total / len(mu) if self.config.kl == "sample" else total

    def adversary_loss(self, batch: MultiOmicsBatch) -> Tensor:
        """Return the loss of the adversary, () float32: which modality, which class, which cluster.

        The autoencoders do not learn from it and are in evaluation mode, as published.
        """
        return self._adversary_loss(self._rows(batch))

    def _adversary_loss(self, parts: list[_Rows]) -> Tensor:
        total = torch.zeros((), device=self.device)
        for rows in parts:
            own = self._autoencoder(rows.modality).eval()
            with torch.no_grad():
                z = Variational.draw(*own.encode(rows.values))
            own.train(self.training)
            hidden, of_modality, of_class = self.adversary(z)
            source = torch.full((len(z),), rows.index, device=z.device)
            total = (
                total
                + cross_entropy(of_modality.float(), source)
                + _class_loss(of_class, rows.label)
                + self.clustering * cluster_loss(hidden, of_class)
            )
        return total

    # Optimisation.

    def training_step(self, batch: MultiOmicsBatch, batch_idx: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        """Make a step of the adversary and then one of the autoencoders; return the loss of the latter."""
        value = torch.zeros((), device=self.device)
        parts = self._rows(batch)
        if not parts:
            return value
        for optimizer, loss in zip(self.optimizers(), (self._adversary_loss, self._loss), strict=True):
            # While one side learns the other asks for no gradients, so neither side's moments move in vain.
            self.toggle_optimizer(optimizer)
            optimizer.zero_grad()
            value = loss(parts)
            self.manual_backward(value)
            optimizer.step()
            self.untoggle_optimizer(optimizer)
        value = value.detach()
        self.log("train/loss", value, on_step=False, on_epoch=True, batch_size=len(batch), sync_dist=True)
        return value

    def on_train_epoch_start(self) -> None:
        """Let the clustering loss grow."""
        self.clustering = self._ramped(self.current_epoch)

    def _ramped(self, epoch: int) -> float:
        until = self.config.ramp * self.config.max_epochs
        return min(1.0, epoch / until) if until else 1.0

    def on_train_epoch_end(self) -> None:
        """Lower the learning rates."""
        schedules = self.lr_schedulers()
        assert isinstance(schedules, list)
        for schedule in schedules:
            assert isinstance(schedule, torch.optim.lr_scheduler.LinearLR)
            schedule.step()

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        """Adam for the adversary, and Adam for the autoencoders."""
        sides = [(self.adversary, self.config.adversary_lr), (self.autoencoders, self.config.lr)]
        optimizers = [torch.optim.Adam(side.parameters(), lr=lr, betas=_BETAS, fused=True) for side, lr in sides]
        last = max(1, self.config.max_epochs - 1)
        schedules = [
            torch.optim.lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=self.config.lr_end, total_iters=last)
            for o in optimizers
        ]
        return list(optimizers), list(schedules)


def _deception(logits: Tensor, own: int) -> Tensor:
    """Return the cross entropies against each modality that is not the rows' own, summed."""
    surprise = -logits.float().log_softmax(dim=1)
    return (surprise.sum(dim=1) - surprise[:, own]).mean()


def _class_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return the cross entropy of the rows whose label is known, 0 where none is."""
    known = (label >= 0).sum()
    total: Tensor = cross_entropy(logits.float(), label, ignore_index=-1, reduction="sum")
    return total / known.clamp(min=1)


def _brier(logits: Tensor, label: Tensor) -> Tensor:
    """Return the squared distance of class probabilities from the truth, a mean over labelled rows, 0 where none is."""
    known = label >= 0
    truth = one_hot(label.clamp(min=0), logits.shape[1])
    apart = (logits.float().softmax(dim=1) - truth).square().sum(dim=1)
    return (apart * known).sum() / known.sum().clamp(min=1)
