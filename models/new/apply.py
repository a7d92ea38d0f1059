"""Put new samples, or a part of a split, through a trained model: place, imputation, risk, and what is outside."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.new.calibration import Calibration, class_probabilities, embed, has_all, impute
from models.new.classes import LEVEL
from models.new.conformal import LEVELS, rows_needed
from models.new.heads import class_table, head_table
from models.new.inverse import can_undo, limits, to_unit
from omicstore.errors import OmicstoreError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.checkpoint import Checkpoint
    from models.tune.saved import Tuned

__all__ = ["Found", "embedding", "imputation", "only_given", "prediction", "samples_table"]


@dataclass(slots=True)
class Found:
    """What is written of an analysis.

    Attributes
    ----------
    tables
        File name without ending to table.
    summary
        What summary.json holds besides what is common to all commands.
    warnings
        What a person ought to know.
    """

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def samples_table(batch: MultiOmicsBatch, calibration: Calibration) -> tuple[pl.DataFrame, list[str]]:
    """Return a row per sample: what it has, and how far it lies from the training rows; and the warnings of it.

    Columns: sample_id, patient_id, given (modalities joined by +), per given modality ``M_observed`` (features),
    ``M_distance``, ``M_percentile`` (held-out people who lie nearer, in percent), and ``outside`` (modalities in which
    it lies outside the training data, joined by +).
    """
    columns: dict[str, Any] = {"sample_id": batch.sample_id, "patient_id": batch.patient_id}
    columns["given"] = ["+".join(view) for view in given(batch)]
    outside: list[list[str]] = [[] for _ in batch.sample_id]
    warnings = []
    for modality in batch.modalities:
        if not bool(batch.has(modality).any()):
            continue
        columns[f"{modality}_observed"] = batch.target_mask(modality).sum(dim=1).tolist()
        distance = calibration.distances.get(modality)
        if distance is None:
            warnings.append(f"{modality}: too few training rows to say what lies outside the training data")
            continue
        far = distance.of(batch.measured(modality))
        columns[f"{modality}_distance"] = _null(far.round(6))
        columns[f"{modality}_percentile"] = _null((100 * (1 - distance.share_as_far(far))).round(2))
        beyond = distance.is_outside(far)
        for i in np.flatnonzero(beyond):
            outside[i].append(modality)
        if beyond.any():
            names = [batch.sample_id[i] for i in np.flatnonzero(beyond)]
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            warnings.append(
                f"{modality}: {len(names)} of {int(batch.has(modality).sum())} samples lie outside the training data "
                f"(farther than 99 in 100 held-out people): {shown}. What the model says of them is not to be trusted"
            )
        if (share := distance.shifted(far)) is not None:
            warnings.append(
                f"{modality}: as a group the samples lie farther from the training rows than people do (half of them "
                f"farther than {share:.0%} of held-out people): another tissue, platform or processing?"
            )
    columns["outside"] = ["+".join(names) for names in outside]
    return pl.DataFrame(columns), warnings


def given(batch: MultiOmicsBatch) -> list[tuple[str, ...]]:
    """Return per row the modalities that it has."""
    flags = batch.present.tolist()
    return [tuple(m for m, has in zip(batch.modalities, row, strict=True) if has) for row in flags]


def embedding(checkpoint: Checkpoint, batch: MultiOmicsBatch) -> Found:
    """Return the place of each sample in the model's space: sample_id, z1, z2, ..."""
    z = embed(checkpoint.module, batch)
    names = {f"z{i + 1}": z[:, i] for i in range(z.shape[1])}
    found = Found({"embedding": pl.DataFrame({"sample_id": batch.sample_id, **names})})
    found.summary = {"n_dimensions": z.shape[1]}
    return found


