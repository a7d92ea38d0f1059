"""What a word means, and the chain behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omicstore.errors import OmicstoreError, UnknownNameError
from omicstore.lineage.held import FOLLOWED, release_node
from omicstore.lineage.models import evaluation_node, metric_node, model_node, read_json, split_node
from omicstore.lineage.node import Node
from omicstore.store.registry import CURRENT

if TYPE_CHECKING:
    from omicstore.store.reader import Store

__all__ = ["lineage"]


def lineage(target: str, store: Store, root: Path | None = None) -> Node:
    """Follow a number, a model or a table back to the files it was measured in.

    Parameters
    ----------
    target
        A metric of ``reports/metrics.json``; a trained model, split or evaluation by name or path; a catalogue table;
        a matrix as ``COHORT/MODALITY``; a modality, cohort or release; or the folder of an export.
    store
        The store, of any release.
    root
        The study's folder; None where there is none.

    Raises
    ------
    UnknownNameError
        If it is none of these; the nearest names are named.
    """
    path = Path(target)
    if path.exists() and (found := _by_path(path, store, root)) is not None:
        return found
    named = _in_store(target.strip(), store)
    if named is not None:
        return named
    if root is not None:
        for folder, make in ((root / "artifacts" / target, model_node), (root / "splits" / target, split_node)):
            if (folder / "sidecar.json").is_file() or (folder / "manifest.json").is_file():
                return make(folder, store)
        metrics = _metrics(root)
        if target in metrics:
            return metric_node(root, store, target, metrics)
    raise UnknownNameError("metric, model, split or table", target, _known(store, root))


def _by_path(path: Path, store: Store, root: Path | None) -> Node | None:
    folder = path if path.is_dir() else path.parent
    if path.name == "evaluation.json" and root is not None:
        return evaluation_node(root, store)
    if (folder / "sidecar.json").is_file():
        return model_node(folder.absolute(), store)
    if (folder / "manifest.json").is_file():
        body = read_json(folder / "manifest.json")
        if str(body.get("format", "")).startswith("omicstore.split/"):
            return split_node(folder.absolute(), store)
        if str(body.get("format", "")).startswith("omicstore.export/"):
            return _export(path, folder, body, store)
    return None


def _export(path: Path, folder: Path, body: dict[str, object], store: Store) -> Node:
    query = body["query"]
    if not isinstance(query, dict):
        raise OmicstoreError(f"{folder}/manifest.json says of no query", expected="an export", run="omicstore export")
    parent = release_node(store, str(body["release"]), query["cohorts"], query["modalities"])
    one = path.is_file() and path.name != "manifest.json"
    name = path.relative_to(folder).as_posix() if one else folder.name
    return Node("export", name, (f"query {_asked(query)}",), {"path": str(folder), "query": query}, "", (parent,))


def _asked(query: dict[str, object]) -> str:
    words = [f"{k}={','.join(v) if isinstance(v, list) else v}" for k, v in sorted(query.items()) if v]
    return " ".join(words)


def _in_store(word: str, store: Store) -> Node | None:
    cohorts = {c.casefold(): c for c in store.cohorts}
    modalities = {m.casefold(): m for m in store.modalities}
    fold = word.casefold().replace("cohort=", "").replace("modality=", "")
    if fold in store.body["tables"]:
        return release_node(store, store.release, modalities=[], tables=[fold])
    cohort, _, modality = fold.partition("/")
    if cohort in cohorts and modality.split("/")[0] in modalities:
        return release_node(store, store.release, [cohorts[cohort]], [modalities[modality.split("/")[0]]])
    if fold in modalities:
        return release_node(store, store.release, None, [modalities[fold]])
    if fold in cohorts:
        return release_node(store, store.release, [cohorts[fold]], None, FOLLOWED)
    named = store.registry.find(word) if store.registry.names else None
    if named is not None or word in (store.release, CURRENT):
        release = store.release if named is None else named.release
        return release_node(store, release, tables=FOLLOWED)
    return None


def _metrics(root: Path) -> dict[str, float]:
    path = root / "reports" / "metrics.json"
    return read_json(path) if path.is_file() else {}


def _known(store: Store, root: Path | None) -> list[str]:
    known = [*store.body["tables"], *store.cohorts, *store.modalities]
    if root is not None:
        known += [f.parent.name for f in sorted(root.glob("artifacts/*/sidecar.json"))]
        known += [f.parent.name for f in sorted(root.glob("splits/*/manifest.json"))]
        known += _metrics(root)
    return known
