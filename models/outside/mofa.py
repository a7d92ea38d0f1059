"""Multi-omics factor analysis by mofapy2, and what it lacks: the factors of new samples.

The model is that of Argelaguet et al. 2018 (Mol. Syst. Biol. 14:e8124) and 2020 (Genome Biol. 21:111): each view is
factors times sparse weights plus noise, fitted by variational inference. New samples are projected by ridge: given
the fitted weights and noise, a sample's factors have a Gaussian posterior, and its mean is a ridge regression of the
sample's observed values, less the training means, on the weights. Features count by their precision; the penalty is
the prior's precision of 1 plus the weights' own posterior variance.
"""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import MissingExtraError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.floating]

__all__ = ["FACTORS", "MOFA"]

#: As many as the figures that tables quote were reached with.
FACTORS = 15

#: mofapy2 stops where the bound gains little, mostly long before.
_ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class _View:
    """What was learned of one modality.

    Attributes
    ----------
    mean
        (F,) training means.
    weights, spread
        (F, K) posterior means and variances; 0 for a feature that does not vary.
    precision
        (F,) of the noise; 0 for a feature that does not vary.
    """

    mean: NDArray[np.float64]
    weights: NDArray[np.float64]
    spread: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MOFA:
    """Fitted factors; `fit` makes one.

    Attributes
    ----------
    views
        Per modality what was learned.
    factors
        (n, K) of the training rows, as mofapy2 left them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(60, 2))
    >>> views = {m: z @ rng.normal(size=(2, 30)) + 0.1 * rng.normal(size=(60, 30)) for m in ("rna", "meth")}
    >>> model = MOFA.fit(views, factors=2)
    >>> new = views["rna"][:5]
    >>> model.predict({"rna": new}, "meth").shape
    (5, 30)
    """

    views: dict[str, _View]
    factors: NDArray[np.float64]

    @classmethod
    def fit(cls, views: Mapping[str, Array], *, factors: int = FACTORS, seed: int = 0) -> MOFA:
        """Fit the training rows.

        Parameters
        ----------
        views
            Per modality (n, F), NaN where not observed; features should be on one scale, such as z-scores.
        factors
            How many; factors that explain nothing stay, with weights near 0.
        seed
            Of the start.

        Raises
        ------
        MissingExtraError
            If mofapy2 is not installed.
        UsageError
            If the views differ in their rows, or no feature varies in one.
        """
        if len({len(values) for values in views.values()}) != 1:
            raise UsageError("the views have different numbers of rows", expected="a row per sample in every view")
        mean, used, centred = {}, {}, []
        for name, values in views.items():
            seen = ~np.isnan(values)
            count = seen.sum(axis=0)
            mean[name] = np.where(seen, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(count, 1)
            part = np.where(seen, values - mean[name], np.nan)
            used[name] = np.flatnonzero(np.nansum(np.square(part), axis=0) > 0)
            if not len(used[name]):
                raise UsageError(f"no feature of {name} varies", expected="a view with something to learn from")
            centred.append(part[:, used[name]])
        found = _trained(centred, list(views), factors, seed)
        learned = {}
        for i, name in enumerate(views):
            moments, precision = found["W"][i], found["Tau"][i]["E"]
            whole = [np.zeros((len(mean[name]), moments["E"].shape[1])) for _ in range(2)]
            whole[0][used[name]] = moments["E"]
            whole[1][used[name]] = np.maximum(moments["E2"] - np.square(moments["E"]), 0)
            noise = np.zeros(len(mean[name]))
            # One row per sample, 0 where the sample has not been measured: one number per feature all the same.
            noise[used[name]] = np.max(precision, axis=0)
            learned[name] = _View(mean[name], whole[0], whole[1], noise)
        return cls(learned, np.asarray(found["Z"]["E"], dtype=np.float64))

    def factors_of(self, views: Mapping[str, Array]) -> NDArray[np.float64]:
        """Return (m, K) factors of samples, new or not; 0, the prior's mean, for a sample without any value.

        Parameters
        ----------
        views
            Per modality (m, F), NaN where not observed. Modalities may be left out; at least one must be given.

        Raises
        ------
        UnknownNameError
            If the model does not know a modality.
        """
        k = self.factors.shape[1]
        n = len(next(iter(views.values())))
        left, right = np.tile(np.eye(k), (n, 1, 1)), np.zeros((n, k))
        for name, values in views.items():
            if name not in self.views:
                raise UnknownNameError("view", name, self.views)
            own = self.views[name]
            seen = ~np.isnan(values)
            weighted = own.weights * own.precision[:, None]
            moments = weighted[:, :, None] * own.weights[:, None, :]
            moments[:, np.arange(k), np.arange(k)] += own.precision[:, None] * own.spread
            left += (seen.astype(np.float64) @ moments.reshape(len(moments), -1)).reshape(n, k, k)
            right += np.where(seen, values - own.mean, 0) @ weighted
        return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0])

    def predict(self, views: Mapping[str, Array], target: str) -> NDArray[np.float64]:
        """Return (m, F) of the modality `target` from the factors that the others give; its own values are not read.

        Parameters
        ----------
        views
            As in `factors_of`.
        target
            Which modality.
        """
        if target not in self.views:
            raise UnknownNameError("view", target, self.views)
        own = self.views[target]
        factors = self.factors_of({name: values for name, values in views.items() if name != target})
        return np.asarray(own.mean + factors @ own.weights.T)


def _trained(views: list[NDArray[np.float64]], names: list[str], factors: int, seed: int) -> dict[str, Any]:
    """Return the posterior expectations of mofapy2's nodes."""
    with _quiet():
        try:
            from mofapy2.run.entry_point import entry_point
        except ImportError as error:
            raise MissingExtraError("mofapy2", "bench") from error
        run = entry_point()
        run.set_data_options(scale_views=False, scale_groups=False)
        run.set_data_matrix(
            [[values] for values in views],
            likelihoods=["gaussian"] * len(views),
            views_names=names,
            groups_names=["all"],
            samples_names=[[str(i) for i in range(len(views[0]))]],
            features_names=[[f"{m}-{i}" for i in range(v.shape[1])] for m, v in zip(names, views, strict=True)],
        )
        run.set_model_options(factors=factors)
        run.set_train_options(iter=_ITERATIONS, convergence_mode="fast", seed=seed, quiet=True)
        run.build()
        run.run()
        found: dict[str, Any] = run.model.getExpectations()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what mofapy2 prints and warns of, and the state of numpy's global generator, which it seeds, to itself."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
