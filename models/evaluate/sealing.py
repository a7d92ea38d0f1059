"""What an evaluation leaves on disk, sealed so that whoever doubts a number derives it again from files alone.

``reports/evaluation.json`` is canonical JSON. Besides the tables (reconstruction, imputation, classes, clusters,
survival, translation, drop) and the conclusions it holds

| key | holds |
| --- | --- |
| format, part, n_test | ``omicstore.evaluation/1``, ``test``, the number of test samples |
| trained | of the model's sidecar: model, release, split (name, manifest_hash, fold), selection, sidecar_hash, ... |
| tuned | name to task, head, how and sidecar_hash of each head that was trained on the model and judged |
| environment | machine, accelerator and versions that decide the numbers |
| bootstrap | resamples, unit (``patient``), interval, seed |
| test | part, manifest_hash, fold, n_samples; row_hash of the ids of the samples judged; opening (line, hash) |
| predictions | path (``predictions.parquet``, beside it), n_rows, and hash (`omicstore.store.splitfile.frame_hash`) |
| files | path to sha256 of metrics.json and of each of plots/, beside it |
| evaluation_hash | sha256 of the canonical JSON without this key, as the sidecar has its own |

``opening`` cites the line of ``splits/NAME/test_reads.jsonl`` (`omicstore.store.openings`) by its number, counted from
1, and the sha256 of its bytes: the first line with this release, split, fold, modalities, number of samples and reader,
so that the same evaluation done again has the same bytes although the log has a line more. Its reader is
``omicstore evaluate: MODEL, weights W`` with the first twelve digits of the sha256 of the weights.

Each table says in ``fitted_on`` what its baselines were fitted on: parts, n_samples, row_hash. Means, ridge, logistic
regression, forests of classes and principal components are fitted on train, and val chooses the strength of a penalty
(``penalty_chosen_on``); the Cox models and the survival forest are fitted on train and val (``components_fitted_on`` is
train); nothing on test.

``classes`` and ``clusters`` have a table per task of labels, ``translation`` one per pair of modalities, as
``A_to_B``. ``drop`` holds ``plans``, the ids of the test samples that lose a modality in the order in which they lose
it (`models.evaluate.dropping.DropPlan`), and ``rows``: modality, share and number of rows taken, method, score, number.

``reports/predictions.parquet`` has a row per task, method and test sample (of classes also per class), sorted by
these, for what is a number per sample:

| column | type | holds |
| --- | --- | --- |
| task | String | ``reconstruct.M``, ``impute.A+B_to_C``, ``translate.A_to_B``, ``class.TASK``, ``survival.ENDPOINT`` |
| method | String | as in the tables |
| sample_id, patient_id, cohort | String | whose; the cohort is that of the patients table, empty where it has none |
| n_observed | Int64 | entries that were compared (not of survival, as the next two) |
| squared_error | Float64 | sum over these of (truth - prediction)^2 on the transformed scale, rounded to 9 decimals |
| squared_deviation | Float64 | the same of (truth - mean)^2; the mean is the feature's over all rows of the task |
| risk | Float64 | log partial hazard, rounded to 9 decimals before it is judged (of survival alone, as the next two) |
| time_days, event | Float64, Int64 | follow-up in the precision of float32; 1 = event |
| label, class | String | the sample's own class, and the one whose probability it is (of classes alone, as the next) |
| probability | Float64 | rounded to 9 decimals before it is judged |

What does not apply is null. A patient is judged for survival once, by its first sample; a sample whose class no
training sample has is not judged by it. With it

- mse = sum(squared_error) / sum(n_observed), r2 = 1 - sum(squared_error) / sum(squared_deviation) over a task's rows;
- accuracy, balanced_accuracy, macro_f1, weighted_f1, mcc and auroc by `models.evaluate.resampled.resampled_scores`; the
  class said is the one of the highest probability, of equals the first by name;
- c = Harrell's C of risk (`models.evaluate.concordance`); c_within_cohorts the mean of the cohorts' own, weighted by n;
- intervals: all under the weights of `models.evaluate.bootstrap.patient_weights`, whose patients are in sorted order;
- pearson of an imputation is the mean of plots/imputation.json (``model``, ``ridge``) over the features that vary.

What cannot be derived from it: other correlations; Uno's C and the Brier score, which weigh by the censoring of the
training rows; Antolini's C, which needs a curve per patient; clusters; and the sweep over dropped modalities.

All are rounded to six decimals. ``metrics.json`` holds the same values under flat names, see
`models.evaluate.flat.flat_metrics`.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl

from models.files import write_json
from omicstore.errors import LeakageError, OmicstoreError
from omicstore.files import sha256_of, write_bytes
from omicstore.store.splitfile import body_hash, frame_hash, row_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch

__all__ = ["PREDICTIONS", "class_rows", "error_rows", "fitted_on", "read_evaluation", "risk_rows", "write_evaluation"]

PREDICTIONS = "predictions.parquet"

#: The key of evaluation.json for the hash of the rest of it.
_SEAL = "evaluation_hash"

_COLUMNS = {
    "task": pl.String, "method": pl.String, "sample_id": pl.String, "patient_id": pl.String, "cohort": pl.String,
    "n_observed": pl.Int64, "squared_error": pl.Float64, "squared_deviation": pl.Float64,
    "risk": pl.Float64, "time_days": pl.Float64, "event": pl.Int64,
    "label": pl.String, "class": pl.String, "probability": pl.Float64,
}  # fmt: skip

#: Decimals of the sums of squares.
_DECIMALS = 9


def fitted_on(parts: Sequence[str], sample_ids: Sequence[str]) -> dict[str, Any]:
    """Return which rows something was fitted on, as the tables have it."""
    return {"parts": list(parts), "n_samples": len(sample_ids), "row_hash": row_hash(sample_ids)}


def error_rows(
    task: str,
    sample_ids: Sequence[str],
    patient_ids: Sequence[str],
    errors: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]],
) -> pl.DataFrame:
    """Return the rows of a task that is judged by squared errors.

    Parameters
    ----------
    task
        Its name.
    sample_ids, patient_ids
        n each.
    errors
        Per method (n,) each: entries compared, squared error, squared deviation; see `models.evaluate.metrics`.
    """
    parts = [
        pl.DataFrame(
            {
                "method": [method] * len(sample_ids),
                "sample_id": list(sample_ids),
                "patient_id": list(patient_ids),
                "n_observed": n,
                "squared_error": error.round(_DECIMALS),
                "squared_deviation": deviation.round(_DECIMALS),
            }
        )
        for method, (n, error, deviation) in errors.items()
    ]
    return _shaped(pl.concat(parts).with_columns(task=pl.lit(task)))


def risk_rows(
    task: str,
    patients: pl.DataFrame,
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    risks: Mapping[str, NDArray[np.float64]],
) -> pl.DataFrame:
    """Return the rows of a task that is judged by the order of risks.

    Parameters
    ----------
    task
        Its name.
    patients
        n rows: sample_id, patient_id.
    time, event
        (n,) days and 1 = event.
    risks
        Per method (n,), as they were judged.
    """
    whose = patients.select("sample_id", "patient_id")
    parts = [
        whose.with_columns(
            method=pl.lit(method), risk=pl.Series(risk), time_days=pl.Series(time), event=pl.Series(event)
        )
        for method, risk in risks.items()
    ]
    return _shaped(pl.concat(parts).with_columns(task=pl.lit(task)))


def class_rows(
    task: str,
    rows: MultiOmicsBatch,
    classes: Sequence[str],
    truth: NDArray[np.integer],
    guesses: Mapping[str, NDArray[np.float64]],
) -> pl.DataFrame:
    """Return the rows of a task that is judged by the probabilities of classes.

    Parameters
    ----------
    task
        Its name.
    rows
        The n test rows.
    classes
        C names.
    truth
        (n,) the place of each row's own.
    guesses
        Per method (n, C), as they were judged.
    """
    n = len(classes)
    whose = pl.DataFrame(
        {
            "sample_id": [s for s in rows.sample_id for _ in classes],
            "patient_id": [p for p in rows.patient_id for _ in classes],
            "label": [classes[i] for i in truth.tolist() for _ in classes],
            "class": list(classes) * len(rows),
        }
    )
    parts = [
        whose.with_columns(method=pl.lit(method), probability=pl.Series(guess.reshape(n * len(rows))))
        for method, guess in guesses.items()
    ]
    return _shaped(pl.concat(parts).with_columns(task=pl.lit(task)))


def _shaped(frame: pl.DataFrame) -> pl.DataFrame:
    known = (pl.col(c).cast(t) if c in frame.columns else pl.lit(None, t).alias(c) for c, t in _COLUMNS.items())
    return frame.select(known)


def write_evaluation(
    folder: Path,
    body: dict[str, Any],
    *,
    predictions: Sequence[pl.DataFrame],
    cohorts: Mapping[str, str],
    metrics: Mapping[str, float],
    plots: Mapping[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    """Write all that the module's description names under `folder`, evaluation.json last, and return what that holds.

    Parameters
    ----------
    folder
        ``reports/``.
    body
        The tables and what they rest on.
    predictions
        Of `error_rows`, `risk_rows` and `class_rows`.
    cohorts
        Patient to cohort.
    metrics
        What metrics.json holds.
    plots
        Name to rows of plots/NAME.json.
    """
    rows = pl.concat([pl.DataFrame(schema=_COLUMNS), *predictions]).with_columns(
        cohort=pl.col("patient_id").replace_strict(cohorts, default="", return_dtype=pl.String)
    )
    rows = rows.sort("task", "method", "sample_id", "class")
    stream = io.BytesIO()
    rows.write_parquet(stream, compression="lz4", statistics=False)
    write_bytes(folder / PREDICTIONS, stream.getvalue())
    beside = {"metrics.json": metrics} | {f"plots/{name}.json": table for name, table in plots.items()}
    for stale in set((folder / "plots").glob("*.json")) - {folder / name for name in beside}:
        stale.unlink()
    for name, content in beside.items():
        write_json(folder / name, content)
    sealed = body | {
        "predictions": {"path": PREDICTIONS, "n_rows": rows.height, "hash": frame_hash(rows)},
        "files": {name: sha256_of(folder / name) for name in sorted(beside)},
    }
    sealed[_SEAL] = body_hash(sealed, _SEAL)
    write_json(folder / "evaluation.json", sealed)
    return sealed


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Return the content of evaluation.json, once it and the files beside it are seen to be as they were written.

    Raises
    ------
    OmicstoreError
        If there is none.
    LeakageError
        If it, or a file that it seals, was changed.
    """
    path = folder / "evaluation.json"
    if not path.is_file():
        raise OmicstoreError(f"{path} is not there", expected="what an earlier stage writes", run="omicstore evaluate")
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
        whole = body[_SEAL] == body_hash(body, _SEAL)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise _changed(path, f"the content of its {_SEAL}")
    for name, made in body["files"].items():
        if not (folder / name).is_file() or sha256_of(folder / name) != made:
            raise _changed(folder / name, f"sha256 {made[:12]}")
    try:
        held = frame_hash(pl.read_parquet(folder / body["predictions"]["path"]))
    except (OSError, pl.exceptions.PolarsError):
        held = ""
    if held != body["predictions"]["hash"]:
        raise _changed(folder / PREDICTIONS, f"content of hash {body['predictions']['hash'][:12]}")
    return body


def _changed(path: Path, expected: str) -> LeakageError:
    return LeakageError(
        f"{path} was changed after the evaluation was written, or is not there",
        expected=expected,
        run="dvc checkout, or omicstore evaluate",
    )
