"""Nested states of optimizers and schedulers as tensors by name and one JSON text, and back; never a pickle."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["pack", "unpack"]


def pack(value: Any) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a nested value on the CPU, by name, and a JSON text with their names in their places.

    Parameters
    ----------
    value
        Made of dicts, lists, tuples, tensors, texts, numbers, bools and None; keys may be texts and whole numbers.

    Raises
    ------
    TypeError
        If anything else is in it.

    Examples
    --------
    >>> tensors, text = pack({"state": {0: torch.ones(2)}, "betas": (0.5, float("inf"))})
    >>> unpack(tensors, text)
    {'state': {0: tensor([1., 1.])}, 'betas': (0.5, inf)}
    """
    tensors: dict[str, Tensor] = {}
    return tensors, json.dumps(_packed(value, tensors), allow_nan=False)


def unpack(tensors: Mapping[str, Tensor], text: str) -> Any:
    """Return the value that was packed; its tensors are copies, since what is read may lie anywhere in a file."""
    return _unpacked(json.loads(text), tensors)


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = f"{len(tensors):06d}"
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        if odd := [key for key in value if type(key) not in (str, int)]:
            raise TypeError(f"a state has the key {odd[0]!r}")
        return {"dict": [[key, _packed(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_packed(item, tensors) for item in value]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"a state holds a {type(value).__name__}")


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held].clone()
    if kind == "dict":
        return {key: _unpacked(item, tensors) for key, item in held}
    if kind == "float":
        return float(held)
    items = [_unpacked(item, tensors) for item in held]
    return tuple(items) if kind == "tuple" else items
