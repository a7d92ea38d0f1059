"""A trained model on disk: weights as safetensors beside a JSON sidecar and the fitted state. Never a pickle."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from models.files import hash_file, hash_ids, write_json
from models.registry import get_model
from models.transforms.state import load_state
from omicstore.errors import LeakageError, OmicstoreError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from models.module import MultiOmicsModule
    from models.transforms.state import TransformState

__all__ = ["FORMAT", "Checkpoint", "environment", "load_checkpoint", "save_checkpoint"]

FORMAT = "omicstore.model/1"


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


def environment() -> dict[str, str]:
    """Return the versions that decide the numbers."""
    packages = ("lightning", "numpy", "torch")
    return {"machine": platform.machine(), "python": platform.python_version()} | {p: version(p) for p in packages}


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
        What else to record; must hold ``model`` and ``modalities``.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "weights.safetensors"
    save_file({name: w.contiguous() for name, w in sorted(weights.items())}, path)
    state_path = state.save(folder / "state")
    described = {
        "path": state_path.relative_to(folder).as_posix(),
        "sha256": hash_file(state_path),
        "transform": state.transform,
        "part": state.part,
        "fitted_on_row_hash": state.fitted_on_row_hash,
    }
    axes = {
        m: {"n_features": len(state.features(m)), "hash": hash_ids(state.features(m))} for m in sidecar["modalities"]
    }
    body = {
        "format": FORMAT,
        "config": asdict(config),
        "axes": axes,
        "states": [described],
        "weights": {"path": path.name, "sha256": hash_file(path)},
        "environment": environment(),
    }
    write_json(folder / "sidecar.json", body | sidecar)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a trained model.

    Raises
    ------
    OmicstoreError
        If there is none, or its weights are not those of its sidecar.
    LeakageError
        If its state is not the one of its sidecar.
    """
    from safetensors.torch import load_file

    path = folder / "sidecar.json"
    if not path.is_file():
        raise OmicstoreError(f"{folder} holds no trained model", expected="sidecar.json", run="omicstore train")
    sidecar = json.loads(path.read_text(encoding="utf-8"))
    weights = folder / sidecar["weights"]["path"]
    if hash_file(weights) != sidecar["weights"]["sha256"]:
        raise OmicstoreError(f"{weights} is not the file that its sidecar describes", run="omicstore train")
    entry = sidecar["states"][0]
    if hash_file(folder / entry["path"]) != entry["sha256"]:
        raise LeakageError(
            f"{folder / entry['path']} is not the state that the sidecar describes", run="omicstore train"
        )
    state = load_state(folder / entry["path"])
    spec = get_model(sidecar["model"])
    config = spec.make_config(sidecar["preset"], sidecar["config"])
    module = spec.build({m: len(state.features(m)) for m in sidecar["modalities"]}, config)
    module.load_state_dict(load_file(weights))
    module.eval()
    return Checkpoint(module, state, sidecar)
