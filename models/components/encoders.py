"""Encoders that several models share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["mlp"]


def mlp(widths: Sequence[int], *, dropout: float) -> nn.Sequential:
    """Return linear layers of the given widths, each followed by ReLU, and dropout after all but the first.

    Examples
    --------
    >>> [type(layer).__name__ for layer in mlp([4, 3, 2], dropout=0.1)]
    ['Linear', 'ReLU', 'Linear', 'ReLU', 'Dropout']
    """
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(widths)):
        layers += [nn.Linear(before, after), nn.ReLU()]
        if i:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
