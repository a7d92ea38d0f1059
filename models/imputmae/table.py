"""The survival table of ImpuTMAE: each modality alone, all together, and with missing ones imputed.

Per fold of a split: pre-train on the training rows, tune on those with follow-up, both stopped by val; judge once on
the test patients that have every modality and follow-up, so that all methods, the simpler ones of
`models.imputmae.rivals` among them, answer for the same people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.evaluate.bootstrap import estimate
from models.imputmae.fold import CLINIC, MODEL, SURVIVAL, TOGETHER, FoldJob, run_fold
from models.imputmae.recovered import OURS
from models.imputmae.views import Protocol
from models.processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.imputmae.fold import FoldScores
    from omicstore.store.reader import Store

    #: Task, method and measure to a row per fold.
    Merged = dict[str, dict[str, dict[str, list[NDArray[np.float64]]]]]

__all__ = ["Protocol", "survival_table"]

#: What the line of each fold says of its methods.
_SAID = "c_harrell"


def survival_table(
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
        The split's folder; `omicstore split import` makes one of published folds.
    protocol
        What the table is made of.
    folds
        Which folds; each test part is read once, and the read logged.
    workers
        Processes, each with one thread: layers this small gain nothing from more.
    say
        Called with a line per fold.

    Returns
    -------
    ``rows``: per task, method and measure the ``mean`` over folds, its ``sd`` over folds, ``low`` and ``high`` (95%,
    patient bootstrap) and ``each`` fold; ``differences``: the same of methods in pairs,
    resampled together; ``folds``: what is known of each. Tasks are the survival and the translation of each modality.
    """
    jobs = [FoldJob(store.root, split, fold, protocol) for fold in folds]
    done: list[FoldScores] = []
    with running(run_fold, jobs, workers) as found:
        for own in found:
            done.append(own)
            mine = own.scores[SURVIVAL]
            c = ", ".join(f"{m} {mine[m][_SAID][0]:.3f}" for m in mine if m.startswith((MODEL, CLINIC)))
            say(f"fold {own.about['fold']}, {own.about['n_judged']} judged: C of {c}")
    names = [f"fold {own.about['fold']}" for own in done]
    merged = _merged(done)
    rows = [
        {"task": task, "method": method, "measure": measure, **_summary(names, parts)}
        for task, methods in merged.items()
        for method, measures in methods.items()
        for measure, parts in measures.items()
    ]
    return {
        "split": split.name,
        "endpoint": protocol.endpoint,
        "release": store.release,
        "rows": rows,
        "differences": [d for task in merged for d in _differences(task, merged[task], names, protocol)],
        "folds": [own.about for own in done],
    }


def _merged(done: Sequence[FoldScores]) -> Merged:
    """Return what all folds have: a method that one fold lacks is not averaged over the others."""
    first, found = done[0].scores, {}
    for task, methods in first.items():
        shared = [m for m in methods if all(m in own.scores[task] for own in done)]
        found[task] = {m: _measures([own.scores[task][m] for own in done]) for m in shared}
    return found


def _measures(parts: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, list[NDArray[np.float64]]]:
    """Return per measure that all folds have a row per fold."""
    return {k: [own[k] for own in parts] for k in parts[0] if all(k in own for own in parts)}


def _summary(names: Sequence[str], parts: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    # A resample without a pair to compare is left out of the mean over folds.
    mean = np.nanmean(np.stack(list(parts)), axis=0)
    each = [float(part[0]) for part in parts]
    ends = estimate(mean)
    return {
        "mean": round(float(mean[0]), 6),
        "sd": round(float(np.std(each, ddof=1)), 6) if len(each) > 1 else None,
        "low": ends["low"],
        "high": ends["high"],
        "each": {name: round(value, 6) for name, value in zip(names, each, strict=True)},
    }


def _differences(
    task: str, methods: dict[str, dict[str, list[NDArray[np.float64]]]], names: Sequence[str], protocol: Protocol
) -> list[dict[str, Any]]:
    found = []
    for method, against in _pairs(task, methods, protocol):
        for measure, parts in methods[method].items():
            other = methods[against].get(measure)
            if other is not None:
                apart = [a - b for a, b in zip(parts, other, strict=True)]
                found.append(
                    {"task": task, "method": method, "against": against, "measure": measure, **_summary(names, apart)}
                )
    return found


def _pairs(
    task: str, methods: dict[str, dict[str, list[NDArray[np.float64]]]], protocol: Protocol
) -> list[tuple[str, str]]:
    """Return which methods are compared; none is picked by its test scores, each modality stands for itself."""
    if task != SURVIVAL:
        return [(m, other) for m in methods if m.startswith(OURS) for other in methods if not other.startswith(OURS)]
    *alone, own = (f"{MODEL}, {name}" for name in protocol.views)
    simple = [m for m in methods if MODEL not in m]
    single = next(m for m in methods if m.startswith(f"{TOGETHER}, "))
    return [
        *((own, one) for one in alone),
        *((ours, other) for ours in (own, *alone) for other in simple),
        (TOGETHER, CLINIC),
        (single, CLINIC),
        (TOGETHER, single),
    ]
