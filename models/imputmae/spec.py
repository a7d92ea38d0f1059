"""How ImpuTMAE is made, for the registry."""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import yaml

from models.imputmae.config import FINE_TUNE, make_config
from models.registry import ModelSpec, Tuning

if TYPE_CHECKING:
    from torch import nn

    from models.imputmae.module import ImpuTMAE
    from models.module import MultiOmicsModule

__all__ = ["SPEC"]


def _build(axes: dict[str, int], config: Any) -> MultiOmicsModule:
    from models.imputmae.module import ImpuTMAE  # a report needs the card, and no torch

    return ImpuTMAE(axes, config)


def _card() -> list[dict[str, Any]]:
    sections: list[dict[str, Any]] = yaml.safe_load(
        resources.files("models.imputmae").joinpath("card.yaml").read_text(encoding="utf-8")
    )
    return sections


def _settings(preset: str) -> dict[str, Any]:
    """Return what `FINE_TUNE` says, as a head has it: linear, behind a norm, chosen on val by C."""
    own = asdict(FINE_TUNE[preset])
    head = {"norm": True, "standardize": False, "mask_modality": 0.0, "body_lr": 1.0, "select": "c_index"}
    return {name: value for name, value in own.items() if name != "unfreeze"} | head


def _body(base: MultiOmicsModule, preset: str) -> nn.Module:
    from models.imputmae.survival import ImputedBody

    return ImputedBody(cast("ImpuTMAE", base), FINE_TUNE[preset])


SPEC = ModelSpec(
    name="imputmae",
    title="ImpuTMAE",
    make_config=make_config,
    build=_build,
    card=_card,
    tuning=Tuning(_settings, _body),
)
