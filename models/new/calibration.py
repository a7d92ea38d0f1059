"""What a model needs beside its weights to be used on new patients: distances, intervals and survival probes.

``calibration.json`` and ``calibration.safetensors`` lie in the model's folder; the sidecar seals the first by its
sha256, and the first the second. The JSON object, in canonical form, has the keys

| key | holds |
| --- | --- |
| format | ``omicstore.calibration/1`` |
| fitted_on, calibrated_on | part, n_samples and row_hash of the training and of the val rows; no other row is read |
| levels | of the intervals |
| distances | per modality: noise, n_held_out |
| intervals | per ``A+B>T`` (T imputed from A and B): n_val, the val rows that have them all |
| risks | per ``ENDPOINT|A+B``: n_fit, events_fit, n_val, events_val, concordance |
| classes | per ``A+B``, of a model that was given labels: n_val, accuracy, threshold (`models.new.classes`) |
| arrays_sha256 | of the safetensors file |

and the arrays are ``distance/M/{mean,loadings,held_out}``, ``interval/A+B>T`` (levels, features; infinite where the val
rows are too few) on the transformed scale, and ``risk/ENDPOINT|A+B/{mean,axes,coefficients,covariance,training}``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.files import write_json
from models.new.classes import ClassSets, fit_class_sets
from models.new.conformal import LEVELS, half_widths, pairs, views
from models.new.outside import Distance, fit_distance
from models.new.risk import ENDPOINTS, Followed, RiskProbe, fit_risk
from omicstore.errors import LeakageError, OmicstoreError
from omicstore.files import sha256_of
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from models.batch import MultiOmicsBatch, Targets
    from models.datamodule import CohortDataModule
    from models.module import MultiOmicsModule
    from omicstore.store.reader import Store

__all__ = [
    "FORMAT",
    "PATH",
    "Calibration",
    "calibrate",
    "class_probabilities",
    "embed",
    "has_all",
    "impute",
    "load_calibration",
    "save_calibration",
]

FORMAT = "omicstore.calibration/1"
PATH = "calibration.json"

_PROBE = ("mean", "axes", "coefficients", "covariance", "training")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Distances per modality, half-widths per (sources, target), probes per (endpoint, sources), and of which rows.

    Attributes
    ----------
    distances
        Modality to distance; a modality that few training rows have is not there.
    widths
        (sources, target) to (levels, F) half-widths on the transformed scale.
    n_val
        The same keys to the number of val rows behind them.
    risks
        (endpoint, sources) to probe.
    classes
        Sources to the sets of classes; empty for a model without a head for them, or that was given no labels.
    rows
        ``fitted_on`` and ``calibrated_on``: part, n_samples and row_hash.
    """

    distances: dict[str, Distance]
    widths: dict[tuple[tuple[str, ...], str], NDArray[np.float32]]
    n_val: dict[tuple[tuple[str, ...], str], int]
    risks: dict[tuple[str, tuple[str, ...]], RiskProbe]
    classes: dict[tuple[str, ...], ClassSets]
    rows: dict[str, dict[str, Any]]


def calibrate(module: MultiOmicsModule, weights: dict[str, Tensor], data: CohortDataModule) -> Calibration:
    """Fit on training rows, and calibrate on val rows, what new patients need; test rows are not read.

    Parameters
    ----------
    module, weights
        The model, and the weights that are kept.
    data
        What it was trained on; its store has the follow-up that survival probes are fitted on.
    """
    import torch

    module.load_state_dict(weights)
    module.eval()
    train, val = data.part("train"), data.part("val")
    with torch.random.fork_rng():
        torch.manual_seed(data.seed)  # a model may draw from its latent space
        return _calibrated(module, train, val, data)


def _calibrated(
    module: MultiOmicsModule, train: MultiOmicsBatch, val: MultiOmicsBatch, data: CohortDataModule
) -> Calibration:
    widths, n_val = _intervals(module, val)
    return Calibration(
        distances=_distances(list(module.axes), train, val),
        widths=widths,
        n_val=n_val,
        risks=_risks(module, train, val, data.store),
        classes=_classes(module, val) if data.label is not None else {},
        rows={
            key: {"part": part, "n_samples": len(rows), "row_hash": row_hash(rows.sample_id)}
            for key, part, rows in (("fitted_on", "train", train), ("calibrated_on", "val", val))
        },
    )


