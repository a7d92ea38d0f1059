"""The numbers: that they follow from the predictions, and these are of the model's test rows."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.chain.classes import mislabelled
from omicstore.audit.chain.content import read_table
from omicstore.audit.chain.judged import left_out
from omicstore.audit.chain.metrics import Resamples, derived, flat_names, tables
from omicstore.audit.encoding import body_hash, file_hash, frame_hash, row_hash
from omicstore.audit.finding import Finding, failed, not_applicable, result
from omicstore.audit.reading import BROKEN, at, because, json_object
from omicstore.audit.refit import can_fit, fitting_rows

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.bundle import Bundle

_WHAT = "the metrics follow from the predictions, which are of the model's test rows"
_HOW = (
    "the hashes of evaluation.json were made again; errors, Harrell's concordance, the scores of classes and their "
    "intervals were derived again from predictions.parquet, and metrics.json compared; correlations were derived of "
    "the imputation alone; other concordances, Brier scores, clusters and the sweep over dropped modalities were not "
    "derived, and the predictions were not made again"
)

#: The numbers are rounded to six decimals, the sums of squares behind them to nine.
_TOLERANCE = 2e-6


def evaluation(bundle: Bundle) -> Finding:
    """Check the seals of an evaluation, and derive its numbers again."""
    if bundle.checkpoint is None or bundle.study is None:
        return not_applicable("evaluation", _WHAT, "only a trained model in a study has an evaluation")
    folder, body = bundle.study / "reports", bundle.evaluation
    path = folder / "evaluation.json"
    if body is None:
        if path.is_file() and not isinstance(at(json_object(path), "trained", "model"), str):
            return failed("evaluation", _WHAT, [f"{path} cannot be read, or names no model"], _HOW)
        return not_applicable("evaluation", _WHAT, "there is no evaluation of this model in reports/")
    if "evaluation_hash" not in body:
        unsealed = "evaluation.json has no evaluation_hash: its numbers cannot be derived again; run omicstore evaluate"
        return failed("evaluation", _WHAT, [unsealed], _HOW, "warning")
    said = []
    if body_hash(body, "evaluation_hash") != body["evaluation_hash"]:
        said.append("evaluation.json does not have its evaluation_hash: it was changed after it was written")
    said += [
        f"{name} is absent, or does not have the sha256 that evaluation.json states"
        for name, stated in sorted((at(body, "files") or {}).items())
        if not (folder / name).is_file() or file_hash(folder / name) != stated
    ]
    said += _model(bundle, body)
    said += _rows(bundle, body)
    n = 0
    try:
        more, n = _numbers(bundle, folder, body)
        said += more
    except BROKEN as error:
        said.append(f"the evaluation lacks what every one has ({type(error).__name__}: {because(error)})")
    return result("evaluation", _WHAT, said, _HOW, evaluation_hash=body["evaluation_hash"], derived=n)


def _model(bundle: Bundle, body: dict[str, Any]) -> list[str]:
    """Return where the evaluation speaks of another training than the sidecar."""
    sidecar = bundle.sidecar or {}
    return [
        f"evaluation.json is of a model whose {key} is another than the sidecar's"
        for key, value in sorted((at(body, "trained") or {}).items())
        if sidecar.get(key) != value
    ]


def _rows(bundle: Bundle, body: dict[str, Any]) -> list[str]:
    """Return where the rows that were judged are not the test rows of the fold, or their reading is not logged."""
    test, said = at(body, "test") or {}, []
    fold = at(bundle.sidecar, "split", "fold")
    for key, expected in (
        ("part", "test"),
        ("manifest_hash", at(bundle.manifest, "manifest_hash")),
        ("fold", fold),
    ):
        if test.get(key) != expected:
            said.append(f"evaluation.json was made on {key} {str(test.get(key))[:12]}, expected {str(expected)[:12]}")
    if can_fit(bundle) and isinstance(fold, int):
        rows = fitting_rows(bundle, fold, "test")
        if row_hash(rows) != test.get("row_hash"):
            said.append(f"evaluation.json was made on other rows than the {len(rows)} test rows of fold {fold}")
        counted = {"test.n_samples": test.get("n_samples"), "n_test": body.get("n_test")}
        said += [
            f"evaluation.json says {key} {n}, expected {len(rows)}" for key, n in counted.items() if n != len(rows)
        ]
    opening, log = test.get("opening"), bundle.split and bundle.split / "test_reads.jsonl"
    if not isinstance(opening, dict):
        said.append("evaluation.json cites no opening of the test part in the log")
    elif log is not None:
        lines = log.read_bytes().split(b"\n") if log.is_file() else []
        number = opening.get("line")
        line = lines[number - 1] if isinstance(number, int) and 0 < number <= len(lines) else b""
        if hashlib.sha256(line).hexdigest() != opening.get("hash"):
            said.append(f"line {number} of {log.name} is not the opening that evaluation.json cites")
    return said


def _numbers(bundle: Bundle, folder: Path, body: dict[str, Any]) -> tuple[list[str], int]:
    """Return which numbers do not follow from the predictions, and how many were derived again."""
    said: list[str] = []
    metrics = json_object(folder / "metrics.json")
    expected = flat_names(body)
    if metrics is None:
        said.append("metrics.json cannot be read")
    else:
        said += [
            f"metrics.json says {name} {metrics.get(name)}, and evaluation.json {expected.get(name)}"
            for name in sorted({*metrics, *expected})
            if metrics.get(name) != expected.get(name)
        ]
    name = str(at(body, "predictions", "path"))
    try:
        frame = read_table(folder / name)
    except BROKEN as error:
        return [*said, f"{name} cannot be read ({because(error)})"], 0
    if frame_hash(frame) != at(body, "predictions", "hash"):
        said.append(f"{name} does not have the hash that evaluation.json states")
    said += left_out(bundle, body, frame, name) + _followed(bundle, frame, name) + _correlations(folder, body)
    said += mislabelled(bundle, frame, name)
    draw = Resamples(int(at(body, "bootstrap", "resamples")), int(at(body, "bootstrap", "seed")))
    n = 0
    for task, table in tables(body):
        own = frame.filter(pl.col("task") == task)
        if "methods" not in table:
            continue
        if own.is_empty():
            said.append(f"{name} holds no prediction of {task}")
            continue
        found = derived(own, draw)
        for row in table["methods"]:
            for metric, values in found.get(row["method"], {}).items():
                n += 1
                said += _compared(f"{task}.{row['method']}.{metric}", row[metric], values)
        for row, gaps in _differences(table, found):
            for metric, gap in gaps.items():
                n += 1
                said += _compared(f"{task}, difference from {row['against']}, {metric}", row[metric], gap)
    return said, n


def _correlations(folder: Path, body: dict[str, Any]) -> list[str]:
    """Return where the mean correlation of an imputation is not that of the features in plots/imputation.json.

    A feature that does not vary has 0 there and is left out of the mean; a prediction that does not vary has 0 and is
    not. So of the zeros any number may be left out.
    """
    imputed, path = body["imputation"], folder / "plots" / "imputation.json"
    if "methods" not in imputed:
        return []
    rows = json.loads(path.read_bytes())
    said = []
    columns = {imputed["methods"][0]["method"]: "model", "ridge": "ridge"}
    for row in (row for row in imputed["methods"] if row["method"] in columns):
        each = np.array([feature[columns[row["method"]]] for feature in rows])
        means = each.sum() / np.arange(max(1, int(np.count_nonzero(each))), len(each) + 1)
        stated = row["pearson"]["value"]
        if not np.isclose(means, stated, rtol=0, atol=_TOLERANCE).any():
            said.append(f"pearson of {row['method']} is {stated}, and the features of {path.name} give {means[-1]:.6f}")
    return said


def _differences(table: dict[str, Any], found: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return each paired difference of a table with what the predictions give; of errors, the first method's."""
    first = table["methods"][0]["method"]
    pairs = []
    for row in table.get("differences", []):
        one, other = found[row.get("method", first)], found[row["against"]]
        pairs.append((row, {metric: one[metric] - other[metric] for metric in one}))
    return pairs


