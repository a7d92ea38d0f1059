"""The survival table of ImpuTMAE: each modality alone, all together, and with missing ones imputed.

Per fold of a split: pre-train on the training rows, tune on those with follow-up, both stopped by val; judge once on
the test patients that have every modality and follow-up, so that all methods, the simpler ones of
`models.imputmae.rivals` among them, answer for the same people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from models.components.cox import followed
from models.datamodule import CohortDataModule
from models.evaluate.bootstrap import estimate, patient_weights
from models.evaluate.concordance import harrell
from models.evaluate.survival_scores import survival_scores
from models.imputmae.recovered import reconstruction_scores, side_by_side
from models.imputmae.rivals import clinical_risk, component_risks, with_clinic
from models.imputmae.views import Protocol, View, pretrain, tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.imputmae.survival import SurvivalImpuTMAE
    from omicstore.store.reader import Store

    Risks = dict[str, NDArray[np.float64]]

__all__ = ["Protocol", "survival_table"]

_CLINIC = "clinical Cox"
_TOGETHER = "clinical + ImpuTMAE"


def survival_table(
    store: Store, split: Path, protocol: Protocol, *, folds: Sequence[int], say: Callable[[str], None]
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    store
        An open store.
    split
        The split's folder; `omicstore split import` makes one of published folds.
    protocol
        What the table is made of.
    folds
        Which folds; each test part is read once, and the read logged.
    say
        Called with a line per step.

    Returns
    -------
    ``methods``: per method Harrell's C as mean over folds with the interval of a patient bootstrap, the standard
    deviation over folds, and the other scores' means; ``differences`` of the methods in pairs; ``folds``: all numbers
    per fold, with the ``reconstruction`` of each modality.
    """
    done = [_fold(store, split, fold, protocol, say) for fold in folds]
    resampled: dict[str, list[NDArray[np.float64]]] = {}
    for number, own in enumerate(done):
        weights = patient_weights(own.people, protocol.bootstrap, protocol.seed + number)
        for name, risk in own.risks.items():
            resampled.setdefault(name, []).append(harrell(own.time, own.event, risk, weights))
    # A resample without a pair to compare is left out of the mean over folds.
    mean = {name: np.nanmean(np.stack(parts), axis=0) for name, parts in resampled.items()}
    bodies = [own.body for own in done]
    methods = {
        name: {
            "c": estimate(mean[name]),
            "c_sd": float(np.std([part[0] for part in parts], ddof=1)) if len(parts) > 1 else None,
            **_means([body["methods"][name] for body in bodies]),
        }
        for name, parts in resampled.items()
    }
    pairs = [(_TOGETHER, _CLINIC)]
    if "all" in protocol.views:
        alone = max(protocol.modalities, key=lambda m: float(mean[f"ImpuTMAE, {m}"][0]))
        pairs += [("ImpuTMAE, all", f"ImpuTMAE, {alone}"), ("ImpuTMAE, all", _CLINIC)]
    return {
        "split": split.name,
        "endpoint": protocol.endpoint,
        "release": store.release,
        "methods": methods,
        "differences": [{"method": a, "against": b, "c": estimate(mean[a] - mean[b])} for a, b in pairs],
        "folds": bodies,
    }


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "horizon"}


@dataclass(frozen=True, slots=True)
class _Fold:
    """What one fold gave.

    Attributes
    ----------
    body
        All numbers, for the table.
    risks
        Per method (n,) of the judged patients.
    time, event, people
        Of the judged patients.
    """

    body: dict[str, Any]
    risks: Risks
    time: NDArray[np.floating]
    event: NDArray[np.floating]
    people: list[str]


