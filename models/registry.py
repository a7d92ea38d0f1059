"""The models that ``omicstore train`` knows: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.module import MultiOmicsModule

__all__ = ["MODELS", "ModelSpec", "get_model"]

#: Name to the module that holds its `ModelSpec` under the name SPEC.
MODELS: dict[str, str] = {
    "aro": "models.aro.spec",
    "imputmae": "models.imputmae.spec",
    "modis": "models.modis.spec",
}


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
    """

    name: str
    title: str
    make_config: Callable[[str, dict[str, Any]], Any]
    build: Callable[[dict[str, int], Any], MultiOmicsModule]
    card: Callable[[], list[dict[str, Any]]]


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
