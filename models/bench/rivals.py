"""Simple predictors of a modality that tables show beside `models.baselines.prediction`'s."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.prediction import Forest, PCARegression, Ridge, TrainMean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.floating]

__all__ = ["NEIGHBOURS", "PLS_COMPONENTS", "GroupMean", "Nearest", "PartialLeastSquares", "rival_guesses"]

#: As many as the figures that tables quote were reached with.
NEIGHBOURS, PLS_COMPONENTS = 20, 10

#: A group counts as so many rows of the training mean besides its own, so that one of two rows is not believed.
_SHRINK = 1.0


class GroupMean:
    """Predicts the training mean of a sample's group, such as its tissue; the mean of all for a group never seen.

    Parameters
    ----------
    groups
        n names.
    targets
        (n, F) training values, NaN = not observed.
    """

    def __init__(self, groups: Sequence[str | None], targets: Array) -> None:
        self.overall = TrainMean(targets).mean
        own = np.array([g or "" for g in groups])
        self.means: dict[str, NDArray[np.float64]] = {}
        for name in np.unique(own):
            rows = targets[own == name]
            seen = ~np.isnan(rows)
            total = np.where(seen, rows, 0).sum(axis=0, dtype=np.float64) + _SHRINK * self.overall
            self.means[str(name)] = total / (seen.sum(axis=0) + _SHRINK)

    def predict_groups(self, groups: Sequence[str | None]) -> NDArray[np.float64]:
        """Return (m, F) for the groups of m samples."""
        return np.stack([self.means.get(g or "", self.overall) for g in groups])


class Nearest:
    """The mean of the training rows nearest in Euclidean distance (scikit-learn's KNeighborsRegressor).

    Parameters
    ----------
    inputs
        (n, G); NaN is read as 0.
    targets
        (n, F); NaN is read as the training mean.
    """

    def __init__(self, inputs: Array, targets: Array) -> None:
        from sklearn.neighbors import KNeighborsRegressor

        k = min(NEIGHBOURS, len(inputs))
        self.model = KNeighborsRegressor(n_neighbors=k).fit(np.nan_to_num(inputs), _filled(targets))

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (m, F) from (m, G) inputs."""
        return np.asarray(self.model.predict(np.nan_to_num(inputs)), dtype=np.float64).reshape(len(inputs), -1)


class PartialLeastSquares:
    """Partial least squares on `PLS_COMPONENTS` components (scikit-learn's PLSRegression, without its scaling).

    Parameters
    ----------
    inputs
        (n, G); NaN is read as 0.
    targets
        (n, F); NaN is read as the training mean.
    """

    def __init__(self, inputs: Array, targets: Array) -> None:
        from sklearn.cross_decomposition import PLSRegression

        most = min(PLS_COMPONENTS, len(inputs) - 1, inputs.shape[1], targets.shape[1])
        self.model = PLSRegression(most, scale=False).fit(np.nan_to_num(inputs), _filled(targets))

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (m, F) from (m, G) inputs."""
        return np.asarray(self.model.predict(np.nan_to_num(inputs)), dtype=np.float64).reshape(len(inputs), -1)


def rival_guesses(
    train: tuple[Array, Array],
    inputs: Array,
    groups: tuple[Sequence[str | None], Sequence[str | None]] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return what each simple method predicts.

    Parameters
    ----------
    train
        (n, G) inputs and (n, F) targets.
    inputs
        (m, G) of the rows to predict.
    groups
        The tissue of the n and of the m rows, for the methods that read it.

    Returns
    -------
    Per method (m, F). MOFA2 is among them where mofapy2 is installed: factors of both modalities, and the target from
    the factors that a row's inputs alone give.
    """
    given, targets = train
    found = {
        "train mean": TrainMean(targets).predict(inputs),
        f"kNN{NEIGHBOURS}": Nearest(given, targets).predict(inputs),
        f"PLS{PLS_COMPONENTS}": PartialLeastSquares(given, targets).predict(inputs),
        "PCA regression": PCARegression(given, targets).predict(inputs),
        "random forest": Forest(given, targets).predict(inputs),
        "ridge": Ridge(given, targets).predict(inputs),
    }
    if find_spec("mofapy2") is not None:
        from models.outside.mofa import FACTORS, MOFA

        most = min(FACTORS, len(given), given.shape[1] + targets.shape[1])
        factors = MOFA.fit({"inputs": given, "targets": targets}, factors=most)
        found["MOFA2"] = factors.predict({"inputs": inputs}, "targets")
    if groups is not None:
        known, asked = groups
        names = sorted({g for g in known if g})
        found["tissue mean"] = GroupMean(known, targets).predict_groups(asked)
        found["ridge + tissue"] = Ridge(np.hstack([given, _one_hot(known, names)]), targets).predict(
            np.hstack([inputs, _one_hot(asked, names)])
        )
    return found


def _one_hot(groups: Sequence[str | None], names: Sequence[str]) -> NDArray[np.float32]:
    """Return (n, len(names)); a group that is not named is a row of zeros."""
    return np.array([[g == name for name in names] for g in groups], dtype=np.float32).reshape(len(groups), len(names))


def _filled(targets: Array) -> Array:
    return np.where(np.isnan(targets), TrainMean(targets).mean, targets)
