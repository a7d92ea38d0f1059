"""The network of a head: a body that embeds samples, a scale, and the head."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from models.batch import MultiOmicsBatch
from models.components.heads import ClassHead, CoxHead, DiscreteTimeHead, HeadConfig
from models.components.masking import drop_modalities
from models.registry import get_model
from models.tune.config import ClassConfig, DiscreteConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.batch import Targets
    from models.checkpoint import Checkpoint
    from models.components.heads import Head
    from models.components.time_bins import TimeBins
    from models.module import MultiOmicsModule
    from models.tune.config import HeadTask, TuneConfig

__all__ = ["FrozenBody", "LearningBody", "Network", "Scale", "Views", "assemble", "make_head", "start"]


class FrozenBody(nn.Module):
    """A trained model that stays as it is: what a probe reads.

    Parameters
    ----------
    base
        In evaluation mode. It is not copied, and its weights are none of this module's.
    """

    def __init__(self, base: MultiOmicsModule) -> None:
        super().__init__()
        self._held = (base,)

    @torch.no_grad()
    def forward(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, D), the embedding."""
        return self._held[0].encode(batch).z.float()


class Views(nn.Module):
    """Embeddings that were made before: all that is present first, and then each modality alone.

    Parameters
    ----------
    share
        Of the rows of a training step that are read from one of their modalities alone.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, D): one of the views of each row, a "modality" of the batch each."""
        z = torch.stack([batch.input(view) for view in batch.modalities], dim=1)
        chosen = torch.zeros(len(batch), dtype=torch.int64, device=z.device)
        if self.training and self.share:
            alone = torch.rand(batch.present.shape, device=z.device).masked_fill(~batch.present, -1.0)
            alone[:, 0] = -1.0
            swap = (torch.rand(len(batch), device=z.device) < self.share) & (alone.amax(dim=1) >= 0)
            chosen = torch.where(swap, alone.argmax(dim=1), chosen)
        return z[torch.arange(len(batch), device=z.device), chosen]


