"""How long the search for near-duplicate profiles takes: 10,000 profiles of 33 cohorts, 17,000 genes, made up.

Some people of one cohort are planted again in two others under new names, once in other units and once as z-scores, and
some in their own cohort. Prints one JSON object: seconds, peak memory, what the symmetric product of all profiles would
take at the speed that numpy reaches here (the floor of a search that multiplies all with all), and what was found.
Needs 1 GB of disk: ``python benchmarks/similar.py [--samples N] [--features N]``.
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
from omicstore.store.writer import assemble, write_cohort

N_COHORTS, N_FACTORS, N_PLANTED = 33, 40, 60
UNITS = {"C01": "rsem_normalized", "C02": "zscore"}


def make(root: Path, n_samples: int, n_features: int) -> set[tuple[str, str]]:
    """Write the store and return the pairs of names that are one person.

    log2 of an amount is the gene's mean in its cohort, plus 40 factors that all people share in different degree (which
    make strangers alike), plus what is a person's own.
    """
    rng = np.random.default_rng(4)
    loadings = rng.standard_normal((N_FACTORS, n_features), dtype=np.float32) / np.float32(np.sqrt(N_FACTORS))
    general = rng.normal(4, 2, n_features).astype(np.float32)
    sizes = np.linspace(2, 0.2, N_COHORTS)
    sizes = np.maximum(N_PLANTED * 2, (sizes / sizes.sum() * n_samples).astype(int))
    features = pl.DataFrame({"feature_id": [f"ENSG{i:011d}" for i in range(n_features)]})
    planted = np.empty((0, n_features), np.float32)
    pairs = set()
    for c, size in enumerate(sizes):
        cohort = f"C{c:02d}"
        degree = rng.standard_normal((size, N_FACTORS), dtype=np.float32)
        values = degree @ loadings + rng.standard_normal((size, n_features), dtype=np.float32)
        if c == 0:
            planted = values[:N_PLANTED].copy()
            values[N_PLANTED : N_PLANTED + 5] = values[:5]
            pairs |= {(f"P00-{i:04d}", f"P00-{i + N_PLANTED:04d}") for i in range(5)}
        elif cohort in UNITS:
            values[:N_PLANTED] = planted + rng.normal(0, 0.2, planted.shape).astype(np.float32)
            pairs |= {(f"P00-{i:04d}", f"P{c:02d}-{i:04d}") for i in range(N_PLANTED)}
        values += general + rng.normal(0, 2 if cohort in UNITS else 1, n_features).astype(np.float32)
        if UNITS.get(cohort) == "zscore":
            values = (values - values.mean(axis=0)) / values.std(axis=0)
        else:
            np.maximum(np.exp2(values, out=values) - 1, 0, out=values)
        base = pl.DataFrame({"patient_id": [f"P{c:02d}-{i:04d}" for i in range(size)], "cohort": cohort}).with_columns(
            sample_id=pl.col("patient_id") + "-01", sample_type=pl.lit("primary")
        )
        profiles = base.with_columns(modality=pl.lit("rna"), profile_id=pl.col("sample_id"), chosen=pl.lit(value=True))
        part = SimpleNamespace(
            modality="rna", unit=UNITS.get(cohort, "tpm"), upstream_fit="none", platform=None, values=values,
            rows=profiles.select("sample_id", "profile_id"), features=features,
        )  # fmt: skip
        tables = {"profiles": profiles, "patients": base.select("patient_id", "cohort")}
        write_cohort(root, cohort, matrices=iter([part]), tables=tables)
    # Of three names of one person, each two are a pair.
    pairs |= {(f"P01-{i:04d}", f"P02-{i:04d}") for i in range(N_PLANTED)}
    pairs |= {(f"P{c:02d}-{i:04d}", f"P00-{i + N_PLANTED:04d}") for c in (1, 2) for i in range(5)}
    assemble(root, [f"C{c:02d}" for c in range(N_COHORTS)], dataset="made up", simulated=True)
    return {(a, b) if a < b else (b, a) for a, b in pairs}


def search(root: Path) -> None:
    """Search in this process, and print what it took and what it found."""
    from omicstore.splits.similar import near_duplicates, similar_profiles

    with omicstore.open(root) as store:
        store.table("profiles")
        before = _peak()
        started, used = time.perf_counter(), time.process_time()
        found = similar_profiles(store)
        took, cpu = time.perf_counter() - started, time.process_time() - used
    pairs = near_duplicates(found.pairs, 0.999).select("left_patient", "right_patient").rows()
    body = {
        "seconds": round(took, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": _peak(),
        "before_mb": before,
    }
    print(json.dumps(body | {"compared": found.compared, "pairs": pairs}))


def _peak() -> int:
    """Return the most memory that this process has held, in MB; unlike getrusage, without what its parent held."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def gflops(n_features: int, rows: int = 2048) -> float:
    """Return how many billion operations per second numpy reaches in a product of float32."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, n_features), dtype=np.float32)
    y = rng.standard_normal((rows, n_features), dtype=np.float32)
    took = []
    for _ in range(4):
        started = time.perf_counter()
        x @ y.T
        took.append(time.perf_counter() - started)
    return 2e-9 * rows * rows * n_features / min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=17_000)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.search is not None:
        search(asked.search)
        return
    with tempfile.TemporaryDirectory(prefix="omicstore-bench-") as folder:
        root = Path(folder) / "store"
        truth = make(root, asked.samples, asked.features)
        done = subprocess.run(
            [sys.executable, __file__, "--search", root],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
        )
    result = json.loads(done.stdout)
    found = {tuple(pair) for pair in result.pop("pairs")}
    n = result["compared"]["rna"]["profiles"]
    speed = gflops(asked.features)
    floor = 1e-9 * n * n * asked.features / speed
    result |= {
        "features": asked.features,
        "matrix_mb": n * asked.features * 4 // 2**20,
        "gflops": round(speed),
        "floor_seconds": round(floor, 2),
        "ratio_to_floor": round(result["seconds"] / floor, 2),
        "planted": len(truth),
        "planted_found": len(truth & found),
        "found_falsely": len(found - truth),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
