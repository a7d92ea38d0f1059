"""Survival in bins of time: the losses of both conventions, and the survival curve.

A network gives one logit per bin; its sigmoid is the hazard, the probability of an event in the bin of those who reach
it. The two conventions differ in where the bins lie (`models.components.time_bins`), in what is added to the likelihood
and in how a risk is read off. What they share: a patient censored in a bin is taken to survive it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.components.losses import at_least_float32

__all__ = ["interpolate", "logistic_hazard_loss", "mahmood_nll_loss", "survival_curve"]


def survival_curve(logits: Tensor) -> Tensor:
    """Return (B, T) the probability of surviving each bin: the running product of one less the hazard.

    Examples
    --------
    >>> survival_curve(torch.zeros(1, 3)).tolist()
    [[0.5, 0.25, 0.125]]
    """
    return torch.exp(torch.cumsum(functional.logsigmoid(-at_least_float32(logits)), dim=1))


def logistic_hazard_loss(logits: Tensor, index: Tensor, event: Tensor, known: Tensor) -> Tensor:
    """Return the negative log-likelihood per patient, () float32; 0 where nobody is known. pycox's LogisticHazard.

    Binary cross-entropy of the hazards, summed over the bins up to the patient's own, where the truth is 1 in that bin
    if there was an event and 0 everywhere else (Kvamme and Borgan 2021, Lifetime Data Anal. 27:710, equation 5).

    Parameters
    ----------
    logits
        (B, T).
    index
        (B,) int64, the patient's bin.
    event
        (B,) 1 = event, 0 = censored.
    known
        (B,) bool; nothing is read of the others.
    """
    logits = at_least_float32(logits)
    bins = torch.arange(logits.shape[1], device=logits.device)
    truth = ((bins == index[:, None]) & (event == 1)[:, None]).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    counts = (bins <= index[:, None]) & known[:, None]
    return torch.where(counts, each, 0).sum() / known.sum().clamp(min=1)


def mahmood_nll_loss(
    logits: Tensor, index: Tensor, event: Tensor, known: Tensor, *, alpha: float, eps: float = 1e-7
) -> Tensor:
    """Return the negative log-likelihood per patient, () float32; 0 where nobody is known. MCAT, PORPOISE, SurvPath.

    An event in bin y costs -log S(y - 1) - log h(y); a patient censored in it -log S(y), times 1 - alpha (Zadeh and
    Schmid 2021, IEEE Trans. Pattern Anal. 43:3126). With alpha 0 it is `logistic_hazard_loss` but for `eps`.

    Parameters
    ----------
    logits, index, event, known
        As `logistic_hazard_loss` takes them.
    alpha
        In [0, 1): by how much censored patients count less.
    eps
        Probabilities below it count as this much.
    """
    logits = at_least_float32(logits)
    survived = survival_curve(logits)
    padded = functional.pad(survived, (1, 0), value=1.0)
    own = index[:, None]
    before = torch.log(padded.gather(1, own).clamp(min=eps))
    through = torch.log(padded.gather(1, own + 1).clamp(min=eps))
    hazard = torch.log(torch.sigmoid(logits).gather(1, own).clamp(min=eps))
    each = torch.where((event == 1)[:, None], -before - hazard, (alpha - 1) * through)[:, 0]
    return torch.where(known, each, 0).sum() / known.sum().clamp(min=1)


def interpolate(grid: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Return (B, K) the straight line between the points of each row, level before the first and after the last.

    Parameters
    ----------
    grid
        (G,) rising, G at least 2.
    values
        (B, G).
    at
        (K,) where.

    Examples
    --------
    >>> interpolate(torch.tensor([0.0, 2.0]), torch.tensor([[1.0, 0.0]]), torch.tensor([-1.0, 0.5, 9.0])).tolist()
    [[1.0, 0.75, 0.0]]
    """
    right = torch.bucketize(at, grid, right=True).clamp(1, len(grid) - 1)
    share = ((at - grid[right - 1]) / (grid[right] - grid[right - 1])).clamp(0, 1)
    return torch.lerp(values[:, right - 1], values[:, right], share.to(values.dtype))