class LearningBody(nn.Module):
    """A copy of a trained model that learns with its head, some of its modalities hidden from time to time.

    Batch normalisation keeps the statistics of the trained model: those of a small batch, with its absent modalities,
    would be worse.

    Parameters
    ----------
    base
        It is copied.
    learns
        Beginnings of the names of the parameters that learn.
    mask_modality
        Probability with which a training step hides a modality that is there.
    """

    def __init__(self, base: MultiOmicsModule, learns: Sequence[str], mask_modality: float) -> None:
        super().__init__()
        self.base = copy.deepcopy(base)
        self.mask_modality = mask_modality
        self._norms = [part for part in self.base.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
        for name, parameter in self.base.named_parameters():
            parameter.requires_grad_(name.startswith(tuple(learns)))

    def forward(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, D), the embedding."""
        # Here, not in the constructor: Lightning sets the mode of all parts at once.
        for part in self._norms:
            part.eval()
        if self.training and self.mask_modality:
            batch = replace(batch, present=drop_modalities(batch.present, self.mask_modality))
        return self.base.encode(batch).z


class Scale(nn.Module):
    """Embeddings in units of their spread over the training rows, or their leading principal components.

    Components are all in units of the spread of the first. It is fitted once and does not learn; what it was fitted to
    is among the weights.

    Parameters
    ----------
    width
        D of the embedding.
    components
        Components to keep; 0 keeps the dimensions.

    Examples
    --------
    >>> scale = Scale(2, 0)
    >>> scale.fit(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale(torch.tensor([[4.0, 6.0]])).tolist()
    [[2.0, 1.0]]
    """

    mean: Tensor
    factor: Tensor
    axes: Tensor | None

    def __init__(self, width: int, components: int) -> None:
        super().__init__()
        self.components = min(components, width)
        self.width = self.components or width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("factor", torch.ones(self.width))
        self.register_buffer("axes", torch.zeros(width, self.components) if self.components else None)

    def fit(self, z: Tensor) -> None:
        """Learn from (n, D) embeddings of training rows; what does not vary keeps its unit."""
        wide = z.double()
        mean = wide.mean(dim=0)
        away = wide - mean
        if self.axes is not None:
            found = torch.linalg.svd(away, full_matrices=False)[2][: self.components].T
            # The sign of a component is arbitrary: its largest entry is made positive.
            largest = found.gather(0, found.abs().argmax(dim=0, keepdim=True))
            found = nn.functional.pad(found * largest.sign(), (0, self.components - found.shape[1]))
            self.axes.copy_(found)
            away = away @ found
        spread = away.std(dim=0, unbiased=False)
        self.mean.copy_(mean)
        if self.axes is not None:  # the leading ones stay the larger ones, and so are learned first
            spread = spread.amax().expand_as(spread)
        self.factor.copy_(torch.where(spread > 1e-6, 1 / spread.clamp(min=1e-6), 1.0))

    def forward(self, z: Tensor) -> Tensor:
        """Return (B, D), or (B, components)."""
        away = z - self.mean
        if self.axes is not None:
            away = away @ self.axes
        return away * self.factor


class Network(nn.Module):
    """A body, the scale of what it says, and a head.

    Parameters
    ----------
    body
        A batch to (B, D).
    scale
        How the head reads that; as it is where absent.
    head
        Which head.
    """

    def __init__(self, body: nn.Module, scale: Scale | None, head: Head) -> None:
        super().__init__()
        self.body, self.head = body, head
        self.scale: nn.Module = scale or nn.Identity()

    def forward(self, batch: MultiOmicsBatch) -> Tensor:
        """Return (B, n_out), the outputs of the head."""
        out: Tensor = self.head(self.scale(self.body(batch)))
        return out

    def learned(self) -> dict[str, Tensor]:
        """Return the state dict but for what is the trained model's and did not learn."""
        still = {f"body.{name}" for name, _ in self.body.named_buffers()}
        still |= {f"body.{name}" for name, p in self.body.named_parameters() if not p.requires_grad}
        return {name: value for name, value in self.state_dict().items() if name not in still}


def make_head(width: int, config: TuneConfig, *, weights: Tensor | None = None, bins: TimeBins | None = None) -> Head:
    """Return the head that settings ask for.

    Parameters
    ----------
    width
        D of what it reads.
    config
        Its settings.
    weights
        (C,) of a class head: how much a row of each class counts.
    bins
        Of a discrete-time head.
    """
    layers = HeadConfig(config.hidden, config.activation, config.dropout, config.norm)
    if isinstance(config, ClassConfig):
        counts = cast("Tensor", weights)
        return ClassHead(width, len(counts), layers, counts)
    if isinstance(config, DiscreteConfig):
        return DiscreteTimeHead(width, cast("TimeBins", bins), layers, config.alpha)
    return CoxHead(width, layers)


def assemble(
    base: Checkpoint,
    task: HeadTask,
    config: TuneConfig,
    *,
    weights: Tensor | None = None,
    bins: TimeBins | None = None,
) -> Network:
    """Return the network of a head on a trained model, untrained.

    Parameters
    ----------
    base
        The model. A probe refers to it; fine-tuning works on a copy.
    task, config
        The head and its settings.
    weights, bins
        As `make_head` takes them.
    """
    spec = get_model(base.sidecar["model"])
    body: nn.Module
    if task.how == "probe":
        body = FrozenBody(base.module)
    elif spec.tuning is not None:
        body = spec.tuning.body(base.module, base.sidecar["preset"])
    else:
        body = LearningBody(base.module, spec.learns, config.mask_modality)
    width = _width(body, base.module.axes)
    scale = Scale(width, config.components) if config.standardize else None
    return Network(body, scale, make_head(scale.width if scale else width, config, weights=weights, bins=bins))


@torch.no_grad()
def start(head: Head, targets: Targets) -> None:
    """Let a head begin as the guess that knows nothing of a sample: its outputs are the same for all.

    They are the hazards of the training rows in each bin of time, and elsewhere 0: an even chance for every class, the
    same risk for everyone.

    Parameters
    ----------
    head
        Its last layer is changed.
    targets
        Of the training rows, all known.
    """
    last = cast("nn.Linear", head.layers[-1])
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    if isinstance(head, DiscreteTimeHead):
        index, died = head.bins.assign(targets.time, targets.event, head.edges)
        reached = (index[:, None] >= torch.arange(head.bins.n_bins)).sum(dim=0)
        events = torch.bincount(index[died], minlength=head.bins.n_bins)
        last.bias.copy_(torch.logit((events + 0.5) / (reached + 1)))


def _width(body: nn.Module, axes: dict[str, int]) -> int:
    """Return D of what a body says, of two rows in which nothing is present."""
    nothing = {m: np.full((2, n), np.nan, dtype=np.float32) for m, n in axes.items()}
    was = body.training
    with torch.inference_mode():
        width = body.eval()(MultiOmicsBatch.from_arrays(nothing, ["a", "b"], ["a", "b"])).shape[1]
    body.train(was)
    return int(width)
