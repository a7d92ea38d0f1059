"""Tuned heads on disk: weights and a sidecar each, sealed, and bound to the trained model that they sit on.

``artifacts/MODEL/tuned/`` holds ``heads.json`` and, for each head that was trained, a folder of its name with
``weights.safetensors``, ``sidecar.json`` and ``history.json``. ``heads.json`` says by ``base`` (a ``sidecar_hash``) on
which model the heads sit, and of each head either its own ``sidecar_hash`` or why it was ``not_trained``. The head's
sidecar names ``base`` again, and the rows: ``rows.train`` and ``rows.val`` are the sorted ids of those that the head
learned from and was chosen by. A probe's weights are the scale and the head; a fine-tuned model's are all that learned.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from models.checkpoint import SEAL, TRAINED_ON, environment, read_sidecar, refuse_other_choice, tensor_hashes
from models.components.heads import ClassHead, CoxHead, DiscreteTimeHead
from models.components.time_bins import TimeBins
from models.files import write_json
from models.tune.config import HeadTask, TuneConfig, head_config
from models.tune.network import Network, assemble
from omicstore.errors import LeakageError, OmicstoreError, UsageError
from omicstore.files import canonical_json, sha256_of
from omicstore.store.splitfile import body_hash, row_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from models.batch import MultiOmicsBatch
    from models.checkpoint import Checkpoint

__all__ = ["FORMAT", "HEADS_SEAL", "Tuned", "heads_of", "load_tuned", "save_heads", "save_tuned"]

FORMAT = "omicstore.tuned/1"

#: The key of heads.json for the hash of the rest of it.
HEADS_SEAL = "heads_hash"


@dataclass(frozen=True, slots=True)
class Tuned:
    """A head that was trained on a model, with what it was trained on.

    Attributes
    ----------
    name
        Of the head, in params.yaml.
    task
        OS, DSS, PFI or DFI, or a task of labels.
    head, how
        ``class``, ``cox`` or ``discrete``; ``probe`` or ``finetune``.
    classes
        Names of the classes, in the order of the probabilities; none for survival.
    sidecar
        The content of its sidecar.json.
    module
        From a batch to the outputs of the head, in evaluation mode.
    """

    name: str
    task: str
    head: str
    how: str
    classes: tuple[str, ...]
    sidecar: dict[str, Any]
    module: Network

    def class_probabilities(self, batch: MultiOmicsBatch) -> NDArray[np.float64]:
        """Return (B, C), each row summing to 1, columns in the order of `classes`.

        Raises
        ------
        UsageError
            If it is no class head.
        """
        self._need(ClassHead, "class probabilities", "class")
        wide = self._outputs(batch).double()
        return cast("NDArray[np.float64]", torch.softmax(wide, dim=1).numpy())

    def risk(self, batch: MultiOmicsBatch) -> NDArray[np.float64]:
        """Return (B,), higher = earlier event.

        Raises
        ------
        UsageError
            If it is a class head.
        """
        head = self._need((CoxHead, DiscreteTimeHead), "risks", "cox or discrete")
        return cast("NDArray[np.float64]", head.risk(self._outputs(batch)).double().numpy())

    def survival_at(self, batch: MultiOmicsBatch, times: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (B, T) the probability of surviving each of T times, in days.

        Raises
        ------
        UsageError
            If it is no discrete-time head.
        """
        head = self._need(DiscreteTimeHead, "survival curves", "discrete")
        at = torch.as_tensor(np.asarray(times, dtype=np.float32))
        return cast("NDArray[np.float64]", head.survival_at(self._outputs(batch), at).double().numpy())

    @torch.inference_mode()
    def _outputs(self, batch: MultiOmicsBatch) -> Tensor:
        return torch.cat([self.module(part).float() for part in batch.pieces()])

    def _need(self, kind: type | tuple[type, ...], what: str, expected: str) -> Any:
        if not isinstance(self.module.head, kind):
            raise UsageError(
                f"the head {self.name} is of kind {self.head} and gives no {what}", expected=f"head {expected}"
            )
        return self.module.head