def imputation(
    checkpoint: Checkpoint,
    calibration: Calibration,
    batch: MultiOmicsBatch,
    *,
    targets: Sequence[str] = (),
    level: float = 0.9,
) -> Found:
    """Impute what samples lack, in the unit of the data, with an interval for each value.

    Parameters
    ----------
    checkpoint, calibration
        The model.
    batch
        The samples.
    targets
        Modalities; with none all that some sample lacks.
    level
        Of the intervals; one of `LEVELS`.

    Returns
    -------
    Found
        Per target the tables ``M``, ``M.low``, ``M.high`` (a row per sample that lacks it) and ``M.features``:
        feature_id, lowest and highest (beyond these the transform does not tell values apart: a bound there is open).

    Raises
    ------
    UnknownNameError, UsageError
        If a target or the level is none of the model's, or no sample lacks a target.
    OmicstoreError
        If the model cannot predict one modality from others.
    """
    module = checkpoint.module
    if "translate" not in module.capabilities:
        raise OmicstoreError(f"{checkpoint.sidecar['model']} cannot predict one modality from others")
    if level not in LEVELS:
        raise UsageError(f"--level is {level}", expected=f"one of {', '.join(map(str, LEVELS))}")
    for target in targets:
        if target not in module.axes:
            raise UnknownNameError("modality of the trained model", target, module.axes)
    held = given(batch)
    found = Found()
    for target in targets or list(module.axes):
        rows = [i for i, view in enumerate(held) if view and target not in view]
        if rows:
            _impute(checkpoint, calibration, batch.take(rows), target, level, found)
        elif targets:
            raise UsageError(f"every sample has {target}, so there is nothing to impute", run="name another with --to")
    if not found.tables:
        raise UsageError(
            "no sample lacks a modality of the model, so there is nothing to impute", run="hide one with --from"
        )
    return found


def _impute(
    checkpoint: Checkpoint, calibration: Calibration, own: MultiOmicsBatch, target: str, level: float, found: Found
) -> None:
    """Impute one modality of samples that lack it, and add what comes of it to `found`."""
    pipeline, features = checkpoint.state.pipelines[target], checkpoint.state.features(target)
    guess = impute(checkpoint.module, own, target)
    width = np.full(guess.shape, np.inf, dtype=np.float32)
    held = given(own)
    behind = {view: calibration.n_val.get((view, target), 0) for view in dict.fromkeys(held)}
    for view in (view for view, n in behind.items() if n):
        same = [i for i, other in enumerate(held) if other == view]
        width[same] = calibration.widths[view, target][LEVELS.index(level)]
    if short := ["+".join(view) for view, n in behind.items() if n < rows_needed(level)]:
        found.warnings.append(
            f"{target} from {' and from '.join(short)}: fewer than the {rows_needed(level)} val samples that an "
            f"interval of {level:.0%} needs, so the bounds are the ends of the range"
        )
    undone = can_undo(pipeline)
    ends = limits(pipeline) if undone else (np.full(guess.shape[1], -np.inf), np.full(guess.shape[1], np.inf))
    values = {"": guess, ".low": guess - width, ".high": guess + width}
    back = {name: to_unit(pipeline, array) if undone else array for name, array in values.items()}
    for name, array in back.items():
        found.tables[f"{target}{name}"] = _wide(own.sample_id, features, array)
    found.tables[f"{target}.features"] = pl.DataFrame({"feature_id": features, "lowest": ends[0], "highest": ends[1]})
    found.summary[target] = {
        "n_samples": len(own),
        "n_features": len(features),
        "unit": pipeline.unit if undone else f"{pipeline.unit} through {checkpoint.state.transform}",
        "level": level,
        "n_val": {"+".join(view): n for view, n in behind.items()},
        "median_width": _number(np.median(back[".high"] - back[".low"])),
        "open_below": _share(back[".low"] <= ends[0]),
        "open_above": _share(back[".high"] >= ends[1]),
    }


