"""What training keeps: the weights of the epoch with the lowest val loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["KeepBest"]


class KeepBest(lightning.Callback):
    """Keeps the weights of the epoch with the lowest val loss, and stops when it no longer falls.

    Losses are rounded to six decimals before they are compared, so that the epoch kept is the first lowest one of
    `history`, as whoever reads that finds.

    Parameters
    ----------
    patience
        Epochs without a lower val loss after which training stops.
    advance
        Called after each epoch.

    Attributes
    ----------
    weights, epoch, loss
        Of the best epoch so far.
    history
        Per epoch its train and val loss; None where it is no finite number.
    """

    def __init__(self, patience: int, advance: Callable[[], None]) -> None:
        self.patience, self.advance = patience, advance
        self.weights: dict[str, Tensor] = {}
        self.epoch, self.loss = -1, float("inf")
        self.history: list[dict[str, float | None]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Look at the epoch's val loss."""
        train, val = (_rounded(float(trainer.callback_metrics[f"{part}/loss"])) for part in ("train", "val"))
        epoch = trainer.current_epoch
        self.history.append({"epoch": epoch, "train": train, "val": val})
        self.advance()
        if val is not None and val < self.loss:
            self.epoch, self.loss = epoch, val
            self.weights = {name: w.detach().cpu().clone() for name, w in pl_module.state_dict().items()}
        elif epoch - self.epoch >= self.patience:
            trainer.should_stop = True

    def state(self) -> dict[str, Any]:
        """Return what `go_back_to` takes."""
        return {"weights": self.weights, "epoch": self.epoch, "loss": self.loss, "history": self.history}

    def go_back_to(self, state: dict[str, Any]) -> None:
        """Be as it was when `state` was taken."""
        self.weights, self.epoch, self.loss = state["weights"], state["epoch"], state["loss"]
        self.history = state["history"]
        for _ in self.history:
            self.advance()


def _rounded(loss: float) -> float | None:
    return round(loss, 6) if math.isfinite(loss) else None
