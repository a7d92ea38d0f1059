"""The table of ARO: one modality from another and each from all, masked and unmasked, beside simple methods.

Per fold of a split and per seed, val chooses the epoch of an ARO that is fitted on the training rows; then it is fitted
once more, on train and val together, for as many epochs. The simple methods have nothing to choose on val, and are
fitted on both as well. All are judged on the same test rows. The transform is fitted on the training rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.aro.simple import reconstructed, translated
from models.aro.training import Arrays, Trained, Training, run
from models.bench.result import Scores, differences, rows_of
from models.datamodule import CohortDataModule
from models.evaluate.bootstrap import patient_weights
from models.evaluate.metrics import prediction_metrics
from models.processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.aro.config import AROConfig
    from models.batch import MultiOmicsBatch
    from omicstore.store.reader import Store

__all__ = ["MASKED", "UNMASKED", "Protocol", "translation_table"]

MASKED, UNMASKED = "ARO, masked", "ARO, unmasked"


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the table is made of.

    Attributes
    ----------
    pairs
        (source, target) of each prediction of one modality from another.
    config
        ARO's settings in the masked setting; the unmasked one hides no modality in training.
    cohorts
        Cohorts; none means all that the split covers.
    sample_type
        As in a query.
    seeds, unmasked_seeds
        Of weights, batch order and masks: one training each, masked and unmasked.
    refit
        Whether ARO is fitted once more on train and val together, as `models.aro.training.Training` has it.
    tissues
        Whether tissues are known, and the methods that read them are shown.
    bootstrap, seed
        Resamples of the patients, and their seed.
    workers
        Processes that train; with one, this one does.
    """

    pairs: tuple[tuple[str, str], ...]
    config: AROConfig
    cohorts: tuple[str, ...] = ()
    sample_type: str = "primary"
    seeds: tuple[int, ...] = (0,)
    unmasked_seeds: tuple[int, ...] = (0,)
    refit: bool = True
    tissues: bool = False
    bootstrap: int = 1000
    seed: int = 0
    workers: int = 1

    @property
    def modalities(self) -> tuple[str, ...]:
        """All that a pair names, each once."""
        return tuple(dict.fromkeys(m for pair in self.pairs for m in pair))

    @property
    def settings(self) -> tuple[tuple[str, AROConfig, tuple[int, ...]], ...]:
        """The name of each of ARO's two settings, what it is trained with, and its seeds."""
        unmasked = replace(self.config, mask_modality=0.0)
        return (MASKED, self.config, self.seeds), (UNMASKED, unmasked, self.unmasked_seeds)


@dataclass(frozen=True, slots=True)
class _Task:
    """A prediction to judge.

    Attributes
    ----------
    name
        In the table.
    source
        What is read; None: all that is there.
    target
        What is predicted.
    judged
        The test rows that have both.
    """

    name: str
    source: str | None
    target: str
    judged: MultiOmicsBatch

    def shown(self) -> Arrays:
        """Return what a model may read, NaN elsewhere."""
        rows = self.judged if self.source is None else self.judged.only([self.source])
        return {m: rows.measured(m) for m in rows.modalities}


@dataclass(frozen=True, slots=True)
class _Fold:
    """A fold that was read."""

    number: int
    parts: dict[str, MultiOmicsBatch]
    tasks: tuple[_Task, ...]

    @property
    def known(self) -> tuple[MultiOmicsBatch, MultiOmicsBatch]:
        """What the simple methods are fitted on."""
        return self.parts["train"], self.parts["val"]

    def trainings(self, protocol: Protocol) -> list[Training]:
        """Return the trainings that the fold takes, in the order of the settings and their seeds."""
        train, val = ({m: part.measured(m) for m in part.modalities} for part in self.known)
        shown = tuple((task.shown(), task.target) for task in self.tasks)
        return [
            Training(train, val, config, seed, protocol.refit, shown)
            for _, config, seeds in protocol.settings
            for seed in seeds
        ]


