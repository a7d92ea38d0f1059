"""How a head is trained: the rows in batches, the loss, and what val says after each epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from models.batch import MultiOmicsBatch, Targets
from models.components.heads import ClassHead
from models.evaluate.concordance import harrell
from models.loaders import Batches, SeededBatches
from models.tune.config import CoxConfig

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor

    from models.components.heads import Head
    from models.module import MultiOmicsModule
    from models.tune.config import TuneConfig
    from models.tune.network import Network

__all__ = ["HeadRows", "HeadTraining", "concordance", "embedded"]


class HeadRows(lightning.LightningDataModule):
    """Loaders over the rows with a target.

    Parameters
    ----------
    parts
        ``train`` and ``val``.
    batch_size
        Rows per batch; 0 is all.
    seed
        Of the order of the training rows.
    """

    def __init__(self, parts: dict[str, MultiOmicsBatch], batch_size: int, seed: int) -> None:
        super().__init__()
        self.parts, self.batch_size, self.seed = parts, batch_size, seed

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the training rows, in an order that seed and epoch decide."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the val rows."""
        return self._loader("val", None)

    def _loader(self, part: str, seed: int | None) -> DataLoader[MultiOmicsBatch]:
        whole = self.parts[part]
        size = self.batch_size or len(whole)
        return DataLoader(Batches(whole), batch_size=None, sampler=SeededBatches(len(whole), size, seed=seed))


class HeadTraining(lightning.LightningModule):
    """A network in training. After each epoch the whole of val is judged at once, as ``val/loss``.

    It is the loss, or 1 - C where the settings choose by the C-index: lower is better of both.

    Parameters
    ----------
    network
        What learns.
    config
        Settings.
    """

    def __init__(self, network: Network, config: TuneConfig) -> None:
        super().__init__()
        self.network, self.config = network, config
        self._seen: list[tuple[Tensor, Targets]] = []

    def training_step(self, batch: MultiOmicsBatch, batch_idx: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        """Return the loss of one training batch."""
        value = self.network.head.loss(self.network(batch), batch.targets)
        self.log("train/loss", value, on_step=False, on_epoch=True, batch_size=len(batch))
        return value

    def validation_step(self, batch: MultiOmicsBatch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Keep what the network says of one val batch."""
        self._seen.append((self.network(batch).float(), batch.targets))

    def on_validation_epoch_end(self) -> None:
        """Judge val."""
        outputs = torch.cat([own for own, _ in self._seen])
        targets = Targets(
            *(torch.cat([getattr(own, name) for _, own in self._seen]) for name in ("label", "time", "event"))
        )
        self._seen.clear()
        if isinstance(self.config, CoxConfig) and self.config.select == "c_index":
            value = 1 - concordance(self.network.head, outputs, targets)
        else:
            value = float(self.network.head.loss(outputs, targets))
        self.log("val/loss", value, batch_size=len(outputs))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; the rate rises along a line and falls along a cosine, and the body's is a share of the head's."""
        config = self.config
        body = [p for p in self.network.body.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": list(self.network.head.parameters()), "lr": config.lr}]
        if body:
            groups.append({"params": body, "lr": config.lr * config.body_lr})
        optimizer = torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule}}

    def _share(self, epoch: int) -> float:
        config = self.config
        if epoch < config.warm_up:
            return (epoch + 1) / config.warm_up
        done = (epoch - config.warm_up) / max(config.max_epochs - config.warm_up, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def concordance(head: Head, outputs: Tensor, targets: Targets) -> float:
    """Return Harrell's C of a survival head's risks; NaN where no pair can be compared."""
    assert not isinstance(head, ClassHead)
    risk = head.risk(outputs).double().cpu().numpy()  # type: ignore[operator]
    time, event = (t.double().cpu().numpy() for t in (targets.time, targets.event))
    return float(harrell(time, event, risk, np.ones((1, len(risk))))[0])


def embedded(module: MultiOmicsModule, batch: MultiOmicsBatch) -> MultiOmicsBatch:
    """Return the embeddings of rows as a batch whose "modalities" are views of them: all, and each modality alone.

    A view of a modality that a row lacks is absent.

    Parameters
    ----------
    module
        In evaluation mode.
    batch
        The rows, with the targets that are handed on.
    """
    views: dict[str, list[Tensor]] = {}
    for part in batch.pieces():
        with torch.no_grad():
            found = module.encode(part.to(module.device))
        for name, z in {"all": found.z, **found.per_modality}.items():
            views.setdefault(name, []).append(z.float().cpu())
    whole = {name: torch.cat(each) for name, each in views.items()}
    present = torch.stack([torch.ones(len(batch), dtype=torch.bool), *(batch.has(m) for m in whole if m != "all")], 1)
    observed = {name: torch.ones_like(z, dtype=torch.bool) for name, z in whole.items()}
    return MultiOmicsBatch(whole, observed, present, batch.targets, batch.sample_id, batch.patient_id)
