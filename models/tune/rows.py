"""Which rows a head learns from, and what is known of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from models.batch import Targets
from models.components.cox import followed
from models.outcomes import outcomes_of
from models.tune.config import ENDPOINTS, ClassConfig, CoxConfig
from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from models.batch import MultiOmicsBatch
    from models.datamodule import CohortDataModule
    from models.tune.config import HeadTask, TuneConfig
    from omicstore.store.reader import Store

__all__ = ["Supervision", "refuse_unknown_task", "supervise"]

_PARTS = ("train", "val")


@dataclass(frozen=True, slots=True)
class Supervision:
    """The rows of train and val with a target.

    Attributes
    ----------
    parts
        ``train`` and ``val``: the rows, with their targets.
    classes
        Names of the classes, sorted; none for survival.
    counts
        Per part its rows, and how many of each class, or how many events.
    left_out
        Classes with too few training rows, with the number of these.
    """

    parts: dict[str, MultiOmicsBatch]
    classes: tuple[str, ...]
    counts: dict[str, dict[str, Any]]
    left_out: dict[str, int]


def refuse_unknown_task(store: Store, task: HeadTask) -> None:
    """Raise `UnknownNameError` where the store has no labels of a head's task."""
    known = sorted(store.table("labels")["task"].unique().to_list())
    if task.task not in (*ENDPOINTS, *known):
        raise UnknownNameError(
            f"task of {task.where}", task.task, [*known, *ENDPOINTS], run=f"set {task.where}.task in params.yaml"
        )


def supervise(data: CohortDataModule, task: HeadTask, config: TuneConfig) -> Supervision | str:
    """Return the rows that a head can learn from and be chosen by, or why there are too few.

    Parameters
    ----------
    data
        The fold that its model was trained on; the test part is not read.
    task, config
        The head and its settings.
    """
    if isinstance(config, ClassConfig):
        return _labelled(data, task, config)
    assert isinstance(config, CoxConfig)
    return _followed(data, task, config)


def _labelled(data: CohortDataModule, task: HeadTask, config: ClassConfig) -> Supervision | str:
    names = {part: data.labels(part, task.task) for part in _PARTS}
    found = Counter(name for name in names["train"] if name is not None)
    classes = tuple(sorted(name for name, n in found.items() if n >= config.min_rows))
    left_out = {name: n for name, n in sorted(found.items()) if name not in classes}
    if len(classes) < 2:
        return (
            f"of the {found.total()} labelled training rows, {len(classes)} of the classes of {task.task} "
            f"have {config.min_rows} or more; two are needed"
        )
    parts, counts = {}, {}
    for part in _PARTS:
        place = {name: i for i, name in enumerate(classes)}
        label = torch.tensor([place.get(name or "", -1) for name in names[part]], dtype=torch.int64)
        whole = data.part(part)
        parts[part] = _take(replace(whole, targets=replace(Targets.empty(len(whole)), label=label)), label >= 0)
        seen = Counter(parts[part].targets.label.tolist())
        counts[part] = {"rows": len(parts[part]), "classes": {name: seen[i] for i, name in enumerate(classes)}}
    if not counts["val"]["rows"]:
        return f"no val row has a class of {task.task} that the training rows have"
    return Supervision(parts, classes, counts, left_out)


def _followed(data: CohortDataModule, task: HeadTask, config: CoxConfig) -> Supervision | str:
    parts, counts = {}, {}
    for part, needed in (("train", config.min_events), ("val", -(-config.min_events // 3))):
        whole = data.part(part).first_per_patient()  # a patient dies once, however many samples there are
        targets = outcomes_of(data.store, whole.patient_id, task.task)
        known = followed(targets.time, targets.event)
        parts[part] = _take(replace(whole, targets=targets), known)
        events = int((parts[part].targets.event == 1).sum())
        counts[part] = {"rows": len(parts[part]), "events": events}
        if events < needed:
            return f"{events} of {len(parts[part])} {part} rows had an event of {task.task}; {needed} are needed"
    return Supervision(parts, (), counts, {})


def _take(batch: MultiOmicsBatch, rows: torch.Tensor) -> MultiOmicsBatch:
    return batch.take(torch.nonzero(rows)[:, 0])
