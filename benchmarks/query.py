"""How fast a pan-cancer store answers: 10,000 samples of 33 cohorts, 17,116 features, 2 modalities, made up.

Prints one JSON object: milliseconds (first read and median of the following) and ratios to reading the same numbers
from raw .npy files. Needs 4.5 GB of disk for a minute: ``python benchmarks/query.py [--samples N] [--features N]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import omicstore
from omicstore.store.writer import assemble, write_cohort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

N_COHORTS = 33
MODALITIES = {"rna": "tpm", "meth": "beta"}


def cohort_sizes(n_samples: int) -> dict[str, int]:
    """Return 33 sizes, the largest 1,000 of 10,000, as in TCGA."""
    weights = np.linspace(1.0, 0.06, N_COHORTS) ** 1.6
    weights[0] = 0.0
    largest = n_samples // 10
    sizes = np.maximum(1, np.floor(weights / weights.sum() * (n_samples - largest))).astype(int)
    sizes[0] = largest
    sizes[1] += n_samples - sizes.sum()
    return {f"C{i:02d}": int(size) for i, size in enumerate(sizes)}


def make(root: Path, sizes: dict[str, int], n_features: int) -> dict[str, float]:
    """Write the store and return how long it took, in seconds."""
    features = pl.DataFrame(
        {"feature_id": [f"ENSG{i:011d}" for i in range(n_features)], "symbol": [f"GENE{i}" for i in range(n_features)]}
    )
    started = time.perf_counter()
    for cohort, size in sizes.items():
        ids = [f"TCGA-{cohort}-{i:04d}" for i in range(size)]
        base = pl.DataFrame({"patient_id": ids, "sample_id": [f"{i}-01" for i in ids]}).with_columns(
            cohort=pl.lit(cohort), site=pl.lit(cohort), sample_type=pl.lit("primary"), sample_type_code=pl.lit("01")
        )

        def parts(base: pl.DataFrame = base, cohort: str = cohort) -> Iterator[SimpleNamespace]:
            rng = np.random.default_rng([*cohort.encode()])
            for modality, unit in MODALITIES.items():
                values = rng.standard_normal((base.height, n_features), dtype=np.float32)
                values = np.exp(values) if modality == "rna" else 1 / (1 + np.exp(values))
                rows = base.select("sample_id", profile_id=pl.col("sample_id") + f"-{modality}")
                yield SimpleNamespace(
                    modality=modality,
                    unit=unit,
                    upstream_fit="none",
                    platform=None,
                    values=values,
                    rows=rows,
                    features=features,
                )

        profiles = pl.concat(
            base.with_columns(
                modality=pl.lit(m),
                profile_id=pl.col("sample_id") + f"-{m}",
                chosen=pl.lit(value=True),
                reason=pl.lit("only"),
            )
            for m in MODALITIES
        )
        patients = base.select("patient_id", "cohort", "site")
        write_cohort(root, cohort, matrices=parts(), tables={"profiles": profiles, "patients": patients})
    written = time.perf_counter()
    assemble(root, list(sizes), dataset="made up", simulated=True)
    return {"write_cohorts_s": round(written - started, 1), "assemble_s": round(time.perf_counter() - written, 1)}


def timed(work: Callable[[], object], repeats: int = 9) -> dict[str, float]:
    """Return milliseconds of the first call and the median of the following."""
    took = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - started))
    return {"first_ms": round(took[0], 1), "median_ms": round(statistics.median(took[1:]), 1)}


def in_process(root: Path, raw: Path, sizes: dict[str, int]) -> dict[str, object]:
    """Measure reads through an open store against np.load of the same numbers."""
    rng = np.random.default_rng(0)
    with omicstore.open(root) as store:
        largest = max(sizes, key=lambda c: sizes[c])
        n_features = store.body["index"]["rna"]["n_features"]
        genes = [f"GENE{i}" for i in rng.choice(n_features, 50, replace=False)]
        results: dict[str, object] = {}
        first = store.query(largest, list(MODALITIES)).to_numpy()
        for modality, values in first.items():
            np.save(raw / f"{modality}.npy", values)
        floor = timed(lambda: [np.load(raw / f"{m}.npy") for m in MODALITIES])
        whole = timed(lambda: store.query(largest, list(MODALITIES)).to_numpy())
        results["one_cohort_all_features"] = whole | {
            "shape": [len(MODALITIES), *first["rna"].shape], "np_load_ms": floor["median_ms"],
            "ratio_to_np_load": round(whole["median_ms"] / floor["median_ms"], 2),
        }  # fmt: skip
        results["50_genes_all_samples"] = timed(
            lambda: store.query(modalities=list(MODALITIES), genes=genes).to_numpy()
        )
        results["1_gene_all_samples"] = timed(
            lambda: store.query(modalities=list(MODALITIES), genes=genes[:1]).to_numpy()
        )
        samples = store.query(modalities=list(MODALITIES))
        results["64_random_samples"] = timed(
            lambda: samples.take(rng.choice(len(samples), 64, replace=False)).to_numpy()
        )
        con = store.sql()
        results["sql_one_gene"] = timed(
            lambda: con.execute(
                f"SELECT cohort, avg(value) FROM rna WHERE feature_id = 'ENSG{77:011d}' GROUP BY cohort"
            ).fetchall()
        )
    return results


def cold(root: Path) -> dict[str, object]:
    """Measure a fresh process: the first read of a cohort, and the command line where it is installed."""
    code = f"import omicstore; omicstore.open({str(root)!r}).query('C00', ['rna', 'meth']).to_numpy()"
    found: dict[str, object] = {
        "first_read_in_a_fresh_process": timed(lambda: subprocess.run([sys.executable, "-c", code], check=True), 3)
    }
    command = Path(sys.executable).with_name("omicstore")
    if command.is_file():
        runs = {
            "help": ["--help"],
            "query": ["query", "--store", str(root), "--cohort", "C00", "--modalities", "rna,meth", "--json"],
        }
        for name, arguments in runs.items():
            found[f"omicstore_{name}"] = timed(
                lambda a=arguments: subprocess.run([command, *a], capture_output=True, check=False), 3
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=17_116)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="omicstore-bench-") as folder:
        root, raw = Path(folder) / "store", Path(folder) / "raw"
        raw.mkdir()
        sizes = cohort_sizes(asked.samples)
        results: dict[str, object] = {"samples": asked.samples, "cohorts": len(sizes), "features": asked.features}
        results |= make(root, sizes, asked.features)
        results["store_gb"] = round(sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) / 1e9, 2)
        results["peak_memory_while_writing_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        results |= in_process(root, raw, sizes)
        results |= cold(root)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
