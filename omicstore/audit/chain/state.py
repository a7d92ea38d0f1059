"""The fitted state: its hashes, the rows it says it was fitted on, and its numbers, fitted again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.audit.encoding import array_hash, axis_hash, file_hash, row_hash
from omicstore.audit.finding import Finding, failed, not_applicable, result
from omicstore.audit.reading import BROKEN, at, because, json_object
from omicstore.audit.refit import can_fit, differs, fit_again, fitting_rows, output_hash, steps_of

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.bundle import Bundle, State
    from omicstore.audit.refit import Fitted

_WHAT = "the transforms are what the training rows give"

#: What is said of statistics that could not be derived: anything may stand in them.
_UNKNOWN = "its numbers were not fitted again, since its steps are not known here or the store has no numbers of it"

#: So many numbers of a modality are named.
_SHOWN = 5


def state(bundle: Bundle) -> Finding:
    """Check the hashes of every fitted state, and fit it again on the training rows of its fold."""
    entries = at(bundle.sidecar, "states")
    if bundle.checkpoint is None:
        return not_applicable("state", _WHAT, "a split has no fitted state; audit a trained model")
    if not entries:
        none, read = "sidecar.json names no fitted state", ", ".join(at(bundle.sidecar, "modalities") or [])
        if not read:
            return not_applicable("state", _WHAT, none)
        return failed("state", _WHAT, [f"{none}, and the model reads {read}"], "the sidecar was asked for its states")
    said: list[str] = []
    again, fitted, notes, unknown = 0, 0, [], list[str]()
    for entry in entries:
        path = bundle.checkpoint / str(at(entry, "path"))
        found = _files(path, said)
        own = next((s for s in bundle.states if s.path == path), None)
        if found is None or own is None:
            continue
        said += _claims(bundle, own, entry)
        if not can_fit(bundle):
            notes.append("there is no store of this release here to fit on")
            continue
        rows = fitting_rows(bundle, int(own.body["fold"]))
        said += _rows(own, rows)
        for modality in own.body["modalities"]:
            found_here = _numbers(bundle, own, modality, rows)
            if found_here is None:
                unknown.append(f"{path.name}, {modality}: {_UNKNOWN}")
                continue
            sentences, note, n = found_here
            said, again, fitted = said + sentences, again + 1, fitted + n
            notes += [note] if note else []
    how = "files, features and rows were hashed again"
    if fitted:
        how += ", and every statistic was fitted again from the store's numbers of the training rows"
    elif again:
        how += ", and the store's numbers of the training rows transformed again: nothing is learned from them"
    if not again and not said and not unknown:
        why = "; ".join(notes) or "no statistic could be fitted again"
        return not_applicable("state", _WHAT, f"{why}; {how}, and fit", statistics=0, notes=notes)
    severity = "error" if said else "warning"
    return result("state", _WHAT, list(dict.fromkeys(said + unknown)), how, severity, statistics=fitted, notes=notes)


def _files(path: Path, said: list[str]) -> dict[str, Any] | None:
    """Return the JSON of a state if both its files are there and belong together; say what is not so."""
    arrays, body = path.with_suffix(".safetensors"), json_object(path)
    absent = [file for file in (path, arrays) if not file.is_file()]
    if absent or body is None:
        said += [f"{file} is absent" for file in absent] or [f"{path} cannot be read"]
        return None
    if file_hash(arrays) != body.get("arrays_sha256"):
        said.append(f"{arrays.name} does not have the arrays_sha256 that {path.name} states")
    if not isinstance(body.get("modalities"), dict) or not isinstance(body.get("fold"), int):
        said.append(f"{path} names no modalities or no fold")
        return None
    return body


def _claims(bundle: Bundle, own: State, entry: dict[str, Any]) -> list[str]:
    """Return what a state says of its origin that manifest and sidecar do not."""
    body, name = own.body, own.path.name
    said = []
    for what, found, expected in (
        ("manifest_hash", body.get("manifest_hash"), at(bundle.sidecar, "split", "manifest_hash")),
        ("fold", body.get("fold"), at(bundle.sidecar, "split", "fold")),
        ("part", body.get("part"), "train"),
        ("fitted_on_row_hash", body.get("fitted_on_row_hash"), at(entry, "fitted_on_row_hash")),
        ("transform", body.get("transform"), at(entry, "transform")),
    ):
        if found != expected:
            said.append(f"{name} states {what} {str(found)[:12]}, expected {str(expected)[:12]}")
    ids = body.get("fitted_on")
    if isinstance(ids, list) and row_hash(map(str, ids)) != body.get("fitted_on_row_hash"):
        said.append(f"{name}: the samples of fitted_on do not have its fitted_on_row_hash")
    for modality, held in body["modalities"].items():
        if axis_hash(held.get("features", [])) != held.get("feature_axis_hash"):
            said.append(f"{name}: the features of {modality} do not have their feature_axis_hash")
        steps = steps_of(str(body.get("transform")), str(held.get("unit")))
        if steps is not None and list(steps) != held.get("parameters"):
            said.append(
                f"{name}: {modality} went through {held.get('parameters')}, and {body.get('transform')} is {steps}"
            )
    return said


def _rows(own: State, rows: list[str]) -> list[str]:
    """Return whom a state was fitted on, where that is not who trains."""
    if row_hash(rows) == own.body.get("fitted_on_row_hash"):
        return []
    ids = own.body.get("fitted_on")
    if not isinstance(ids, list):
        return [f"{own.path.name} was fitted on other rows than the {len(rows)} training rows of its fold"]
    more, less = sorted(set(ids) - set(rows)), sorted(set(rows) - set(ids))
    said = [f"{name} is among the rows of {own.path.name}, and does not train in its fold" for name in more]
    said += [f"{name} trains, and is not among the rows of {own.path.name}" for name in less]
    return said or [f"{own.path.name} states another fitted_on_row_hash than that of the training rows"]


def _numbers(bundle: Bundle, own: State, modality: str, rows: list[str]) -> tuple[list[str], str, int] | None:
    """Return what a modality's statistics should be and are not, a note, and how many were; None where none can be."""
    entry, where = own.body["modalities"][modality], f"{own.path.name}, {modality}"
    try:
        fitted = fit_again(bundle, modality, entry["parameters"], rows)
        if fitted is None:
            return None
        return _compared(own, modality, fitted, where)
    except BROKEN as error:
        return [f"{where} cannot be fitted again ({type(error).__name__}: {because(error)})"], "", 0


