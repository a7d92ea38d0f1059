"""Train the heads that params.yaml asks for on a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from models.checkpoint import SEAL, load_checkpoint
from models.components.losses import balanced_weights
from models.components.time_bins import TimeBins
from models.registry import get_model
from models.train import fit
from models.tune.config import ClassConfig, CoxConfig, DiscreteConfig, head_config
from models.tune.network import Network, Scale, Views, assemble, start
from models.tune.rows import refuse_unknown_task, supervise
from models.tune.saved import save_heads, save_tuned
from models.tune.training import HeadRows, HeadTraining, concordance, embedded
from omicstore.errors import OmicstoreError, UsageError
from omicstore.progress import task as progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.batch import MultiOmicsBatch
    from models.checkpoint import Checkpoint
    from models.datamodule import CohortDataModule
    from models.settings import TrainSettings
    from models.tune.config import HeadTask, TuneConfig
    from models.tune.rows import Supervision
    from omicstore.store.reader import Store

__all__ = ["check_heads", "tune"]


def check_heads(settings: TrainSettings, store: Store) -> dict[str, TuneConfig]:
    """Return the settings of the heads that are asked for, by name, before anything is trained.

    Raises
    ------
    UnknownNameError
        If there is no such task or setting.
    UsageError
        If a setting has the wrong type.
    """
    tuning = get_model(settings.model).tuning
    found = {}
    for task in settings.tune:
        refuse_unknown_task(store, task)
        own = tuning.settings(settings.preset) if tuning is not None and task.how == "finetune" else {}
        found[task.name] = head_config(task, own)
    return found


def tune(
    folder: Path, data: CohortDataModule, settings: TrainSettings, *, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Train the heads of ``train.tune`` on the model in a folder and write them under its ``tuned``.

    The model stays as it is. A head that has too little to learn from is left out, and why is said.

    Parameters
    ----------
    folder
        The trained model's, ``artifacts/MODEL``.
    data
        The fold it was trained on. The test part is not read.
    settings
        The section ``train``.
    say
        Called with a line per head.

    Returns
    -------
    What ``heads.json`` says of each.
    """
    if not settings.tune:
        return {}
    base = load_checkpoint(folder)
    configs = check_heads(settings, data.store)
    heads = {}
    for task in settings.tune:
        found = _tune_one(folder, base, data, task, configs[task.name], settings)
        if isinstance(found, str):
            say(f"head {task.name} was not trained: {found}")
            heads[task.name] = {"not_trained": found}
        else:
            say(_line(found))
            heads[task.name] = {SEAL: found[SEAL], "score": found["score"]}
    save_heads(folder, base, heads)
    return heads


def _tune_one(
    folder: Path,
    base: Checkpoint,
    data: CohortDataModule,
    task: HeadTask,
    config: TuneConfig,
    settings: TrainSettings,
) -> dict[str, Any] | str:
    """Return the sidecar of a head once it is written, or why there is none."""
    known = supervise(data, task, config)
    if isinstance(known, str):
        return known
    train = known.parts["train"]
    weights = bins = None
    if isinstance(config, ClassConfig):
        n_classes = len(known.classes)
        even = config.balance == "rows"
        weights = torch.ones(n_classes) if even else balanced_weights(train.targets.label, n_classes)
    if isinstance(config, DiscreteConfig):
        try:
            bins = _fitted_bins(train, config)
        except UsageError as error:
            return str(error)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = assemble(base, task, config, weights=weights, bins=bins)
    start(network.head, train.targets)
    try:
        history, epoch, value = _fitted(network, base, task, config, known, settings)
    except _NoEpochError as error:
        return str(error)
    score = _score(network, known)
    by_c = isinstance(config, CoxConfig) and config.select == "c_index"
    sidecar = {
        "seed": settings.seed,
        "sample_type": settings.sample_type,
        "classes": list(known.classes),
        "counts": known.counts,
        "left_out": known.left_out,
        "selection": {"part": "val", "metric": "1 - harrell_c" if by_c else "loss", "value": value, "epoch": epoch},
        "score": score,
    }
    if bins is not None:
        sidecar["bins"] = bins.describe() | {"hash": bins.hash}
    rows = {part: own.sample_id for part, own in known.parts.items()}
    return save_tuned(
        folder, base=base, task=task, config=config, network=network, history=history, rows=rows, sidecar=sidecar
    )


