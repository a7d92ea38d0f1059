"""Trivial and linear predictors of a modality, fitted on the same training rows as the models.

All take and give values on the transformed scale, where 0 is what a model reads for a missing entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.baselines.rowspace import RowSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]

__all__ = ["RIDGE_ALPHAS", "Forest", "PCAReconstruction", "PCARegression", "Ridge", "TrainMean"]

#: Penalties tried, relative to the number of input features.
RIDGE_ALPHAS: tuple[float, ...] = tuple(float(a) for a in np.logspace(-2, 3, 11))

#: Trees of a forest, and parts of a cross-validation.
_TREES, _PARTS = 100, 5

#: Numbers of principal components tried.
PCA_RANKS: tuple[int, ...] = (5, 10, 20, 40, 80)


class TrainMean:
    """Predicts each feature's training mean, whatever the input.

    Parameters
    ----------
    targets
        (n, F) training values, NaN = not observed.
    """

    def __init__(self, targets: Array) -> None:
        seen = ~np.isnan(targets)
        self.mean = np.where(seen, targets, 0).sum(axis=0, dtype=np.float64) / np.maximum(seen.sum(axis=0), 1)

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return the means, once per row of `inputs`."""
        return np.tile(self.mean, (len(inputs), 1))


class Ridge:
    """Ridge regression; each target's penalty is chosen by leave-one-out on the training rows.

    Hoerl and Kennard 1970, Technometrics 12:55; leave-one-out errors in closed form as in Golub, Heath and Wahba 1979,
    Technometrics 21:215, by scikit-learn's RidgeCV. The penalty is not charged on the intercept.

    Parameters
    ----------
    inputs
        (n, G) training inputs; NaN is read as 0.
    targets
        (n, F) training targets; NaN is read as the training mean.
    """

    def __init__(self, inputs: Array, targets: Array) -> None:
        from sklearn.linear_model import RidgeCV

        filled = np.nan_to_num(inputs)
        self.space = RowSpace.fit(filled)
        wanted = _filled(targets)
        alphas = [a * filled.shape[1] for a in RIDGE_ALPHAS]
        self.model = RidgeCV(alphas=alphas, alpha_per_target=wanted.shape[1] > 1).fit(self.space.scores(filled), wanted)

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, F) from (n, G) inputs."""
        scores = self.space.scores(np.nan_to_num(inputs))
        return np.asarray(self.model.predict(scores)).reshape(len(inputs), -1)


class PCARegression:
    """Least squares on the first principal components of the inputs (scikit-learn's PCA and LinearRegression).

    How many, of `PCA_RANKS`, is chosen by cross-validation over the training rows, for all targets together.

    Parameters
    ----------
    inputs
        (n, G) training inputs; NaN is read as 0.
    targets
        (n, F) training targets; NaN is read as the training mean.
    """

    def __init__(self, inputs: Array, targets: Array) -> None:
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LinearRegression
        from sklearn.model_selection import GridSearchCV, KFold
        from sklearn.pipeline import Pipeline

        filled = np.nan_to_num(inputs)
        most = min(len(filled) - -(-len(filled) // _PARTS), filled.shape[1])
        ranks = [k for k in PCA_RANKS if k < most] or [1]
        steps = Pipeline([("pca", PCA(svd_solver="full")), ("least_squares", LinearRegression())])
        search = GridSearchCV(
            steps,
            {"pca__n_components": ranks},
            scoring="neg_mean_squared_error",
            cv=KFold(_PARTS, shuffle=True, random_state=0),
        )
        self.model = search.fit(filled, _filled(targets)).best_estimator_

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, F) from (n, G) inputs."""
        return np.asarray(self.model.predict(np.nan_to_num(inputs)), dtype=np.float64).reshape(len(inputs), -1)


class Forest:
    """A random forest that predicts all targets together (scikit-learn's RandomForestRegressor; Breiman 2001).

    Each split looks at a random set of features as many as the square root of all, and no leaf has fewer than three
    training rows: the same order of time for a few hundred inputs as for thousands.

    Parameters
    ----------
    inputs
        (n, G) training inputs; NaN is read as 0.
    targets
        (n, F) training targets; NaN is read as the training mean.
    """

    def __init__(self, inputs: Array, targets: Array) -> None:
        from sklearn.ensemble import RandomForestRegressor

        trees = RandomForestRegressor(_TREES, max_features="sqrt", min_samples_leaf=3, random_state=0, n_jobs=1)
        self.model = trees.fit(np.nan_to_num(inputs), _filled(targets))

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, F) from (n, G) inputs."""
        return np.asarray(self.model.predict(np.nan_to_num(inputs)), dtype=np.float64).reshape(len(inputs), -1)


class PCAReconstruction:
    """Gives a matrix back from its principal components.

    Their number is the width of the embedding that it is compared with, or the rank of the training rows where that is
    less. It cannot be chosen by error: what is given back only gets better with each component, on any rows.

    Parameters
    ----------
    train
        (n, G) training values of all modalities side by side; NaN is read as 0.
    width
        Components wanted.
    """

    def __init__(self, train: Array, width: int) -> None:
        self.space = RowSpace.fit(np.nan_to_num(train))
        self.rank = min(width, self.space.axes.shape[1])

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """Return (n, G) from (n, G)."""
        return self.space.rebuild(np.nan_to_num(inputs), self.rank)


def _filled(targets: Array) -> Array:
    return np.where(np.isnan(targets), TrainMean(targets).mean, targets)
