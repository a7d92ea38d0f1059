"""Clusters of the test embeddings beside the classes, and beside clusters of principal components."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from models.evaluate.bootstrap import patient_weights
from models.evaluate.classes import too_little
from models.evaluate.clusters import leiden
from models.evaluate.resampled import agreement
from models.evaluate.tables import method_rows

if TYPE_CHECKING:
    from models.evaluate.tables import Tables
    from models.evaluate.trial import Trial

__all__ = ["judge_clusters"]


def judge_clusters(trial: Trial, tables: Tables) -> None:
    """Add a table of NMI and ARI for each task; no label is seen before the clusters are made.

    Leiden clusters all test rows, once by the embedding and once by as many principal components, found on train.
    """
    said = trial.settings.clusters
    if not isinstance(said, str) and not (find_spec("leidenalg") and find_spec("igraph")):
        said = "leidenalg is not installed; pip install 'omicstore[bench]'"
    if not isinstance(said, str) and not trial.labelled:
        classes = trial.settings.classes
        said = classes if isinstance(classes, str) else "the store has no labels"
    if isinstance(said, str):
        tables.add("clusters", {"not_applicable": said})
        return
    found = {
        name: leiden(rows, seed=trial.settings.seed)
        for name, rows in (("embedding", trial.z["test"]), ("pca", trial.components(trial.test)))
    }
    for task, labelled in trial.labelled.items():
        if reason := too_little(labelled):
            tables.add("clusters", {"not_applicable": reason}, name=task)
            continue
        label = labelled.index("test")
        rows = np.flatnonzero(label >= 0)
        patients = [trial.test.patient_id[i] for i in rows.tolist()]
        weights = patient_weights(patients, trial.settings.bootstrap, trial.settings.seed)
        scores = {name: agreement(label[rows], own.membership[rows], weights) for name, own in found.items()}
        table = method_rows(scores, [("embedding", "pca")])
        for row in table["methods"]:
            row["n_clusters"] = int(found[row["method"]].membership.max() + 1)
        made = {"resolution": found["embedding"].resolution, "neighbours": found["embedding"].neighbours}
        tables.add("clusters", table | made | {"n_samples": len(rows), "n_patients": len(set(patients))}, name=task)