def _compared(own: State, modality: str, fitted: Fitted, where: str) -> tuple[list[str], str, int]:
    entry, said, n = own.body["modalities"][modality], [], 0
    features = list(entry["features"])
    if features != fitted.kept_features:
        kept = set(fitted.kept_features)
        said += [
            f"{where}: {name} is kept, and the training rows do not give it" for name in features if name not in kept
        ]
        said += [f"{where}: {name} is left out, and the training rows give it" for name in sorted(kept - set(features))]
        return said or [f"{where}: its features are in another order"], "", 0
    for number, learned in enumerate(fitted.learned):
        for key, numbers in learned.items():
            expected, found = numbers[fitted.kept], own.arrays.get(f"{modality}/{number}/{key}")
            step = f"{entry['parameters'][number]} {key}"
            if found is None or found.shape != expected.shape:
                said.append(f"{where}: {step} is absent, or of another length")
                continue
            n += len(expected)
            wrong = np.flatnonzero(differs(found, expected))
            said += [
                f"{where}: {step} of {features[i]} is {found[i]:.6g}, and the training rows give {expected[i]:.6g}"
                for i in wrong[:_SHOWN]
            ]
            if len(wrong) > _SHOWN:
                said.append(
                    f"{where}: {len(wrong) - _SHOWN} more numbers of {step} are not what the training rows give"
                )
    if extra := [key for key in own.arrays if key.startswith(f"{modality}/") and not _known(key, fitted)]:
        said.append(f"{where}: nothing is learned as {extra[0]}")
    more, note = _hashes(own, modality, fitted, where) if not said else ([], "")
    return said + more, note, n


def _known(key: str, fitted: Fitted) -> bool:
    _, number, name = key.rsplit("/", 2)
    return number.isdigit() and int(number) < len(fitted.learned) and name in fitted.learned[int(number)]


def _hashes(own: State, modality: str, fitted: Fitted, where: str) -> tuple[list[str], str]:
    """Return which hashes of rows are not theirs; a note where rounding may be why."""
    entry = own.body["modalities"][modality]
    said = []
    for key, found in (
        ("n_rows", len(fitted.values)),
        ("row_hash", row_hash(fitted.sample_ids)),
        ("input_hash", array_hash(fitted.values)),
    ):
        if key in entry and entry[key] != found:
            said.append(f"{where}: {key} is not that of the training rows in the store")
    if entry.get("output_hash") == output_hash(fitted, own, modality):
        return said, ""
    if "log1p" not in entry["parameters"]:
        return [*said, f"{where}: output_hash is not that of the transformed training rows"], ""
    return said, f"{modality}: output_hash differs, as it may where another processor rounds logarithms in another way"
