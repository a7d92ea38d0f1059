"""Tuned heads on new patients: what is calibrated of each when it is trained, and what it says afterwards.

``artifacts/MODEL/tuned/calibration.json`` is written after the heads, and names the ``sidecar_hash`` of each. Of a
class head it has, for each set of modalities, the sets of classes (`models.new.classes`), calibrated on val. Of a
survival head it has the risks of the training patients, for a Cox head the hazard of the training rows up to each year
by Breslow's estimate, and what became of the val patients in each third of the training risks: Kaplan and Meier's
estimate with its 90% interval. That interval is one of people of like risk, on rows that the head did not learn from,
though they chose its epoch. For one patient's own chance of living none can be had, since nobody lives twice, and so
none is given.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.files import write_json
from models.new.calibration import has_all
from models.new.classes import LEVEL, ClassSets, fit_class_sets
from models.new.conformal import views
from models.new.kaplan import baseline_hazard, group_of, observed_survival
from omicstore.errors import LeakageError, UnknownNameError
from omicstore.store.splitfile import body_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.datamodule import CohortDataModule
    from models.settings import TrainSettings
    from models.tune.saved import Tuned

__all__ = ["YEARS", "calibrate_heads", "class_table", "head_table", "load_heads", "read_head_calibration"]

FORMAT = "omicstore.tuned-calibration/1"

#: At which survival is said.
YEARS = (1, 3, 5)
_DAYS = 365.25

_BY_YEAR = [name for y in YEARS for name in (f"survival_{y}y", *(f"observed_{y}y{e}" for e in ("", "_low", "_high")))]

_SEAL = "calibration_hash"
_PATH = "calibration.json"


def calibrate_heads(folder: Path, data: CohortDataModule, settings: TrainSettings) -> None:
    """Calibrate the heads of a trained model on the rows that each learned from and was chosen by, and write it down.

    Parameters
    ----------
    folder
        The model's, ``artifacts/MODEL``.
    data
        What it was trained on; test rows are not read.
    settings
        The section ``train``.
    """
    from models.checkpoint import SEAL, load_checkpoint
    from models.tune.rows import supervise
    from models.tune.run import check_heads
    from models.tune.saved import load_tuned

    if not settings.tune:
        return
    heads = load_tuned(folder, load_checkpoint(folder))
    configs = check_heads(settings, data.store)
    body: dict[str, Any] = {"format": FORMAT, "heads": {}}
    for task in settings.tune:
        head = heads.get(task.name)
        known = supervise(data, task, configs[task.name])
        if head is None or isinstance(known, str):
            continue
        train, val = known.parts["train"], known.parts["val"]
        fit = _calibrated_classes if head.classes else _calibrated_survival
        found = {"+".join(view): said for view in views(list(data.axes)) if (said := fit(head, train, val, view))}
        body["heads"][task.name] = {SEAL: head.sidecar[SEAL], "from": found}
    write_json(folder / "tuned" / _PATH, body | {_SEAL: body_hash(body)})


def _seen(batch: MultiOmicsBatch, view: Sequence[str]) -> MultiOmicsBatch | None:
    rows = has_all(batch, view)
    return batch.take(rows.tolist()).only(view) if len(rows) else None


def _calibrated_classes(
    head: Tuned, train: MultiOmicsBatch, val: MultiOmicsBatch, view: Sequence[str]
) -> dict[str, Any] | None:
    own = _seen(val, view)
    if own is None:
        return None
    sets = fit_class_sets(head.class_probabilities(own), own.targets.label.numpy())
    return None if sets is None else asdict(sets) | {"n_train": len(has_all(train, view))}


def _calibrated_survival(
    head: Tuned, train: MultiOmicsBatch, val: MultiOmicsBatch, view: Sequence[str]
) -> dict[str, Any] | None:
    own, judge = _seen(train, view), _seen(val, view)
    if own is None or judge is None:
        return None
    # Five digits: what is looked up in them is the same on another machine.
    risk, other = (np.array([float(f"{x:.5g}") for x in head.risk(part)]) for part in (own, judge))
    times = np.array(YEARS) * _DAYS
    found: dict[str, Any] = {
        "training": np.sort(risk).tolist(),
        "observed": observed_survival(
            group_of(risk, other), judge.targets.time.numpy(), judge.targets.event.numpy(), times
        ),
    }
    if head.head == "cox":
        found["baseline"] = baseline_hazard(risk, own.targets.time.numpy(), own.targets.event.numpy(), times).tolist()
    return found


def read_head_calibration(folder: Path, seals: Mapping[str, str]) -> dict[str, Any]:
    """Return what was calibrated of each head; nothing for a model without heads.

    Parameters
    ----------
    folder
        The model's.
    seals
        The heads' ``sidecar_hash`` by name.

    Raises
    ------
    LeakageError
        If it is not as it was written, or of other heads.
    """
    if not seals:
        return {}
    path = folder / "tuned" / _PATH
    try:
        body = json.loads(path.read_bytes())
        whole = body[_SEAL] == body_hash(body, _SEAL)
        whole = whole and {name: said["sidecar_hash"] for name, said in body["heads"].items()} == dict(seals)
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise LeakageError(
            f"{path} is not there, was changed, or is of other heads",
            expected="what was written when the heads were trained",
            run="omicstore train",
        )
    return {name: said["from"] for name, said in body["heads"].items()}


def load_heads(heads: Mapping[str, Tuned], names: Sequence[str]) -> dict[str, Tuned]:
    """Return the heads that are named, or all.

    Raises
    ------
    UnknownNameError
        If there is none of a name.
    """
    for name in names:
        if name not in heads:
            raise UnknownNameError(
                "head of the trained model", name, heads, run="name one in train.tune of params.yaml"
            )
    return {name: heads[name] for name in names or heads}


def head_table(
    head: Tuned, calibrated: Mapping[str, Any], batch: MultiOmicsBatch, held: Sequence[tuple[str, ...]]
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return a row per sample, and what the summary says of the head.

    Parameters
    ----------
    head, calibrated
        The head, and what `read_head_calibration` has of it.
    batch
        The samples.
    held
        Per sample the modalities that it has.

    Returns
    -------
    tuple
        Of a class head: sample_id, predicted, ``p_CLASS``, and ``set``, the classes that hold the true one in 90 of 100
        patients. Of a survival head: sample_id, risk, percentile (among training patients, of those with the same
        modalities), third (of the training risks, 1 the lowest), and for each year ``survival_1y`` (the head's own
        estimate, of a cox or discrete head) with ``observed_1y``, ``observed_1y_low`` and ``observed_1y_high``: what
        became of val patients in that third, with a 90% interval; null where they are too few.
    """
    seen = {view: calibrated[view] for view in dict.fromkeys("+".join(v) for v in held) if view in calibrated}
    about = {"task": head.task, "head": head.head, "how": head.how, "val": head.sidecar["score"]}
    if head.classes:
        sets = {v: ClassSets(s["n_val"], s["accuracy"], s["threshold"]) for v, s in seen.items()}
        about |= {"level": LEVEL, "from": {v: {"n_val": s.n_val, "accuracy": s.accuracy} for v, s in sets.items()}}
        return class_table(head.classes, head.class_probabilities(batch), [sets.get("+".join(v)) for v in held],
                           batch.sample_id), about  # fmt: skip
    about |= {
        "years": list(YEARS),
        "interval": "90% of the survival observed among val patients in the same third of risk, not of one patient's",
        "from": {v: {"n_train": len(s["training"]), "n_val": [g["n"] for g in s["observed"]]} for v, s in seen.items()},
    }
    return _survival_table(head, seen, batch, ["+".join(v) for v in held]), about


