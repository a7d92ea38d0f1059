"""The transformers: an encoder per modality that reads what is visible, and one decoder over all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.imputmae.tokens import positions

if TYPE_CHECKING:
    from models.imputmae.tokens import Layout

__all__ = ["Encoded", "JointDecoder", "ModalityEncoder", "blocks"]


def blocks(width: int, layers: int, heads: int, mlp: int, dropout: float) -> nn.TransformerEncoder:
    """Return pre-norm transformer layers with GELU, and a norm after the last.

    Examples
    --------
    >>> sum(p.numel() for p in blocks(256, 6, 4, 1024, 0.1).layers.parameters())
    4738560
    """
    layer = nn.TransformerEncoderLayer(width, heads, mlp, dropout, activation="gelu", batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an encoder made of the rows that have its modality.

    Attributes
    ----------
    cls
        (B, D) the class token; 0 in other rows.
    tokens
        (B, N, D) in the order of the places; 0 where not visible.
    visible
        (B, N) bool, False in other rows.
    has
        (B,) bool.
    """

    cls: Tensor
    tokens: Tensor
    visible: Tensor
    has: Tensor


class ModalityEncoder(nn.Module):
    """A vision transformer over the visible tokens of one modality, after a class token.

    Parameters
    ----------
    layout
        How numbers become tokens.
    width, layers, heads, mlp, dropout
        Of the transformer.
    """

    places: Tensor

    def __init__(self, layout: Layout, width: int, layers: int, heads: int, mlp: int, dropout: float) -> None:
        super().__init__()
        self.embed, self.parts = layout.embed(width), layout.parts
        self.cls = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.register_buffer("places", positions(layout.n_tokens // layout.parts + 1, width), persistent=False)
        self.blocks = blocks(width, layers, heads, mlp, dropout)

    def forward(self, values: Tensor, visible: Tensor, has: Tensor, slots: int) -> Encoded:
        """Read the visible tokens; rows without the modality are not computed.

        Parameters
        ----------
        values
            (B, F), 0 where nothing was observed.
        visible
            (B, N) bool: at most `slots` of a row, or of each of its parts.
        has
            (B,) bool: the rows to read.
        slots
            How many tokens a row, or each part, takes up; those not used are attended to by none.
        """
        rows = torch.nonzero(has)[:, 0]
        n, width = visible.shape[1], self.cls.shape[2]
        if not len(rows):
            nothing = self.cls.new_zeros(len(has), n + 1, width)
            return Encoded(nothing[:, 0], nothing[:, 1:], visible & has[:, None], has)
        own = torch.unflatten(visible[rows], 1, (self.parts, -1)).flatten(0, 1)
        order = torch.argsort((~own).to(torch.uint8), dim=1, stable=True)
        used = own.gather(1, order[:, :slots])
        tokens = torch.unflatten(self.embed(values[rows]), 1, (self.parts, -1)).flatten(0, 1) + self.places[1:]
        tokens = tokens.gather(1, order[:, :slots, None].expand(-1, -1, width))
        first = (self.cls + self.places[:1]).expand(len(own), -1, -1)
        unused = nn.functional.pad(~used, (1, 0), value=False)
        out = self.blocks(torch.cat([first, tokens], dim=1), src_key_padding_mask=unused)
        # Back to the places: the k-th in the order came from place order[k].
        back = torch.argsort(order, dim=1).clamp(max=slots - 1)
        placed = out[:, 1:].gather(1, back[:, :, None].expand(-1, -1, width))
        placed = torch.unflatten(torch.where(own[:, :, None], placed, 0), 0, (-1, self.parts)).flatten(1, 2)
        # The class token of the parts of which anything is visible; a row has one, or it would not be read.
        there = torch.unflatten(own.any(dim=1).to(out.dtype), 0, (-1, self.parts))
        share = there / there.sum(dim=1, keepdim=True)
        cls = (torch.unflatten(out[:, 0], 0, (-1, self.parts)) * share[:, :, None]).sum(dim=1, keepdim=True)
        whole = torch.cat([cls, placed], dim=1)
        spread = whole.new_zeros(len(has), n + 1, width).index_copy(0, rows, whole)
        return Encoded(spread[:, 0], spread[:, 1:], visible & has[:, None], has)


class JointDecoder(nn.Module):
    """One transformer over the places of all modalities, mask tokens where nothing is visible, and a head for each.

    Parameters
    ----------
    layouts
        Per modality how tokens become numbers.
    in_width
        Of the encoders' tokens.
    width, layers, heads, mlp, dropout
        Of the transformer.
    """

    def __init__(
        self, layouts: dict[str, Layout], in_width: int, width: int, layers: int, heads: int, mlp: int, dropout: float
    ) -> None:
        super().__init__()
        self.layouts = layouts
        self.project = nn.Linear(in_width, width)
        self.mask = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.modality = nn.ParameterDict({m: torch.empty(1, 1, width).normal_(std=0.02) for m in layouts})
        for modality, layout in layouts.items():
            self.register_buffer(f"places_{modality}", positions(layout.n_tokens + 1, width), persistent=False)
        self.blocks = blocks(width, layers, heads, mlp, dropout)
        self.heads = nn.ModuleDict({m: layout.read_out(width) for m, layout in layouts.items()})

    def forward(self, encoded: dict[str, Encoded]) -> dict[str, Tensor]:
        """Return per modality (B, F) numbers for all places, visible or not."""
        parts = []
        for modality, own in encoded.items():
            there = torch.cat([own.has[:, None], own.visible], dim=1)[:, :, None]
            tokens = torch.where(there, self.project(torch.cat([own.cls[:, None], own.tokens], dim=1)), self.mask)
            parts.append(tokens + self.get_buffer(f"places_{modality}") + self.modality[modality])
        decoded = self.blocks(torch.cat(parts, dim=1))
        split = torch.split(decoded, [p.shape[1] for p in parts], dim=1)
        return {m: self.heads[m](own[:, 1:]) for m, own in zip(encoded, split, strict=True)}
