"""A trained model on disk: weights as safetensors beside a JSON sidecar and the fitted state. Never a pickle."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from models.files import hash_ids, write_json
from models.registry import get_model
from models.transforms.state import load_state
from omicstore.errors import LeakageError, OmicstoreError
from omicstore.files import canonical_json, sha256_of
from omicstore.store.splitfile import body_hash

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from models.module import MultiOmicsModule
    from models.transforms.state import TransformState

__all__ = [
    "FORMAT",
    "SEAL",
    "TRAINED_ON",
    "Checkpoint",
    "environment",
    "load_checkpoint",
    "read_sidecar",
    "refuse_other_choice",
    "save_checkpoint",
    "tensor_hashes",
]

FORMAT = "omicstore.model/1"

#: The sidecar's key for the hash of the rest of it, and the key in the header of the weights for what they rest on.
SEAL, TRAINED_ON = "sidecar_hash", "trained_on"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model with what it was trained on.

    Attributes
    ----------
    module
        The model, with its weights, in evaluation mode.
    state
        The transform that its inputs go through.
    sidecar
        The content of sidecar.json.
    """

    module: MultiOmicsModule
    state: TransformState
    sidecar: dict[str, Any]


def environment(*packages: str) -> dict[str, str]:
    """Return what decides the numbers besides data and settings: machine, accelerator and versions.

    Parameters
    ----------
    packages
        Besides those that training uses.
    """
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    machine = {"accelerator": found.type if found else "cpu", "machine": platform.machine()}
    names = ("lightning", "numpy", "omicstore", "torch", *packages)
    return machine | {"python": platform.python_version()} | {name: version(name) for name in names}


def save_checkpoint(
    folder: Path, *, weights: dict[str, Tensor], state: TransformState, config: Any, sidecar: dict[str, Any]
) -> None:
    """Write weights, state and sidecar under `folder`.

    Parameters
    ----------
    folder
        Made if absent.
    weights
        The model's state dict.
    state
        The fitted transform.
    config
        The model's settings, a dataclass.
    sidecar
        What else to record. It must hold ``model``, ``modalities`` and ``release``; to be loaded again also ``preset``,
        ``split``, ``selection`` and ``history``: path and sha256 of the losses per epoch, a file in `folder`.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "weights.safetensors"
    state_path = state.save(folder / "state")
    seal = {TRAINED_ON: canonical_json(_trained_on(sidecar, state)).decode()}
    save_file({name: w.contiguous() for name, w in sorted(weights.items())}, path, metadata=seal)
    described = {
        "path": state_path.relative_to(folder).as_posix(),
        "sha256": sha256_of(state_path),
        "transform": state.transform,
        "manifest_hash": state.manifest_hash,
        "fold": state.fold,
        "part": state.part,
        "code_hash": state.code,
        "fitted_on_row_hash": state.fitted_on_row_hash,
    }
    axes = {
        m: {"n_features": len(state.features(m)), "hash": hash_ids(state.features(m))} for m in sidecar["modalities"]
    }
    body = sidecar | {
        "format": FORMAT,
        "config": asdict(config),
        "axes": axes,
        "states": [described],
        "weights": {"path": path.name, "sha256": sha256_of(path), "tensors": tensor_hashes(path)},
        "environment": environment(),
    }
    write_json(folder / "sidecar.json", body | {SEAL: body_hash(body)})


def tensor_hashes(path: Path) -> dict[str, str]:
    """Return the sha256 of each tensor's bytes: of weights that were changed, they say which.

    A safetensors file is the length of its header in 8 bytes, the header in JSON, and the tensors.
    """
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {name: entry for name, entry in json.loads(content[8:start]).items() if name != "__metadata__"}
    found = {}
    for name, entry in tensors.items():
        begin, end = entry["data_offsets"]
        found[name] = hashlib.sha256(content[start + begin : start + end]).hexdigest()
    return found


def _trained_on(sidecar: dict[str, Any], state: TransformState) -> dict[str, Any]:
    """Return what the weights file itself says of the rows behind it: a sidecar can be put beside other weights."""
    return {
        "release": sidecar["release"],
        "manifest_hash": state.manifest_hash,
        "fold": state.fold,
        "fitted_on_row_hash": state.fitted_on_row_hash,
    }


def read_sidecar(folder: Path) -> dict[str, Any]:
    """Return the content of a trained model's sidecar.json.

    Raises
    ------
    OmicstoreError
        If there is none.
    LeakageError
        If it is not as it was written, or says that the model was chosen on anything but val.
    """
    path = folder / "sidecar.json"
    if not path.is_file():
        raise OmicstoreError(f"{folder} holds no trained model", expected="sidecar.json", run="omicstore train")
    try:
        sidecar: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = sidecar[SEAL] == body_hash(sidecar, SEAL)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise LeakageError(
            f"{path} was changed after it was written, or is no sidecar of {FORMAT}",
            expected=f"the content of its {SEAL}",
            run="dvc checkout, or omicstore train",
        )
    if (part := sidecar["selection"]["part"]) != "val":
        raise LeakageError(
            f"the model in {folder} was chosen on the {part} part", expected="val", run="omicstore train"
        )
    return sidecar


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a trained model, once weights, state and sidecar are seen to belong together.

    Raises
    ------
    OmicstoreError
        If there is none, or its weights are not those of its sidecar.
    LeakageError
        If sidecar, state or weights speak of different rows, or were changed; or if another epoch was kept than the
        val losses choose.
    """
    from safetensors.torch import load_file

    sidecar = read_sidecar(folder)
    weights = folder / sidecar["weights"]["path"]
    if sha256_of(weights) != sidecar["weights"]["sha256"]:
        raise OmicstoreError(f"{weights} is not the file that its sidecar describes", run="omicstore train")
    entry = sidecar["states"][0]
    if sha256_of(folder / entry["path"]) != entry["sha256"]:
        raise LeakageError(
            f"{folder / entry['path']} is not the state that the sidecar describes", run="omicstore train"
        )
    refuse_other_choice(folder, sidecar)
    state = load_state(folder / entry["path"])
    _refuse_foreign(folder, sidecar, state)
    spec = get_model(sidecar["model"])
    config = spec.make_config(sidecar["preset"], sidecar["config"])
    module = spec.build({m: len(state.features(m)) for m in sidecar["modalities"]}, config)
    module.load_state_dict(load_file(weights))
    module.eval()
    return Checkpoint(module, state, sidecar)


