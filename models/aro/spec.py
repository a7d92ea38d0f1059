"""How ARO is made, for the registry."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

from models.aro.config import make_config
from models.aro.module import ARO
from models.registry import ModelSpec

__all__ = ["SPEC"]


def _card() -> list[dict[str, Any]]:
    sections: list[dict[str, Any]] = yaml.safe_load(
        resources.files("models.aro").joinpath("card.yaml").read_text(encoding="utf-8")
    )
    return sections


SPEC = ModelSpec(name="aro", title="ARO", make_config=make_config, build=ARO, card=_card)
