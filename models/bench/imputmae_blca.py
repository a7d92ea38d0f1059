"""ImpuTMAE on bladder cancer: `models.imputmae.table` as ``omicstore bench`` gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from models.bench.registry import Asked, Published, Table
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.reader import Store

__all__ = ["TABLE"]

_SPLIT = "bench-survpath"
_TASK = "overall survival"
_CLINIC = "clinical Cox"


def _make(asked: Asked) -> dict[str, Any]:
    import omicstore
    from models.bench.folds import FOLDS
    from models.bench.study import store_of
    from models.imputmae.config import FineTuneConfig, make_config
    from models.imputmae.table import Protocol, survival_table

    pretrain = make_config("small", {"max_epochs": 2} if asked.quick else {})
    protocol = Protocol(
        ("rna", "meth"),
        pretrain,
        FineTuneConfig(max_epochs=2) if asked.quick else FineTuneConfig(),
        cohorts=("BLCA",),
        bootstrap=100 if asked.quick else 1000,
    )
    root, path = store_of(asked.root)
    seeds = asked.first(1)
    with omicstore.open(path) as store:
        split = _split(asked, root, store)
        about = {"release": store.release, "simulated": store.simulated, "preset": "small"}
        tables = {
            seed: survival_table(
                store, split, replace(protocol, seed=seed), folds=range(1 if asked.quick else FOLDS), say=asked.say
            )
            for seed in seeds
        }
    rows = [row for seed, table in tables.items() for row in _rows(table, seed)]
    apart = [
        {"task": _TASK, "method": d["method"], "against": d["against"], "measure": "c_harrell", "seed": seed}
        | _interval(d["c"])
        for seed, table in tables.items()
        for d in table["differences"]
    ]
    return about | {"rows": rows, "differences": apart, "folds": {str(s): t["folds"] for s, t in tables.items()}}


def _split(asked: Asked, root: Path, store: Store) -> Path:
    from models.bench.folds import import_split

    folder = root / "splits" / _SPLIT
    if asked.data is not None:
        return import_split(root, store, asked.data / "splits" / "survpath" / "blca", _SPLIT, "survpath")
    if not (folder / "manifest.json").is_file():
        raise UsageError(
            f"the study has no split {_SPLIT}: SurvPath's folds of BLCA",
            expected=str(folder),
            run=f"omicstore split import DIR --from survpath --name {_SPLIT}, or omicstore bench --data DIR",
        )
    return folder


def _rows(table: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    return [
        {"task": _TASK, "method": method, "measure": "c_harrell", "seed": seed, "sd": found["c_sd"]}
        | _interval(found["c"])
        | {"each": {f"fold {f['fold']}": f["methods"][method]["c_harrell"] for f in table["folds"]}}
        for method, found in table["methods"].items()
    ]


def _interval(found: dict[str, float]) -> dict[str, float]:
    return {"mean": found["value"], "low": found["low"], "high": found["high"]}


def _peer(method: str, value: str) -> Published:
    return Published(
        _TASK, method, "c_harrell", value, "our own measurement on SurvPath's folds, all patients with RNA"
    )


TABLE = Table(
    title="ImpuTMAE on TCGA-BLCA: survival from RNA, methylation and both, with missing ones imputed",
    model="imputmae",
    study="blca",
    interval="95%, patient bootstrap within folds of the mean over folds",
    published=(
        _peer(_CLINIC, ".660+-.043"),
        _peer("PCA50 + Cox, rna", ".604+-.047"),
        _peer("PCA50 + ridge Cox, rna", ".600"),
        _peer("Coxnet, rna", ".568"),
        _peer("survival forest, rna", ".572"),
        _peer("MOFA2, 15 factors", ".598"),
        Published("BRCA", "ImpuTMAE, rna", "c_antolini", ".610+-.044", "paper"),
        Published("BRCA", "ImpuTMAE, meth", "c_antolini", ".512+-.036", "paper"),
        Published("BRCA", "ImpuTMAE, all", "c_antolini", ".592+-.04", "paper"),
    ),
    comparable=(
        (
            "The paper has no table on BLCA: it reports BRCA, UCEC and glioma, with slides, in Antolini's C "
            "on its own folds; here are RNA and methylation, in Harrell's C on SurvPath's."
        ),
        (
            "The figures of simple methods are of the same folds, but of all patients with RNA; here all "
            "methods answer for those with every modality and follow-up."
        ),
        ("One fold has few events: no method is better than another where the interval of their difference holds 0."),
    ),
    make=_make,
)