def _compared(name: str, stated: dict[str, float], values: Any) -> list[str]:
    """Return where a number or an end of its interval is not what the predictions give."""
    known = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return [
        f"{name}: {key} is {stated[key]}, and the predictions give {expected:.6f}"
        for key, expected in (("value", values[0]), ("low", low), ("high", high))
        if not np.isclose(stated[key], expected, rtol=0, atol=_TOLERANCE)
    ]


def _followed(bundle: Bundle, frame: pl.DataFrame, name: str) -> list[str]:
    """Return predictions of who is not in the test part, and follow-up that is another than the store's."""
    said = []
    test = set(bundle.rows.filter(pl.col("part") == "test")["sample_id"].to_list())
    said += [
        f"{name} judges {sample}, which is not in the test part" for sample in sorted(set(frame["sample_id"]) - test)
    ]
    outcomes = bundle.table("outcomes")
    timed = frame.filter(pl.col("task").str.starts_with("survival."))
    if outcomes is None or timed.is_empty():
        return said
    known = outcomes.unique(["endpoint", "patient_id"], keep="first", maintain_order=True)
    both = timed.with_columns(endpoint=pl.col("task").str.strip_prefix("survival.")).join(
        known.select("endpoint", "patient_id", true_time=pl.col("time_days").cast(pl.Float32), true_event="event"),
        on=["endpoint", "patient_id"],
        how="left",
    )
    for column, true in (("time_days", "true_time"), ("event", "true_event")):
        wrong = both.filter(pl.col(column).cast(pl.Float32).ne_missing(pl.col(true).cast(pl.Float32)))
        said += [
            f"{name}: {column} of {patient} is {found}, and {stored} in the store"
            for patient, found, stored in wrong.select("patient_id", column, true)
            .unique()
            .sort("patient_id")
            .iter_rows()
        ]
    return said
