"""One fold of the survival table: pre-train, tune, judge, and the same of simpler methods, on the same patients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

import omicstore
from models.datamodule import CohortDataModule
from models.evaluate.bootstrap import patient_weights
from models.evaluate.censoring import Censoring
from models.evaluate.concordance import harrell
from models.evaluate.curves import antolini
from models.imputmae.recovered import reconstruction_scores, side_by_side
from models.imputmae.rivals import clinical_risk, component_risks, factor_risk, with_clinic
from models.imputmae.rows import after_zero, judged_rows, outcome, patients_of
from models.imputmae.views import Protocol, View, pretrain, tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.imputmae.module import ImpuTMAE
    from models.imputmae.survival import SurvivalImpuTMAE
    from omicstore.store.reader import Store

    Risk = NDArray[np.float64]
    Outcome = tuple[NDArray[np.float32], NDArray[np.float32]]
    Curves = Callable[[NDArray[np.floating]], NDArray[np.floating]]

__all__ = ["CLINIC", "MODEL", "SURVIVAL", "TOGETHER", "FoldJob", "FoldScores", "run_fold"]

MODEL, CLINIC, SURVIVAL = "ImpuTMAE", "clinical Cox", "overall survival"
TOGETHER, TOGETHER_SINGLE = f"clinical + {MODEL}", f"clinical + {MODEL}, best single"


@dataclass(frozen=True, slots=True)
class FoldJob:
    """What a process needs to make one fold.

    Attributes
    ----------
    store, split
        Where they are.
    fold
        Which one; its test part is read once, and the read logged.
    protocol
        What the table is made of.
    """

    store: Path | str
    split: Path
    fold: int
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class FoldScores:
    """What one fold gave.

    Attributes
    ----------
    about
        How many were judged, and what was chosen.
    scores
        Task, method and measure to (1 + resamples,), the value itself first.
    """

    about: dict[str, Any]
    scores: dict[str, dict[str, dict[str, NDArray[np.float64]]]]


def run_fold(job: FoldJob) -> FoldScores:
    """Make one fold of the table."""
    with omicstore.open(job.store) as store:
        return _Fold(store, job).run()


class _Tuned:
    """Models that were tuned from one pre-training with several seeds, and answer together."""

    def __init__(self, models: Sequence[SurvivalImpuTMAE], rows: MultiOmicsBatch) -> None:
        self.models = models
        with torch.inference_mode():
            self.logits = [model.hazards(rows) for model in models]
            risks = [m.head.risk(x) for m, x in zip(models, self.logits, strict=True)]
            self.risk = torch.stack(risks).mean(dim=0).double().numpy()

    def curves(self, times: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return (n, K) the mean of the models' probabilities of surviving `times`."""
        at = torch.from_numpy(np.asarray(times, dtype=np.float32))
        each = [m.head.survival_at(x, at) for m, x in zip(self.models, self.logits, strict=True)]
        return np.asarray(torch.stack(each).mean(dim=0).double().numpy())


