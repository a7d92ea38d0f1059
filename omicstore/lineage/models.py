"""The links past a store: splits, fitted states, trained models, evaluations, metrics.

Only what their files say is read; the packages that wrote them are not needed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from omicstore.errors import OmicstoreError
from omicstore.files import sha256_of
from omicstore.lineage.held import release_node
from omicstore.lineage.node import Node
from omicstore.store.splitfile import body_hash

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["evaluation_node", "metric_node", "model_node", "read_json", "split_node"]


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    OmicstoreError
        If the file is absent or holds none.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        body = None
    if not isinstance(body, dict):
        raise OmicstoreError(f"{path} is no JSON object, or is not there", run="omicstore evaluate, or dvc repro")
    return body


def metric_node(root: Path, store: Store, name: str, metrics: dict[str, float]) -> Node:
    """Return a number of ``reports/metrics.json`` with the evaluation that gave it."""
    ends = [metrics.get(f"{name}_{end}") for end in ("low", "high")]
    between = "" if None in ends else f" [{ends[0]:g}, {ends[1]:g}]"
    facts = {"value": metrics[name], "low": ends[0], "high": ends[1], "path": "reports/metrics.json"}
    parent = evaluation_node(root, store)
    return Node("metric", name, (f"{metrics[name]:g}{between}",), facts, "", (parent,))


def evaluation_node(root: Path, store: Store) -> Node:
    """Return the evaluation in ``reports/evaluation.json``, with the model that it judged."""
    body = read_json(root / "reports" / "evaluation.json")
    trained = body["trained"]
    folder = root / "artifacts" / trained["model"]
    broken = "" if "evaluation_hash" not in body else _seal(body, "evaluation_hash", "reports/evaluation.json")
    if (folder / "sidecar.json").is_file():
        parent = model_node(folder, store)
        if parent.facts.get("sidecar_hash") != trained["sidecar_hash"]:
            broken = broken or f"artifacts/{trained['model']} was trained again since; run omicstore evaluate"
        parents: tuple[Node, ...] = (parent,)
    else:
        broken, parents = broken or f"artifacts/{trained['model']} is not there", ()
    kept: dict[str, Any] = {name: body[name] for name in ("part", "n_test", "evaluation_hash") if name in body}
    says = (f"{body['part']} part of fold {trained['split']['fold']}", f"{body['n_test']:,} samples")
    facts = kept | {"path": "reports/evaluation.json", "sidecar_hash": trained["sidecar_hash"]}
    return Node("evaluation", "reports/evaluation.json", says, facts, broken, parents)


def model_node(folder: Path, store: Store) -> Node:
    """Return a trained model, with the states and the split it was trained on."""
    body = read_json(folder / "sidecar.json")
    weights = folder / body["weights"]["path"]
    broken = _seal(body, "sidecar_hash", str(folder / "sidecar.json"))
    if not weights.is_file():
        broken = broken or f"{weights} is not there"
    elif sha256_of(weights) != body["weights"]["sha256"]:
        broken = broken or f"{weights} is not the file that the sidecar describes"
    split, chosen = body["split"], body["selection"]
    where = _study_of(folder) / "splits" / split["name"]
    behind = split_node(where, store, split["manifest_hash"], body)
    states = [_state(folder, entry, behind) for entry in body["states"]]
    says = (
        f"{body['model']} {body['preset']}",
        f"seed {body['seed']}",
        f"trained on {body['n_train']:,} samples",
        f"epoch {chosen['epoch'] + 1} by {chosen['metric']} on {chosen['part']}",
    )
    kept = ("model", "preset", "seed", "modalities", "cohorts", "sample_type", "selection", "sidecar_hash", "release")
    facts = {k: body[k] for k in kept} | {"weights_sha256": body["weights"]["sha256"], "path": str(folder)}
    return Node("model", folder.name, says, facts, broken, (*states, behind))


def _state(folder: Path, entry: dict[str, Any], split: Node) -> Node:
    path = folder / entry["path"]
    there = path.is_file()
    changed = there and sha256_of(path) != entry["sha256"]
    broken = "" if there and not changed else f"{path} is {'not the one that was saved' if there else 'not there'}"
    says = (f"fitted on the {entry['part']} rows of {split.name}", f"rows {entry['fitted_on_row_hash'][:12]}")
    return Node("state", entry["transform"], says, dict(entry), broken)


def split_node(
    folder: Path, store: Store, manifest_hash: str | None = None, model: dict[str, Any] | None = None
) -> Node:
    """Return a split with the release it was made on, and of that what a model read (or all that was split).

    Parameters
    ----------
    folder
        The split's folder.
    store
        The store, of any release.
    manifest_hash
        What the model says that the manifest is.
    model
        The model's sidecar.
    """
    name = folder.name if folder.parent.name == "splits" else folder.as_posix().rpartition("/splits/")[2]
    if not (folder / "manifest.json").is_file():
        return Node("split", name, (), {"manifest_hash": manifest_hash}, f"{folder} is not there")
    body = read_json(folder / "manifest.json")
    broken = _seal(body, "manifest_hash", f"{folder}/manifest.json")
    if manifest_hash is not None and body["manifest_hash"] != manifest_hash:
        broken = broken or f"{folder} was made again since the model was trained on {manifest_hash[:12]}"
    read, query, outcome = model or {}, body["cohort"]["query"], body["cohort"]["outcome"] or {}
    cohorts, modalities = (read.get(name) or query[name] or None for name in ("cohorts", "modalities"))
    table = {"endpoint": ["outcomes"], "label": ["labels"]}.get(str(outcome.get("kind")), [])
    parent = release_node(store, body["release"]["id"], cohorts, modalities, ["patients", *table])
    strategy, n = body["strategy"], body["cohort"]["n_patients"]
    says = (f"{strategy['name']}, {strategy['k']} folds", f"{n:,} patients", body["manifest_hash"][:12])
    facts = {
        "path": str(folder), "manifest_hash": body["manifest_hash"], "assignments_hash": body["assignments_hash"],
        "release": body["release"]["id"], "strategy": strategy["name"],
    }  # fmt: skip
    return Node("split", name, says, facts, broken, (parent,))


def _seal(body: dict[str, Any], seal: str, where: str) -> str:
    return "" if body.get(seal) == body_hash(body, seal) else f"{where} was changed after it was written"


def _study_of(folder: Path) -> Path:
    return folder.absolute().parent.parent
