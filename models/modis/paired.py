"""MODIS on real samples with several modalities: trained as if each had one, judged where all were measured.

Which modality belongs to which is hidden in training and known in the test, so a translation is compared with what was
measured of the same sample, which no simulation with independent modalities allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.baselines.classes import Forest, Frequencies, Logistic, Neighbours
from models.baselines.prediction import Ridge, TrainMean
from models.bench.rivals import GroupMean
from models.evaluate.bootstrap import patient_weights
from models.evaluate.metrics import prediction_metrics
from models.evaluate.resampled import resampled_scores
from models.modis.module import MODIS
from models.modis.paired_rows import Fold, Protocol, read_fold
from models.modis.study import UnpairedStudy
from models.train import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.bench.result import Scores
    from omicstore.store.reader import Store

__all__ = ["KNOWING", "NAME", "PAIRED", "Said", "paired_scores", "train_and_ask"]

NAME = "MODIS"

#: Methods that know what MODIS does not: the class of a test row, and which training rows are of the same sample.
KNOWING, PAIRED = "class mean, class known", "ridge, trained on pairs"


@dataclass(frozen=True, slots=True)
class Said:
    """What a method says of the test rows: from each modality class probabilities, and per pair the target."""

    classes: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    translated: dict[tuple[str, str], NDArray[np.floating]] = field(default_factory=dict)


def paired_scores(
    store: Store,
    split: Path,
    protocol: Protocol,
    classes: Scores,
    translations: Scores,
    *,
    folds: Sequence[int],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Train and judge in every fold, and put what was found into `classes` and `translations`.

    Parameters
    ----------
    store
        An open store.
    split
        The split's folder.
    protocol
        What is measured.
    classes, translations
        Get a task per modality, and per pair of modalities.
    folds
        Which; each test part is read once, and the read logged.
    say
        Called with a line per step.

    Returns
    -------
    Per fold how many rows each part has, and the classes.
    """
    about = []
    for fold in folds:
        own = read_fold(store, split, fold, protocol)
        weights = patient_weights(own.test.patient_id, protocol.bootstrap, 0)
        said = {(method, f"fold {fold}"): found for method, found in _rivals(own, protocol).items()}
        said |= {(NAME, f"fold {fold}, seed {seed}"): train_and_ask(own, protocol, seed) for seed in protocol.seeds}
        for (method, part), found in said.items():
            for source, probabilities in found.classes.items():
                task = f"{protocol.cohort}: {protocol.label} from {source}"
                _put(classes, task, method, part, _judged(own.test, probabilities, weights))
            for (source, target), guess in found.translated.items():
                task = f"{protocol.cohort}: {source} to {target}"
                truth = own.test.measured(target)
                _put(translations, task, method, part, prediction_metrics(truth, guess, weights))
        say(f"{protocol.cohort}, fold {fold}: {NAME} trained and judged, {len(protocol.seeds)} seeds")
        about.append(
            {
                "cohort": protocol.cohort,
                "fold": fold,
                "n_train": {m: int(own.train.has(m).sum()) for m in protocol.modalities},
                "n_val": {m: int(own.val.has(m).sum()) for m in protocol.modalities},
                "n_judged": len(own.test),
                "n_judged_labelled": int((own.test.targets.label >= 0).sum()),
                "classes": list(own.classes),
            }
        )
    return about


def train_and_ask(fold: Fold, protocol: Protocol, seed: int) -> Said:
    """Train MODIS on the unpaired rows of a fold, and return what it says of the test rows."""
    config = replace(protocol.config, n_classes=len(fold.classes))
    parts = {"train": fold.train, "val": fold.val}
    truth = {name: part.targets.label.numpy() for name, part in parts.items()}
    study = UnpairedStudy(parts, truth, batch_size=config.batch_size, seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = MODIS({m: fold.train.values[m].shape[1] for m in protocol.modalities}, config)
    module.load_state_dict(fit(module, study, config, devices=1, seed=seed, advance=lambda: None).weights)
    module.eval()
    said = Said()
    with torch.inference_mode():
        for source in protocol.modalities:
            alone = fold.test.only([source])
            said.classes[source] = module.class_probabilities(alone).numpy().astype(np.float64)
            guesses = module.reconstruct(alone, [m for m in protocol.modalities if m != source])
            said.translated.update({(source, target): guess.numpy() for target, guess in guesses.items()})
    return said


def _rivals(fold: Fold, protocol: Protocol) -> dict[str, Said]:
    """Return what the simple methods say, fitted on the unpaired training rows but for ridge, which sees pairs."""
    said = {name: Said() for name in ("majority class", "logistic", "random forest", "kNN5")}
    means, k = {}, len(fold.classes)
    for m in protocol.modalities:
        values, label = fold.rows(fold.train, m)
        (inputs, val), test = (
            (np.nan_to_num(v) for v in (values, fold.rows(fold.val, m)[0])),
            fold.test.input(m).numpy(),
        )
        for name, model in (
            ("majority class", Frequencies(label, k)),
            ("logistic", Logistic(inputs, label, val, fold.rows(fold.val, m)[1], k)),
            ("random forest", Forest(inputs, label, k, seed=0)),
            ("kNN5", Neighbours(inputs, label, k)),
        ):
            said[name].classes[m] = model.predict(test)
        means[m] = GroupMean(fold.names(label), values)
    known = fold.names(fold.test.targets.label.numpy())
    for source, target in permutations(protocol.modalities, 2):
        both = (fold.whole.has(source) & fold.whole.has(target)).numpy()
        inputs, targets = (fold.whole.measured(m)[both] for m in (source, target))
        found = fold.names(said["logistic"].classes[source].argmax(axis=1))
        test = fold.test.measured(source)
        for name, guess in (
            ("train mean", TrainMean(fold.rows(fold.train, target)[0]).predict(test)),
            (KNOWING, means[target].predict_groups(known)),
            ("logistic + class mean", means[target].predict_groups(found)),
            (PAIRED, Ridge(inputs, targets).predict(test)),
        ):
            said.setdefault(name, Said()).translated[source, target] = guess
    return said


def _judged(
    test: MultiOmicsBatch, probabilities: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the scores of the labelled rows."""
    label = test.targets.label.numpy()
    return resampled_scores(label[label >= 0], probabilities[label >= 0], weights[:, label >= 0])


def _put(scores: Scores, task: str, method: str, part: str, found: dict[str, NDArray[np.float64]]) -> None:
    scores.setdefault(task, {}).setdefault(method, {})[part] = found
