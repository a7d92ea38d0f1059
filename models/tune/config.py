"""What ``train.tune`` of params.yaml says: which heads, on which tasks, with which settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from models.presets import with_overrides
from omicstore.errors import StudyError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.components.heads import Activation
    from models.components.time_bins import Convention

__all__ = [
    "ENDPOINTS",
    "HEADS",
    "HOWS",
    "PRESETS",
    "ClassConfig",
    "CoxConfig",
    "DiscreteConfig",
    "HeadKind",
    "HeadTask",
    "How",
    "TuneConfig",
    "head_config",
    "read_tasks",
]

HeadKind = Literal["class", "cox", "discrete"]
How = Literal["probe", "finetune"]

#: The follow-ups that Cox and discrete-time heads learn; every other task is one of labels.
ENDPOINTS = ("OS", "DSS", "PFI", "DFI")
HEADS = ("class", "cox", "discrete")
HOWS = ("probe", "finetune")

_KEYS = ("task", "head", "how", "config")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """What the heads have in common.

    Attributes
    ----------
    hidden, activation, dropout, norm
        As `models.components.heads.HeadConfig` has them.
    standardize
        Whether the head reads the embedding less its mean over the training rows, in units of its standard deviation.
    components
        Leading principal components of that on the training rows that the head reads instead; 0 is the embedding.
    mask_modality
        For a probe, the share of rows that a training step reads from one of their modalities alone; in fine-tuning,
        the probability with which it hides a modality that is there.
    lr, weight_decay, warm_up
        AdamW's, and the epochs in which the rate rises from 0; afterwards it falls to 0 along a cosine.
    body_lr
        Share of the rate by which, in fine-tuning, the model learns.
    max_epochs, patience, batch_size
        Training stops after `patience` epochs in which val did not get better. A batch size of 0 is all rows.
    precision
        Lightning's name: ``32-true``, ``bf16-mixed``, ...
    """

    hidden: tuple[int, ...] = ()
    activation: Activation = "relu"
    dropout: float = 0.0
    norm: bool = False
    standardize: bool = True
    components: int = 0
    mask_modality: float = 0.3
    lr: float = 1e-2
    weight_decay: float = 0.1
    warm_up: int = 0
    body_lr: float = 0.1
    max_epochs: int = 200
    patience: int = 25
    batch_size: int = 0
    precision: str = "32-true"


@dataclass(frozen=True, slots=True)
class ClassConfig(TuneConfig):
    """A class head's settings.

    Attributes
    ----------
    balance
        ``classes``: each class counts the same in the loss; ``rows``: each row does.
    min_rows
        Training rows that a class needs; those of a smaller one are left out.
    """

    balance: Literal["classes", "rows"] = "classes"
    min_rows: int = 5


@dataclass(frozen=True, slots=True)
class CoxConfig(TuneConfig):
    """A Cox head's settings.

    Attributes
    ----------
    select
        What chooses the epoch on val: the ``loss``, or the ``c_index`` (Harrell's).
    min_events
        Events needed among the training rows, and a third of them among the val rows.
    """

    select: Literal["loss", "c_index"] = "loss"
    min_events: int = 12


@dataclass(frozen=True, slots=True)
class DiscreteConfig(CoxConfig):
    """A discrete-time head's settings.

    Attributes
    ----------
    convention
        ``logistic_hazard`` or ``mahmood_nll``, see `models.components.time_bins`.
    n_bins
        Bins of time; 0 is as many as the convention's own papers have.
    alpha
        For ``mahmood_nll``: by how much censored patients count less.
    """

    convention: Convention = "logistic_hazard"
    n_bins: int = 0
    alpha: float = 0.0


#: By head and how. Events are few: the probes of survival read the leading components alone, as the survival probe of
#: ``omicstore evaluate`` does. A fine-tuned model learns for fewer epochs, in smaller steps, in batches.
PRESETS: dict[str, dict[str, TuneConfig]] = {
    "class": {"probe": ClassConfig()},
    "cox": {"probe": CoxConfig(components=16, lr=3e-2)},
    "discrete": {"probe": DiscreteConfig(components=16, lr=3e-2)},
}
for _head, _batch in (("class", 32), ("cox", 128), ("discrete", 32)):
    PRESETS[_head]["finetune"] = replace(
        PRESETS[_head]["probe"], components=0, lr=1e-3, warm_up=2, max_epochs=40, patience=10, batch_size=_batch
    )


@dataclass(frozen=True, slots=True)
class HeadTask:
    """One head of ``train.tune``.

    Attributes
    ----------
    name
        Of the head and of its folder.
    task
        One of `ENDPOINTS`, or a task of labels.
    head, how
        Of `HEADS` and `HOWS`.
    config
        Settings that replace the preset's.
    """

    name: str
    task: str
    head: HeadKind
    how: How = "probe"
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """What params.yaml calls it."""
        return f"train.tune.{self.name}"


def read_tasks(section: Any) -> tuple[HeadTask, ...]:
    """Return the heads that ``train.tune`` asks for, in its order.

    Raises
    ------
    StudyError
        If the section is no mapping, a head lacks its task, or a name cannot be a folder's.
    UnknownNameError
        If there is no such key, head, way to train it, or follow-up.
    UsageError
        If a class head is asked of follow-up.

    Examples
    --------
    >>> read_tasks({"death": {"task": "OS", "head": "cox"}})
    (HeadTask(name='death', task='OS', head='cox', how='probe', config={}),)
    """
    if section is None:
        return ()
    if not isinstance(section, dict):
        raise StudyError(
            f"train.tune of params.yaml is {section!r}",
            expected="a mapping of names to {task, head, how, config}",
            run="edit params.yaml",
        )
    return tuple(_read_task(str(name), body) for name, body in section.items())


def _read_task(name: str, body: Any) -> HeadTask:
    where = f"train.tune.{name}"
    if not _NAME.fullmatch(name):
        raise StudyError(
            f"train.tune of params.yaml names a head {name!r}",
            expected="letters, digits, '_', '-' and '.', the name of a folder",
            run="edit params.yaml",
        )
    if not isinstance(body, dict) or not {"task", "head"} <= set(body):
        raise StudyError(f"{where} of params.yaml is {body!r}", expected="task and head", run="edit params.yaml")
    for key in body:
        if key not in _KEYS:
            raise UnknownNameError(f"key of {where}", str(key), _KEYS, run="edit params.yaml")
    for key, known in (("head", HEADS), ("how", HOWS)):
        if key in body and body[key] not in known:
            raise UnknownNameError(f"{key} of {where}", str(body[key]), known, run=f"set {where}.{key}")
    task = str(body["task"])
    if body["head"] == "class" and task in ENDPOINTS:
        raise UsageError(
            f"{where} puts the head class on {task}", expected="head cox or discrete", run=f"set {where}.head"
        )
    if body["head"] != "class" and task not in ENDPOINTS:
        raise UnknownNameError(f"follow-up for the {body['head']} head of {where}", task, ENDPOINTS)
    return HeadTask(name, task, body["head"], body.get("how", "probe"), dict(body.get("config") or {}))


def head_config(task: HeadTask, own: Mapping[str, Any]) -> TuneConfig:
    """Return a head's settings.

    Parameters
    ----------
    task
        The head; its ``config`` replaces what else is said.
    own
        Settings of the model it sits on that replace the preset's; those that the head has not are passed over.

    Raises
    ------
    UnknownNameError
        If there is no such setting.
    UsageError
        If a value has the wrong type, or is none of those that there are.
    """
    presets = PRESETS[task.head]
    known = {name for name in own if hasattr(presets[task.how], name)}
    presets = presets | {task.how: replace(presets[task.how], **{name: own[name] for name in known})}
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in task.config.items()}
    config = with_overrides(task.where, presets, task.how, given, where=f"{task.where}.config")
    for name, allowed in _CHOICES.items():
        value = getattr(config, name, None)
        if value is not None and value not in allowed:
            raise UnknownNameError(f"{name} of {task.where}", str(value), allowed, run=f"set {task.where}.config")
    return config


_CHOICES = {
    "activation": ("relu", "selu", "gelu"),
    "balance": ("classes", "rows"),
    "select": ("loss", "c_index"),
    "convention": ("logistic_hazard", "mahmood_nll"),
}
