"""The protocol of the survival table, the rows that each of its models reads, and how these are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightning.pytorch as lightning
import torch
from torch.utils.data import DataLoader

from models.components.cox import followed
from models.components.time_bins import TimeBins
from models.imputmae.module import ImpuTMAE
from models.imputmae.survival import SurvivalImpuTMAE
from models.loaders import Batches, SeededBatches
from models.train import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.batch import MultiOmicsBatch
    from models.datamodule import CohortDataModule
    from models.imputmae.config import FineTuneConfig, ImpuTMAEConfig

__all__ = ["Protocol", "View", "pretrain", "tune"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the table is made of.

    Attributes
    ----------
    modalities
        Each alone, and all together.
    pretrain, finetune
        Settings of the two stages.
    cohorts
        Cohorts; none means all that the split covers.
    endpoint
        OS, DSS, PFI or DFI.
    components
        Principal components that the simpler models read.
    tunings
        How many times each pre-trained model is tuned, each with a seed of its own; they answer together, by the mean
        of their risks and of their curves.
    bootstrap
        Resamples of the patients.
    seed
        Of weights, masks, batches, forest and resamples.
    devices
        How many devices Lightning may take.
    """

    modalities: tuple[str, ...]
    pretrain: ImpuTMAEConfig
    finetune: FineTuneConfig
    cohorts: tuple[str, ...] = ()
    endpoint: str = "OS"
    components: int = 50
    tunings: int = 1
    bootstrap: int = 1000
    seed: int = 0
    devices: int = 1

    @property
    def views(self) -> dict[str, tuple[str, ...]]:
        """What is read, by name: each modality alone, then all."""
        alone = {m: (m,) for m in self.modalities}
        return alone | ({"all": self.modalities} if len(self.modalities) > 1 else {})


class View(lightning.LightningDataModule):
    """Loaders over the rows of a fold that have any of some modalities, reading no others.

    Parameters
    ----------
    data
        The fold.
    modalities
        What may be read.
    batch_size
        Rows per batch.
    with_follow_up
        Whether to leave out rows without it.
    """

    def __init__(
        self, data: CohortDataModule, modalities: Sequence[str], batch_size: int, *, with_follow_up: bool
    ) -> None:
        super().__init__()
        self.data, self.modalities = data, tuple(modalities)
        self.batch_size, self.with_follow_up = batch_size, with_follow_up

    def part(self, name: str) -> MultiOmicsBatch:
        """Return a part's rows as one batch."""
        whole = self.data.part(name).only(self.modalities)
        rows = whole.present.any(dim=1)
        if self.with_follow_up:
            rows = rows & followed(whole.targets.time, whole.targets.event)
        return whole.take(torch.nonzero(rows)[:, 0])

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the training rows, in an order that seed and epoch decide."""
        return self._loader("train", self.data.seed)

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the validation rows."""
        return self._loader("val", None)

    def _loader(self, name: str, seed: int | None) -> DataLoader[MultiOmicsBatch]:
        whole = self.part(name)
        return DataLoader(
            Batches(whole), batch_size=None, sampler=SeededBatches(len(whole), self.batch_size, seed=seed)
        )


def pretrain(data: CohortDataModule, modalities: Sequence[str], protocol: Protocol) -> ImpuTMAE:
    """Return a model of some modalities, trained on the training rows, of the epoch that val chooses."""
    config = protocol.pretrain
    view = View(data, modalities, config.batch_size, with_follow_up=False)
    with torch.random.fork_rng():
        torch.manual_seed(protocol.seed)
        module = ImpuTMAE({m: data.axes[m] for m in modalities}, config)
    best = fit(module, view, config, devices=protocol.devices, seed=protocol.seed, advance=lambda: None)
    module.load_state_dict(best.weights)
    return module.cpu().eval()


def tune(
    data: CohortDataModule, modalities: Sequence[str], pretrained: ImpuTMAE, protocol: Protocol
) -> SurvivalImpuTMAE:
    """Return a pre-trained model tuned on the training rows with follow-up, of the epoch that val chooses."""
    config = protocol.finetune
    view = View(data, modalities, config.batch_size, with_follow_up=True)
    train = view.part("train")
    bins = TimeBins.fit(
        "logistic_hazard",
        train.targets.time.numpy(),
        train.targets.event.numpy(),
        train.sample_id,
        n_bins=config.n_bins,
    )
    with torch.random.fork_rng():
        torch.manual_seed(protocol.seed)
        tuned = SurvivalImpuTMAE(pretrained, bins, config)
    best = fit(tuned, view, config, devices=protocol.devices, seed=protocol.seed, advance=lambda: None)
    tuned.load_state_dict(best.weights)
    return tuned.cpu().eval()
