"""ARO's table in the folds that a study's table is made on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

#: Five folds are five trainings already; ``--seeds`` asks for more in each.
_SEEDS = 1


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
    config = make_config("small", {"max_epochs": 5} if asked.quick else {})
    protocol = Protocol(
        pairs,
        config,
        cohorts=(cohort,),
        seeds=asked.first(_SEEDS),
        tissues=tissues,
        bootstrap=100 if asked.quick else 1000,
    )
    root, path = store_of(asked.root)
    body: dict[str, Any] = {"preset": "small", "rows": [], "differences": [], "folds": {}}
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