def has_all(batch: MultiOmicsBatch, modalities: Sequence[str]) -> NDArray[np.int64]:
    """Return the rows that have all of some modalities."""
    return np.flatnonzero(np.logical_and.reduce([batch.has(m).cpu().numpy() for m in modalities]))


def embed(module: MultiOmicsModule, batch: MultiOmicsBatch) -> NDArray[np.float32]:
    """Return the (B, D) embedding of a batch, some rows at a time."""
    return module.export_embeddings(batch.pieces())[1]


def impute(module: MultiOmicsModule, batch: MultiOmicsBatch, target: str) -> NDArray[np.float32]:
    """Return the (B, F) prediction of a modality from all that is present, some rows at a time."""
    return module.predict_arrays(batch.pieces(), [target])[target]


def class_probabilities(module: MultiOmicsModule, batch: MultiOmicsBatch) -> NDArray[np.float32] | None:
    """Return (B, C) probabilities, some rows at a time; None where the model has no head for classes."""
    classify: Callable[[MultiOmicsBatch], Tensor] | None = getattr(module, "class_probabilities", None)
    if classify is None:
        return None
    import torch

    with torch.inference_mode():
        parts = [classify(piece.to(module.device)).float().cpu().numpy() for piece in batch.pieces()]
    return np.concatenate(parts)


def _distances(modalities: list[str], train: MultiOmicsBatch, val: MultiOmicsBatch) -> dict[str, Distance]:
    found = {}
    for modality in modalities:
        rows = has_all(train, [modality])
        fitted = fit_distance(
            train.measured(modality)[rows],
            [train.patient_id[i] for i in rows],
            val.measured(modality)[has_all(val, [modality])],
        )
        if fitted is not None:
            found[modality] = fitted
    return found


def _intervals(
    module: MultiOmicsModule, val: MultiOmicsBatch
) -> tuple[dict[tuple[tuple[str, ...], str], NDArray[np.float32]], dict[tuple[tuple[str, ...], str], int]]:
    widths, counts = {}, {}
    if "translate" not in module.capabilities:
        return {}, {}
    for sources, target in pairs(list(module.axes)):
        rows = has_all(val, [*sources, target])
        if not len(rows):
            continue
        own = val.take(rows.tolist())
        residuals = own.measured(target) - impute(module, own.only(sources), target)
        widths[sources, target] = np.stack([half_widths(residuals, level) for level in LEVELS])
        counts[sources, target] = len(rows)
    return widths, counts


def _classes(module: MultiOmicsModule, val: MultiOmicsBatch) -> dict[tuple[str, ...], ClassSets]:
    found = {}
    for sources in views(list(module.axes)):
        rows = has_all(val, sources)
        if not len(rows):
            continue
        own = val.take(rows.tolist()).only(sources)
        shares = class_probabilities(module, own)
        sets = fit_class_sets(shares, own.targets.label.numpy()) if shares is not None else None
        if sets is not None:
            found[sources] = sets
    return found


def _risks(
    module: MultiOmicsModule, train: MultiOmicsBatch, val: MultiOmicsBatch, store: Store
) -> dict[tuple[str, tuple[str, ...]], RiskProbe]:
    from models.outcomes import outcomes_of

    parts = [part.first_per_patient() for part in (train, val)]
    targets = {e: [outcomes_of(store, part.patient_id, e) for part in parts] for e in ENDPOINTS}
    known = [e for e in ENDPOINTS if float(targets[e][0].event.nansum()) > 0]
    found = {}
    for sources in views(list(module.axes)) if known else []:
        rows = [has_all(part, sources) for part in parts]
        if min(map(len, rows)) == 0:
            continue
        z = [embed(module, part.take(r.tolist()).only(sources)) for part, r in zip(parts, rows, strict=True)]
        for endpoint in known:
            own = [_followed(*each) for each in zip(z, targets[endpoint], rows, strict=True)]
            if (probe := fit_risk(*own)) is not None:
                found[endpoint, sources] = probe
    return found


def _followed(z: NDArray[np.floating], targets: Targets, rows: NDArray[np.int64]) -> Followed:
    return Followed(
        z.astype(np.float64), targets.time.numpy()[rows].astype(np.float64), targets.event.numpy()[rows].astype(float)
    )


