"""Heads: from an embedding to a class, a risk, or a survival curve."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from models.components.cox import cox_loss, followed
from models.components.discrete import interpolate, logistic_hazard_loss, mahmood_nll_loss, survival_curve
from models.components.losses import class_loss

if TYPE_CHECKING:
    from models.batch import Targets
    from models.components.time_bins import TimeBins

__all__ = ["Activation", "ClassHead", "CoxHead", "DiscreteTimeHead", "Head", "HeadConfig", "head_layers"]

Activation = Literal["relu", "selu", "gelu"]

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "selu": nn.SELU, "gelu": nn.GELU}


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The layers of a head.

    Attributes
    ----------
    hidden
        Widths of the hidden layers; none is a linear head.
    activation
        After each hidden layer.
    dropout
        Share of units zeroed in training, once, after the hidden layers.
    norm
        Whether a LayerNorm follows, before the last linear layer.
    """

    hidden: tuple[int, ...] = ()
    activation: Activation = "relu"
    dropout: float = 0.0
    norm: bool = False


def head_layers(width: int, n_out: int, config: HeadConfig) -> nn.Sequential:
    """Return hidden layers with their activation, dropout once, LayerNorm once, and a linear layer.

    Examples
    --------
    >>> layers = head_layers(8, 3, HeadConfig(hidden=(4,), activation="selu", dropout=0.1, norm=True))
    >>> [type(layer).__name__ for layer in layers]
    ['Linear', 'SELU', 'Dropout', 'LayerNorm', 'Linear']
    """
    widths = [width, *config.hidden]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), _ACTIVATIONS[config.activation]()]
    if config.dropout:
        layers.append(nn.Dropout(config.dropout))
    if config.norm:
        layers.append(nn.LayerNorm(widths[-1]))
    return nn.Sequential(*layers, nn.Linear(widths[-1], n_out))


class Head(nn.Module):
    """Base of the heads: ``forward`` gives outputs of (B, D) embeddings, `loss` compares them with targets.

    Parameters
    ----------
    width
        D.
    n_out
        How many outputs.
    config
        The layers.
    """

    def __init__(self, width: int, n_out: int, config: HeadConfig) -> None:
        super().__init__()
        self.layers = head_layers(width, n_out, config)

    def forward(self, z: Tensor) -> Tensor:
        """Return (B, n_out)."""
        out: Tensor = self.layers(z)
        return out

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Targets) -> Tensor:
        """Return the loss over the rows whose target is known, () float32; 0 where none is.

        Parameters
        ----------
        outputs
            What ``forward`` gave.
        targets
            Nothing is read of rows that are unlabelled or without follow-up.
        """


class ClassHead(Head):
    """One logit per class.

    Parameters
    ----------
    width
        D.
    n_classes
        How many.
    config
        The layers.
    weights
        (C,) `models.components.losses.balanced_weights` of the training rows; every row counts the same where absent.

    Examples
    --------
    >>> head = ClassHead(8, 3, HeadConfig())
    >>> ClassHead.probabilities(head(torch.zeros(2, 8))).sum(dim=1).round(decimals=5).tolist()
    [1.0, 1.0]
    """

    weights: Tensor | None

    def __init__(self, width: int, n_classes: int, config: HeadConfig, weights: Tensor | None = None) -> None:
        super().__init__(width, n_classes, config)
        self.register_buffer("weights", weights)

    def loss(self, outputs: Tensor, targets: Targets) -> Tensor:
        """Return the weighted cross-entropy over labelled rows."""
        return class_loss(outputs, targets.label, self.weights)

    @staticmethod
    def probabilities(outputs: Tensor) -> Tensor:
        """Return (B, C), each row summing to 1."""
        return torch.softmax(outputs.float(), dim=1)


class CoxHead(Head):
    """One log-risk.

    Parameters
    ----------
    width
        D.
    config
        The layers.
    """

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__(width, 1, config)

    def loss(self, outputs: Tensor, targets: Targets) -> Tensor:
        """Return the Cox partial likelihood's loss; its risk sets are those of the batch."""
        return cox_loss(outputs[:, 0], targets.time, targets.event)

    @staticmethod
    def risk(outputs: Tensor) -> Tensor:
        """Return (B,) the log-risk; higher = earlier event."""
        return outputs[:, 0].float()


class DiscreteTimeHead(Head):
    """One hazard per bin of time, in the convention of the bins.

    Parameters
    ----------
    width
        D.
    bins
        Fitted on training rows; their convention is that of the loss and of the risk.
    config
        The layers.
    alpha
        For ``mahmood_nll``: by how much censored patients count less.

    Examples
    --------
    >>> import numpy as np
    >>> from models.components.time_bins import TimeBins
    >>> bins = TimeBins.fit("logistic_hazard", np.arange(9.0), np.ones(9), list("abcdefghi"), n_bins=5)
    >>> head = DiscreteTimeHead(8, bins, HeadConfig(dropout=0.1))
    >>> outputs = head(torch.zeros(2, 8))
    >>> outputs.shape, head.risk(outputs).shape, head.survival_at(outputs, torch.tensor([1.0, 2.0, 3.0])).shape
    (torch.Size([2, 5]), torch.Size([2]), torch.Size([2, 3]))
    """

    edges: Tensor

    def __init__(self, width: int, bins: TimeBins, config: HeadConfig, alpha: float = 0.0) -> None:
        super().__init__(width, bins.n_bins, config)
        self.bins, self.alpha = bins, alpha
        # Not among the weights: the bins are a fitted state with a file of their own.
        self.register_buffer("edges", torch.tensor(bins.edges, dtype=torch.float32), persistent=False)

    def loss(self, outputs: Tensor, targets: Targets) -> Tensor:
        """Return the negative log-likelihood per patient."""
        known = followed(targets.time, targets.event)
        time = torch.where(known, targets.time, 0)
        event = torch.where(known, targets.event, 0)
        index, died = self.bins.assign(time, event, self.edges)
        if self.bins.convention == "mahmood_nll":
            return mahmood_nll_loss(outputs, index, died, known, alpha=self.alpha)
        return logistic_hazard_loss(outputs, index, died, known)

    def survival_at(self, outputs: Tensor, times: Tensor) -> Tensor:
        """Return (B, K) the probability of surviving `times`, (K,) days: straight lines between the bins' ends.

        Level before the first end and after the last.
        """
        survived = survival_curve(outputs)
        if self.bins.convention == "mahmood_nll":
            survived = nn.functional.pad(survived, (1, 0), value=1.0)
        return interpolate(self.edges, survived, times.to(self.edges))

    def risk(self, outputs: Tensor) -> Tensor:
        """Return (B,), higher = earlier event.

        In ``logistic_hazard`` it is 1 - S at the bins' horizon, in ``mahmood_nll`` minus the sum of S over the bins.
        """
        if self.bins.convention == "mahmood_nll":
            return -survival_curve(outputs).sum(dim=1)
        horizon = torch.tensor([self.bins.horizon], device=outputs.device)
        return 1 - self.survival_at(outputs, horizon)[:, 0]