def _fold(store: Store, split: Path, fold: int, protocol: Protocol, say: Callable[[str], None]) -> _Fold:
    data = CohortDataModule(
        store,
        split,
        fold,
        modalities=protocol.modalities,
        transform=protocol.pretrain.transform,
        cohorts=protocol.cohorts,
        reader=f"models.imputmae.table: {protocol.endpoint}",
        endpoint=protocol.endpoint,
        seed=protocol.seed,
    )
    known = View(data, protocol.modalities, 1, with_follow_up=True)
    train, val = (_after_zero(known.part(part)) for part in ("train", "val"))
    judged = _judged(data.part("test"))
    say(f"fold {fold}: {len(data.part('train'))} training, {len(data.part('val'))} val, {len(judged)} judged samples")
    (time, event), train_on, val_on = _outcome(judged), _outcome(train), _outcome(val)
    risks: Risks = {}
    scores: dict[str, dict[str, float]] = {}
    pretrained = {}
    for name, modalities in protocol.views.items():
        pretrained[name] = pretrain(data, modalities, protocol)
        tuned = tune(data, modalities, pretrained[name], protocol)
        for title, read in _readings(name, modalities).items():
            with torch.inference_mode():
                logits = tuned.hazards(judged.only(read))
                risks[title] = tuned.head.risk(logits).double().numpy()
            scores[title] = survival_scores(train_on, (time, event), risks[title], _curves(tuned, logits))
        own = f"ImpuTMAE, {name}"
        say(f"{own}: C {scores[own]['c_harrell']:.3f}")
        risks |= _component_risks((train, val, judged), name, modalities, protocol)
    # The last model is the one that reads everything.
    with torch.inference_mode():
        on_val = tuned.risk(val).double().numpy()
    people = [_patients(store, part) for part in (train, val, judged)]
    both = [np.concatenate(pair) for pair in zip(train_on, val_on, strict=True)]
    (risks[_CLINIC],), covariates = clinical_risk(pl.concat(people[:2]), both[0], both[1], people[2:])
    (clinic_on_val, clinic), _ = clinical_risk(people[0], *train_on, people[1:])
    risks[_TOGETHER] = with_clinic(clinic_on_val, on_val, *val_on, (clinic, risks[own]))
    scores |= {title: survival_scores(train_on, (time, event), r) for title, r in risks.items() if title not in scores}
    body = {
        "fold": fold,
        "n_judged": len(judged),
        "events": int(event.sum()),
        "clinical_covariates": list(covariates),
        "methods": scores,
        "reconstruction": reconstruction_scores(data, pretrained),
    }
    return _Fold(body, risks, time, event, list(judged.patient_id))


def _readings(name: str, modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return per method what a model is given of the test rows: all that it knows, and each modality imputed."""
    found = {f"ImpuTMAE, {name}": modalities}
    if len(modalities) > 1:
        found |= {f"ImpuTMAE, {name}, {m} imputed": tuple(o for o in modalities if o != m) for m in modalities}
    return found


def _component_risks(
    parts: tuple[MultiOmicsBatch, MultiOmicsBatch, MultiOmicsBatch],
    name: str,
    modalities: tuple[str, ...],
    protocol: Protocol,
) -> Risks:
    train, val, judged = parts
    found = component_risks(
        (side_by_side(train, modalities), *_outcome(train)),
        (side_by_side(val, modalities), *_outcome(val)),
        side_by_side(judged, modalities),
        components=protocol.components,
        seed=protocol.seed,
    )
    return {f"{method}, {name}": risk for method, risk in found.items()}


def _judged(test: MultiOmicsBatch) -> MultiOmicsBatch:
    """Return one row per patient, the first, of those with every modality and follow-up."""
    rows = test.present.all(dim=1) & followed(test.targets.time, test.targets.event)
    whole = test.take(torch.nonzero(rows)[:, 0])
    first = {patient: i for i, patient in reversed(list(enumerate(whole.patient_id)))}
    return whole.take(sorted(first.values()))


def _after_zero(rows: MultiOmicsBatch) -> MultiOmicsBatch:
    """Return the rows with a time above 0, which Cox models need."""
    return rows.take(torch.nonzero(rows.targets.time > 0)[:, 0])


def _outcome(rows: MultiOmicsBatch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return rows.targets.time.numpy(), rows.targets.event.numpy()


def _patients(store: Store, rows: MultiOmicsBatch) -> pl.DataFrame:
    columns = ["patient_id", "cohort", "age_years", "sex", "stage"]
    known = store.table("patients").select(columns).unique("patient_id", keep="first", maintain_order=True)
    mine = pl.DataFrame({"patient_id": rows.patient_id})
    return mine.join(known, on="patient_id", how="left", maintain_order="left").with_columns(
        pl.col("cohort").fill_null("")
    )


def _curves(tuned: SurvivalImpuTMAE, logits: torch.Tensor) -> Callable[[NDArray[np.floating]], NDArray[np.floating]]:
    def survival(times: NDArray[np.floating]) -> NDArray[np.floating]:
        return tuned.head.survival_at(logits, torch.from_numpy(np.asarray(times, dtype=np.float32))).double().numpy()

    return survival
