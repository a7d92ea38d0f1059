"""Losses over what was observed and what was labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from models.batch import MultiOmicsBatch

__all__ = ["Balance", "at_least_float32", "balanced_weights", "class_loss", "observed_huber", "observed_mse"]

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
    return _observed(functional.huber_loss, predicted, batch, balance, None)


def observed_mse(
    predicted: dict[str, Tensor],
    batch: MultiOmicsBatch,
    *,
    balance: Balance,
    only: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Return the mean squared error over observed entries, () float32; 0 where nothing is observed.

    Parameters
    ----------
    predicted, batch, balance
        As `observed_huber` takes them.
    only
        Per modality (B, F) bool: the entries to judge, of those that are observed; all where absent. A masked
        autoencoder names what it had hidden.
    """
    return _observed(functional.mse_loss, predicted, batch, balance, only)


def _observed(
    error: Callable[..., Tensor],
    predicted: dict[str, Tensor],
    batch: MultiOmicsBatch,
    balance: Balance,
    only: Mapping[str, Tensor] | None,
) -> Tensor:
    sums, counts = [], []
    for modality, guess in predicted.items():
        mask = batch.target_mask(modality)
        if only is not None:
            mask = mask & only[modality]
        # An unobserved slot may hold anything, NaN included: it is replaced before the loss, so no gradient meets it.
        truth = torch.where(mask, batch.values[modality].to(guess.dtype), guess.detach())
        sums.append(error(guess, truth, reduction="sum"))
        counts.append(mask.sum())
    total, count = torch.stack(sums), torch.stack(counts)
    if balance == "entries":
        return total.sum() / count.sum().clamp(min=1)
    return (total / count.clamp(min=1)).sum() / (count > 0).sum().clamp(min=1)


def class_loss(logits: Tensor, label: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the cross-entropy over labelled rows, () float32; 0 where no row is labelled.

    Parameters
    ----------
    logits
        (B, C).
    label
        (B,) int64; below 0 where unlabelled.
    weights
        (C,): how much a row of each class counts in the weighted mean; the same where absent.

    Examples
    --------
    >>> class_loss(torch.zeros(3, 2), torch.tensor([0, 1, -1])).item() == torch.tensor(2.0).log().item()
    True
    """
    logits = at_least_float32(logits)
    known = label >= 0
    truth = torch.where(known, label, 0)
    each = functional.cross_entropy(logits, truth, reduction="none")
    weight = known.to(each.dtype) if weights is None else torch.where(known, weights.to(each.dtype)[truth], 0)
    total = weight.sum()
    return (torch.where(known, each, 0) * weight).sum() / torch.where(total > 0, total, 1)


def balanced_weights(label: Tensor, n_classes: int) -> Tensor:
    """Return (C,) float32 weights that make the classes of the training rows count the same.

    A class of n_c rows weighs n / (C n_c), n and C being those of the labelled rows (scikit-learn's ``balanced``); a
    class without rows weighs 0.

    Parameters
    ----------
    label
        (n,) int64, of the training rows; below 0 where unlabelled.
    n_classes
        How many classes there are.

    Examples
    --------
    >>> balanced_weights(torch.tensor([0, 0, 0, 1, -1]), 3).tolist()
    [0.6666666865348816, 2.0, 0.0]
    """
    count = torch.bincount(label[label >= 0], minlength=n_classes).to(torch.float32)
    seen = count > 0
    return torch.where(seen, count.sum() / (seen.sum() * count.clamp(min=1)), 0)


def at_least_float32(values: Tensor) -> Tensor:
    """Return numbers of half precision as float32, others as they are: losses are summed in no less."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
