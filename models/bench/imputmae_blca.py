"""ImpuTMAE on bladder cancer: `models.imputmae.table` as ``omicstore bench`` gives it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from models.bench.registry import Asked, Published, Table

__all__ = ["TABLE"]

_TASK = "overall survival"
_CLINIC = "clinical Cox"

#: Each pre-trained model is tuned so many times, and the mean answers; and processes, with one thread each.
_TUNINGS, _WORKERS = 3, 2


def _make(asked: Asked) -> dict[str, Any]:
    import omicstore
    from models.bench.folds import FOLDS
    from models.bench.study import store_of
    from models.bench.survpath import survpath_split
    from models.imputmae.config import FINE_TUNE, make_config
    from models.imputmae.table import Protocol, survival_table

    preset = asked.preset or "small"
    pretrain, finetune = make_config(preset, {"max_epochs": 2} if asked.quick else {}), FINE_TUNE[preset]
    protocol = Protocol(
        ("rna", "meth"),
        pretrain,
        replace(finetune, max_epochs=2) if asked.quick else finetune,
        cohorts=("BLCA",),
        tunings=1 if asked.quick else _TUNINGS,
        bootstrap=100 if asked.quick else 1000,
    )
    root, path = store_of(asked.root)
    folds = range(1 if asked.quick else FOLDS)
    with omicstore.open(path) as store:
        split = survpath_split(asked, root, store)
        about = {"release": store.release, "simulated": store.simulated, "preset": preset}
        tables = {
            seed: survival_table(
                store,
                split,
                replace(protocol, seed=seed),
                folds=folds,
                workers=min(_WORKERS, len(folds)),
                say=asked.say,
            )
            for seed in asked.first(1)
        }
    rows, apart = (
        [{"seed": seed} | row for seed, table in tables.items() for row in table[key]]
        for key in ("rows", "differences")
    )
    config = {"pretrain": asdict(pretrain), "finetune": asdict(protocol.finetune), "tunings": protocol.tunings}
    return about | {
        "config": config,
        "rows": rows,
        "differences": apart,
        "folds": {str(seed): table["folds"] for seed, table in tables.items()},
    }


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
        _peer("ridge, rna", ".600"),
        _peer("Coxnet, rna", ".568"),
        _peer("survival forest, rna", ".572"),
        _peer("MOFA2 + Cox", ".598"),
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
        (
            "Antolini's C and the Brier score are given where a method has curves; of a Cox model, whose curves do not "
            "cross, Antolini's C is Harrell's."
        ),
        (
            "The best single modality beside the clinic is chosen on val in each fold; in the differences each "
            "modality stands for itself."
        ),
        ("One fold has few events: no method is better than another where the interval of their difference holds 0."),
    ),
    make=_make,
)
