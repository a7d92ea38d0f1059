"""How fast and in how much memory a 485,577 x 1,000 beta matrix of 4.5 GB of text becomes gene level.

Makes a gzip file of simulated betas (seven decimals, probes in rows, 2% of the cells and every twelfth row missing) and
reads it in fresh processes: decompression alone by each of three libraries, parsing alone of text that is in memory
already, decompression and parsing, and the whole of ``omicstore build`` (hashing, references, reading, harmonising,
writing, assembling). Prints one JSON object: wall and CPU seconds, MB of text per second, peak memory, and the ratios.
"""

from __future__ import annotations

import argparse
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
from isal import isal_zlib

#: Rows that differ; each is written many times under other names, too far apart for gzip to find.
DISTINCT = 4_000

DECOMPRESS = """
import sys
from {module} import {name}
total, engine = 0, {name}(31)
with open(sys.argv[1], "rb") as file:
    while raw := file.read(1 << 18):
        while raw:
            total += len(engine.decompress(raw, 1 << 20))
            raw = engine.unconsumed_tail
assert engine.eof
"""
GZIP = """
import gzip, sys
with gzip.open(sys.argv[1]) as file:
    while file.read(1 << 20):
        pass
"""
READ = """
import sys
from pathlib import Path
from omicstore.readers.delimited import sniff
from omicstore.readers.numbers import NumberStream
for block in NumberStream(sniff(Path(sys.argv[1])), 1, None, ()).blocks():
    pass
"""
PARSE = """
import resource, sys, time
from itertools import islice
from pathlib import Path
from omicstore.readers import numbers
from omicstore.readers.delimited import sniff
path = Path(sys.argv[1])
chunks = list(islice(numbers.line_chunks(path, numbers.CHUNK), 40))
numbers.line_chunks = lambda path, size: iter(chunks)
stream = numbers.NumberStream(sniff(path), 1, None, ())
wall, cpu = time.perf_counter(), time.process_time()
for block in stream.blocks():
    pass
print(sum(map(len, chunks)), time.perf_counter() - wall, time.process_time() - cpu)
"""
BUILD = """
import os, sys
os.chdir(sys.argv[1])
sys.argv = ["omicstore", "build"]
from omicstore.cli import main
main()
"""
STUDY = """
study:
  dataset: made_up
  simulated: true
  cohorts: [BLCA]
  references:
    genes: {path: genes.tsv, format: xena-probemap}
    probes: [{path: probes.tsv, format: probe-table, platform: hm450}]
  sources:
    - {path: meth.tsv.gz, format: matrix, modality: meth, cohort: BLCA, unit: beta}
"""


def make(folder: Path, n_probes: int, n_samples: int, *, keep_probes: bool) -> None:
    """Write the study; the text of the matrix has ten characters a cell."""
    rng = np.random.default_rng(0)
    probes = [f"cg{i:08d}" for i in range(n_probes)]
    samples = [f"TCGA-{i // 100:02d}-{i:04d}-01A" for i in range(n_samples)]
    tails = [_tail(rng, n_samples, empty=i % 12 == 0) for i in range(min(DISTINCT, n_probes))]
    header = ("probe\t" + "\t".join(samples) + "\n").encode()
    engine, size = isal_zlib.compressobj(3, isal_zlib.DEFLATED, 31), len(header)
    with (folder / "meth.tsv.gz").open("wb") as file:
        file.write(engine.compress(header))
        for start in range(0, n_probes, 100):
            rows = enumerate(probes[start : start + 100], start)
            text = b"".join(name.encode() + tails[i * 7 % len(tails)] for i, name in rows)
            size += len(text)
            file.write(engine.compress(text))
        file.write(engine.flush())
    _references(folder, probes, rng)
    (folder / "params.yaml").write_text(
        STUDY.replace("unit: beta}", f"unit: beta, keep_probes: {str(keep_probes).lower()}}}")
    )
    (folder / "size").write_text(str(size))


def _tail(rng: np.random.Generator, n: int, *, empty: bool) -> bytes:
    digits = (rng.beta(0.5, 0.5, n) * 1e7).astype(np.int64).clip(0, 9_999_999)
    gone = np.ones(n, bool) if empty else rng.random(n) < 0.02
    cells = ("NA" if lost else f"0.{value:07d}" for value, lost in zip(digits.tolist(), gone.tolist(), strict=True))
    return ("\t" + "\t".join(cells) + "\n").encode()


