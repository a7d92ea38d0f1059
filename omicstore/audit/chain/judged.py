"""Whom an evaluation judged: everybody of the test part who has what a task needs, by every method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.chain.classes import PREFIX, to_be_classed
from omicstore.audit.chain.metrics import tables
from omicstore.audit.reading import at
from omicstore.audit.refit import can_fit, fitting_rows

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

__all__ = ["left_out"]

_SHOWN = 3


def left_out(bundle: Bundle, body: dict[str, Any], frame: pl.DataFrame, name: str) -> list[str]:
    """Return, as sentences, who of the test part should have been judged in a task by a method, and was not.

    Numbers follow from the predictions whoever is taken out of these, so that a model is better for it.

    Parameters
    ----------
    bundle
        Of a trained model.
    body
        What evaluation.json says.
    frame, name
        The predictions, and the name of their file.
    """
    fold = at(bundle.sidecar, "split", "fold")
    if not can_fit(bundle) or not isinstance(fold, int):
        return []
    test, said = set(fitting_rows(bundle, fold, "test")), []
    for task, table in ((task, table) for task, table in tables(body) if "methods" in table):
        own = frame.filter(pl.col("task") == task)
        timed, classed = task.startswith("survival."), task.startswith(PREFIX)
        key = "patient_id" if timed else "sample_id"
        if classed:
            expected, other = to_be_classed(bundle, test, task, table)
            said += other
        else:
            expected = _followed(bundle, test, task) if timed else _measured(bundle, test, _needed(task, table))
        for method in [row["method"] for row in table["methods"]]:
            lacking = expected - set(own.filter(pl.col("method") == method)[key].to_list())
            if lacking and not timed and not classed:
                lacking = {s for s in lacking if all(_has_number(bundle, s, m) for m in _needed(task, table))}
            if lacking:
                shown = ", ".join(sorted(lacking)[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
                said.append(f"{name} leaves {len(lacking)} of {len(expected)} out of {task} by {method}: {shown}")
    return said


def _needed(task: str, table: dict[str, Any]) -> list[str]:
    """Return the modalities that a sample must have to be judged."""
    return [*table["from"], table["to"]] if "from" in table else [task.removeprefix("reconstruct.")]


def _measured(bundle: Bundle, test: set[str], modalities: list[str]) -> set[str]:
    held = set(test)
    for modality in modalities:
        held &= {
            sample for cohort, other in bundle.matrices if other == modality
            for sample in bundle.matrix_samples(cohort, modality)
        }  # fmt: skip
    return held


def _has_number(bundle: Bundle, sample: str, modality: str) -> bool:
    """Whether the store has a number of a sample among the features that the model reads."""
    kept = {f for own in bundle.states for f in at(own.body, "modalities", modality, "features") or []}
    for cohort in (cohort for cohort, other in bundle.matrices if other == modality):
        matrix = bundle.matrix(cohort, modality) if sample in bundle.matrix_samples(cohort, modality) else None
        if matrix is not None:
            columns = [i for i, feature in enumerate(matrix.features) if feature in kept]
            return bool(np.isfinite(matrix.values[matrix.sample_ids.index(sample)][columns]).any())
    return False


def _followed(bundle: Bundle, test: set[str], task: str) -> set[str]:
    """Return the patients of the test part whose follow-up the store knows: of each, the first row of the endpoint."""
    outcomes = bundle.table("outcomes")
    if outcomes is None:
        return set()
    known = outcomes.filter(pl.col("endpoint") == task.removeprefix("survival."))
    first = known.unique("patient_id", keep="first", maintain_order=True).drop_nulls(["time_days", "event"])
    patients = bundle.rows.filter(pl.col("sample_id").is_in(list(test)))["patient_id"]
    return set(patients.to_list()) & set(first["patient_id"].to_list())
