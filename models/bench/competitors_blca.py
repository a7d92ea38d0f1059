"""Survival on bladder cancer by the methods of others: `models.outside.table` as ``omicstore bench`` gives it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from models.bench.registry import Asked, Published, Table

__all__ = ["TABLE"]

_TASK = "overall survival"

#: Processes, each with one thread; much of their time they wait for an environment to start.
_WORKERS = 5


def _make(asked: Asked) -> dict[str, Any]:
    import omicstore
    from models.bench.folds import FOLDS
    from models.bench.study import store_of
    from models.bench.survpath import survpath_split
    from models.outside.customics import CUSTOMICS
    from models.outside.flexynesis import FLEXYNESIS
    from models.outside.risks import Effort
    from models.outside.table import Protocol, competitors_table

    effort = Effort(epochs=(2,), rounds=1, most=2) if asked.quick else Effort()
    protocol = Protocol(("rna", "meth"), ("BLCA",), bootstrap=100 if asked.quick else 1000, effort=effort)
    root, path = store_of(asked.root)
    folds = range(1 if asked.quick else FOLDS)
    with omicstore.open(path) as store:
        split = survpath_split(asked, root, store)
        about = {"release": store.release, "simulated": store.simulated}
        tables = {
            seed: competitors_table(
                store,
                split,
                replace(protocol, effort=replace(effort, seed=seed)),
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
    return about | {
        "config": {key: value for key, value in asdict(effort).items() if key != "seed"},
        "environments": {method.name: method.how for method in (CUSTOMICS, FLEXYNESIS)},
        "rows": rows,
        "differences": apart,
        "left_out": {name: reason for table in tables.values() for name, reason in table["left_out"].items()},
        "folds": {str(seed): table["folds"] for seed, table in tables.items()},
    }


def _peer(method: str, value: str) -> Published:
    return Published(
        _TASK,
        method,
        "c_harrell",
        value,
        "our own measurement on SurvPath's folds, all patients with RNA; several are RNA, 450K probes and RPPA",
    )


TABLE = Table(
    title="Survival on TCGA-BLCA by MOFA2, Flexynesis, CustOmics and simple methods, beside age and stage",
    model="imputmae",
    study="blca",
    interval="95%, patient bootstrap within folds of the mean over folds",
    published=(
        _peer("clinical Cox", ".660+-.043"),
        _peer("ridge, rna", ".600"),
        _peer("coxnet, rna", ".568"),
        _peer("forest, rna", ".572"),
        _peer("ridge, several", ".592"),
        _peer("coxnet, several", ".566"),
        _peer("forest, several", ".556"),
        _peer("MOFA2 + Cox", ".598"),
        _peer("Flexynesis, rna", ".601"),
        _peer("Flexynesis, several", ".599"),
        _peer("clinical + ridge, rna", ".660"),
        _peer("clinical + ridge, several", ".671"),
        _peer("clinical + MOFA2", ".671"),
        _peer("clinical + Flexynesis, several", ".673"),
    ),
    comparable=(
        "The patients, folds and resamples are those of imputmae-blca: the rows of both tables can be compared.",
        (
            "Flexynesis and CustOmics run in environments of their own, unchanged, with the settings that their "
            "documentation begins with; one that is not installed has no row, and left_out says why."
        ),
        (
            "Flexynesis's DirectPred gets the matrices transformed as all methods do; its importer is not used: "
            "it drops features by their variance among the test rows too."
        ),
        (
            "CustOmics trains for 30 epochs, and val has nothing to choose. Its survival head ends in "
            "batch normalisation and an activation, which bounds the risk from below."
        ),
        (
            "Linear models and forests are fitted on train and val together, Flexynesis on both less the fifth that it "
            "sets apart, CustOmics on train; with the clinic, both networks have seen train only, and val weighs them."
        ),
        "Flexynesis searches among 5 settings; the figures of others had 10.",
        (
            "The figures of others are of the same folds, but of all patients with RNA, and with proteins among the "
            "several modalities."
        ),
        "One fold has few events: no method is better than another where the interval of their difference holds 0.",
    ),
    make=_make,
)