def refuse_other_choice(folder: Path, sidecar: dict[str, Any]) -> None:
    """Raise unless the epoch chosen is the first with the lowest val loss, by the losses that the sidecar seals.

    Parameters
    ----------
    folder
        With the file of losses.
    sidecar
        Its ``history`` names the file, its ``selection`` the epoch.

    Raises
    ------
    LeakageError
        If it is another, or the file is not the one that was sealed.
    """
    entry = sidecar.get("history", {})
    path = folder / entry.get("path", "history.json")
    if not path.is_file() or sha256_of(path) != entry.get("sha256"):
        raise LeakageError(
            f"{path} is not the record of losses that the sidecar seals",
            expected="it as written",
            run="omicstore train",
        )
    losses = {row["epoch"]: row["val"] for row in json.loads(path.read_bytes()) if row["val"] is not None}
    chosen = sidecar["selection"]
    lowest = min(losses, key=lambda epoch: (losses[epoch], epoch))
    if (chosen["epoch"], chosen["value"]) != (lowest, losses[lowest]):
        raise LeakageError(
            f"the model in {folder} is said to be of epoch {chosen['epoch']} with val loss {chosen['value']}",
            expected=f"epoch {lowest}, which has the lowest one of {path.name}, {losses[lowest]}",
            run="omicstore train",
        )


def _refuse_foreign(folder: Path, sidecar: dict[str, Any], state: TransformState) -> None:
    from safetensors import safe_open

    with safe_open(folder / sidecar["weights"]["path"], framework="numpy") as weights:
        stated = json.loads((weights.metadata() or {}).get(TRAINED_ON, "{}"))
    expected = _trained_on(sidecar, state)
    axes = {m: hash_ids(state.features(m)) for m in sidecar["modalities"]}
    split, entry = sidecar["split"], sidecar["states"][0]
    for what, found, wanted in (
        ("its weights", stated, expected),
        ("the part of its state", state.part, "train"),
        ("the split of its state", [state.manifest_hash, state.fold], [split["manifest_hash"], split["fold"]]),
        ("the rows of its state", state.fitted_on_row_hash, entry["fitted_on_row_hash"]),
        ("the features of its state", axes, {m: axis["hash"] for m, axis in sidecar["axes"].items()}),
    ):
        if found != wanted:
            raise LeakageError(
                f"the model in {folder} is put together from several: {what} and its sidecar disagree",
                expected="weights, state and sidecar of one training",
                run="omicstore train",
            )