def class_table(
    names: Sequence[str],
    shares: NDArray[np.floating],
    sets: Sequence[ClassSets | None],
    sample_ids: Sequence[str],
) -> pl.DataFrame:
    """Return sample_id, predicted, a probability per class and the set of classes of each sample.

    Where nothing was calibrated for what a sample has, no class can be left out.
    """
    members = [(own or ClassSets(0, 0.0, None)).members(shares[[i]])[0] for i, own in enumerate(sets)]
    return pl.DataFrame(
        {
            "sample_id": list(sample_ids),
            "predicted": [names[i] for i in shares.argmax(axis=1)],
            **{f"p_{name}": shares[:, i] for i, name in enumerate(names)},
            "set": ["+".join(n for n, is_in in zip(names, row, strict=True) if is_in) for row in members],
        }
    )


def _survival_table(head: Tuned, seen: Mapping[str, Any], batch: MultiOmicsBatch, held: Sequence[str]) -> pl.DataFrame:
    risk, times = head.risk(batch), np.array(YEARS) * _DAYS
    own = head.survival_at(batch, times) if head.head == "discrete" else None
    rows: list[dict[str, Any]] = []
    for i, (sample, view) in enumerate(zip(batch.sample_id, held, strict=True)):
        row: dict[str, Any] = {"sample_id": sample, "risk": float(f"{risk[i]:.5g}"), "percentile": None, "third": None}
        said = seen.get(view)
        group = None
        if said is not None:
            training = np.array(said["training"])
            row["percentile"] = round(100.0 * float(np.searchsorted(training, row["risk"])) / len(training), 2)
            third = int(group_of(training, np.array([row["risk"]]))[0])
            row["third"], group = third + 1, said["observed"][third]
        for j, year in enumerate(YEARS):
            alive = None if own is None else own[i, j]
            if own is None and said is not None:
                alive = np.exp(-said["baseline"][j] * np.exp(risk[i]))
            row[f"survival_{year}y"] = None if alive is None else round(float(alive), 4)
            for end in ("", "_low", "_high"):
                row[f"observed_{year}y{end}"] = None if group is None else group[f"survival{end}"][j]
        rows.append(row)
    kinds = {"sample_id": pl.String, "risk": pl.Float64, "percentile": pl.Float64, "third": pl.Int64}
    return pl.DataFrame(rows, schema=kinds | dict.fromkeys(_BY_YEAR, pl.Float64))
