"""The loss of deep divergence-based clustering: clusters far apart, close together within, and of like size."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cauchy_schwarz", "cluster_loss", "gaussian_kernel"]

#: What a bandwidth or the square of a norm is at least.
_FLOOR = 1e-9

#: The bandwidth as a share of the median squared distance.
_BANDWIDTH = 0.15


def gaussian_kernel(hidden: Tensor) -> Tensor:
    """Return (n, n) similarities of (n, D) hidden units: ``exp(-|h_i - h_j|² / 2s)``.

    s is 0.15 times the median of all squared distances; no gradient flows through it.
    """
    norm = hidden.square().sum(dim=1)
    squared = (norm[:, None] + norm[None, :] - 2 * hidden @ hidden.T).clamp(min=0)
    bandwidth = (_BANDWIDTH * squared.detach().median()).clamp(min=_FLOOR)
    return torch.exp(-squared / (2 * bandwidth))


def cauchy_schwarz(assigned: Tensor, kernel: Tensor) -> Tensor:
    """Return how alike clusters are under a kernel, the mean over pairs, between 0 and 1, () float32.

    Of clusters i and j it is ``a_i'K a_j / sqrt(a_i'K a_i · a_j'K a_j)`` (Kampffmeyer et al. 2019, Neural Networks
    113:91).

    Parameters
    ----------
    assigned
        (n, k) how much each row belongs to each cluster.
    kernel
        (n, n).
    """
    k = assigned.shape[1]
    inner = assigned.T @ kernel @ assigned
    own = inner.diagonal()
    alike = inner / (own[:, None] * own[None, :]).clamp(min=_FLOOR).sqrt()
    return alike.triu(diagonal=1).sum() * 2 / (k * (k - 1))


def cluster_loss(hidden: Tensor, logits: Tensor) -> Tensor:
    """Return the clustering loss of one modality's rows, () float32.

    Three terms: clusters are unlike in the hidden units; they are unlike when rows are described by how near they come
    to a sure assignment; and the mean assignment has a high entropy, so that no cluster takes all. Of DDC's terms the
    orthogonality of assignments is left out, as MODIS has it.

    Parameters
    ----------
    hidden
        (n, D) last hidden layer.
    logits
        (n, k) of the classes.
    """
    hidden, logits = hidden.float(), logits.float()
    assigned = logits.softmax(dim=1)
    kernel = gaussian_kernel(hidden)
    corners = torch.eye(assigned.shape[1], device=assigned.device)
    sure = torch.exp(-(assigned[:, None, :] - corners[None, :, :]).square().sum(dim=2))
    shares = assigned.mean(dim=0)
    evenness = torch.xlogy(shares, shares).sum()
    return cauchy_schwarz(assigned, kernel) + cauchy_schwarz(sure, kernel) + evenness
