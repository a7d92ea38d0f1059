"""What params.yaml says of training and evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import yaml

from models.tune.config import HeadTask, read_tasks
from omicstore.errors import StudyError, UsageError
from omicstore.modalities import get_modality

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from _typeshed import DataclassInstance

__all__ = ["EvaluateSettings", "Impute", "Survival", "TrainSettings", "read_params", "section_of"]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The ``train`` section, with the name of the split beside it.

    Attributes
    ----------
    model, preset, config
        Which model, which of its presets, and settings that replace the preset's.
    modalities
        What the model reads and reconstructs, in its order.
    cohorts
        Cohorts; none means all.
    sample_type
        As in a query.
    label
        Task whose labels the model learns, for one that learns any.
    split, fold
        The split's name and the fold whose training rows the model is fitted on.
    seed
        Of weights, batch order and masks.
    num_workers
        Loader processes; they change nothing but speed.
    memory
        What the training and validation rows may take: bytes or, up to 1, a share of the memory that is free. Where
        they would take more, batches are read from the store.
    devices
        How many devices Lightning may take.
    tune
        Supervised heads to train on the model, see `models.tune.config`.
    """

    model: str
    preset: str
    modalities: tuple[str, ...]
    split: str
    fold: int = 0
    seed: int = 0
    cohorts: tuple[str, ...] = ()
    sample_type: str = "primary"
    label: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    num_workers: int = 0
    memory: float = 0.5
    devices: int = 1
    tune: tuple[HeadTask, ...] = ()

    @classmethod
    def of(cls, params: Mapping[str, Any], model: str | None = None) -> TrainSettings:
        """Read the sections ``train`` and ``split``.

        Parameters
        ----------
        params
            The content of params.yaml.
        model
            Instead of ``train.model``. Preset and config stay those of the section.

        Raises
        ------
        StudyError
            If a section is missing, lacks what it must have, or has what it may not.
        """
        section = section_of(params, "train", cls)
        if model is not None:
            section["model"] = model
        split = dict(params.get("split") or {})
        if "name" not in split:
            raise StudyError(
                "params.yaml names no split", expected="split.name", run="add a split section to params.yaml"
            )
        for name in ("model", "preset", "modalities"):
            if name not in section:
                raise StudyError(
                    f"the section train of params.yaml has no {name!r}", run=f"add train.{name} to params.yaml"
                )
        section["modalities"] = tuple(get_modality(m).name for m in section["modalities"])
        section["cohorts"] = tuple(str(c).upper() for c in section.get("cohorts") or ())
        section["config"] = dict(section.get("config") or {})
        section["tune"] = read_tasks(section.get("tune"))
        return cls(**(section | {"split": str(split["name"])}))


@dataclass(frozen=True, slots=True)
class Impute:
    """Which modality to predict from which."""

    source: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Survival:
    """The survival probe: a penalised Cox model on the leading components of the embedding.

    Attributes
    ----------
    endpoint
        OS, DSS, PFI or DFI.
    components
        Principal components of the embedding that it reads.
    penalizer
        Strength of the squared penalty.
    min_events
        Events needed among the rows fitted on, and a third of them among the test rows; with fewer it is not done.
    """

    endpoint: str = "OS"
    components: int = 10
    penalizer: float = 0.1
    min_events: int = 15


@dataclass(frozen=True, slots=True)
class EvaluateSettings:
    """The ``evaluate`` section.

    Attributes
    ----------
    impute, survival
        What to do, or a sentence that says why not.
    classes
        Tasks of the labels table to judge by; none means all that the store has. Or a sentence that says why not.
    clusters, translate, drop
        Whether clusters are compared with the classes, each modality is predicted from each other one, and modalities
        are taken from the test rows; or a sentence that says why not.
    bootstrap
        Resamples of the patients.
    seed
        Of the resampling, of what is dropped, and of what a baseline draws.
    """

    impute: Impute | str
    survival: Survival | str
    classes: tuple[str, ...] | str = ()
    clusters: bool | str = True
    translate: bool | str = True
    drop: bool | str = True
    bootstrap: int = 1000
    seed: int = 0

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> EvaluateSettings:
        """Read the section ``evaluate``.

        Raises
        ------
        StudyError
            If the section has what it may not.
        """
        section = section_of(params, "evaluate", cls)
        impute = _reason(section.pop("impute", None), "no imputation was asked for in params.yaml")
        survival = _reason(section.pop("survival", None), "no survival endpoint was asked for in params.yaml")
        if not isinstance(impute, str):
            if set(impute) != {"from", "to"}:
                raise StudyError(
                    f"evaluate.impute of params.yaml has {', '.join(sorted(impute))}", expected="from and to"
                )
            source = impute["from"]
            impute = Impute((source,) if isinstance(source, str) else tuple(source), impute["to"])
        if not isinstance(survival, str):
            survival = Survival(**section_of({"evaluate.survival": survival}, "evaluate.survival", Survival))
        classes = section.pop("classes", None) or []
        if isinstance(classes, list | tuple):
            classes = tuple(str(task) for task in classes)
        else:
            classes = _reason(classes, "no class was asked for in params.yaml")
        for name in ("clusters", "translate", "drop"):
            if section.get(name, True) is not True:
                section[name] = _reason(section[name] or None, "it was not asked for in params.yaml")
        return cls(impute=impute, survival=survival, classes=classes, **section)


def _reason(value: Any, absent: str) -> Any:
    """Return the reason why something is not done, or the settings of what is."""
    if value is None or value == "not_applicable":
        return absent
    if isinstance(value, dict):
        return value.get("not_applicable", value)
    return str(value)


def section_of(params: Mapping[str, Any], name: str, kind: type[DataclassInstance]) -> dict[str, Any]:
    """Return a section of params.yaml, if it has nothing but the fields of a dataclass.

    Raises
    ------
    StudyError
        If there is no such section, or it has other keys.
    """
    section = params.get(name)
    if not isinstance(section, dict):
        raise StudyError(
            f"params.yaml has no section {name}",
            expected="a mapping",
            run="omicstore init DIR makes a whole params.yaml",
        )
    known = [f.name for f in fields(kind)]
    unknown = set(section) - set(known)
    if unknown:
        raise StudyError(
            f"the section {name} of params.yaml has {', '.join(sorted(unknown))}",
            expected=f"some of {', '.join(known)}",
            run="edit params.yaml",
        )
    return dict(section)


def read_params(root: Path) -> dict[str, Any]:
    """Return the content of the params.yaml in a study's folder.

    Raises
    ------
    UsageError
        If it is not there.
    """
    path = root / "params.yaml"
    if not path.is_file():
        raise UsageError(f"{root} has no params.yaml", expected="a study's folder", run="omicstore init DIR")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise StudyError(f"{path} is not a mapping", expected="sections study, split, train, evaluate")
    return content