class _Fold:
    def __init__(self, store: Store, job: FoldJob) -> None:
        self.store, self.fold, self.protocol = store, job.fold, job.protocol
        protocol = job.protocol
        self.data = CohortDataModule(
            store,
            job.split,
            job.fold,
            modalities=protocol.modalities,
            transform=protocol.pretrain.transform,
            cohorts=protocol.cohorts,
            reader=f"models.imputmae.table: {protocol.endpoint}",
            endpoint=protocol.endpoint,
            seed=protocol.seed,
        )
        known = View(self.data, protocol.modalities, 1, with_follow_up=True)
        self.train, self.val = (after_zero(known.part(part)) for part in ("train", "val"))
        self.judged = judged_rows(self.data.part("test"))
        self.outcome = outcome(self.judged)
        self.weights = patient_weights(self.judged.patient_id, protocol.bootstrap, protocol.seed + job.fold)
        self.censoring = Censoring(*outcome(self.train), *self.outcome)
        self.scores: dict[str, dict[str, NDArray[np.float64]]] = {}
        self.risks: dict[str, Risk] = {}

    def run(self) -> FoldScores:
        pretrained: dict[str, ImpuTMAE] = {}
        on_val: dict[str, Risk] = {}
        for name, modalities in self.protocol.views.items():
            pretrained[name] = pretrain(self.data, modalities, self.protocol)
            seeds = range(self.protocol.seed, self.protocol.seed + self.protocol.tunings)
            tuned = [tune(self.data, modalities, pretrained[name], replace(self.protocol, seed=s)) for s in seeds]
            for title, read in _readings(name, modalities).items():
                found = _Tuned(tuned, self.judged.only(read))
                self._judge(title, found.risk, found.curves)
            on_val[name] = _Tuned(tuned, self.val.only(modalities)).risk
            for method, risk in self._component_risks(modalities).items():
                self._judge(f"{method}, {name}", risk)
        if (mofa := self._mofa()) is not None:
            self._judge("MOFA2 + Cox", mofa)
        single = max(
            self.protocol.modalities,
            key=lambda m: harrell(*outcome(self.val), on_val[m], np.ones((1, len(self.val))))[0],
        )
        covariates = self._clinic(on_val, single)
        about = {
            "fold": self.fold,
            "n_train": len(self.train),
            "n_val": len(self.val),
            "n_judged": len(self.judged),
            "events": int(self.outcome[1].sum()),
            "clinical_covariates": list(covariates),
            "best_single_on_val": single,
        }
        tasks = reconstruction_scores(self.data, pretrained, self.protocol.bootstrap, self.protocol.seed + self.fold)
        return FoldScores(about, {SURVIVAL: self.scores} | tasks)

    def _judge(self, title: str, risk: Risk, curves: Curves | None = None) -> None:
        time, event = self.outcome
        own = {"c_harrell": harrell(time, event, risk, self.weights), "c_uno": self.censoring.uno(risk, self.weights)}
        if curves is not None:
            own["c_antolini"] = antolini(time, event, np.asarray(curves(time)), self.weights)
            if len(times := self.censoring.times):
                parts = self.censoring.brier(np.asarray(curves(times)))
                own["ibs"] = (self.weights @ parts) / self.weights.sum(axis=1)
        self.scores[title], self.risks[title] = own, risk

    def _component_risks(self, modalities: tuple[str, ...]) -> dict[str, Risk]:
        return component_risks(
            (side_by_side(self.train, modalities), *outcome(self.train)),
            (side_by_side(self.val, modalities), *outcome(self.val)),
            side_by_side(self.judged, modalities),
            components=self.protocol.components,
            seed=self.protocol.seed,
        )

    def _mofa(self) -> Risk | None:
        if len(self.protocol.modalities) < 2:
            return None
        time, event = (np.concatenate(pair) for pair in zip(outcome(self.train), outcome(self.val), strict=True))
        parts = [
            {m: part.measured(m) for m in self.protocol.modalities} for part in (self.train, self.val, self.judged)
        ]
        return factor_risk(parts[0], parts[1], time, event, parts[2], seed=self.protocol.seed)

    def _clinic(self, on_val: dict[str, Risk], single: str) -> tuple[str, ...]:
        """Judge the clinic alone, with the model of everything, and with that of one modality; return what it read."""
        train_on, val_on = outcome(self.train), outcome(self.val)
        people = [patients_of(self.store, part) for part in (self.train, self.val, self.judged)]
        both = [np.concatenate(pair) for pair in zip(train_on, val_on, strict=True)]
        (alone,), covariates = clinical_risk(pl.concat(people[:2]), both[0], both[1], people[2:])
        self._judge(CLINIC, alone)
        (clinic_on_val, clinic), _ = clinical_risk(people[0], *train_on, people[1:])
        last = list(self.protocol.views)[-1]
        for title, name in ((TOGETHER, last), (TOGETHER_SINGLE, single)):
            risk = self.risks[f"{MODEL}, {name}"]
            self._judge(title, with_clinic(clinic_on_val, on_val[name], *val_on, (clinic, risk)))
        return covariates


def _readings(name: str, modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return per method what a model is given of the test rows: all that it knows, and each modality imputed."""
    found = {f"{MODEL}, {name}": modalities}
    if len(modalities) > 1:
        found |= {f"{MODEL}, {name}, {m} imputed": tuple(o for o in modalities if o != m) for m in modalities}
    return found
