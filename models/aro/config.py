"""ARO's settings and presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from models.presets import with_overrides

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.components.losses import Balance

__all__ = ["PRESETS", "AROConfig", "make_config"]


@dataclass(frozen=True, slots=True)
class AROConfig:
    """How an ARO is built and trained.

    Attributes
    ----------
    hidden, layers
        Width of the hidden layers, and how many follow the first.
    input_dropout, dropout
        Share of inputs and of hidden units zeroed in training.
    output
        ``linear``, or ``softplus`` for a target that is never negative.
    transform
        Name of the transform that its inputs have been through.
    balance
        How the loss weighs modalities.
    mask_modality
        Probability with which a training step hides a modality that is there; the hidden one stays a target.
    lr, weight_decay, lr_patience
        AdamW's, and the epochs without a better val loss after which the rate is cut to a tenth.
    max_epochs, patience, batch_size
        Training stops after `patience` epochs without a better val loss.
    precision
        Lightning's name: ``32-true``, ``bf16-mixed``, ...
    compile
        Whether to compile the network first: worth it for long runs.
    """

    hidden: int = 2048
    layers: int = 3
    input_dropout: float = 0.4
    dropout: float = 0.0
    output: Literal["linear", "softplus"] = "linear"
    transform: str = "default"
    balance: Balance = "modalities"
    mask_modality: float = 0.7
    lr: float = 1e-4
    weight_decay: float = 5.0
    lr_patience: int = 10
    max_epochs: int = 200
    patience: int = 25
    batch_size: int = 64
    precision: str = "32-true"
    compile: bool = False


#: `paper`: as published, in its unmasked setting. `default`: corrected, at the published size. `small`: the same for
#: two cores and a few hundred samples. The corrected ones are held back far more than the published one: with more
#: features than samples, imputation of validation rows gets better up to this much input dropout and weight decay.
PRESETS: dict[str, AROConfig] = {
    "paper": AROConfig(
        input_dropout=0.1,
        output="softplus",
        transform="paper",
        balance="entries",
        mask_modality=0.0,
        lr=1e-5,
        weight_decay=0.0,
        patience=200,
        batch_size=80,
        precision="bf16-mixed",
    ),
    "default": AROConfig(),
    "small": AROConfig(hidden=256, layers=1, lr=1e-3, max_epochs=120, patience=12, lr_patience=5, batch_size=32),
}


def make_config(preset: str, overrides: Mapping[str, Any]) -> AROConfig:
    """Return a preset with some of its values replaced.

    Raises
    ------
    UnknownNameError
        If there is no such preset or no such setting.
    UsageError
        If a value has the wrong type.

    Examples
    --------
    >>> make_config("small", {"hidden": 64}).hidden
    64
    """
    return with_overrides("aro", PRESETS, preset, overrides)
