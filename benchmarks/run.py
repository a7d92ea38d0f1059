"""Run all benchmarks and print one JSON object; what `make bench` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("duckdb", "numpy", "omicstore", "polars", "pyarrow")


def main() -> None:
    results: dict[str, object] = {"cpus": os.cpu_count(), "versions": {name: version(name) for name in PACKAGES}}
    for name in ("query", "reader", "build"):
        print(f"benchmark {name} ...", file=sys.stderr)
        done = subprocess.run([sys.executable, HERE / f"{name}.py"], check=True, stdout=subprocess.PIPE)
        results[name] = json.loads(done.stdout)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
