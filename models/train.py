"""Train the model that params.yaml names, on the training rows of one fold."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch

from models.best import KeepBest
from models.card.model import write_card
from models.checkpoint import save_checkpoint
from models.datamodule import CohortDataModule
from models.files import new_model, write_json
from models.new.calibration import calibrate, save_calibration
from models.registry import get_model
from models.resume import ResumePoint, Resuming
from models.settings import TrainSettings, read_params
from models.slides.axis import SlideSettings
from omicstore.errors import OmicstoreError, SplitError, UsageError
from omicstore.files import sha256_of
from omicstore.progress import task
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["fit", "quiet_lightning", "train"]

#: What advertises, and what speaks of a signal besides ourselves.
_TALKERS = ("utilities.rank_zero", "trainer.connectors.signal_connector")


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning from advertising, and from warning of what is meant."""
    talkers = [logging.getLogger(f"lightning.pytorch.{name}") for name in _TALKERS]
    levels = [logger.level for logger in talkers]
    for logger in talkers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Parts are in memory: a loader without workers is the fast one.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # Lightning 2.6 asks torch 2.13 in the old way whether a tree is a leaf.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*", category=FutureWarning)
            yield
    finally:
        for logger, level in zip(talkers, levels, strict=True):
            logger.setLevel(level)


def fit(
    module: lightning.LightningModule,
    data: lightning.LightningDataModule,
    config: Any,
    *,
    devices: int,
    seed: int,
    advance: Callable[[], None],
    resume: ResumePoint | None = None,
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
    resume
        Where to go on from, and to leave what it takes to go on; the caller removes it once what was trained is kept.

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
                callbacks=[best] if resume is None else [best, Resuming(resume, best)],
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                enable_progress_bar=False,
                num_sanity_val_steps=0,
            )
            try:
                trainer.fit(module, datamodule=data)
            except SystemExit as error:
                # Lightning makes a plain failure of Ctrl-C.
                if isinstance(error.__context__, KeyboardInterrupt):
                    raise error.__context__ from None
                raise
    finally:
        torch.use_deterministic_algorithms(strict)
    if not best.weights:
        if resume is not None:
            resume.remove()
        raise OmicstoreError(
            f"after {len(best.history)} epochs no val loss is finite", run="lower train.config.lr in params.yaml"
        )
    return best


def train(
    root: Path, store: Store, *, say: Callable[[str], None], model: str | None = None, fresh: bool = False
) -> dict[str, Any]:
    """Train as the params.yaml in `root` says and write ``artifacts/<model>``.

    Weights, sidecar, state, history and calibration have the same bytes whenever data, settings and machine are the
    same, also where training was stopped and goes on. Val rows choose the epoch; test rows are not read.

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
    fresh
        Whether to start anew where a training that was stopped could go on.

    Returns
    -------
    What the sidecar says of the training.

    Raises
    ------
    SplitError, LeakageError
        If the split has not been made, is of another release, or fails a check that is an error.
    """
    from models.new.heads import calibrate_heads
    from models.tune.run import check_heads, tune  # which trains heads by `fit`

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
        memory=settings.memory,
        slides=SlideSettings.of(config),
    )
    check_heads(settings, store)
    config = _with_classes(config, data, spec.title)
    axes = data.axes
    n_train, n_val = len(data.sample_ids("train")), len(data.sample_ids("val"))
    say(f"{spec.title}, preset {settings.preset}: {n_train} training and {n_val} val samples, " + _sizes(axes))
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        module = spec.build(axes, config)
    folder = root / "artifacts" / settings.model
    facts = {
        "model": settings.model,
        "modalities": list(settings.modalities),
        "release": store.release,
        "cohorts": list(data.covered),
        "sample_type": settings.sample_type,
        "split": {"name": settings.split, "manifest_hash": data.state.manifest_hash, "fold": settings.fold},
        "seed": settings.seed,
        "row_hash": {part: row_hash(data.sample_ids(part)) for part in ("train", "val")},
    }
    learned = {"config": asdict(config), "state": data.state.describe(), "label": [settings.label, *data.classes]}
    point = ResumePoint(
        folder.with_name(f".{settings.model}.resume"),
        facts | learned | {"devices": settings.devices},
        say,
    )
    if fresh:
        point.remove()
    with task("training", config.max_epochs, "epochs") as advance:
        best = fit(module, data, config, devices=settings.devices, seed=settings.seed, advance=advance, resume=point)
    say(f"best epoch {best.epoch + 1}, val loss {best.loss:.4f}")
    calibrated = calibrate(module, best.weights, data)
    state = data.state
    sidecar = facts | {
        "preset": settings.preset,
        "n_parameters": module.n_parameters,
        "simulated": store.simulated,
        "n_train": n_train,
        "n_val": n_val,
        "selection": {"part": "val", "metric": "loss", "value": best.loss, "epoch": best.epoch},
    }
    if settings.label is not None:
        sidecar["label"] = {"task": settings.label, "classes": list(data.classes)}
    with new_model(folder) as made:
        write_json(made / "history.json", best.history)
        sidecar["history"] = {"path": "history.json", "sha256": sha256_of(made / "history.json")}
        sidecar["calibration"] = save_calibration(made, calibrated)
        save_checkpoint(made, weights=best.weights, state=state, config=config, sidecar=sidecar)
        tune(made, data, settings, say=say)
        calibrate_heads(made, data, settings)
        write_card(made)
    point.remove()
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
