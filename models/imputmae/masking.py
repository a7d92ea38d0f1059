"""Which tokens a step may read."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["hide_tokens", "n_visible", "uniform"]


def uniform(shape: torch.Size, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Return uniform numbers: from the global generator, or the same on every device from one of the CPU."""
    if generator is None:
        return torch.rand(shape, device=device)
    return torch.rand(shape, generator=generator).to(device)


def n_visible(n: int, share: float) -> int:
    """Return how many of `n` tokens stay visible when `share` of them is hidden: rounded down."""
    return int(n * (1 - share))


def hide_tokens(seen: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Draw which tokens stay visible: `n_visible` of those that a row has seen, each with the same chance.

    Parameters
    ----------
    seen
        (B, N) bool, the tokens with anything in them.
    share
        In [0, 1].
    generator
        Of the CPU; the global one where absent.

    Returns
    -------
    (B, N) bool, never True where `seen` is not.

    Examples
    --------
    >>> hide_tokens(torch.ones(2, 51, dtype=torch.bool), 0.5, None).sum(dim=1).tolist()
    [25, 25]
    """
    score = uniform(seen.shape, seen.device, generator).masked_fill(~seen, 2.0)
    rank = torch.argsort(torch.argsort(score, dim=1), dim=1)
    stay = torch.tensor([n_visible(k, share) for k in range(seen.shape[1] + 1)], device=seen.device)
    return seen & (rank < stay[seen.sum(dim=1, keepdim=True)])
