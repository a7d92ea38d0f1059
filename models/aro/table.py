"""The table of ARO: one modality from another and each from all, masked and unmasked, beside simple methods.

Per fold of a split and per seed, ARO is fitted on the training rows, with the epoch chosen on val. The simple methods
of `models.bench.rivals` have nothing to choose there, and are fitted on both. All are judged on the same test rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.aro.module import ARO
from models.baselines.prediction import PCAReconstruction, TrainMean
from models.bench.result import Scores, differences, rows_of
from models.bench.rivals import GroupMean, rival_guesses
from models.datamodule import CohortDataModule
from models.evaluate.bootstrap import patient_weights
from models.evaluate.metrics import prediction_metrics
from models.evaluate.prediction import observed_array
from models.train import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
    seeds
        Of weights, batch order and masks: one training each.
    tissues
        Whether tissues are known, and the methods that read them are shown.
    bootstrap, seed
        Resamples of the patients, and their seed.
    """

    pairs: tuple[tuple[str, str], ...]
    config: AROConfig
    cohorts: tuple[str, ...] = ()
    sample_type: str = "primary"
    seeds: tuple[int, ...] = (0,)
    tissues: bool = False
    bootstrap: int = 1000
    seed: int = 0

    @property
    def modalities(self) -> tuple[str, ...]:
        """All that a pair names, each once."""
        return tuple(dict.fromkeys(m for pair in self.pairs for m in pair))


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
    other method, resampled in pairs; ``folds``: how many samples each was fitted and judged on.
    """
    scores: Scores = {}
    about = []
    for fold in folds:
        data = CohortDataModule(
            store,
            split,
            fold,
            modalities=protocol.modalities,
            transform=protocol.config.transform,
            cohorts=protocol.cohorts,
            sample_type=protocol.sample_type,
            reader="models.aro.table",
            batch_size=protocol.config.batch_size,
            seed=protocol.seed,
        )
        about.append(_fold(store, data, protocol, scores, say))
    return {"rows": rows_of(scores), "differences": differences(scores, "ARO"), "folds": about}


def _fold(
    store: Store, data: CohortDataModule, protocol: Protocol, scores: Scores, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fit and judge in one fold, and put what was found into `scores`."""
    parts = {name: data.part(name) for name in ("train", "val", "test")}
    tasks = _tasks(protocol, parts["test"])
    for task, (source, target, judged) in tasks.items():
        guesses = (
            _reconstructed(store, parts, target, judged, protocol)
            if source is None
            else _translated(store, parts, (source, target), judged, protocol)
        )
        for method, guess in guesses.items():
            _judge(scores, (task, method, f"fold {data.fold}"), guess, target, judged, protocol)
    for name, mask in ((MASKED, protocol.config.mask_modality), (UNMASKED, 0.0)):
        config = replace(protocol.config, mask_modality=mask)
        total: dict[str, NDArray[np.float64]] = {}
        for seed in protocol.seeds:
            module = _trained(data, config, seed)
            for task, (source, target, judged) in tasks.items():
                shown = judged if source is None else judged.only([source])
                guess = module.predict_arrays([shown], [target])[target].astype(np.float64)
                total[task] = total.get(task, 0) + guess / len(protocol.seeds)
                _judge(scores, (task, name, f"fold {data.fold}, seed {seed}"), guess, target, judged, protocol)
        if len(protocol.seeds) > 1:
            together = f"{name}, mean of {len(protocol.seeds)} predictions"
            for task, (_, target, judged) in tasks.items():
                _judge(scores, (task, together, f"fold {data.fold}"), total[task], target, judged, protocol)
        say(f"fold {data.fold}: {name} trained and judged, {len(protocol.seeds)} seeds")
    return {
        "fold": data.fold,
        "n_train": len(parts["train"]),
        "n_val": len(parts["val"]),
        "n_judged": {task: len(judged) for task, (_, _, judged) in tasks.items()},
    }


def _tasks(protocol: Protocol, test: MultiOmicsBatch) -> dict[str, tuple[str | None, str, MultiOmicsBatch]]:
    """Return per task what is read (None: all that is there), what is predicted, and the test rows with both."""
    found: dict[str, tuple[str | None, str, MultiOmicsBatch]] = {}
    for source, target in protocol.pairs:
        both = torch.nonzero(test.has(source) & test.has(target))[:, 0]
        found[f"{source} to {target}"] = (source, target, test.take(both))
    for target in protocol.modalities:
        found[f"all to {target}"] = (None, target, test.take(torch.nonzero(test.has(target))[:, 0]))
    return found


def _trained(data: CohortDataModule, config: AROConfig, seed: int) -> ARO:
    data.seed = seed
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = ARO(data.axes, config)
    best = fit(module, data, config, devices=1, seed=seed, advance=lambda: None)
    module.load_state_dict(best.weights)
    return module


def _judge(
    scores: Scores,
    where: tuple[str, str, str],
    guess: NDArray[np.floating],
    target: str,
    judged: MultiOmicsBatch,
    protocol: Protocol,
) -> None:
    task, method, part = where
    weights = patient_weights(judged.patient_id, protocol.bootstrap, protocol.seed)
    found = prediction_metrics(observed_array(judged, target), guess, weights)
    scores.setdefault(task, {}).setdefault(method, {})[part] = found


def _translated(
    store: Store,
    parts: dict[str, MultiOmicsBatch],
    pair: tuple[str, str],
    judged: MultiOmicsBatch,
    protocol: Protocol,
) -> dict[str, NDArray[np.float64]]:
    """Return what the simple methods predict of one modality from another."""
    source, target = pair
    known = [part.take(torch.nonzero(part.has(source) & part.has(target))[:, 0]) for part in _fitted_on(parts)]
    inputs, targets = (np.vstack([observed_array(part, m) for part in known]) for m in pair)
    groups = None
    if protocol.tissues:
        groups = ([t for part in known for t in _tissues(store, part)], _tissues(store, judged))
    return rival_guesses((inputs, targets), observed_array(judged, source), groups)


def _reconstructed(
    store: Store, parts: dict[str, MultiOmicsBatch], target: str, judged: MultiOmicsBatch, protocol: Protocol
) -> dict[str, NDArray[np.float64]]:
    """Return what is simple for a modality that is itself shown."""
    whole = {m: np.vstack([observed_array(part, m) for part in _fitted_on(parts)]) for m in protocol.modalities}
    places = np.cumsum([0, *(v.shape[1] for v in whole.values())])
    at = protocol.modalities.index(target)
    pca = PCAReconstruction(np.hstack(list(whole.values())), protocol.config.hidden)
    rebuilt = pca.predict(np.hstack([observed_array(judged, m) for m in protocol.modalities]))
    found = {
        "train mean": TrainMean(whole[target]).predict(observed_array(judged, target)),
        f"PCA{pca.rank}": rebuilt[:, places[at] : places[at + 1]],
    }
    if protocol.tissues:
        groups = [t for part in _fitted_on(parts) for t in _tissues(store, part)]
        found["tissue mean"] = GroupMean(groups, whole[target]).predict_groups(_tissues(store, judged))
    return found


def _fitted_on(parts: dict[str, MultiOmicsBatch]) -> tuple[MultiOmicsBatch, MultiOmicsBatch]:
    return parts["train"], parts["val"]


def _tissues(store: Store, rows: MultiOmicsBatch) -> list[str | None]:
    known = store.table("patients")
    where = dict(zip(known["patient_id"].to_list(), known["tissue"].to_list(), strict=True))
    return [where.get(patient) for patient in rows.patient_id]
