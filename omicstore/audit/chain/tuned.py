"""Supervised heads on a trained model: that each names this model, and was taught by its training rows alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.encoding import body_hash, file_hash, row_hash
from omicstore.audit.reading import at, json_object

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.bundle import Bundle

__all__ = ["tuned_heads"]


def tuned_heads(bundle: Bundle, folder: Path, sidecar: dict[str, Any]) -> list[str]:
    """Return, as sentences, what is wrong with the heads under ``tuned``; none where there is no head.

    Parameters
    ----------
    bundle
        Of the trained model.
    folder, sidecar
        The model's.
    """
    path = folder / "tuned" / "heads.json"
    there = sorted(p.parent.name for p in folder.glob("tuned/*/sidecar.json"))
    if not path.is_file():
        return [f"{path} is absent, and there are the heads {', '.join(there)}"] if there else []
    listed = json_object(path) or {}
    said = []
    if body_hash(listed, "heads_hash") != listed.get("heads_hash"):
        said.append("tuned/heads.json does not have its heads_hash: it was changed after it was written")
    if listed.get("base") != sidecar.get("sidecar_hash"):
        said.append(f"tuned/heads.json names the model {str(listed.get('base'))[:12]}, and this is another")
    trained = {name: entry for name, entry in (at(listed, "heads") or {}).items() if at(entry, "sidecar_hash")}
    if there != sorted(trained):
        said.append(f"tuned/heads.json names {', '.join(sorted(trained)) or 'no head'}, there are {', '.join(there)}")
    for name in sorted(set(there) & set(trained)):
        own = json_object(folder / "tuned" / name / "sidecar.json") or {}
        if own.get("sidecar_hash") != at(trained[name], "sidecar_hash"):
            said.append(f"tuned/{name}: the sidecar is not the one that heads.json names")
        said += [f"tuned/{name}: {sentence}" for sentence in _head(bundle, folder / "tuned" / name, own, sidecar)]
    return said


def _head(bundle: Bundle, folder: Path, own: dict[str, Any], base: dict[str, Any]) -> list[str]:
    said = []
    if body_hash(own, "sidecar_hash") != own.get("sidecar_hash"):
        said.append("the sidecar does not have its sidecar_hash: it was changed after it was written")
    if at(own, "base", "sidecar_hash") != base.get("sidecar_hash"):
        said.append(f"the head sits on the model {str(at(own, 'base', 'sidecar_hash'))[:12]}, and this is another")
    differ = [key for key in ("release", "split") if own.get(key) != base.get(key)]
    said += [f"the head and the model name another {key}" for key in differ]
    for key in ("weights", "history"):
        path = folder / str(at(own, key, "path"))
        if not path.is_file() or file_hash(path) != at(own, key, "sha256"):
            said.append(f"{path.name} is absent, or does not have the sha256 that the sidecar states")
    return said + _chosen(folder, own) + _rows(bundle, own)


def _chosen(folder: Path, own: dict[str, Any]) -> list[str]:
    """Return where the epoch is not the first best one of val."""
    chosen = at(own, "selection") or {}
    if chosen.get("part") != "val":
        return [f"the epoch was chosen on the {chosen.get('part')} part, expected val"]
    losses = _losses(folder / "history.json")
    best = min(losses, key=lambda epoch: (losses[epoch], epoch), default=None)
    if best is None or (chosen.get("epoch"), chosen.get("value")) != (best, losses[best]):
        return [f"epoch {chosen.get('epoch')} was kept, and of history.json {best} is the best on val"]
    return []


def _losses(path: Path) -> dict[int, float]:
    """Return epoch to what val said of it; none where the file cannot be read."""
    try:
        rows = json.loads(path.read_bytes())
        return {row["epoch"]: row["val"] for row in rows if row["val"] is not None}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _rows(bundle: Bundle, own: dict[str, Any]) -> list[str]:
    """Return where a head was taught by rows that are no training rows, or chosen by others than val."""
    said = []
    fold = at(own, "split", "fold")
    for part in ("train", "val"):
        named = at(own, "rows", part) or []
        if row_hash(named) != at(own, "row_hash", part):
            said.append(f"its {part} rows do not have the row_hash that it states")
        if bundle.split is None:
            continue
        mine = bundle.assignments.filter((pl.col("fold") == fold) & (pl.col("part") == part))["sample_id"]
        if strange := sorted(set(named) - set(mine.to_list())):
            shown = ", ".join(strange[:3]) + (" and others" if len(strange) > 3 else "")
            said.append(f"{len(strange)} of its {part} rows are not of the {part} part of fold {fold}: {shown}")
    if (bins := own.get("bins")) is not None and at(bins, "fitted_on") != at(own, "rows", "train"):
        said.append("its bins of time were fitted on other rows than those that taught it")
    return said
