"""ARO's settings and presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from models.presets import with_overrides

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.components.losses import Balance

__all__ = ["PRESETS", "AROConfig", "Schedule", "make_config"]

Schedule = Literal["plateau", "cosine"]


@dataclass(frozen=True, slots=True)
class AROConfig:
    """How an ARO is built and trained.

    Attributes
    ----------
    hidden, layers
        Width of the hidden layers, and how many follow the first.
    input_dropout, dropout
        Share of inputs zeroed in training, and of units of each hidden layer but the first.
    decoder_dropout
        Share of units of the last hidden layer zeroed in training on their way to the output; the embedding has them.
    output
        ``linear``, or ``softplus`` for a target that is never negative.
    transform
        Name of the transform that its inputs have been through.
    balance
        How the loss weighs modalities.
    mask_modality
        Probability with which a training step hides a modality that is there; the hidden one stays a target.
    average
        Whether a row's inputs are divided by the number of modalities that it is read from. Then the first layer has
        the mean of what each of them gives alone, and not a sum that a network trained on one at a time has never met.
    lr, weight_decay
        AdamW's.
    schedule
        ``plateau``: the rate is cut to a tenth after `lr_patience` epochs without a better val loss. ``cosine``: it
        rises over three epochs and falls along a cosine to 0 at `max_epochs`, whatever the val loss; so it is the same
        where there is no val loss to follow.
    lr_patience
        Of `plateau`; `cosine` does not read it.
    max_epochs, patience, batch_size
        Training stops after `patience` epochs without a better val loss.
    precision
        Lightning's name: ``32-true``, ``bf16-mixed``, ...
    compile
        Whether to compile the network first: worth it for long runs.
    """

    hidden: int = 2048
    layers: int = 0
    input_dropout: float = 0.2
    dropout: float = 0.0
    decoder_dropout: float = 0.5
    output: Literal["linear", "softplus"] = "linear"
    transform: str = "default"
    balance: Balance = "modalities"
    mask_modality: float = 0.9
    average: bool = True
    lr: float = 1e-3
    weight_decay: float = 3.0
    schedule: Schedule = "cosine"
    lr_patience: int = 10
    max_epochs: int = 200
    patience: int = 50
    batch_size: int = 64
    precision: str = "32-true"
    compile: bool = False


#: `paper`: as published, in its unmasked setting. `default`: corrected, as wide as published. `small`: the same for two
#: cores and a few hundred samples. The corrected ones are held back far more than the published one, and have one
#: hidden layer: with more features than samples, both make the imputation of val rows better.
PRESETS: dict[str, AROConfig] = {
    "paper": AROConfig(
        layers=3,
        input_dropout=0.1,
        decoder_dropout=0.0,
        output="softplus",
        transform="paper",
        balance="entries",
        mask_modality=0.0,
        average=False,
        lr=1e-5,
        weight_decay=0.0,
        schedule="plateau",
        patience=200,
        batch_size=80,
        precision="bf16-mixed",
    ),
    "default": AROConfig(),
    "small": AROConfig(hidden=1024, lr=3e-3, max_epochs=60, patience=20),
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
