"""Losses over what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from models.batch import MultiOmicsBatch

__all__ = ["Balance", "observed_huber"]

Balance = Literal["entries", "modalities"]


def observed_huber(predicted: dict[str, Tensor], batch: MultiOmicsBatch, *, balance: Balance) -> Tensor:
    """Return the Huber loss over observed entries, () float32; 0 where nothing is observed.

    Of an error e it is e²/2 up to 1 and |e| - 1/2 beyond, so that outliers pull with a constant force (Huber 1964, Ann.
    Math. Statist. 35:73, with delta 1 as ARO has it).

    Parameters
    ----------
    predicted
        Per modality (B, F).
    batch
        The truth.
    balance
        ``entries``: every observed entry counts the same. ``modalities``: every modality counts the same, so that one
        with many features does not drown one with few.
    """
    sums, counts = [], []
    for modality, guess in predicted.items():
        mask = batch.target_mask(modality)
        # An unobserved slot may hold anything, NaN included: it is replaced before the loss, so no gradient meets it.
        truth = torch.where(mask, batch.values[modality].to(guess.dtype), guess.detach())
        sums.append(functional.huber_loss(guess, truth, reduction="sum"))
        counts.append(mask.sum())
    total, count = torch.stack(sums), torch.stack(counts)
    if balance == "entries":
        return total.sum() / count.sum().clamp(min=1)
    return (total / count.clamp(min=1)).sum() / (count > 0).sum().clamp(min=1)