class _NoEpochError(Exception):
    """No epoch ended in a val loss that is a number."""


def _fitted_bins(train: MultiOmicsBatch, config: DiscreteConfig) -> TimeBins:
    return TimeBins.fit(
        config.convention,
        train.targets.time.numpy(),
        train.targets.event.numpy(),
        train.sample_id,
        n_bins=config.n_bins or None,
    )


def _fitted(
    network: Network,
    base: Checkpoint,
    task: HeadTask,
    config: TuneConfig,
    known: Supervision,
    settings: TrainSettings,
) -> tuple[list[dict[str, float | None]], int, float]:
    """Train a network in place; return its losses, and epoch and val loss of the best one."""
    parts = known.parts
    learning = network
    if task.how == "probe":
        # The model does not change, so its embeddings do not: they are made once.
        parts = {part: embedded(base.module, own) for part, own in parts.items()}
        scale = network.scale if isinstance(network.scale, Scale) else None
        learning = Network(Views(config.mask_modality), scale, network.head)
    if isinstance(network.scale, Scale):
        network.scale.fit(_embeddings(learning, parts["train"]))
    training = HeadTraining(learning, config)
    with progress(f"head {task.name}", config.max_epochs, "epochs") as advance:
        try:
            best = fit(
                training, HeadRows(parts, config.batch_size, settings.seed), config,
                devices=1, seed=settings.seed, advance=advance,
            )  # fmt: skip
        except OmicstoreError as error:
            raise _NoEpochError(f"{error.found}; lower {task.where}.config.lr") from error
    training.load_state_dict(best.weights)
    network.cpu().eval()
    return best.history, best.epoch, best.loss


def _embeddings(network: Network, batch: MultiOmicsBatch) -> torch.Tensor:
    network.eval()
    with torch.no_grad():
        z = torch.cat([network.body(part).float() for part in batch.pieces()])
    network.train()
    return z


def _score(network: Network, known: Supervision) -> dict[str, Any]:
    """Return how the epoch chosen does on the val rows that chose it, beside a guess that knows nothing."""
    val = known.parts["val"]
    with torch.no_grad():
        outputs = torch.cat([network(part).float() for part in val.pieces()])
    if not known.classes:
        value = concordance(network.head, outputs, val.targets)
        return {"part": "val", "metric": "harrell_c", "value": round(value, 6), "trivial": 0.5}
    label, guess = val.targets.label, outputs.argmax(dim=1)
    there = sorted(set(label.tolist()))
    recall = [float((guess[label == c] == c).double().mean()) for c in there]
    value, trivial = sum(recall) / len(recall), 1 / len(there)
    return {"part": "val", "metric": "balanced_accuracy", "value": round(value, 6), "trivial": round(trivial, 6)}


def _line(sidecar: dict[str, Any]) -> str:
    counts, score = sidecar["counts"], sidecar["score"]
    what = f"{len(sidecar['classes'])} classes" if sidecar["classes"] else f"{counts['train']['events']} events"
    if sidecar["left_out"]:
        what += f" (too small: {', '.join(f'{name} with {n}' for name, n in sidecar['left_out'].items())})"
    named = {"harrell_c": ("C", "chance"), "balanced_accuracy": ("balanced accuracy", "majority class")}
    metric, trivial = named[score["metric"]]
    return (
        f"head {sidecar['name']} ({sidecar['head']} on {sidecar['task']}, {sidecar['how']}): "
        f"{counts['train']['rows']} training rows, {what}; best epoch {sidecar['selection']['epoch'] + 1}, "
        f"{metric} {score['value']:.3f} on the val rows that chose it ({trivial} {score['trivial']:.3f})"
    )
