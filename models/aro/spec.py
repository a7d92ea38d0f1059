"""How ARO is made, for the registry."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

from models.aro.config import make_config
from models.registry import ModelSpec

if TYPE_CHECKING:
    from models.module import MultiOmicsModule

__all__ = ["SPEC"]


def _build(axes: dict[str, int], config: Any) -> MultiOmicsModule:
    from models.aro.module import ARO  # a report needs the card, and no torch

    return ARO(axes, config)


def _card() -> list[dict[str, Any]]:
    sections: list[dict[str, Any]] = yaml.safe_load(
        resources.files("models.aro").joinpath("card.yaml").read_text(encoding="utf-8")
    )
    return sections


SPEC = ModelSpec(name="aro", title="ARO", make_config=make_config, build=_build, card=_card, learns=("encoder.",))
