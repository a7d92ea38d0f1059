"""How fast and in how much memory a cohort is built from a 20,531 x 1,000 tsv.gz, beside pandas.read_csv on that file.

Prints one JSON object: seconds and peak memory of fresh processes, and the ratios.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

PANDAS = "import sys, pandas; pandas.read_csv(sys.argv[1], sep='\\t', index_col=0)"
BUILD = """
import sys
from pathlib import Path
from omicstore.build.cohort import build_cohort
from omicstore.build.plan import plan
plan(Path(sys.argv[1]))
build_cohort(Path(sys.argv[1]), "BLCA")
"""
STUDY = """
study:
  dataset: made_up
  simulated: true
  cohorts: [BLCA]
  references:
    genes: {path: genes.tsv, format: xena-probemap}
  sources:
    - {path: rna.tsv.gz, format: matrix, modality: rna, cohort: BLCA, unit: log2(tpm+1)}
"""


def make(folder: Path, n_genes: int, n_samples: int) -> None:
    """Write a study of one RNA matrix, genes in rows, four decimals, as portals hand them out."""
    rng = np.random.default_rng(0)
    genes = [f"ENSG{i:011d}" for i in range(n_genes)]
    samples = [f"TCGA-{i // 100:02d}-{i:04d}-01" for i in range(n_samples)]
    values = np.log2(1 + np.exp(rng.normal(2.0, 2.0, (n_samples, n_genes)))).astype(np.float32)
    table = pl.DataFrame({"gene": genes} | {name: values[i] for i, name in enumerate(samples)})
    text = table.write_csv(separator="\t", float_precision=4)
    (folder / "rna.tsv.gz").write_bytes(gzip.compress(text.encode(), 6, mtime=0))
    start = np.arange(n_genes) * 1000
    probemap = pl.DataFrame({"id": genes, "gene": [f"GENE{i}" for i in range(n_genes)], "chrom": "chr1"}).with_columns(
        chromStart=pl.Series(start), chromEnd=pl.Series(start + 500), strand=pl.lit("+")
    )
    probemap.write_csv(folder / "genes.tsv", separator="\t")
    (folder / "params.yaml").write_text(STUDY)


def run(code: str, argument: Path) -> dict[str, float]:
    """Run a program in a fresh process; return its seconds and its peak memory in MB."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code, str(argument)]) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(child.returncode)
    return {"seconds": round(time.perf_counter() - started, 2), "peak_mb": used.ru_maxrss // 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genes", type=int, default=20_531)
    parser.add_argument("--samples", type=int, default=1_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="omicstore-bench-") as name:
        folder = Path(name)
        # In a process of its own: a child's peak memory begins with what its parent holds when it is started.
        maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, asked.genes, asked.samples))
        maker.start()
        maker.join()
        pandas, build = run(PANDAS, folder / "rna.tsv.gz"), run(BUILD, folder)
    matrix = 4 * asked.genes * asked.samples / 1e6
    results = {
        "genes": asked.genes,
        "samples": asked.samples,
        "pandas_read_csv": pandas,
        "build": build,
        "time_ratio_to_pandas": round(build["seconds"] / pandas["seconds"], 2),
        "matrix_mb": round(matrix, 1),
        "peak_limit_mb": round(3 * matrix + 400, 1),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
