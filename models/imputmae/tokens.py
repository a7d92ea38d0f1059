"""How a modality's numbers become tokens, and tokens numbers again.

Every layout takes a modality as the batch contract has it, (B, F), whatever its own shape is: pixels and feature
vectors lie side by side in the F columns.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["FeatureLayout", "ImageLayout", "Layout", "ReadOut", "Tokens", "VectorLayout", "positions"]


class Tokens(nn.Module):
    """Base: (B, F) numbers to (B, N, D) tokens."""

    @abstractmethod
    def forward(self, values: Tensor) -> Tensor:
        """Return (B, N, D)."""


class ReadOut(nn.Module):
    """Base: (B, N, D) decoded tokens to (B, F) numbers."""

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, F)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Base: which of a modality's F numbers belong to which of its N tokens."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """F."""

    @property
    @abstractmethod
    def n_tokens(self) -> int:
        """N."""

    @abstractmethod
    def embed(self, width: int) -> Tokens:
        """Return the layer from numbers to tokens of `width`."""

    @abstractmethod
    def read_out(self, width: int) -> ReadOut:
        """Return the layer from tokens of `width` to numbers."""

    @abstractmethod
    def seen(self, observed: Tensor) -> Tensor:
        """Return (B, N) bool: the tokens of which any of (B, F) numbers is there."""

    @abstractmethod
    def spread(self, tokens: Tensor) -> Tensor:
        """Return (B, F): to every number what (B, N) says of its token."""


@dataclass(frozen=True, slots=True)
class VectorLayout(Layout):
    """Features in their order, `patch` of them to a token; the last one is filled up with zeros that are never scored.

    Examples
    --------
    >>> VectorLayout(25_978, 512).n_tokens, VectorLayout(16_304, 512).n_tokens, VectorLayout(16_304, 256).n_tokens
    (51, 32, 64)
    """

    features: int
    patch: int

    @property
    def n_features(self) -> int:
        """F."""
        return self.features

    @property
    def n_tokens(self) -> int:
        """F over the patch, rounded up."""
        return -(-self.features // self.patch)

    def embed(self, width: int) -> Tokens:
        """Return a convolution whose kernel and stride are the patch."""
        return _VectorTokens(self, width)

    def read_out(self, width: int) -> ReadOut:
        """Return a linear layer per token."""
        return _VectorReadOut(self, width)

    def seen(self, observed: Tensor) -> Tensor:
        """Return the patches with anything in them; what fills up the last one is nothing."""
        return torch.unflatten(self.padded(observed), 1, (self.n_tokens, self.patch)).any(dim=2)

    def spread(self, tokens: Tensor) -> Tensor:
        """Return each patch's value once per feature."""
        return tokens.repeat_interleave(self.patch, dim=1)[:, : self.features]

    def padded(self, values: Tensor) -> Tensor:
        """Return (B, N x patch), with zeros or False at the end."""
        return nn.functional.pad(values, (0, self.n_tokens * self.patch - self.features))


class _VectorTokens(Tokens):
    def __init__(self, layout: VectorLayout, width: int) -> None:
        super().__init__()
        self.layout = layout
        self.conv = nn.Conv1d(1, width, kernel_size=layout.patch, stride=layout.patch)

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.conv(self.layout.padded(values)[:, None])
        return out.transpose(1, 2)


class _VectorReadOut(ReadOut):
    def __init__(self, layout: VectorLayout, width: int) -> None:
        super().__init__()
        self.features = layout.features
        self.linear = nn.Linear(width, layout.patch)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.linear(tokens)
        return out.flatten(1)[:, : self.features]


