"""The models that ``omicstore train`` knows: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from models.module import MultiOmicsModule

__all__ = ["MODELS", "ModelSpec", "Tuning", "get_model"]

#: Name to the module that holds its `ModelSpec` under the name SPEC.
MODELS: dict[str, str] = {
    "aro": "models.aro.spec",
    "imputmae": "models.imputmae.spec",
    "modis": "models.modis.spec",
}


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a model is fine-tuned that has a network of its own for it.

    Attributes
    ----------
    settings
        Preset of the trained model to settings of `models.tune.config` that replace the usual ones.
    body
        The trained model and its preset to a module from a batch to what a head reads, (B, D). Of its parameters those
        learn that require a gradient; the others are the trained model's.
    """

    settings: Callable[[str], dict[str, Any]]
    body: Callable[[MultiOmicsModule, str], nn.Module]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How a model is made.

    Attributes
    ----------
    name, title
        In params.yaml, and in text.
    make_config
        Preset and overrides to a dataclass of settings, with at least transform, batch_size, max_epochs, patience and
        precision.
    build
        Axes and settings to a module.
    card
        Returns the card's fixed part: what the model is, what was changed and what it cannot do.
    learns
        Beginnings of the names of the parameters that learn when the model is fine-tuned; by default all.
    tuning
        How it is fine-tuned instead, where it is not its embedding that a head goes on.
    """

    name: str
    title: str
    make_config: Callable[[str, dict[str, Any]], Any]
    build: Callable[[dict[str, int], Any], MultiOmicsModule]
    card: Callable[[], list[dict[str, Any]]]
    learns: tuple[str, ...] = ("",)
    tuning: Tuning | None = None


def get_model(name: str) -> ModelSpec:
    """Return a model's specification.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    """
    if name not in MODELS:
        raise UnknownNameError("model", name, MODELS, run="name one of them, or set train.model in params.yaml")
    return cast("ModelSpec", import_module(MODELS[name]).SPEC)