def translation_table(
    store: Store, split: Path, protocol: Protocol, *, folds: Sequence[int], say: Callable[[str], None]
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    store
        An open store.
    split
        The split's folder.
    protocol
        What the table is made of.
    folds
        Which folds; each test part is read once, and the read logged.
    say
        Called with a line per step.

    Returns
    -------
    ``rows``, per task, method and measure the mean over folds (and seeds) with the interval of a patient bootstrap, the
    standard deviation over folds, and ``each``, the value of every fold and seed; ``differences`` of ARO from every
    other method, resampled in pairs; ``folds``: how many samples each was fitted and judged on, and the epochs of each
    training.
    """
    tissues = _tissues(store) if protocol.tissues else None
    scores: Scores = {}
    about = []
    read = [_read(store, split, protocol, fold) for fold in folds]
    with running(run, [t for fold in read for t in fold.trainings(protocol)], protocol.workers) as trained:
        for fold in read:
            for task in fold.tasks:
                guesses = (
                    reconstructed(
                        fold.known,
                        protocol.modalities,
                        task.target,
                        task.judged,
                        width=protocol.config.hidden,
                        tissues=tissues,
                    )
                    if task.source is None
                    else translated(fold.known, (task.source, task.target), task.judged, tissues)
                )
                for method, guess in guesses.items():
                    _judge(scores, task, method, f"fold {fold.number}", guess, protocol)
            say(f"fold {fold.number}: simple methods judged")
            about.append(_judge_trained(scores, fold, trained, protocol))
            say(f"fold {fold.number}: ARO judged")
    return {"rows": rows_of(scores), "differences": differences(scores, "ARO"), "folds": about}


def _read(store: Store, split: Path, protocol: Protocol, fold: int) -> _Fold:
    data = CohortDataModule(
        store,
        split,
        fold,
        modalities=protocol.modalities,
        transform=protocol.config.transform,
        cohorts=protocol.cohorts,
        sample_type=protocol.sample_type,
        reader="models.aro.table",
    )
    parts = {name: data.part(name) for name in ("train", "val", "test")}
    test = parts["test"]

    def rows(*needed: str) -> MultiOmicsBatch:
        return test.take(torch.nonzero(torch.stack([test.has(m) for m in needed]).all(dim=0))[:, 0])

    translations = [_Task(f"{s} to {t}", s, t, rows(s, t)) for s, t in protocol.pairs]
    whole = [_Task(f"all to {target}", None, target, rows(target)) for target in protocol.modalities]
    return _Fold(fold, parts, (*translations, *whole))


def _judge_trained(scores: Scores, fold: _Fold, trained: Iterator[Trained], protocol: Protocol) -> dict[str, Any]:
    """Judge each training of a fold, and the mean of the predictions of each setting."""
    epochs: dict[str, list[int]] = {}
    for name, _, seeds in protocol.settings:
        found = [next(trained) for _ in seeds]
        epochs[name] = [one.epochs for one in found]
        for i, task in enumerate(fold.tasks):
            guesses = [one.guesses[i].astype(np.float64) for one in found]
            for seed, guess in zip(seeds, guesses, strict=True):
                _judge(scores, task, name, f"fold {fold.number}, seed {seed}", guess, protocol)
            if len(seeds) > 1:
                mean = np.asarray(np.mean(guesses, axis=0))
                together = f"{name}, mean of {len(seeds)} predictions"
                _judge(scores, task, together, f"fold {fold.number}", mean, protocol)
    return {
        "fold": fold.number,
        "n_train": len(fold.parts["train"]),
        "n_val": len(fold.parts["val"]),
        "n_judged": {task.name: len(task.judged) for task in fold.tasks},
        "epochs": epochs,
    }


def _judge(
    scores: Scores, task: _Task, method: str, part: str, guess: NDArray[np.floating], protocol: Protocol
) -> None:
    weights = patient_weights(task.judged.patient_id, protocol.bootstrap, protocol.seed)
    found = prediction_metrics(task.judged.measured(task.target), guess, weights)
    scores.setdefault(task.name, {}).setdefault(method, {})[part] = found


def _tissues(store: Store) -> dict[str, str | None]:
    known = store.table("patients")
    return dict(zip(known["patient_id"].to_list(), known["tissue"].to_list(), strict=True))