@dataclass(frozen=True, slots=True)
class ImageLayout(Layout):
    """One square image, channels first, in squares of `patch` by `patch` pixels.

    Examples
    --------
    >>> ImageLayout().n_tokens, ImageLayout().n_features
    (256, 196608)
    """

    side: int = 256
    patch: int = 16
    channels: int = 3

    @property
    def n_features(self) -> int:
        """Pixels times channels."""
        return self.channels * self.side**2

    @property
    def n_tokens(self) -> int:
        """Squares, row by row."""
        return (self.side // self.patch) ** 2

    def embed(self, width: int) -> Tokens:
        """Return a convolution whose kernel and stride are the square."""
        return _ImageTokens(self, width)

    def read_out(self, width: int) -> ReadOut:
        """Return a transposed convolution."""
        return _ImageReadOut(self, width)

    def seen(self, observed: Tensor) -> Tensor:
        """Return the squares with any pixel there."""
        return self._squares(observed).flatten(2).any(dim=2)

    def spread(self, tokens: Tensor) -> Tensor:
        """Return each square's value once per pixel and channel."""
        n = self.side // self.patch
        grid = torch.unflatten(tokens, 1, (n, n)).repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2)
        return grid[:, None].expand(-1, self.channels, -1, -1).flatten(1)

    def _squares(self, values: Tensor) -> Tensor:
        """Return (B, N, channels, patch, patch)."""
        n = self.side // self.patch
        cut = torch.unflatten(values, 1, (self.channels, n, self.patch, n, self.patch))
        return cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


class _ImageTokens(Tokens):
    def __init__(self, layout: ImageLayout, width: int) -> None:
        super().__init__()
        self.shape = (layout.channels, layout.side, layout.side)
        self.conv = nn.Conv2d(layout.channels, width, kernel_size=layout.patch, stride=layout.patch)

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.unflatten(values, 1, self.shape))
        return out.flatten(2).transpose(1, 2)


class _ImageReadOut(ReadOut):
    def __init__(self, layout: ImageLayout, width: int) -> None:
        super().__init__()
        self.n = layout.side // layout.patch
        self.conv = nn.ConvTranspose2d(width, layout.channels, kernel_size=layout.patch, stride=layout.patch)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.unflatten(tokens.transpose(1, 2), 2, (self.n, self.n)))
        return out.flatten(1)


@dataclass(frozen=True, slots=True)
class FeatureLayout(Layout):
    """A number of feature vectors, as a slide encoder gives them: one token each.

    Examples
    --------
    >>> FeatureLayout(vectors=10, width=1024).n_features
    10240
    """

    vectors: int
    width: int

    @property
    def n_features(self) -> int:
        """Vectors times their width."""
        return self.vectors * self.width

    @property
    def n_tokens(self) -> int:
        """The vectors."""
        return self.vectors

    def embed(self, width: int) -> Tokens:
        """Return a linear layer per vector."""
        return _FeatureTokens(self, width)

    def read_out(self, width: int) -> ReadOut:
        """Return a linear layer per token."""
        return _VectorReadOut(VectorLayout(self.n_features, self.width), width)

    def seen(self, observed: Tensor) -> Tensor:
        """Return the vectors with any number there."""
        return torch.unflatten(observed, 1, (self.vectors, self.width)).any(dim=2)

    def spread(self, tokens: Tensor) -> Tensor:
        """Return each vector's value once per number of it."""
        return tokens.repeat_interleave(self.width, dim=1)


class _FeatureTokens(Tokens):
    def __init__(self, layout: FeatureLayout, width: int) -> None:
        super().__init__()
        self.shape = (layout.vectors, layout.width)
        self.linear = nn.Linear(layout.width, width)

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.linear(torch.unflatten(values, 1, self.shape))
        return out


def positions(n: int, width: int) -> Tensor:
    """Return (n, width) float32 sines and cosines of the place at falling frequencies (Vaswani et al. 2017, 3.5).

    Parameters
    ----------
    n
        How many places.
    width
        Even: sines in the first half, cosines in the second.
    """
    rate = torch.exp(-torch.arange(0, width, 2, dtype=torch.float32) / width * torch.log(torch.tensor(10_000.0)))
    angle = torch.arange(n, dtype=torch.float32)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=1)