def _references(folder: Path, probes: list[str], rng: np.random.Generator) -> None:
    """Write 20,000 genes, and where the probes lie: a quarter in no gene, every tenth in two."""
    n = 20_000
    start = np.arange(n) * 1000
    ids, symbols = [f"ENSG{i:011d}" for i in range(n)], [f"GENE{i}" for i in range(n)]
    genes = pl.DataFrame({"id": ids, "gene": symbols, "chrom": "chr1", "chromStart": start, "chromEnd": start + 500})
    genes.with_columns(strand=pl.lit("+")).write_csv(folder / "genes.tsv", separator="\t")
    owner = rng.integers(0, n, len(probes)).tolist()
    names = [f"GENE{g},GENE{(g + 1) % n}" if i % 10 == 0 else f"GENE{g}" for i, g in enumerate(owner)]
    held = rng.random(len(probes)) < 0.75
    groups = np.array(["TSS1500", "TSS200", "5'UTR", "1stExon", "Body", "Body", "Body", "3'UTR"])
    table = pl.DataFrame(
        {
            "probe_id": probes,
            "chromosome": "chr1",
            "start": np.arange(len(probes)),
            "symbol": [name if keep else None for name, keep in zip(names, held.tolist(), strict=True)],
            "gene_group": groups[rng.integers(0, len(groups), len(probes))],
        }
    )
    table.write_csv(folder / "probes.tsv", separator="\t")


def run(code: str, argument: Path, *, text: float | None = None) -> dict[str, float]:
    """Run a program in a fresh process; return wall and CPU seconds, peak MB and, of `text` bytes, MB per second."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code, str(argument)], stdout=subprocess.DEVNULL) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(child.returncode)
    wall = time.perf_counter() - started
    found = {"seconds": wall, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss // 1024}
    if text is not None:
        found["mb_per_second"] = text / 1e6 / wall
    return {name: round(value, 2) for name, value in found.items()}


def parse_alone(path: Path, text: float) -> dict[str, float]:
    """Return what parsing all of the text takes, by the first 320 MB of it, which are in memory."""
    done = subprocess.run([sys.executable, "-c", PARSE, str(path)], check=True, stdout=subprocess.PIPE)
    size, wall, cpu = map(float, done.stdout.split())
    return {"seconds": round(wall * text / size, 2), "cpu_seconds": round(cpu * text / size, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=485_577)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="where the file is made; 2 GB")
    parser.add_argument("--keep-probes", action="store_true", help="build meth_probe too, and measure nothing else")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="omicstore-bench-", dir=asked.folder) as name:
        folder, path = Path(name), Path(name) / "meth.tsv.gz"
        # In a process of its own: a child's peak memory begins with what its parent holds when it is started.
        maker = multiprocessing.get_context("spawn").Process(
            target=make, args=(folder, asked.probes, asked.samples), kwargs={"keep_probes": asked.keep_probes}
        )
        maker.start()
        maker.join()
        text = float((folder / "size").read_text())
        if asked.keep_probes:
            print(json.dumps({"build": run(BUILD, folder, text=text)}, indent=1))
            return
        alone = {
            "isal": run(DECOMPRESS.format(module="isal.isal_zlib", name="decompressobj"), path, text=text),
            "zlib": run(DECOMPRESS.format(module="zlib", name="decompressobj"), path, text=text),
            "gzip": run(GZIP, path, text=text),
        }
        parse, read = parse_alone(path, text), run(READ, path, text=text)
        build = run(BUILD, folder, text=text)
        packed = path.stat().st_size
    cores = len(os.sched_getaffinity(0))
    # In CPU seconds, which other work on the machine does not change; decompression is in one thread.
    work = alone["isal"]["cpu_seconds"] + parse["cpu_seconds"]
    floor = max(alone["isal"]["cpu_seconds"], work / cores)
    results = {
        "probes": asked.probes,
        "samples": asked.samples,
        "cores": cores,
        "load": round(os.getloadavg()[0], 1),
        "text_gb": round(text / 1e9, 2),
        "gzip_gb": round(packed / 1e9, 2),
        "matrix_mb": round(4e-6 * asked.probes * asked.samples),
        "decompression_alone": alone,
        "parsing_alone": parse,
        "read": read,
        "build": build,
        "floor_seconds": round(floor, 2),
        "build_to_floor": round(build["seconds"] / floor, 2),
        "build_cpu_to_floor_cpu": round(build["cpu_seconds"] / work, 2),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
