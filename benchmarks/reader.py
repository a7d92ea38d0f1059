"""How fast and in how much memory a 20,531 x 1,000 tsv.gz is read to a matrix, beside pandas, polars and pyarrow.

Both orientations, made up on the spot. Every reading is a fresh process; the readers take turns, and the best of the
rounds counts. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path

from build import make, run

HEADER = "import gzip, sys\nwith gzip.open(sys.argv[1], 'rt') as file: header = file.readline().rstrip().split('\\t')\n"
READERS = {
    "omicstore": """
import sys
from pathlib import Path
from omicstore.readers import read
from omicstore.sources import Source
(raw,) = read(Source(Path(sys.argv[1]), "matrix", "rna", "BLCA", "log2(tpm+1)"))
assert raw.values.dtype == "float32" and raw.values.shape == (len(raw.ids), len(raw.features))
""",
    "pandas": "import sys, pandas; pandas.read_csv(sys.argv[1], sep='\\t', index_col=0)",
    "polars": HEADER
    + """
import polars as pl
schema = {header[0]: pl.String, **dict.fromkeys(header[1:], pl.Float32)}
pl.read_csv(sys.argv[1], separator='\\t', schema=schema)[:, 1:].to_numpy()
""",
    "pyarrow": HEADER
    + """
import numpy, pyarrow, pyarrow.csv as csv
types = csv.ConvertOptions(column_types=dict.fromkeys(header[1:], pyarrow.float32()))
blocks = csv.ReadOptions(block_size=1 << 26)
table = csv.read_csv(sys.argv[1], blocks, csv.ParseOptions(delimiter='\\t'), types)
numpy.stack([column.to_numpy() for column in table.columns[1:]])
""",
}


def prepare(folder: Path, n_genes: int, n_samples: int) -> None:
    """Write the matrix with genes in rows, and the same with samples in rows."""
    import gzip

    make(folder, n_genes, n_samples)
    with gzip.open(folder / "rna.tsv.gz", "rt") as file:
        columns = zip(*(line.rstrip("\n").split("\t") for line in file), strict=True)
        text = "".join("\t".join(column) + "\n" for column in columns)
    (folder / "turned.tsv.gz").write_bytes(gzip.compress(text.encode(), 6, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genes", type=int, default=20_531)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    results: dict[str, object] = {"genes": asked.genes, "samples": asked.samples, "rounds": asked.rounds}
    with tempfile.TemporaryDirectory(prefix="omicstore-bench-") as name:
        # In a process of its own: a child's peak memory begins with what its parent holds when it is started.
        maker = multiprocessing.get_context("spawn").Process(
            target=prepare, args=(Path(name), asked.genes, asked.samples)
        )
        maker.start()
        maker.join()
        for orientation, file in (("features_in_rows", "rna.tsv.gz"), ("features_in_columns", "turned.tsv.gz")):
            path = Path(name) / file
            rounds = [{reader: run(code, path) for reader, code in READERS.items()} for _ in range(asked.rounds)]
            best = {reader: min((r[reader] for r in rounds), key=lambda one: one["seconds"]) for reader in READERS}
            ratio = best["omicstore"]["seconds"] / best["pandas"]["seconds"]
            results[orientation] = {**best, "time_ratio_to_pandas": round(ratio, 2)}
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
