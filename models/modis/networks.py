"""The networks of MODIS: a variational autoencoder per modality, and one adversary for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Adversary", "Variational"]

_SLOPE = 0.2


def _block(n: int, m: int, eps: float) -> list[nn.Module]:
    return [nn.Linear(n, m), nn.BatchNorm1d(m, eps=eps), nn.LeakyReLU(_SLOPE)]


class Variational(nn.Module):
    """A variational autoencoder of one modality.

    Parameters
    ----------
    features, hidden, latent
        Widths of the input, of all hidden layers, and of the latent space.
    eps
        What batch normalisation adds to a variance.

    Examples
    --------
    >>> sum(p.numel() for p in Variational(367, 512, 64, eps=1e-5).parameters())
    1531375
    """

    def __init__(self, features: int, hidden: int, latent: int, *, eps: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *_block(features, hidden, eps), *_block(hidden, hidden, eps), nn.Linear(hidden, hidden)
        )
        self.mu, self.logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            *_block(latent, hidden, eps),
            *_block(hidden, hidden, eps),
            *_block(hidden, hidden, eps),
            nn.Linear(hidden, features),
        )

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latent, (n, L) each, of (n, F) values."""
        hidden = self.encoder(values)
        return self.mu(hidden), self.logvar(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """Return (n, F) values of (n, L) latents."""
        values: Tensor = self.decoder(z)
        return values

    @staticmethod
    def draw(mu: Tensor, logvar: Tensor) -> Tensor:
        """Return a latent drawn from its posterior, (n, L), such that gradients flow to mean and variance."""
        return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)


class Adversary(nn.Module):
    """Says of a latent which modality it comes from, and which class it is.

    Parameters
    ----------
    latent, widths
        Of the input and of the hidden layers.
    modalities, classes
        How many there are.

    Examples
    --------
    >>> sum(p.numel() for p in Adversary(64, (1024, 512, 256), modalities=3, classes=5).parameters())
    724744
    """

    def __init__(self, latent: int, widths: Sequence[int], *, modalities: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = latent
        for width in widths:
            layers += [nn.Linear(before, width), nn.LeakyReLU(_SLOPE)]
            before = width
        self.trunk = nn.Sequential(*layers)
        self.modality, self.label = nn.Linear(before, modalities), nn.Linear(before, classes)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the last hidden layer (n, D), logits of the modality (n, M) and of the class (n, C)."""
        hidden = self.trunk(z)
        return hidden, self.modality(hidden), self.label(hidden)
