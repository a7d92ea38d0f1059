"""The trained model: that sidecar, weights and state are of one training, on this split and release, chosen on val."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from omicstore.audit.chain.tuned import tuned_heads
from omicstore.audit.encoding import axis_hash, body_hash, file_hash
from omicstore.audit.finding import Finding, failed, not_applicable, result
from omicstore.audit.reading import BROKEN, at, because, json_object
from omicstore.audit.refit import can_fit, fitting_rows

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.bundle import Bundle

_WHAT = "weights, state and sidecar are of one training on this split, chosen on val"
_HOW = "the hashes of the sidecar were made again from its files, and what each file says of its origin was compared"

#: What is said of a model of an older version, whose losses are there; alone, it is a warning.
_UNSEALED = "sidecar.json states no sha256 of history.json, by which the epoch was chosen; omicstore train writes one"

#: The key in the header of the weights for what they rest on.
_TRAINED_ON = "trained_on"


def checkpoint(bundle: Bundle) -> Finding:
    """Check that the files of a trained model belong together, and to the split and release that they name."""
    folder, sidecar = bundle.checkpoint, bundle.sidecar
    if folder is None:
        return not_applicable("checkpoint", _WHAT, "a split holds no weights; audit a trained model")
    if sidecar is None:
        return failed("checkpoint", _WHAT, [f"{folder / 'sidecar.json'} cannot be read"], _HOW)
    said = []
    if body_hash(sidecar, "sidecar_hash") != sidecar.get("sidecar_hash"):
        said.append("sidecar.json does not have its sidecar_hash: it was changed after it was written")
    said += _weights(folder, sidecar)
    said += _states(bundle, folder, sidecar)
    said += _history(bundle, folder, sidecar)
    said += _calibration(folder, sidecar)
    said += _origin(bundle, sidecar)
    said += tuned_heads(bundle, folder, sidecar)
    severity = "warning" if said == [_UNSEALED] else "error"
    return result(
        "checkpoint", _WHAT, said, _HOW, severity,
        model=at(sidecar, "model"), sidecar_hash=at(sidecar, "sidecar_hash"),
    )  # fmt: skip


def _weights(folder: Path, sidecar: dict[str, Any]) -> list[str]:
    """Return what is wrong with the weights: which tensors were changed, or what their header says of other rows."""
    path = folder / str(at(sidecar, "weights", "path"))
    if not path.is_file():
        return [f"{path} is absent"]
    said = []
    try:
        found, header = _tensors(path)
    except BROKEN as error:
        return [f"{path.name} is no safetensors file ({because(error)})"]
    stated = at(sidecar, "weights", "tensors")
    if isinstance(stated, dict):
        changed = sorted(name for name in {*found, *stated} if found.get(name) != stated.get(name))
        said += [f"{path.name}: the tensor {name} is not the one that was trained" for name in changed]
    if file_hash(path) != at(sidecar, "weights", "sha256") and not said:
        said.append(f"{path.name} does not have the sha256 that the sidecar states")
    expected = {
        "release": sidecar.get("release"),
        "manifest_hash": at(sidecar, "split", "manifest_hash"),
        "fold": at(sidecar, "split", "fold"),
        "fitted_on_row_hash": at((at(sidecar, "states") or [{}])[0], "fitted_on_row_hash"),
    }
    for key, value in expected.items():
        if key not in header:
            said.append(f"{path.name} does not say on which {key} it was trained")
        elif header[key] != value:
            said.append(
                f"{path.name} says that it was trained on {key} {str(header[key])[:12]}, the sidecar {str(value)[:12]}"
            )
    return said


def _tensors(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the sha256 of each tensor's bytes, and what the header says of the rows behind them.

    A safetensors file is the length of its header in 8 bytes, the header in JSON, and the tensors one after another.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("its header is longer than the file")
        header, start = json.loads(stream.read(length)), 8 + length
        origin = json.loads(at(header, "__metadata__", _TRAINED_ON) or "{}")
        found = {}
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                stream.seek(start + begin)
                found[name] = hashlib.sha256(stream.read(end - begin)).hexdigest()
    return found, origin if isinstance(origin, dict) else {}


def _states(bundle: Bundle, folder: Path, sidecar: dict[str, Any]) -> list[str]:
    """Return what is wrong between the sidecar and its states."""
    said = []
    for entry in at(sidecar, "states") or []:
        path = folder / str(at(entry, "path"))
        if not path.is_file():
            said.append(f"{path} is absent")
        elif file_hash(path) != at(entry, "sha256"):
            said.append(f"{at(entry, 'path')} does not have the sha256 that the sidecar states")
    for own in bundle.states:
        for modality, axis in (at(sidecar, "axes") or {}).items():
            features = at(own.body, "modalities", modality, "features")
            if modality == "patches":
                features = _columns_of_slides(at(own.body, "slides"))
            if features is None or axis_hash(features) != at(axis, "hash"):
                said.append(f"the {modality} features of the sidecar are not those of {own.path.name}")
    return said


def _columns_of_slides(slides: Any) -> list[str] | None:
    """Return what the columns of slides are called in a batch: encoder (or ``tile``), patch, number."""
    facts = [at(slides, key) for key in ("n", "width")]
    if not all(isinstance(fact, int) for fact in facts):
        return None
    of = "tile" if at(slides, "pixels") else at(slides, "encoder")
    return [f"{of}/{i}/{j}" for i in range(facts[0]) for j in range(facts[1])]


def _history(bundle: Bundle, folder: Path, sidecar: dict[str, Any]) -> list[str]:
    """Return where the losses that training wrote are not those that the sidecar says the model was chosen by."""
    chosen, path = at(sidecar, "selection") or {}, folder / "history.json"
    said = []
    if chosen.get("part") != "val":
        said.append(f"the model was chosen on the {chosen.get('part')} part, expected val")
    stated = at(sidecar, "history", "sha256")
    if stated is None and not path.is_file():
        said.append("there is no history.json, by which the epoch was chosen, and sidecar.json states no sha256 of it")
    elif stated is None:
        said.append(_UNSEALED)
    elif not path.is_file() or file_hash(path) != stated:
        said.append("history.json is absent, or does not have the sha256 that the sidecar states")
    losses = {row.get("epoch"): row.get("val") for row in bundle.history if isinstance(row, dict)}
    if path.is_file() and not losses:
        said.append("history.json holds no losses")
    elif losses and chosen.get("metric") == "loss" and losses.get(chosen.get("epoch")) != chosen.get("value"):
        said.append(
            f"epoch {chosen.get('epoch')} has the val loss {losses.get(chosen.get('epoch'))} in history.json, and "
            f"{chosen.get('value')} in the sidecar"
        )
    return said


def _calibration(folder: Path, sidecar: dict[str, Any]) -> list[str]:
    """Return what is wrong with what new patients are judged by: other files, or other rows than the model's."""
    if (entry := sidecar.get("calibration")) is None:
        return []
    path = folder / str(at(entry, "path"))
    if not path.is_file() or file_hash(path) != at(entry, "sha256"):
        return [f"{path.name} is absent, or does not have the sha256 that the sidecar states"]
    body, arrays = json_object(path), path.with_suffix(".safetensors")
    said = []
    if not arrays.is_file() or file_hash(arrays) != at(body, "arrays_sha256"):
        said.append(f"{arrays.name} is absent, or does not have the arrays_sha256 that {path.name} states")
    for key, part in (("fitted_on", "train"), ("calibrated_on", "val")):
        if at(body, key, "row_hash") != at(sidecar, "row_hash", part) or at(body, key, "part") != part:
            said.append(f"{path.name} is {key.replace('_', ' ')} other rows than the {part} rows of the sidecar")
    return said


def _origin(bundle: Bundle, sidecar: dict[str, Any]) -> list[str]:
    """Return where the sidecar names another split, release or rows than those that are here."""
    said = []
    if bundle.split is None:  # a model alone, outside of any study, can be in order all the same
        name = at(sidecar, "split", "name")
        return [f"the split {name} that the model names is not in {bundle.study}"] if bundle.study else []
    made = at(bundle.manifest, "manifest_hash")
    if at(sidecar, "split", "manifest_hash") != made:
        named = str(at(sidecar, "split", "manifest_hash"))[:12]
        said.append(f"the model was trained on the split {named}, and {bundle.split.name} is {str(made)[:12]}")
    release = at(bundle.manifest, "release", "id")
    if sidecar.get("release") != release:
        said.append(f"the model names the release {str(sidecar.get('release'))[:12]}, its split {str(release)[:12]}")
    fold = at(sidecar, "split", "fold")
    if can_fit(bundle) and isinstance(fold, int):
        for part in ("train", "val"):
            stated, found = sidecar.get(f"n_{part}"), len(fitting_rows(bundle, fold, part))
            if stated is not None and stated != found:
                said.append(f"the sidecar counts {stated} {part} samples, and the split has {found}")
    return said
