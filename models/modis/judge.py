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

__all__ = ["baselines", "class_measures", "classes_said", "modis_measures"]

#: Components of the PCA: as wide as MODIS's published latent space.
_COMPONENTS = 64

#: Neighbours, as in the zero-shot protocol; trees, and of how many rows each is grown at most, so that a forest takes
#: a second of the minute that the whole of a training and its judgement may take.
_NEIGHBOURS, _TREES, _TREE_ROWS = 5, 50, 1000


def class_measures(truth: NDArray[np.int64], found: Mapping[str, NDArray[np.int64]]) -> dict[str, float]:
    """Return measures of classes, each the mean over modalities.

    Parameters
    ----------
    truth
        (n,) classes.
    found
        Per modality the (n,) classes said from it alone.

    Returns
    -------
    Accuracy, balanced accuracy, macro and weighted F1, macro Jaccard, adjusted Rand index, and each class's recall.
    """
    from sklearn.metrics import accuracy_score, adjusted_rand_score, f1_score, jaccard_score, recall_score

    kinds = np.unique(truth)
    measures: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "accuracy": lambda said: accuracy_score(truth, said),
        "balanced_accuracy": lambda said: recall_score(truth, said, labels=kinds, average="macro", zero_division=0),
        "macro_f1": lambda said: f1_score(truth, said, labels=kinds, average="macro", zero_division=0),
        "weighted_f1": lambda said: f1_score(truth, said, labels=kinds, average="weighted", zero_division=0),
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

    ``class mean``: the training mean of the true class, which no translator can beat on such data but by chance; it
    knows the test rows' classes. ``logistic + class mean``: the mean of the labelled rows of the class that logistic
    regression finds. ``train mean``: the mean of all training rows. ``pca``: the same modality from its principal
    components. And the methods of `classes_said`, per modality, absent where one has no labelled row.

    Parameters
    ----------
    study
        The study.
    seed
        Of the PCA and the forest.
    """
    train, test, truth = study.parts["train"], study.parts["test"], study.truth["test"]
    label, known_truth = train.targets.label.numpy(), study.truth["train"]
    values = {m: (train.values[m].numpy(), train.has(m).numpy()) for m in train.modalities}
    measured = {m: test.values[m].numpy() for m in test.modalities}
    found: dict[str, dict[str, float]] = {"class mean": {}, "train mean": {}, "pca": {}}
    said: dict[str, dict[str, NDArray[np.int64]]] = {}
    for m, (own, has) in values.items():
        guess = _class_means(own[has], known_truth[has])
        found["class mean"] |= {f"mse_{s}_{m}": _mse(measured[m], guess(truth)) for s in values}
        mean = own[has].mean(axis=0)
        found["train mean"] |= {f"mse_{s}_{m}": _mse(measured[m], mean) for s in values}
        found["pca"][f"mse_{m}_{m}"] = _mse(measured[m], _rebuilt(own[has], measured[m], seed))
        if (label[has] >= 0).any():
            for method, classes in classes_said(own[has], label[has], measured[m], seed).items():
                said.setdefault(method, {})[m] = classes
    found |= {method: class_measures(truth, own) for method, own in said.items() if len(own) == len(values)}
    if "logistic" in found:
        translators = {
            m: _class_means(own[has & (label >= 0)], label[has & (label >= 0)]) for m, (own, has) in values.items()
        }
        found["logistic + class mean"] = {
            f"mse_{s}_{m}": _mse(measured[m], translators[m](said["logistic"][s])) for s in values for m in values
        }
    return found


def classes_said(values: Array, label: NDArray[np.int64], test: Array, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return per simple method the (m,) classes of test rows.

    The most frequent class of the labelled rows; logistic regression; logistic regression on the principal components
    of all rows, labelled or not; a random forest of 50 trees, each of 1,000 rows at most; and 5 nearest neighbours.
    Otherwise they have scikit-learn's own settings.

    Parameters
    ----------
    values, label
        (n, F) training values and their (n,) classes, -1 = not labelled; one is labelled at least.
    test
        (m, F).
    seed
        Of the PCA and the forest.
    """
    from sklearn.base import clone
    from sklearn.decomposition import PCA
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    known = label >= 0
    pca = PCA(min(_COMPONENTS, *values.shape), random_state=seed).fit(values)
    logistic = LogisticRegression(max_iter=2000)
    forest = RandomForestClassifier(_TREES, max_samples=min(_TREE_ROWS, int(known.sum())), random_state=seed)
    methods = {
        "majority class": (DummyClassifier(), values, test),
        "logistic": (logistic, values, test),
        f"PCA{pca.n_components_} + logistic": (clone(logistic), pca.transform(values), pca.transform(test)),
        "random forest": (forest, values, test),
        f"kNN{_NEIGHBOURS}": (KNeighborsClassifier(min(_NEIGHBOURS, int(known.sum()))), values, test),
    }
    if len(np.unique(label[known])) == 1:
        return {method: np.full(len(test), label[known][0]) for method in methods}
    return {
        method: np.asarray(model.fit(given[known], label[known]).predict(asked), dtype=np.int64)
        for method, (model, given, asked) in methods.items()
    }


def _class_means(values: Array, label: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Array]:
    """Return what gives the mean row of each class asked for; the mean of all rows for a class without any."""
    means = {int(c): values[label == c].mean(axis=0) for c in np.unique(label)}
    rest = values.mean(axis=0)
    return lambda asked: np.stack([means.get(int(c), rest) for c in asked])


def _rebuilt(train: Array, test: Array, seed: int) -> Array:
    from sklearn.decomposition import PCA

    pca = PCA(min(_COMPONENTS, *train.shape), random_state=seed).fit(train)
    return np.asarray(pca.inverse_transform(pca.transform(test)))
