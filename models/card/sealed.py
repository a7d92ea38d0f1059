"""What a card may rest on: the files of a trained model, once their seals are seen to hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.checkpoint import SEAL, read_sidecar
from omicstore.errors import LeakageError
from omicstore.files import sha256_of
from omicstore.store.splitfile import body_hash

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Sealed", "read_sealed"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """The files of a trained model.

    Attributes
    ----------
    sidecar, state, calibration
        Their content; the calibration is empty where there is none.
    heads
        Name of each head asked for to its sidecar, or to why it was ``not_trained``.
    head_calibration
        What ``tuned/calibration.json`` says of each head.
    """

    sidecar: dict[str, Any]
    state: dict[str, Any]
    calibration: dict[str, Any]
    heads: dict[str, dict[str, Any]]
    head_calibration: dict[str, Any]


def read_sealed(folder: Path) -> Sealed:
    """Read a trained model's files, without its weights.

    Raises
    ------
    OmicstoreError
        If there is no trained model.
    LeakageError
        If a file is not the one that its seal names.
    """
    from models.new.heads import read_head_calibration

    sidecar = read_sidecar(folder)
    entry = sidecar["states"][0]
    found = sidecar.get("calibration")
    heads = _heads(folder, sidecar)
    return Sealed(
        sidecar=sidecar,
        state=_read(folder / entry["path"], entry["sha256"]),
        calibration=_read(folder / found["path"], found["sha256"]) if found else {},
        heads=heads,
        head_calibration=read_head_calibration(folder, {n: h[SEAL] for n, h in heads.items() if SEAL in h}),
    )


def _read(path: Path, sha256: str) -> dict[str, Any]:
    if not path.is_file() or sha256_of(path) != sha256:
        raise LeakageError(
            f"{path} is not there, or not the file that the sidecar seals",
            expected=f"sha256 {sha256[:12]}",
            run="dvc checkout, or omicstore train",
        )
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def _heads(folder: Path, sidecar: dict[str, Any]) -> dict[str, dict[str, Any]]:
    path = folder / "tuned" / "heads.json"
    if not path.is_file():
        return {}
    body = json.loads(path.read_bytes())
    if body["heads_hash"] != body_hash(body, "heads_hash") or body["base"] != sidecar[SEAL]:
        raise LeakageError(
            f"{path} was changed, or is of another model", expected="heads of this model", run="omicstore train"
        )
    found = {}
    for name, said in body["heads"].items():
        own = said if SEAL not in said else read_sidecar(folder / "tuned" / name)
        if SEAL in said and own[SEAL] != said[SEAL]:
            raise LeakageError(
                f"the head {name} is not the one that {path} names", expected=said[SEAL][:12], run="omicstore train"
            )
        found[name] = own
    return found