def save_tuned(
    folder: Path,
    *,
    base: Checkpoint,
    task: HeadTask,
    config: TuneConfig,
    network: Network,
    history: Sequence[dict[str, float | None]],
    rows: Mapping[str, Sequence[str]],
    sidecar: dict[str, Any],
) -> dict[str, Any]:
    """Write a head under ``tuned/NAME`` of its model's folder.

    Parameters
    ----------
    folder
        The model's.
    base
        The model.
    task, config
        What was asked for.
    network
        With the weights of the epoch chosen.
    history
        Per epoch its train and val loss.
    rows
        ``train`` and ``val``: ids of the samples that the head learned from, and was chosen by.
    sidecar
        What else to record; it must hold ``selection``, and ``classes`` or, for discrete time, ``bins``.

    Returns
    -------
    The whole sidecar.
    """
    from safetensors.torch import save_file

    own = folder / "tuned" / task.name
    own.mkdir(parents=True, exist_ok=True)
    path = own / "weights.safetensors"
    ids = {part: sorted(names) for part, names in rows.items()}
    body = {
        "format": FORMAT,
        "name": task.name,
        "task": task.task,
        "head": task.head,
        "how": task.how,
        "asked": task.config,
        "config": asdict(config),
        "base": {"model": base.sidecar["model"], SEAL: base.sidecar[SEAL]},
        **{key: base.sidecar[key] for key in ("release", "simulated", "split", "cohorts", "modalities")},
        "rows": ids,
        "row_hash": {part: row_hash(names) for part, names in ids.items()},
        **sidecar,
    }
    weights = {name: value.detach().cpu().contiguous() for name, value in sorted(network.learned().items())}
    save_file(weights, path, metadata={TRAINED_ON: canonical_json(_trained_on(body)).decode()})
    write_json(own / "history.json", list(history))
    body |= {
        "history": {"path": "history.json", "sha256": sha256_of(own / "history.json")},
        "weights": {"path": path.name, "sha256": sha256_of(path), "tensors": tensor_hashes(path)},
        "environment": environment(),
    }
    whole = body | {SEAL: body_hash(body)}
    write_json(own / "sidecar.json", whole)
    return whole


def _trained_on(body: dict[str, Any]) -> dict[str, Any]:
    """Return what the weights file itself says of the model and the rows behind it."""
    return {
        "base": body["base"][SEAL],
        "task": body["task"],
        "release": body["release"],
        "manifest_hash": body["split"]["manifest_hash"],
        "fold": body["split"]["fold"],
        "row_hash": body["row_hash"]["train"],
    }


def save_heads(folder: Path, base: Checkpoint, heads: dict[str, dict[str, Any]]) -> None:
    """Write which heads were asked for, and what became of each.

    Parameters
    ----------
    folder
        The model's.
    base
        The model.
    heads
        By name: ``sidecar_hash``, or why it was ``not_trained``.
    """
    body = {"format": FORMAT, "base": base.sidecar[SEAL], "heads": heads}
    write_json(folder / "tuned" / "heads.json", body | {HEADS_SEAL: body_hash(body)})


