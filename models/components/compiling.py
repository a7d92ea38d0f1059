"""Compiling a part of a model in place, so that its weights keep their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

__all__ = ["compile_in_place"]


def compile_in_place(module: nn.Module) -> None:
    """Have a module compiled at its first call.

    ``module.compile()`` does nothing where the module is of torch itself, such as a Sequential or a TransformerEncoder:
    torch 2.13 leaves out frames of its own code, without a word. Here a frame of ours stands around it.
    """
    call: Callable[..., Any] = module._call_impl

    def frame(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    # Graphs are kept by code object, and only a few by each: every module gets one of its own.
    frame.__code__ = frame.__code__.replace()
    module._compiled_call_impl = torch.compile(frame)
