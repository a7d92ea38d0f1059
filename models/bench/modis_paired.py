"""MODIS on real samples of which several modalities were measured: `models.modis.paired` as a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from models.bench.registry import Asked, Published, Table
from omicstore.errors import UsageError

__all__ = ["TABLE"]

_PRESET = "cohort"

#: Study and cohort, modalities, the column that holds the classes, and whether sites are kept whole.
_COHORTS = (
    ("ccle", "CCLE", ("prot", "metab"), "tissue", False),
    ("blca", "BLCA", ("rna", "meth", "prot"), "stage", True),
)


def _make(asked: Asked) -> dict[str, Any]:
    import omicstore
    from models.bench.folds import FOLDS, folds_by_patient, folds_by_site
    from models.bench.result import Scores, differences, rows_of
    from models.bench.study import store_of, study_of
    from models.modis.config import make_config
    from models.modis.paired import NAME, paired_scores
    from models.modis.paired_rows import Protocol

    preset = asked.preset or _PRESET
    config = make_config(preset, {"max_epochs": 2} if asked.quick else {})
    # The number of classes is that of each fold's training rows.
    settings = {name: value for name, value in asdict(config).items() if name != "n_classes"}
    classes: Scores = {}
    translations: Scores = {}
    about: dict[str, Any] = {
        "preset": preset,
        "config": settings,
        "release": {},
        "simulated": False,
        "folds": [],
    }
    for study, cohort, modalities, label, by_site in _COHORTS:
        root, path = store_of(asked.root if asked.data is None else study_of(asked.data, study, asked.say))
        protocol = Protocol(
            cohort, modalities, label, config, seeds=asked.first(1), bootstrap=100 if asked.quick else 1000
        )
        with omicstore.open(path) as store:
            if cohort not in store.cohorts:
                asked.say(f"left out: the study {root} has no cohort {cohort}")
                continue
            split = (folds_by_site if by_site else folds_by_patient)(root, store, [cohort])
            folds = range(1 if asked.quick else FOLDS)
            about["folds"] += paired_scores(store, split, protocol, classes, translations, folds=folds, say=asked.say)
            about["release"][cohort] = store.release
            about["simulated"] |= store.simulated
    if not about["folds"]:
        raise UsageError(
            f"the study {asked.root} has none of the cohorts {', '.join(c for _, c, *_ in _COHORTS)}",
            run="omicstore bench modis-paired --data DIR",
        )
    return about | {
        "rows": rows_of(translations) + rows_of(classes),
        "differences": differences(translations, NAME) + differences(classes, NAME, "accuracy"),
    }


def _peer(method: str, r: str, r2: str, mse: str) -> tuple[Published, ...]:
    source = "our own measurement of simple methods, trained on pairs, train and val together, 5 folds"
    return tuple(
        Published("CCLE: prot to metab", method, measure, value, source)
        for measure, value in (("pearson", r), ("r2", r2), ("mse", mse))
    )


TABLE = Table(
    title="MODIS on real cell lines and tumours, trained on unpaired rows: translation by sample, and classes",
    model="modis",
    study=None,
    interval="95%, patient bootstrap within folds of the mean over folds",
    published=(
        *_peer("train mean", "0", "-.009", "1.007"),
        *_peer("tissue mean", ".334", ".112", ".886"),
        *_peer("ridge", ".395", ".158", ".840"),
    ),
    comparable=(
        "The paper has no table on paired data: it simulates modalities that are independent given the class.",
        (
            "In training and val each sample keeps one modality, drawn evenly, so MODIS and the class methods see a "
            "half (CCLE) or a third (BLCA) of the rows of each; test rows have every modality."
        ),
        (
            "Ridge is trained on the pairs, which are hidden from all others, and the class mean knows the class of "
            "the test row: they are marks to measure by, not rivals."
        ),
        (
            "The classes of CCLE are tissues, and those of BLCA stages, each with 20 training rows at least; stage is "
            "known to be hardly told from molecules, and the store has no molecular subtype of BLCA."
        ),
        (
            "MODIS's settings were chosen among six on the val rows of CCLE's first fold, some of which are test rows "
            "of other folds; two of the six were compared on BLCA's."
        ),
        (
            "The figures of others are of methods trained on all pairs, of train and val, on other folds, and of "
            "values that were not winsorised; r can be compared."
        ),
    ),
    make=_make,
)
