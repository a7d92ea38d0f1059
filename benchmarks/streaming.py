"""What batches cost that are read from the store, against a part in memory: a made-up cohort of one matrix.

Prints one JSON object: per way the seconds until the state is fitted, seconds per epoch of training batches (of 64, no
model), and peak memory beside what Python and its packages take; and the floor of an epoch that reads: as many rows,
in a random order, from one file of raw numbers. ``python benchmarks/streaming.py [--samples N] [--features N]``; 4,000
x 20,000 needs 1 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl

import omicstore
from omicstore.splits import SplitSpec
from omicstore.splits import make as make_split
from omicstore.store.writer import assemble, write_cohort

EPOCHS, BATCH = 3, 64


def make(root: Path, n_samples: int, n_features: int) -> None:
    """Write a store of amounts, and a split of five folds."""
    rng = np.random.default_rng(6)
    values = np.exp(rng.standard_normal((n_samples, n_features), dtype=np.float32) + 2)
    people = [f"P{i:05d}" for i in range(n_samples)]
    rows = pl.DataFrame({"sample_id": people, "profile_id": people})
    features = pl.DataFrame({"feature_id": [f"ENSG{i:011d}" for i in range(n_features)]})
    part = SimpleNamespace(
        modality="rna", values=values, rows=rows, features=features, unit="tpm", upstream_fit="none", platform=None
    )
    who = {"sample_id": people, "patient_id": people, "cohort": "AAA", "modality": "rna", "sample_type": "primary"}
    tables = {
        "patients": pl.DataFrame({"patient_id": people, "cohort": "AAA", "dataset": "made-up"}),
        "profiles": pl.DataFrame(who | {"profile_id": people, "chosen": True}),
    }
    write_cohort(root / "data/store", "AAA", matrices=iter([part]), tables=lambda: tables)
    assemble(root / "data/store", ["AAA"], dataset="made-up", simulated=True)
    with omicstore.open(root / "data/store") as store:
        asked = {"name": "default", "strategy": "grouped_kfold", "k": 5, "seed": 1, "cohorts": ["AAA"]}
        make_split(store, SplitSpec.from_params(asked), root / "splits/default")


def read(root: Path, memory: float, workers: int) -> None:
    """Fit and read in this process, and print what it took."""
    from models.datamodule import CohortDataModule

    with omicstore.open(root / "data/store") as store:
        data = CohortDataModule(
            store, root / "splits/default", 0, modalities=["rna"], batch_size=BATCH, memory=memory, num_workers=workers
        )
        _ = data.manifest
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here
        before, started = _memory("VmRSS"), time.perf_counter()
        _ = data.state
        fitted = time.perf_counter() - started
        loader, epochs = data.train_dataloader(), []
        for epoch in range(EPOCHS):
            loader.sampler.set_epoch(epoch)
            started = time.perf_counter()
            rows = sum(len(batch) for batch in loader)
            epochs.append(time.perf_counter() - started)
        body = {"streams": data.streams, "fit_s": round(fitted, 2), "epoch_s": round(min(epochs), 3)}
    print(json.dumps(body | {"peak_mb": _memory("VmHWM") - before, "rows": rows}))


def _memory(name: str) -> int:
    """Return what the system says of this process's memory, in MB."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name))
    return int(line.split()[1]) // 1024


def floor(folder: Path, n_rows: int, n_samples: int, n_features: int) -> float:
    """Return the seconds that reading so many rows in a random order from a file of raw numbers takes."""
    path = folder / "raw"
    with path.open("wb") as file:
        for _ in range(n_samples):
            file.write(bytes(4 * n_features))
    order = np.random.default_rng(0).permutation(n_samples)[:n_rows].tolist()
    handle, row, took = os.open(path, os.O_RDONLY), bytearray(4 * n_features), []
    for _ in range(EPOCHS):
        started = time.perf_counter()
        for i in order:
            os.preadv(handle, [row], i * len(row))
        took.append(time.perf_counter() - started)
    os.close(handle)
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4_000)
    parser.add_argument("--features", type=int, default=20_000)
    parser.add_argument("--read", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read is not None:
        read(Path(asked.read[0]), float(asked.read[1]), int(asked.read[2]))
        return
    ways = {"memory": ("1e12", "0"), "streamed": ("1000", "0"), "streamed, 2 workers": ("1000", "2")}
    result = {}
    with tempfile.TemporaryDirectory(prefix="omicstore-bench-") as folder:
        root = Path(folder)
        make(root, asked.samples, asked.features)
        for name, way in ways.items():
            command = [sys.executable, __file__, "--read", folder, *way]
            result[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        rows = result["memory"]["rows"]
        least = floor(root, rows, asked.samples, asked.features)
    sizes = {"samples": asked.samples, "features": asked.features, "train_mb": rows * asked.features * 4 // 2**20}
    print(json.dumps(sizes | {"floor_epoch_s": round(least, 3)} | result, indent=1))


if __name__ == "__main__":
    main()