# On disk.


def save_calibration(folder: Path, found: Calibration) -> dict[str, str]:
    """Write a calibration into a model's folder and return what the sidecar says of it: path and sha256."""
    from safetensors.numpy import save_file

    arrays: dict[str, NDArray[Any]] = {}
    for modality, distance in found.distances.items():
        for name in ("mean", "loadings", "held_out"):
            arrays[f"distance/{modality}/{name}"] = getattr(distance, name)
    for (sources, target), width in found.widths.items():
        arrays[f"interval/{'+'.join(sources)}>{target}"] = width
    for (endpoint, sources), probe in found.risks.items():
        for name in _PROBE:
            arrays[f"risk/{endpoint}|{'+'.join(sources)}/{name}"] = getattr(probe, name)
    path = folder / PATH
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".safetensors")
    save_file({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}, beside)
    body = {
        "format": FORMAT,
        **found.rows,
        "levels": list(LEVELS),
        "distances": {
            m: {"noise": distance.noise, "n_held_out": len(distance.held_out)}
            for m, distance in found.distances.items()
        },
        "intervals": {f"{'+'.join(sources)}>{t}": {"n_val": n} for (sources, t), n in found.n_val.items()},
        "risks": {f"{e}|{'+'.join(sources)}": probe.about for (e, sources), probe in found.risks.items()},
        "classes": {"+".join(sources): asdict(sets) for sources, sets in found.classes.items()},
        "arrays_sha256": sha256_of(beside),
    }
    write_json(path, body)
    return {"path": path.name, "sha256": sha256_of(path)}


def load_calibration(folder: Path, sidecar: dict[str, Any]) -> Calibration:
    """Read the calibration that a sidecar seals.

    Raises
    ------
    OmicstoreError
        If the model was trained before there were any.
    LeakageError
        If the files are not those that the sidecar was written with, or speak of other rows.
    """
    from safetensors.numpy import load_file

    entry = sidecar.get("calibration")
    if entry is None:
        raise OmicstoreError(
            f"the model in {folder} has no calibration: it was trained by an older omicstore",
            expected=PATH,
            run="omicstore train",
        )
    path = folder / entry["path"]
    beside = path.with_suffix(".safetensors")
    if not path.is_file() or sha256_of(path) != entry["sha256"]:
        raise _foreign(path, entry["sha256"])
    body = json.loads(path.read_bytes())
    if not beside.is_file() or sha256_of(beside) != body["arrays_sha256"]:
        raise _foreign(beside, body["arrays_sha256"])
    for key, part in (("fitted_on", "train"), ("calibrated_on", "val")):
        if (body[key]["part"], body[key]["row_hash"]) != (part, sidecar["row_hash"][part]):
            raise LeakageError(
                f"{path} is {key.replace('_', ' ')} other rows than the model's {part} part", run="omicstore train"
            )
    arrays = load_file(beside)
    widths, counts, risks = {}, {}, {}
    for name, said in body["intervals"].items():
        sources, _, target = name.partition(">")
        pair = (tuple(sources.split("+")), target)
        widths[pair], counts[pair] = arrays[f"interval/{name}"], said["n_val"]
    for name, about in body["risks"].items():
        endpoint, _, sources = name.partition("|")
        risks[endpoint, tuple(sources.split("+"))] = RiskProbe(
            **{part: arrays[f"risk/{name}/{part}"] for part in _PROBE}, about=about
        )
    distances = {
        m: Distance(
            mean=arrays[f"distance/{m}/mean"],
            loadings=arrays[f"distance/{m}/loadings"],
            noise=said["noise"],
            held_out=arrays[f"distance/{m}/held_out"],
        )
        for m, said in body["distances"].items()
    }
    return Calibration(
        distances=distances,
        widths=widths,
        n_val=counts,
        risks=risks,
        classes={tuple(name.split("+")): ClassSets(**said) for name, said in body["classes"].items()},
        rows={key: body[key] for key in ("fitted_on", "calibrated_on")},
    )


def _foreign(path: Path, expected: str) -> LeakageError:
    return LeakageError(
        f"{path} is not there, or not the file that the model was written with",
        expected=f"sha256 {expected[:12]}",
        run="dvc checkout, or omicstore train",
    )
