"""ARO's table in the folds that a study's table is made on."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

import omicstore
from models.aro.config import make_config
from models.aro.table import Protocol, translation_table
from models.bench.folds import FOLDS
from models.bench.study import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from models.bench.registry import Asked
    from omicstore.store.reader import Store

__all__ = ["aro_body"]

#: Trainings in each fold. The unmasked setting, which has not practised translation, has one; ``--seeds`` sets both.
_SEEDS, _UNMASKED_SEEDS = 3, 1

_PRESET = "small"

#: More processes than this gain little: the simple methods take their time too.
_WORKERS = 8


def aro_body(
    asked: Asked,
    cohort: str,
    pairs: tuple[tuple[str, str], ...],
    settings: Mapping[str, Callable[[Path, Store, list[str]], Path]],
    *,
    tissues: bool,
) -> dict[str, Any]:
    """Return the table's rows, each task named with the folds it was judged on.

    Parameters
    ----------
    asked
        How.
    cohort
        Of the study.
    pairs
        What from what.
    settings
        Per name of folds what makes them.
    tissues
        Whether to show methods that read the tissue.
    """
    preset = asked.preset or _PRESET
    config = make_config(preset, {"max_epochs": 5} if asked.quick else {})
    protocol = Protocol(
        pairs,
        config,
        cohorts=(cohort,),
        seeds=asked.first(_SEEDS),
        unmasked_seeds=asked.first(_UNMASKED_SEEDS),
        tissues=tissues,
        bootstrap=100 if asked.quick else 1000,
        # On an accelerator trainings would wait for each other.
        workers=1 if asked.quick or torch.accelerator.is_available() else min(_WORKERS, os.cpu_count() or 1),
    )
    root, path = store_of(asked.root)
    body: dict[str, Any] = {
        "preset": preset,
        "config": asdict(config),
        "refit": protocol.refit,
        "rows": [],
        "differences": [],
        "folds": {},
    }
    with omicstore.open(path) as store:
        body |= {"release": store.release, "simulated": store.simulated}
        for name, make in settings.items():
            split = make(root, store, [cohort])
            asked.say(f"{name}: {split}")
            found = translation_table(store, split, protocol, folds=range(1 if asked.quick else FOLDS), say=asked.say)
            for part in ("rows", "differences"):
                body[part] += [row | {"task": f"{row['task']}, {name}"} for row in found[part]]
            body["folds"][name] = found["folds"]
    return body
