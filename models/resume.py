"""Resume points: a training that was stopped goes on from its last one, and ends as if it had not been stopped.

A point is one safetensors file. Its tensors are weights, moments of the optimizers, the best weights so far and the
states of the random generators; its header holds what is no tensor, the settings that decide the training, and a hash
over all of it. It takes the place of the one before in one step, so that a power cut leaves either. A point of another
training is not used, nor one that was changed after it was written: weights that other rows have taught do not come in.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch

from models.checkpoint import environment
from models.files import hash_ids
from models.packing import pack, unpack
from omicstore.files import canonical_json, sha256_of, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from models.best import KeepBest

__all__ = ["ResumePoint", "Resuming"]

#: Share of the time that writing points may take: a big model does not write one after each short epoch.
SHARE = 0.03

_FILE = "point.safetensors"


class ResumePoint:
    """Where a training leaves what it needs to go on.

    Parameters
    ----------
    folder
        Its own, made when the first point is written and removed with `remove`.
    decides
        What decides the numbers besides the weights that the training starts from, the code and the machine, which are
        looked at here: a point for which any of it was otherwise is not used. Canonical JSON must be able to hold it.
    say
        Called with a line where something was found.
    """

    def __init__(self, folder: Path, decides: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self._decides = dict(decides)
        self._due = 0.0

    def read(self, weights: Mapping[str, Tensor]) -> Any:
        """Return what `write` was given last, or None; a point that cannot be used is removed, and that is said.

        Parameters
        ----------
        weights
            Those that the training starts from.
        """
        from safetensors import SafetensorError, safe_open

        machine = environment() | {"threads": str(torch.get_num_threads())}
        decides = self._decides | {"weights": _hash(weights), "code": _code_hash(), "environment": machine}
        self._decides = {name: _short(value) for name, value in decides.items()}
        path = self.folder / _FILE
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata()
                made, seal = json.loads(header["decides"]), header["sha256"]
                tensors = {name: file.get_tensor(name) for name in file.keys()} if made == self._decides else {}  # noqa: SIM118
            if made != self._decides:
                names = sorted(n for n in made.keys() | self._decides if made.get(n) != self._decides.get(n))
                found = f"is of a training with other {', '.join(names)}"
            elif seal != _seal(tensors, header["state"]):
                found = "was changed after it was written"
            else:
                return unpack(tensors, header["state"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError):
            found = "cannot be read"
        self.say(f"the resume point in {self.folder} {found}, so training starts anew")
        self.remove()
        return None

    def write(self, state: Callable[[], Any]) -> None:
        """Write a point, unless the last one is so recent that writing would take more than `SHARE` of the time.

        Where it cannot be written, as on a full disk, that is said once and training goes on without.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        start = time.monotonic()
        if start < self._due:
            return
        try:
            tensors, text = pack(state())
            if not self.folder.is_dir():
                self.folder.mkdir(parents=True)
                (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
            with staged(self.folder / _FILE) as beside:
                header = {"decides": json.dumps(self._decides), "state": text, "sha256": _seal(tensors, text)}
                save_file(tensors, beside, metadata=header)
        except (OSError, SafetensorError) as error:
            if not (self.folder / _FILE).is_file():
                self.remove()
            self.say(f"no resume point is written: {getattr(error, 'strerror', None) or error}")
            self._due = float("inf")
            return
        now = time.monotonic()
        self._due = now + (now - start) / SHARE

    def remove(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Resuming(lightning.Callback):
    """Puts a training back to where a point was written, and writes points from there on.

    A point is written when an epoch begins: only then have schedulers of all kinds made their step. It is written by
    one process alone, so not where several train together.

    Parameters
    ----------
    point
        Where points are.
    best
        What keeps the best epoch of this training.
    """

    def __init__(self, point: ResumePoint, best: KeepBest) -> None:
        self.point, self.best = point, best
        self._generators: dict[str, Tensor] = {}
        self._alone = True

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Look for a point and go back to it."""
        self._alone = trainer.world_size == 1
        if not self._alone:
            self.point.say("several processes train together, so no resume point is written")
            return
        found = self.point.read(pl_module.state_dict())
        if found is None:
            return
        pl_module.load_state_dict(found["module"])
        for optimizer, state in zip(trainer.optimizers, found["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for config, state in zip(trainer.lr_scheduler_configs, found["schedulers"], strict=True):
            config.scheduler.load_state_dict(state)
        trainer.precision_plugin.load_state_dict(found["precision"])
        self.best.go_back_to(found["best"])
        self._generators = found["generators"]
        # Lightning counts epochs here, and would read them from a pickle of its own.
        done = dict.fromkeys(("ready", "started", "processed", "completed"), found["epoch"])
        trainer.fit_loop.epoch_progress.load_state_dict({"total": done, "current": done})
        self.point.say(f"resumed after epoch {found['epoch']} of {trainer.max_epochs}")

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Put the random generators back, or write a point of all epochs before this one."""
        if self._generators:
            _set_generators(self._generators, pl_module.device)
            self._generators = {}
        elif trainer.current_epoch > 0 and self._alone:
            self.point.write(lambda: self._state(trainer, pl_module))

    def _state(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> dict[str, Any]:
        return {
            "epoch": trainer.current_epoch,
            "module": dict(module.state_dict()),
            "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
            "schedulers": [config.scheduler.state_dict() for config in trainer.lr_scheduler_configs],
            "precision": trainer.precision_plugin.state_dict(),
            "best": self.best.state(),
            "generators": _generators(module.device),
        }


def _generators(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random generators of the CPU and of the device that trains."""
    found = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        found[device.type] = torch.get_device_module(device).get_rng_state(device)
    return found


def _set_generators(states: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[device.type], device)


def _hash(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, weight in weights.items():
        plain = weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
        digest.update(plain.numpy().data)
    return digest.hexdigest()


def _seal(tensors: Mapping[str, Tensor], text: str) -> str:
    """Return one hash over what `models.packing.pack` made; the order of the tensors makes no difference."""
    return _short([_hash(dict(sorted(tensors.items()))), text])


def _short(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _code_hash() -> str:
    """Return one hash over the source of everything here: who changed a loss does not go on with the old one."""
    here = Path(__file__).parent
    return hash_ids(f"{p.relative_to(here).as_posix()} {sha256_of(p)}" for p in sorted(here.rglob("*.py")))
