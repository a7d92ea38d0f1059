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

    @property
    def parts(self) -> int:
        """How many sequences of N / parts tokens are read one by one, and their class tokens averaged."""
        return 1

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

    Attributes
    ----------
    features, patch
        How many there are, and how many make a token.
    shared
        Whether all patches share the weights to and from tokens, as a convolution does. The n-th features of two
        patches have nothing in common, so that weights of its own serve each patch better.

    Examples
    --------
    >>> VectorLayout(25_978, 512).n_tokens, VectorLayout(16_304, 512).n_tokens, VectorLayout(16_304, 256).n_tokens
    (51, 32, 64)
    """

    features: int
    patch: int
    shared: bool = True

    @property
    def n_features(self) -> int:
        """F."""
        return self.features

    @property
    def n_tokens(self) -> int:
        """F over the patch, rounded up."""
        return -(-self.features // self.patch)

    def embed(self, width: int) -> Tokens:
        """Return a convolution whose kernel and stride are the patch, or a linear layer for each patch."""
        return _VectorTokens(self, width) if self.shared else _OwnVectorTokens(self, width)

    def read_out(self, width: int) -> ReadOut:
        """Return one linear layer for all tokens, or one for each."""
        return _VectorReadOut(self, width) if self.shared else _OwnVectorReadOut(self, width)

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


class _PerToken(nn.Module):
    """A linear layer for each of some tokens: (B, N, in) to (B, N, out), begun as `torch.nn.Linear` is."""

    def __init__(self, tokens: int, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(torch.empty(tokens, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(tokens, n_out).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        return torch.einsum("bni,nio->bno", values, self.weight) + self.bias


class _OwnVectorTokens(Tokens):
    def __init__(self, layout: VectorLayout, width: int) -> None:
        super().__init__()
        self.layout = layout
        self.linear = _PerToken(layout.n_tokens, layout.patch, width)

    def forward(self, values: Tensor) -> Tensor:
        patches = torch.unflatten(self.layout.padded(values), 1, (self.layout.n_tokens, self.layout.patch))
        out: Tensor = self.linear(patches)
        return out


class _OwnVectorReadOut(ReadOut):
    def __init__(self, layout: VectorLayout, width: int) -> None:
        super().__init__()
        self.features = layout.features
        self.linear = _PerToken(layout.n_tokens, width, layout.patch)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.linear(tokens)
        return out.flatten(1)[:, : self.features]


@dataclass(frozen=True, slots=True)
class ImageLayout(Layout):
    """Square images, channels first, each in squares of `patch` by `patch` pixels and read by itself.

    Examples
    --------
    >>> ImageLayout().n_tokens, ImageLayout().n_features, ImageLayout(tiles=4).n_tokens
    (256, 196608, 1024)
    """

    side: int = 256
    patch: int = 16
    channels: int = 3
    tiles: int = 1

    @property
    def n_features(self) -> int:
        """Pixels times channels times images."""
        return self.tiles * self.channels * self.side**2

    @property
    def n_tokens(self) -> int:
        """Squares, image by image and row by row."""
        return self.tiles * (self.side // self.patch) ** 2

    @property
    def parts(self) -> int:
        """The images."""
        return self.tiles

    def embed(self, width: int) -> Tokens:
        """Return a convolution whose kernel and stride are the square."""
        return _ImageTokens(self, width)

    def read_out(self, width: int) -> ReadOut:
        """Return a transposed convolution."""
        return _ImageReadOut(self, width)

    def seen(self, observed: Tensor) -> Tensor:
        """Return the squares with any pixel there."""
        n = self.side // self.patch
        cut = torch.unflatten(observed, 1, (self.tiles, self.channels, n, self.patch, n, self.patch))
        return cut.permute(0, 1, 3, 5, 2, 4, 6).flatten(1, 3).flatten(2).any(dim=2)

    def spread(self, tokens: Tensor) -> Tensor:
        """Return each square's value once per pixel and channel."""
        n = self.side // self.patch
        grid = torch.unflatten(tokens, 1, (self.tiles, n, n))
        grid = grid.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)
        return grid[:, :, None].expand(-1, -1, self.channels, -1, -1).flatten(1)


class _ImageTokens(Tokens):
    def __init__(self, layout: ImageLayout, width: int) -> None:
        super().__init__()
        self.shape = (layout.tiles, layout.channels, layout.side, layout.side)
        self.conv = nn.Conv2d(layout.channels, width, kernel_size=layout.patch, stride=layout.patch)

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.unflatten(values, 1, self.shape).flatten(0, 1))
        return torch.unflatten(out.flatten(2).transpose(1, 2), 0, (-1, self.shape[0])).flatten(1, 2)


class _ImageReadOut(ReadOut):
    def __init__(self, layout: ImageLayout, width: int) -> None:
        super().__init__()
        self.tiles, self.n = layout.tiles, layout.side // layout.patch
        self.conv = nn.ConvTranspose2d(width, layout.channels, kernel_size=layout.patch, stride=layout.patch)

    def forward(self, tokens: Tensor) -> Tensor:
        squares = torch.unflatten(tokens, 1, (self.tiles, self.n, self.n)).flatten(0, 1)
        out: Tensor = self.conv(squares.permute(0, 3, 1, 2))
        return torch.unflatten(out.flatten(1), 0, (-1, self.tiles)).flatten(1)


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
