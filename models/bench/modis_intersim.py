"""MODIS on simulated clusters: `models.modis.table` as ``omicstore bench`` gives it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from models.bench.registry import Asked, Published, Table
from models.modis.settings import SETTINGS

__all__ = ["TABLE"]

_SEEDS = 5

#: Keeps the trainings of a table that is not finished, beside the studies of the others.
_FINISHED = Path("studies") / "modis-intersim.jsonl"


def _make(asked: Asked) -> dict[str, Any]:
    from models.modis.table import Finished, jobs_of, make_table

    preset = asked.preset or "table"
    moments = None if asked.data is None else asked.data / "intersim"
    jobs = (
        jobs_of(seeds=asked.first(_SEEDS), samples=600, moments=moments, preset=preset, config={"max_epochs": 2})
        if asked.quick
        else jobs_of(seeds=asked.first(_SEEDS), moments=moments, preset=preset)
    )
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        asked.say(f"{done} of {len(jobs)} trainings")

    with tempfile.TemporaryDirectory() as folder:
        found = make_table(jobs, Path(folder) / "table.json", Finished(_FINISHED), advance=advance)
    rows, apart = [], []
    for row in found["rows"]:
        own = {k: v for k, v in row.items() if k not in ("setting", "seeds", "published")}
        own |= {
            "task": f"{row['setting']}, delta {row['delta']:g}",
            "each": {f"seed {seed}": value for seed, value in row["seeds"].items()},
        }
        if row["method"].startswith("modis - "):
            apart.append(own | {"method": "modis", "against": row["method"].removeprefix("modis - ")})
        else:
            rows.append(own)
    about = {k: found[k] for k in ("samples", "moments", "preset", "config")}
    return about | {"release": None, "simulated": True, "rows": rows, "differences": apart}


def _floor(modality: str, mse: str) -> Published:
    source = "our own measurement, TCGA-OV's moments"
    return Published("labels 100%, delta 2", "class mean", f"mse to {modality}", mse, source)


TABLE = Table(
    title="MODIS on InterSIM-like clusters: classes and translation as labels, classes and modalities grow scarce",
    model="modis",
    study=None,
    interval="95%, Student's t over seeds",
    published=(
        *(Published(f"{s.name}, delta 2", "modis", "text", s.published, "paper, text and figures") for s in SETTINGS),
        Published(
            "labels 100%, delta 2", "class mean", "mse to rna", ".0128", "our own measurement, TCGA-OV's moments"
        ),
        Published(
            "labels 100%, delta 2", "class mean", "mse to prot", ".0096", "our own measurement, TCGA-OV's moments"
        ),
        Published(
            "labels 100%, delta 2", "class mean", "mse to meth", ".0150", "our own measurement, TCGA-OV's moments"
        ),
    ),
    comparable=(
        "The paper has no table of results: its figures are read from text, without seeds or intervals.",
        (
            "The simulator is ours and draws by the same rule, each modality given the class alone; so "
            "nothing can translate better than the class mean, which is in the table."
        ),
        "The paper scaled train and test apart; here the scale is the training rows'.",
        (
            "Without real data the moments are simulated ones, and errors on their scale are comparable "
            "within the table only."
        ),
    ),
    make=_make,
    kept=_FINISHED,
)
