"""The Cox partial likelihood as a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from models.components.losses import at_least_float32

__all__ = ["cox_loss", "followed"]


def followed(time: Tensor, event: Tensor) -> Tensor:
    """Return (B,) bool: which rows have a follow-up, so that both the time and the event are known."""
    return torch.isfinite(time) & torch.isfinite(event)


def cox_loss(log_risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
    """Return the negative log partial likelihood per event, () float32; 0 where there is no event.

    Cox 1972 (J. R. Stat. Soc. B 34:187), ties after Efron 1977 (J. Am. Stat. Assoc. 72:557): with D the summed risk of
    all who are still there at a time, and T that of the m events of that time, these events add the logarithms of
    D - (r / m) T for r from 0 to m - 1, less their log-risks.

    torchsurv 0.2.0 has the same likelihood and is what the tests compare with. It is not called here: where no two
    events share a time, it leaves out of the risk set those censored at the time of an event if they stand before it,
    so that the order of the rows matters; its sums of risks overflow float32 from log-risks of 89 on; it needs the rows
    without follow-up taken out, a shape that depends on the data, which neither the meta device nor a compiled step
    has. Here all is done with logarithms, and rows without follow-up are in nobody's risk set.

    Parameters
    ----------
    log_risk
        (B,), higher = earlier event. The risk sets are those of the batch: give it all rows, or as many as possible.
    time, event
        (B,) days, and 1 = event, 0 = censored; NaN where there is no follow-up.

    Examples
    --------
    >>> loss = cox_loss(torch.zeros(3), torch.tensor([1.0, 2.0, 2.0]), torch.tensor([0.0, 1.0, 1.0]))
    >>> round(loss.item(), 4), round((torch.tensor([2.0, 1.0]).log().sum() / 2).item(), 4)
    (0.3466, 0.3466)
    """
    known = followed(time, event)
    died = known & (event == 1)
    # From the longest time to the shortest, so that everyone still there stands before; the unknown ones come last.
    falling, order = torch.sort(torch.where(known, -time, torch.inf), stable=True)
    risk = torch.where(known, at_least_float32(log_risk), 0)[order]
    died = died[order]
    first = torch.searchsorted(falling, falling)
    last = torch.searchsorted(falling, falling, right=True) - 1
    log_at_risk = torch.logcumsumexp(risk, dim=0)[last]
    count = torch.cumsum(died, dim=0)
    earlier = (count - died.to(count.dtype))[first]
    rank, ties = count - 1 - earlier, (count[last] - earlier).clamp(min=1)
    share = torch.where(died, torch.exp(risk - log_at_risk), 0)
    tied = torch.zeros_like(share).index_add(0, first, share)[first]
    each = log_at_risk + torch.log1p(-(rank.to(risk.dtype) / ties) * tied) - risk
    return torch.where(died, each, 0).sum() / died.sum().clamp(min=1)
