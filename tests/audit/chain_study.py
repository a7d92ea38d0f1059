"""A tiny study with a store, a split, a trained and judged model and a release; and what a tamperer does to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import yaml
from store_factory import make_cohort, make_patches

import omicstore
from models.evaluate.run import evaluate
from models.train import train
from omicstore.audit import audit
from omicstore.audit.run import CHAIN
from omicstore.files import canonical_json, sha256_of
from omicstore.releases import release
from omicstore.splits import SplitSpec, make
from omicstore.store.hashing import release_hash
from omicstore.store.matrixfile import MatrixWriter
from omicstore.store.splitfile import body_hash, frame_hash, row_hash
from omicstore.store.writer import assemble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARAMS: dict[str, Any] = {
    "study": {"dataset": "tiny"},
    "split": {"name": "default", "strategy": "grouped_kfold", "k": 3, "seed": 1, "cohorts": ["AAA", "BBB"]},
    "train": {
        "model": "aro", "preset": "small", "modalities": ["rna", "prot"], "cohorts": ["AAA", "BBB"], "fold": 0, "seed": 17,
        "config": {"hidden": 16, "max_epochs": 3},
    },
    "evaluate": {"impute": {"from": "rna", "to": "prot"}, "survival": {"endpoint": "OS", "min_events": 4}, "bootstrap": 20},
}  # fmt: skip


def write_study(root: Path) -> None:
    """Write all of it, by the code that a user runs."""
    root.mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), encoding="utf-8")
    place = root / "data" / "store"
    for name, seed in (("AAA", 1), ("BBB", 2)):
        data = make_cohort(
            name, seed=seed, n_patients=36, modalities=("rna", "prot"), n_features=12, first_feature=3 * seed,
            missing=0.1, reports=name == "AAA",
        )  # fmt: skip
        if name == "AAA":
            data.patches = make_patches(data.tables["profiles"]["sample_id"].unique().sort().to_list()[:2])
        data.write(place, name)
    assemble(place, ["AAA", "BBB"], dataset="tiny", simulated=True)
    with omicstore.open(place) as store:
        make(store, SplitSpec.from_params(PARAMS["split"]), root / "splits" / "default")
        train(root, store, say=lambda _: None)
        evaluate(root, store, say=lambda _: None)
        release(store, "v1", date="2026-11-21")


def edit_json(path: Path, edit: Callable[[Any], None], seal: str | None = None) -> None:
    """Change a JSON file, and seal it again where `seal` names the key of its hash."""
    body = json.loads(path.read_bytes())
    edit(body)
    if seal is not None:
        body[seal] = body_hash(body, seal)
    path.write_bytes(canonical_json(body))


def edit_table(file: Path, /, *columns: pl.Expr, **named: pl.Expr) -> None:
    """Change cells of a Parquet file."""
    pl.read_parquet(file, hive_partitioning=False).with_columns(*columns, **named).write_parquet(file)


def edit_cell(path: Path, row: int, column: int, value: float) -> None:
    """Change one number of a matrix or an index."""
    table = pq.ParquetFile(path).read()
    names = [name for name in table.schema.names if name != "values"]
    values = table["values"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1).copy()
    values[row, column] = np.float32(value)
    with MatrixWriter(path, names, values.shape[1]) as out:
        out.write({name: table[name].to_pylist() for name in names}, values)


def store_body(root: Path) -> dict[str, Any]:
    """Return what store.json says."""
    return dict(json.loads((root / "data/store/store.json").read_bytes()))


def stored(root: Path, *keys: str) -> Path:
    """Return the file that store.json names under these keys."""
    found: Any = store_body(root)
    for key in keys:
        found = found[key]
    return root / "data" / "store" / found


def seal_assignments(split: Path, *, rows: bool = False) -> None:
    """Seal assignments.parquet again in the manifest; with `rows` the hashes and counts of each part as well."""
    frame = pl.read_parquet(split / "assignments.parquet")

    def edit(body: dict[str, Any]) -> None:
        body["assignments_hash"] = frame_hash(frame)
        for entry in body["per_fold"] if rows else []:
            for part, held in entry["parts"].items():
                own = frame.filter((pl.col("fold") == entry["fold"]) & (pl.col("part") == part))
                held["row_hash"] = row_hash(own["sample_id"].to_list())
                held["n_samples"], held["n_patients"] = own.height, own["patient_id"].n_unique()
        if rows:
            body["cohort"]["sample_ids_hash"] = row_hash(frame["sample_id"].to_list())

    edit_json(split / "manifest.json", edit, "manifest_hash")


def seal_edges(split: Path) -> None:
    """Seal identity.parquet again in the manifest."""
    found = frame_hash(pl.read_parquet(split / "identity.parquet"))
    edit_json(split / "manifest.json", lambda body: body["identity"].update(edges_hash=found), "manifest_hash")


def edit_statistic(root: Path, key: str, number: int, change: float) -> None:
    """Change one number of the fitted state's arrays."""
    from safetensors.numpy import load_file, save_file

    path = root / "artifacts/aro/state/0/default.safetensors"
    arrays = load_file(path)
    arrays[key][number] += change
    save_file(arrays, path)


def seal_state(root: Path) -> None:
    """Seal the arrays in the state's JSON, and that in the sidecar."""
    folder = root / "artifacts" / "aro"
    path = folder / "state/0/default.json"
    edit_json(path, lambda body: body.update(arrays_sha256=sha256_of(path.with_suffix(".safetensors"))))
    edit_json(folder / "sidecar.json", lambda body: body["states"][0].update(sha256=sha256_of(path)), "sidecar_hash")


def flip(path: Path, at: float = 0.5) -> None:
    """Flip the lowest bit of one byte, so far into the file."""
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)


def judged(root: Path) -> dict[str, Any]:
    """Return the findings of the chain, by id."""
    return {f.id: f for f in audit(root / "artifacts" / "aro", checks=CHAIN).findings}


def failed(root: Path) -> dict[str, str]:
    """Return what the links of the chain found."""
    return {name: f.found for name, f in judged(root).items() if f.status == "fail"}


def reseal_store(root: Path) -> None:
    edit_json(root / "data/store/store.json", lambda body: body.update(release=release_hash(body)))