def heads_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what ``heads.json`` says of each head of a trained model: its score on val, or why it was not trained."""
    path = folder / "tuned" / "heads.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_bytes())["heads"] if path.is_file() else {}
    return found


def load_tuned(folder: Path, base: Checkpoint) -> dict[str, Tuned]:
    """Return the heads that were trained on a model, by name, once they are seen to belong to it.

    Parameters
    ----------
    folder
        The model's, ``artifacts/MODEL``.
    base
        The model, as `models.checkpoint.load_checkpoint` gives it.

    Returns
    -------
    None where none was asked for; those that could not be trained are not among them.

    Raises
    ------
    LeakageError
        If a head sits on another model or was exchanged, left out or edited; if weights, bins and sidecar speak of
        different rows; if rows taught it that did not teach its model; or if another epoch was kept than the val losses
        choose.
    """
    path = folder / "tuned" / "heads.json"
    found = sorted(p.parent.name for p in folder.glob("tuned/*/sidecar.json"))
    if not path.is_file() and not found:
        return {}
    listed = _read_heads(path, base)
    trained = {name: entry[SEAL] for name, entry in listed.items() if SEAL in entry}
    if found != sorted(trained):
        raise _exchanged(f"{path} names {', '.join(sorted(trained)) or 'none'}, and there are {', '.join(found)}")
    return {name: _load(folder / "tuned" / name, seal, base) for name, seal in trained.items()}


def _read_heads(path: Path, base: Checkpoint) -> dict[str, dict[str, Any]]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        whole = body[HEADS_SEAL] == body_hash(body, HEADS_SEAL)
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise _exchanged(f"{path} is absent, or was changed after it was written")
    if body["base"] != base.sidecar[SEAL]:
        raise _exchanged(f"the heads in {path.parent} sit on the model {body['base'][:12]}")
    heads: dict[str, dict[str, Any]] = body["heads"]
    return heads


def _exchanged(found: str) -> LeakageError:
    return LeakageError(found, expected="heads and model of one training", run="omicstore train")


def _load(own: Path, seal: str, base: Checkpoint) -> Tuned:
    from safetensors import safe_open
    from safetensors.torch import load_file

    sidecar = read_sidecar(own)
    path = own / "weights.safetensors"
    if sidecar[SEAL] != seal or sidecar["name"] != own.name:
        raise _exchanged(f"{own / 'sidecar.json'} is not the one that heads.json names")
    if sidecar["base"][SEAL] != base.sidecar[SEAL]:
        raise _exchanged(f"the head in {own} sits on the model {sidecar['base'][SEAL][:12]}")
    if not path.is_file() or sha256_of(path) != sidecar["weights"]["sha256"]:
        raise _exchanged(f"{path} is not the file that its sidecar describes")
    with safe_open(path, framework="numpy") as weights:
        stated = json.loads((weights.metadata() or {}).get(TRAINED_ON, "{}"))
    if stated != _trained_on(sidecar):
        raise _exchanged(f"the head in {own} is put together from several: its weights and its sidecar disagree")
    refuse_other_choice(own, sidecar)
    bins = _bins(own, sidecar)
    _refuse_strange_rows(own, sidecar, base)
    task = HeadTask(sidecar["name"], sidecar["task"], sidecar["head"], sidecar["how"], sidecar["asked"])
    config = head_config(task, sidecar["config"])
    tensors = load_file(path)
    classes = tuple(sidecar["classes"])
    network = assemble(base, task, config, bins=bins, weights=torch.ones(len(classes)))
    missing, unexpected = network.load_state_dict(tensors, strict=False)
    if unexpected or set(missing) & set(network.learned()):
        raise OmicstoreError(f"{path} does not fit the head {task.name}", run="omicstore train")
    return Tuned(task.name, task.task, task.head, task.how, classes, sidecar, network.eval())


def _refuse_strange_rows(own: Path, sidecar: dict[str, Any], base: Checkpoint) -> None:
    """Raise where rows taught the head that did not teach its model, or such rows are said to be of val."""
    learned_from = set(base.state.fitted_on)
    for part, strange in (
        ("train", set(sidecar["rows"]["train"]) - learned_from),
        ("val", set(sidecar["rows"]["val"]) & learned_from),
    ):
        if strange or row_hash(sidecar["rows"][part]) != sidecar["row_hash"][part]:
            named = f", such as {min(strange)}" if strange else ""
            raise LeakageError(
                f"the {part} rows of the head in {own} are not {part} rows of its model{named}",
                expected="rows of the split that the model was trained on",
                run="omicstore train",
            )


def _bins(own: Path, sidecar: dict[str, Any]) -> TimeBins | None:
    if sidecar["head"] != "discrete":
        return None
    bins = TimeBins.from_json(json.dumps(sidecar["bins"]))
    if list(bins.fitted_on) != sidecar["rows"]["train"]:
        raise _exchanged(f"the bins of time of the head in {own} were fitted on other rows than its training rows")
    return bins
