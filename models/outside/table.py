"""Survival by the methods of others, fold by fold: who is judged, by which scores, and with what interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

import omicstore
from models.bench.result import rows_of
from models.components.cox import followed
from models.datamodule import CohortDataModule
from models.evaluate.bootstrap import patient_weights
from models.evaluate.censoring import Censoring
from models.evaluate.concordance import harrell
from models.imputmae.rows import after_zero, judged_rows, outcome, patients_of
from models.outside.risks import CLINIC, OMICS_ONLY, Effort, Part, fold_risks
from models.outside.run import Followed
from models.processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.bench.result import Scores
    from omicstore.store.reader import Store

    #: Measure to (1 + resamples,), the value itself first.
    Measured = dict[str, NDArray[np.float64]]

__all__ = ["Protocol", "competitors_table"]

_TASK = "overall survival"

#: What the others' methods are compared with besides the clinic, and pairs that ask what a second modality adds.
_SIMPLE = "ridge, all"
_ADDED = (("ridge, all", "ridge, rna"), ("Flexynesis, all", "Flexynesis, rna"))


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the table is made of.

    Attributes
    ----------
    modalities
        What is read; the judged have them all.
    cohorts
        Cohorts; none means all that the split covers.
    endpoint
        OS, DSS, PFI or DFI.
    transform
        Fitted on the training rows of each fold, for all methods.
    bootstrap
        Resamples of the patients.
    effort
        How hard the methods try.
    """

    modalities: tuple[str, ...]
    cohorts: tuple[str, ...] = ()
    endpoint: str = "OS"
    transform: str = "default"
    bootstrap: int = 1000
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True, slots=True)
class _Job:
    store: Path | str
    split: Path
    fold: int
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class _Done:
    about: dict[str, Any]
    scores: dict[str, Measured]
    left_out: dict[str, str]


def competitors_table(
    store: Store,
    split: Path,
    protocol: Protocol,
    *,
    folds: Sequence[int],
    workers: int = 1,
    say: Callable[[str], None],
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
    workers
        Processes, each of which makes whole folds.
    say
        Called with a line per fold.

    Returns
    -------
    ``rows`` as `models.bench.result.rows_of` gives them; ``differences``, the same of two methods resampled together;
    ``left_out``, per method that could not be run the reason, and it has no row then; ``folds``.
    """
    jobs = [_Job(store.root, split, fold, protocol) for fold in folds]
    done: list[_Done] = []
    with running(_run, jobs, workers) as found:
        for own in found:
            done.append(own)
            c = ", ".join(f"{name} {own.scores[name]['c_harrell'][0]:.3f}" for name in own.scores)
            say(f"fold {own.about['fold']}, {own.about['n_judged']} judged: C of {c}")
            for name, reason in own.left_out.items():
                say(f"left out: {name}: {reason}")
    # A method that one fold lacks has no mean over folds.
    shared = [name for name in done[0].scores if all(name in own.scores for own in done)]
    methods = {name: {f"fold {own.about['fold']}": own.scores[name] for own in done} for name in shared}
    return {
        "split": split.name,
        "endpoint": protocol.endpoint,
        "rows": rows_of({_TASK: methods}),
        "differences": [row for pair in _pairs(shared) for row in _difference(methods, *pair)],
        "left_out": {name: reason for own in done for name, reason in own.left_out.items()},
        "folds": [own.about for own in done],
    }


def _run(job: _Job) -> _Done:
    with omicstore.open(job.store) as store:
        return _fold(store, job)


def _fold(store: Store, job: _Job) -> _Done:
    protocol = job.protocol
    data = CohortDataModule(
        store,
        job.split,
        job.fold,
        modalities=protocol.modalities,
        transform=protocol.transform,
        cohorts=protocol.cohorts,
        reader=f"models.outside.table: {protocol.endpoint}",
        endpoint=protocol.endpoint,
        seed=protocol.effort.seed,
    )
    train, val = (after_zero(_followed(data.part(name))) for name in ("train", "val"))
    judged = judged_rows(data.part("test"))
    parts = [_part(store, rows, protocol.modalities) for rows in (train, val, judged)]
    risks, left_out = fold_risks(parts[0], parts[1], parts[2], protocol.effort)
    time, event = outcome(judged)
    weights = patient_weights(judged.patient_id, protocol.bootstrap, protocol.effort.seed + job.fold)
    censoring = Censoring(*outcome(train), time, event)
    scores = {
        name: {"c_harrell": harrell(time, event, risk, weights), "c_uno": censoring.uno(risk, weights)}
        for name, risk in risks.items()
    }
    about = {
        "fold": job.fold,
        "n_train": len(train),
        "n_val": len(val),
        "n_judged": len(judged),
        "events": int(event.sum()),
        "horizon_days": censoring.horizon,
    }
    return _Done(about, scores, left_out)


def _followed(rows: MultiOmicsBatch) -> MultiOmicsBatch:
    able = rows.present.any(dim=1) & followed(rows.targets.time, rows.targets.event)
    return rows.take(torch.nonzero(able)[:, 0])


def _part(store: Store, rows: MultiOmicsBatch, modalities: Sequence[str]) -> Part:
    views = {m: rows.measured(m) for m in modalities}
    return Part(Followed(views, *outcome(rows)), patients_of(store, rows))


def _pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    wanted = [(name, CLINIC) for name in methods if name != CLINIC]
    wanted += [(name, _SIMPLE) for name in methods if name.startswith(OMICS_ONLY)]
    return wanted + [(more, less) for more, less in _ADDED if {more, less} <= set(methods)]


def _difference(methods: dict[str, dict[str, Measured]], method: str, against: str) -> list[dict[str, Any]]:
    apart = {
        fold: {measure: values - methods[against][fold][measure] for measure, values in own.items()}
        for fold, own in methods[method].items()
    }
    scores: Scores = {_TASK: {method: apart}}
    return [{**row, "against": against} for row in rows_of(scores)]
