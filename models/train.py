"""Train the model that params.yaml names, on the training rows of one fold."""

from __future__ import annotations

import logging
import math
import shutil
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch

from models.checkpoint import save_checkpoint
from models.datamodule import CohortDataModule
from models.files import write_json
from models.new.calibration import calibrate, save_calibration
from models.registry import get_model
from models.settings import TrainSettings, read_params
from omicstore.errors import OmicstoreError, SplitError, UsageError
from omicstore.files import sha256_of
from omicstore.progress import task
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from models.module import MultiOmicsModule
    from omicstore.store.reader import Store

__all__ = ["KeepBest", "fit", "quiet_lightning", "train"]


class KeepBest(lightning.Callback):
    """Keeps the weights of the epoch with the lowest val loss, and stops when it no longer falls.

    They are kept in memory: nothing is written, so nothing is left behind. Losses are rounded to six decimals before
    they are compared, so that the epoch kept is the first lowest one of `history`, as whoever reads that finds.

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


def _rounded(loss: float) -> float | None:
    return round(loss, 6) if math.isfinite(loss) else None


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning from advertising, and from warning of what is meant."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Parts are in memory: a loader without workers is the fast one.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # Lightning 2.6 asks torch 2.13 in the old way whether a tree is a leaf.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def fit(
    module: MultiOmicsModule,
    data: lightning.LightningDataModule,
    config: Any,
    *,
    devices: int,
    seed: int,
    advance: Callable[[], None],
) -> KeepBest:
    """Train a module and return what its best epoch left.

    Parameters
    ----------
    module, data
        What to train on what.
    config
        The model's settings.
    devices
        How many devices Lightning may take.
    seed
        Of masks and dropout.
    advance
        Called after each epoch.

    Raises
    ------
    OmicstoreError
        If no epoch ended in a finite val loss.
    """
    best = KeepBest(config.patience, advance)
    strict = torch.are_deterministic_algorithms_enabled()
    try:
        with quiet_lightning(), torch.random.fork_rng():
            torch.manual_seed(seed)
            trainer = lightning.Trainer(
                accelerator="auto",
                devices=devices,
                precision=config.precision,
                max_epochs=config.max_epochs,
                deterministic=True,
                callbacks=[best],
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                enable_progress_bar=False,
                num_sanity_val_steps=0,
            )
            trainer.fit(module, datamodule=data)
    finally:
        torch.use_deterministic_algorithms(strict)
    if not best.weights:
        raise OmicstoreError(
            f"after {len(best.history)} epochs no val loss is finite", run="lower train.config.lr in params.yaml"
        )
    return best


def train(root: Path, store: Store, *, say: Callable[[str], None], model: str | None = None) -> dict[str, Any]:
    """Train as the params.yaml in `root` says and write ``artifacts/<model>``.

    Weights, sidecar, state, history and calibration have the same bytes whenever data, settings and machine are the
    same. Val rows choose the epoch; test rows are not read.

    Parameters
    ----------
    root
        The study's folder.
    store
        Its store.
    say
        Called with a line per step.
    model
        Instead of ``train.model`` of params.yaml.

    Returns
    -------
    What the sidecar says of the training.

    Raises
    ------
    SplitError, LeakageError
        If the split has not been made, is of another release, or fails a check that is an error.
    """
    settings = TrainSettings.of(read_params(root), model)
    spec = get_model(settings.model)
    config = spec.make_config(settings.preset, settings.config)
    split = root / "splits" / settings.split
    if not (split / "manifest.json").is_file():
        raise SplitError(
            f"there is no split {settings.split!r}, and nothing is trained on unsplit data",
            expected=str(split / "manifest.json"),
            run="omicstore split make",
        )
    data = CohortDataModule(
        store,
        split,
        settings.fold,
        modalities=settings.modalities,
        transform=config.transform,
        cohorts=settings.cohorts,
        sample_type=settings.sample_type,
        label=settings.label,
        batch_size=config.batch_size,
        seed=settings.seed,
        num_workers=settings.num_workers,
    )
    config = _with_classes(config, data, spec.title)
    axes = data.axes
    n_train, n_val = len(data.part("train")), len(data.part("val"))
    say(f"{spec.title}, preset {settings.preset}: {n_train} training and {n_val} val samples, " + _sizes(axes))
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        module = spec.build(axes, config)
    with task("training", config.max_epochs, "epochs") as advance:
        best = fit(module, data, config, devices=settings.devices, seed=settings.seed, advance=advance)
    say(f"best epoch {best.epoch + 1}, val loss {best.loss:.4f}")
    calibrated = calibrate(module, best.weights, data)
    folder = root / "artifacts" / settings.model
    if folder.exists():
        shutil.rmtree(folder)
    state = data.state
    sidecar = {
        "model": settings.model,
        "preset": settings.preset,
        "modalities": list(settings.modalities),
        "n_parameters": module.n_parameters,
        "release": store.release,
        "simulated": store.simulated,
        "cohorts": list(data.covered),
        "sample_type": settings.sample_type,
        "split": {"name": settings.split, "manifest_hash": state.manifest_hash, "fold": settings.fold},
        "seed": settings.seed,
        "n_train": n_train,
        "n_val": n_val,
        "row_hash": {part: row_hash(data.part(part).sample_id) for part in ("train", "val")},
        "selection": {"part": "val", "metric": "loss", "value": best.loss, "epoch": best.epoch},
    }
    if settings.label is not None:
        sidecar["label"] = {"task": settings.label, "classes": list(data.classes)}
    write_json(folder / "history.json", best.history)
    sidecar["history"] = {"path": "history.json", "sha256": sha256_of(folder / "history.json")}
    sidecar["calibration"] = save_calibration(folder, calibrated)
    save_checkpoint(folder, weights=best.weights, state=state, config=config, sidecar=sidecar)
    return sidecar


def _with_classes(config: Any, data: CohortDataModule, title: str) -> Any:
    """Return the settings with the number of classes that the training rows have, where labels are asked for."""
    if data.label is None:
        return config
    if not hasattr(config, "n_classes"):
        raise UsageError(
            f"train.label is {data.label!r}, and {title} learns no labels", run="remove train.label from params.yaml"
        )
    return replace(config, n_classes=len(data.classes))


def _sizes(axes: dict[str, int]) -> str:
    return ", ".join(f"{n} {m} features" for m, n in axes.items())
