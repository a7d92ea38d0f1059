"""The risks that each method gives the judged patients of one fold, and which methods were left out and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.baselines.rowspace import RowSpace
from models.baselines.survival import ClinicalCovariates, cox_risk
from models.imputmae.rivals import clinical_risk, component_risks, with_clinic
from models.outside.customics import CUSTOMICS, customics_risks
from models.outside.flexynesis import FLEXYNESIS, flexynesis_risks
from models.outside.mofa import MOFA
from models.outside.run import Followed, OutsideError
from omicstore.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Risk = NDArray[np.float64]
    Array = NDArray[np.floating]

__all__ = ["CLINIC", "OMICS_ONLY", "Effort", "Part", "fold_risks"]

CLINIC, _MOFA, _FLEX, _CUST = "clinical Cox", "MOFA2 + Cox", FLEXYNESIS.name, CUSTOMICS.name

#: What the names of methods that read no clinic begin with, of those of others.
OMICS_ONLY = (_MOFA, _FLEX, _CUST)

#: As in `models.imputmae.rivals`, so that the rows of both tables stand beside each other.
_PENALTY, _TREES, _LEAF = 0.1, 200, 5


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard the methods try.

    Attributes
    ----------
    components
        Principal components that Cox models and forests read.
    epochs
        Numbers of epochs from which val chooses for CustOmics.
    rounds, most
        Settings that Flexynesis tries, and its epochs at most in each.
    seed
        Of all that is drawn.
    """

    components: int = 50
    epochs: tuple[int, ...] = (30,)
    rounds: int = 5
    most: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Patients with follow-up, what was measured, and what the clinic knows.

    Attributes
    ----------
    known
        Modalities and follow-up.
    people
        Columns age_years, sex, stage and cohort, a row per patient.
    """

    known: Followed
    people: pl.DataFrame

    def side_by_side(self, modalities: Sequence[str]) -> Array:
        """Return (n, F) of some modalities."""
        return np.hstack([self.known.views[m] for m in modalities])

    def only(self, modalities: Sequence[str]) -> Followed:
        """Return what is known with no other modalities."""
        return Followed({m: self.known.views[m] for m in modalities}, self.known.time, self.known.event)


def fold_risks(train: Part, val: Part, judged: Part, effort: Effort) -> tuple[dict[str, Risk], dict[str, str]]:
    """Return per method the (m,) risks of the judged patients, and per method that is left out the reason.

    Cox models and forests are fitted on train and val together, on components and factors of train. Flexynesis learns
    from train and val, a fifth of which it sets apart; CustOmics from train, its epochs chosen on val. Where a network
    stands with the clinic, both scores are of models fitted on train, and val weighs them; where there are several
    numbers of epochs, val has also chosen CustOmics's, which favours it in the weights, not on the judged patients.

    Parameters
    ----------
    train, val, judged
        Of one fold; what is known of the outcome of `judged` is not read.
    effort
        How hard the methods try.
    """
    fold = _Fold(train, val, judged, effort)
    fold.clinic()
    fold.components()
    fold.mofa()
    fold.customics()
    fold.flexynesis()
    return fold.risks, fold.left_out


class _Fold:
    def __init__(self, train: Part, val: Part, judged: Part, effort: Effort) -> None:
        self.train, self.val, self.judged, self.effort = train, val, judged, effort
        self.risks: dict[str, Risk] = {}
        self.left_out: dict[str, str] = {}
        names = tuple(train.known.views)
        self.views = {m: (m,) for m in names} | {"all": names}
        self.time, self.event = (
            np.concatenate([getattr(part.known, key) for part in (train, val)]) for key in ("time", "event")
        )
        covariates = ClinicalCovariates.fit(pl.concat([train.people, val.people]))
        self.covariates = [covariates.matrix(part.people) for part in (train, val, judged)]

    def clinic(self) -> None:
        both = pl.concat([self.train.people, self.val.people])
        (self.risks[CLINIC],), _ = clinical_risk(both, self.time, self.event, [self.judged.people])
        known, others = self.train.known, [self.val.people, self.judged.people]
        self.clinic_alone, _ = clinical_risk(self.train.people, known.time, known.event, others)

    def components(self) -> None:
        train, val = self.train.known, self.val.known
        for name, modalities in self.views.items():
            found = component_risks(
                (self.train.side_by_side(modalities), train.time, train.event),
                (self.val.side_by_side(modalities), val.time, val.event),
                self.judged.side_by_side(modalities),
                components=self.effort.components,
                seed=self.effort.seed,
            )
            self.risks |= {f"{method}, {name}": risk for method, risk in found.items()}
            space = RowSpace.fit(np.nan_to_num(self.train.side_by_side(modalities)))
            scores = [
                space.scores(np.nan_to_num(part.side_by_side(modalities)))[:, : self.effort.components]
                for part in (self.train, self.val, self.judged)
            ]
            self._with_clinic(f"ridge, {name}", scores)
            self.risks[f"clinical + forest, {name}"] = self._forest(scores)

    def mofa(self) -> None:
        try:
            fitted = MOFA.fit(self.train.known.views, seed=self.effort.seed)
        except MissingExtraError as error:
            self.left_out[_MOFA] = str(error)
            return
        factors = [fitted.factors_of(part.known.views) for part in (self.train, self.val, self.judged)]
        known, new = _scaled(factors)
        self.risks[_MOFA] = cox_risk(known, self.time, self.event, new, penalizer=_PENALTY)
        self._with_clinic("MOFA2", factors)

    def customics(self) -> None:
        if CUSTOMICS.absent is not None:
            self.left_out[_CUST] = CUSTOMICS.absent
            return
        try:
            on_val, new = customics_risks(
                self.train.known,
                self.val.known,
                self.judged.known.views,
                epochs=self.effort.epochs,
                seed=self.effort.seed,
            )
        except OutsideError as error:
            self.left_out[_CUST] = str(error)
            return
        self.risks[f"{_CUST}, all"] = new
        self._weighed(f"{_CUST}, all", on_val, new)

    def flexynesis(self) -> None:
        if FLEXYNESIS.absent is not None:
            self.left_out[_FLEX] = FLEXYNESIS.absent
            return
        names = (next(iter(self.views)), "all")
        searches: list[tuple[Followed, list[Mapping[str, Array]]]] = []
        for name in names:
            train, val, judged = (part.only(self.views[name]) for part in (self.train, self.val, self.judged))
            searches += [(_together(train, val), [judged.views]), (train, [val.views, judged.views])]
        effort = self.effort
        try:
            found = flexynesis_risks(searches, rounds=effort.rounds, epochs=effort.most, seed=effort.seed)
        except OutsideError as error:
            self.left_out[_FLEX] = str(error)
            return
        for name, (risk,), (on_val, alone) in zip(names, found[::2], found[1::2], strict=True):
            self.risks[f"{_FLEX}, {name}"] = risk
            self._weighed(f"{_FLEX}, {name}", on_val, alone)

    def _with_clinic(self, name: str, scores: list[NDArray[np.float64]]) -> None:
        known, new = self._beside_clinic(scores)
        self.risks[f"clinical + {name}"] = cox_risk(known, self.time, self.event, new, penalizer=_PENALTY)

    def _forest(self, scores: list[NDArray[np.float64]]) -> Risk:
        from sksurv.ensemble import RandomSurvivalForest
        from sksurv.util import Surv

        known, new = self._beside_clinic(scores)
        forest = RandomSurvivalForest(_TREES, min_samples_leaf=_LEAF, random_state=self.effort.seed)
        return np.asarray(forest.fit(known, Surv.from_arrays(self.event == 1, self.time)).predict(new))

    def _beside_clinic(self, scores: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        known, new = _scaled(scores)
        clinic = self.covariates
        return np.hstack([np.concatenate(clinic[:2]), known]), np.hstack([clinic[2], new])

    def _weighed(self, name: str, on_val: Risk, new: Risk) -> None:
        """Weigh the clinic's score and a model's on val, which neither has learned from."""
        clinic_on_val, clinic = self.clinic_alone
        known = self.val.known
        self.risks[f"clinical + {name}"] = with_clinic(clinic_on_val, on_val, known.time, known.event, (clinic, new))


def _scaled(scores: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of train and val together, and of new rows, in units of their spread over train."""
    sd = scores[0].std(axis=0)
    train, val, new = (part / np.where(sd > 0, sd, 1) for part in scores)
    return np.concatenate([train, val]), new


def _together(first: Followed, second: Followed) -> Followed:
    views = {m: np.concatenate([first.views[m], second.views[m]]) for m in first.views}
    return Followed(views, np.concatenate([first.time, second.time]), np.concatenate([first.event, second.event]))
