"""What is measured of MODIS on an unpaired study, and of the simple methods beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from models.modis.module import MODIS
    from models.modis.study import UnpairedStudy

    Array = NDArray[np.floating]

__all__ = ["baselines", "class_measures", "modis_measures"]

#: Components of the PCA: as wide as MODIS's published latent space.
_COMPONENTS = 64


def class_measures(truth: NDArray[np.int64], found: Mapping[str, NDArray[np.int64]]) -> dict[str, float]:
    """Return accuracy, balanced accuracy, macro Jaccard and adjusted Rand index, each the mean over modalities.

    Parameters
    ----------
    truth
        (n,) classes.
    found
        Per modality the (n,) classes said from it alone.
    """
    from sklearn.metrics import accuracy_score, adjusted_rand_score, jaccard_score, recall_score

    kinds = np.unique(truth)
    measures: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "accuracy": lambda said: accuracy_score(truth, said),
        "balanced_accuracy": lambda said: recall_score(truth, said, labels=kinds, average="macro", zero_division=0),
        "jaccard": lambda said: jaccard_score(truth, said, labels=kinds, average="macro", zero_division=0),
        "adjusted_rand": lambda said: adjusted_rand_score(truth, said),
    }
    return {name: float(np.mean([measure(said) for said in found.values()])) for name, measure in measures.items()} | {
        f"recall_class_{c}": float(np.mean([(said[truth == c] == c).mean() for said in found.values()])) for c in kinds
    }


def _mse(truth: Array, guess: Array) -> float:
    return float(np.square(truth - guess, dtype=np.float64).mean())


@torch.inference_mode()
def modis_measures(module: MODIS, study: UnpairedStudy) -> dict[str, float]:
    """Return what MODIS makes of the test rows: each modality's classes, and ``mse_<from>_<to>`` of each pair."""
    module.eval()
    test, truth = study.parts["test"], study.truth["test"]
    found, errors = {}, {}
    for source in module.axes:
        alone = test.only([source])
        found[source] = module.class_probabilities(alone).argmax(dim=1).numpy()
        for target, guess in module.reconstruct(alone, list(module.axes)).items():
            errors[f"mse_{source}_{target}"] = _mse(test.values[target].numpy(), guess.numpy())
    return class_measures(truth, found) | errors


def baselines(study: UnpairedStudy, seed: int) -> dict[str, dict[str, float]]:
    """Return per method what it makes of the test rows, fitted on the same training rows and the same labels.

    ``logistic``: a logistic regression per modality on its labelled rows, absent where one has none. ``class mean``:
    the training mean of the true class, which no translator can beat on such data but by chance; it knows the test
    rows' classes. ``logistic + class mean``: the mean of the labelled rows of the class that the regression finds.
    ``train mean``: the mean of all training rows. ``pca``: the same modality from its principal components.

    Parameters
    ----------
    study
        The study.
    seed
        Of the PCA.
    """
    train, test, truth = study.parts["train"], study.parts["test"], study.truth["test"]
    label, known_truth = train.targets.label.numpy(), study.truth["train"]
    values = {m: (train.values[m].numpy(), train.has(m).numpy()) for m in train.modalities}
    measured = {m: test.values[m].numpy() for m in test.modalities}
    found: dict[str, dict[str, float]] = {"class mean": {}, "train mean": {}, "pca": {}}
    said = {}
    for m, (own, has) in values.items():
        guess = _class_means(own[has], known_truth[has])
        found["class mean"] |= {f"mse_{s}_{m}": _mse(measured[m], guess(truth)) for s in values}
        mean = own[has].mean(axis=0)
        found["train mean"] |= {f"mse_{s}_{m}": _mse(measured[m], mean) for s in values}
        found["pca"][f"mse_{m}_{m}"] = _mse(measured[m], _rebuilt(own[has], measured[m], seed))
        if (labelled := has & (label >= 0)).any():
            said[m] = _regression(own[labelled], label[labelled], measured[m])
    if len(said) == len(values):
        found["logistic"] = class_measures(truth, said)
        translators = {
            m: _class_means(own[has & (label >= 0)], label[has & (label >= 0)]) for m, (own, has) in values.items()
        }
        found["logistic + class mean"] = {
            f"mse_{s}_{m}": _mse(measured[m], translators[m](said[s])) for s in values for m in values
        }
    return found


def _class_means(values: Array, label: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Array]:
    """Return what gives the mean row of each class asked for; the mean of all rows for a class without any."""
    means = {int(c): values[label == c].mean(axis=0) for c in np.unique(label)}
    rest = values.mean(axis=0)
    return lambda asked: np.stack([means.get(int(c), rest) for c in asked])


def _regression(values: Array, label: NDArray[np.int64], test: Array) -> NDArray[np.int64]:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(label)) == 1:
        return np.full(len(test), label[0])
    return np.asarray(LogisticRegression(max_iter=2000).fit(values, label).predict(test), dtype=np.int64)


def _rebuilt(train: Array, test: Array, seed: int) -> Array:
    from sklearn.decomposition import PCA

    pca = PCA(min(_COMPONENTS, *train.shape), random_state=seed).fit(train)
    return np.asarray(pca.inverse_transform(pca.transform(test)))
