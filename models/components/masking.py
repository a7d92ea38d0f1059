"""Masking for training: hide what is there, so that the model learns to do without."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["drop_modalities"]


def drop_modalities(present: Tensor, probability: float) -> Tensor:
    """Draw which present modalities a training step may read.

    Each is hidden with the given probability, on its own; where that would hide all that a row has, one of them,
    chosen evenly, stays.

    Parameters
    ----------
    present
        (B, M) bool.
    probability
        In [0, 1].

    Returns
    -------
    (B, M) bool, never True where `present` is not.
    """
    keep = present & (torch.rand(present.shape, device=present.device) >= probability)
    score = torch.rand(present.shape, device=present.device).masked_fill(~present, -1.0)
    chosen = torch.zeros_like(present).scatter(1, score.argmax(dim=1, keepdim=True), value=True) & present
    return torch.where(keep.any(dim=1, keepdim=True), keep, chosen)