def prediction(
    checkpoint: Checkpoint,
    calibration: Calibration,
    batch: MultiOmicsBatch,
    *,
    heads: Mapping[str, tuple[Tuned, Mapping[str, Any]]],
    alone: bool = False,
) -> Found:
    """Predict risk and class, as far as the model has a head or a probe.

    Parameters
    ----------
    checkpoint, calibration, batch
        The model and the samples.
    heads
        Tuned heads by name, each with what was calibrated of it; where there are any, they stand instead of the probes.
    alone
        Whether nothing but these is asked for.

    Returns
    -------
    Found
        ``risk``: sample_id, endpoint, log_hazard (to the mean training patient) with low and high (90% interval of the
        fitted coefficients), percentile among training patients with low and high. ``classes``: sample_id, predicted,
        a probability per class, and ``set``: the classes, joined by +, that hold the true one in 90 of 100 patients.
        ``head.NAME`` of each tuned head, see `models.new.heads.head_table`.

    Raises
    ------
    OmicstoreError
        If there is neither.
    """
    found = Found()
    held = given(batch)
    for name, (head, calibrated) in heads.items():
        found.tables[f"head.{name}"], found.summary[f"head {name}"] = head_table(head, calibrated, batch, held)
        if strange := sorted({"+".join(v) for v in held} - set(calibrated)):
            found.warnings.append(f"head {name}: nothing was calibrated for samples with {', '.join(strange)} alone")
    if alone:
        return found
    _classify(checkpoint, calibration, batch, found)
    parts = []
    for (endpoint, view), probe in calibration.risks.items() if not heads else ():
        rows = [i for i, own in enumerate(held) if own == view]
        if not rows:
            continue
        own = batch.take(rows)
        value, half = probe.log_hazard(embed(checkpoint.module, own).astype(np.float64))
        ends = {"": value, "_low": value - half, "_high": value + half}
        parts.append(
            pl.DataFrame(
                {"sample_id": own.sample_id, "endpoint": endpoint, "given": "+".join(view)}
                | {f"log_hazard{name}": each.round(6) for name, each in ends.items()}
                | {f"percentile{name}": probe.percentile(each).round(2) for name, each in ends.items()}
            )
        )
        found.summary[f"{endpoint} from {'+'.join(view)}"] = probe.about
    if parts:
        found.tables["risk"] = pl.concat(parts).sort("endpoint", "sample_id")
    if not found.tables:
        fitted = ", ".join(dict.fromkeys(f"{e} from {' and '.join(v)}" for e, v in calibration.risks)) or "nothing"
        raise OmicstoreError(
            f"the model {checkpoint.sidecar['model']} has no head, and no survival probe for what these samples have",
            expected=f"a model with a head, or samples that a probe was fitted for: {fitted}",
            run="omicstore train on a store with follow-up (15 events or more in the training rows)",
        )
    return found


def _classify(checkpoint: Checkpoint, calibration: Calibration, batch: MultiOmicsBatch, found: Found) -> None:
    """Add the table of classes to `found`, where the model was given labels."""
    label = checkpoint.sidecar.get("label")
    shares = class_probabilities(checkpoint.module, batch) if label is not None else None
    if label is None or shares is None:
        return
    names: list[str] = label["classes"]
    sets = [calibration.classes.get(view) for view in given(batch)]
    found.tables["classes"] = class_table(names, shares, sets, batch.sample_id)
    found.summary["classes"] = {
        "task": label["task"],
        "level": LEVEL,
        "from": {"+".join(view): asdict(own) for view, own in calibration.classes.items() if own in sets},
    }


def only_given(batch: MultiOmicsBatch, sources: Sequence[str]) -> MultiOmicsBatch:
    """Return the batch as if nothing but `sources` had been measured, without the rows that lack one of them.

    Raises
    ------
    UnknownNameError, UsageError
        If a source is no modality of the model, or no sample has them all.
    """
    for name in sources:
        if name not in batch.modalities:
            raise UnknownNameError("modality of the trained model", name, batch.modalities)
    rows = has_all(batch, sources)
    if not len(rows):
        raise UsageError(f"no sample has {' and '.join(sources)}", expected="modalities that the samples have")
    return batch.take(rows.tolist()).only(sources)


def _wide(ids: Sequence[str], features: Sequence[str], values: NDArray[np.float32]) -> pl.DataFrame:
    columns = {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(features)}
    return pl.DataFrame({"sample_id": ids, **columns})


def _null(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]


def _number(value: np.floating) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _share(flags: NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 4)
