"""The numbers of an evaluation, derived again from its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.chain.classes import PREFIX, class_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Resamples", "concordance", "derived", "flat_names", "tables"]

#: What a table of errors says of each method; the correlations follow from each feature, not from the predictions.
_ERRORS = ("mse", "r2", "pearson")

#: What a table of classes says of each method, and what one of survival may say besides Harrell's C.
_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "auroc")
_MORE = ("c_uno", "c_antolini", "ibs")

#: The ends of names in metrics.json, and what they are of a number with its interval.
_ENDS = (("", "value"), ("_low", "low"), ("_high", "high"))


@dataclass(frozen=True, slots=True)
class Resamples:
    """How intervals were made: `n` resamples of the patients, drawn with `seed`."""

    n: int
    seed: int

    def weights(self, patient_ids: Sequence[str]) -> Floats:
        """Return (1 + n, rows) how often each row counts: once each, then as its patient was drawn.

        Patients are numbered in the order of their names, and drawn as many as there are, with replacement.
        """
        names = sorted(set(patient_ids))
        number = {name: i for i, name in enumerate(names)}
        draws = np.random.default_rng(self.seed).multinomial(len(names), [1 / len(names)] * len(names), size=self.n)
        return np.vstack([np.ones(len(patient_ids)), draws[:, [number[p] for p in patient_ids]]])


def concordance(time: Floats, event: Floats, risk: Floats, weights: Floats) -> Floats:
    """Return Harrell's C under each row of weights (Harrell et al. 1982, JAMA 247:2543).

    Of two people, the one with the event at the shorter time should have the higher risk; equal risks count one half.
    At equal times only a pair of an event and a censored person counts, the censored one as the longer time.

    Parameters
    ----------
    time, event, risk
        (n,) days, 1 = event, predicted risk.
    weights
        (B, n) how often each person counts.

    Returns
    -------
    (B,) NaN where no pair can be compared.

    Examples
    --------
    >>> three = np.array([1.0, 2.0, 3.0])
    >>> concordance(three, np.ones(3), -three, np.ones((1, 3))).tolist()
    [1.0]
    """
    pairs, right = np.zeros(len(weights)), np.zeros(len(weights))
    for i in np.flatnonzero(event == 1):
        later = (time > time[i]) | ((time == time[i]) & (event != 1))
        scored = np.where(risk[later] < risk[i], 1.0, np.where(risk[later] == risk[i], 0.5, 0.0))
        others = weights[:, later]
        pairs += weights[:, i] * others.sum(axis=1)
        right += weights[:, i] * (others @ scored)
    return np.asarray(np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def derived(rows: pl.DataFrame, draw: Resamples) -> dict[str, dict[str, Floats]]:
    """Return method to metric to its (1 + n,) values: itself, then under each resample.

    Parameters
    ----------
    rows
        Of one task of predictions.parquet.
    draw
        How resamples are drawn.
    """
    found: dict[str, dict[str, Floats]] = {}
    for (method,), own in rows.sort("sample_id").group_by(["method"], maintain_order=True):
        if "probability" in own.columns and not own["probability"].null_count():
            patients = own.unique("sample_id", keep="first", maintain_order=True)["patient_id"].to_list()
            found[str(method)] = class_scores(own, draw.weights(patients))
            continue
        weights = draw.weights(own["patient_id"].to_list())
        if own["risk"].null_count() == own.height:
            entries, errors, spread = (
                weights @ own[c].cast(pl.Float64).to_numpy()
                for c in ("n_observed", "squared_error", "squared_deviation")
            )
            found[str(method)] = {"mse": errors / entries, "r2": 1 - errors / spread}
        else:
            found[str(method)] = _orders(own, weights)
    return found


def _orders(own: pl.DataFrame, weights: Floats) -> dict[str, Floats]:
    time, event, risk = (own[c].cast(pl.Float64).to_numpy() for c in ("time_days", "event", "risk"))
    total, people = np.zeros(len(weights)), np.zeros(len(weights))
    for cohort in own["cohort"].unique().sort().to_list():
        mine = (own["cohort"] == cohort).to_numpy()
        c = concordance(time[mine], event[mine], risk[mine], weights[:, mine])
        n = np.where(np.isnan(c), 0.0, weights[:, mine].sum(axis=1))
        total, people = total + np.nan_to_num(c) * n, people + n
    within = np.divide(total, people, out=np.full(len(people), np.nan), where=people > 0)
    return {"c": concordance(time, event, risk, weights), "c_within_cohorts": np.asarray(within)}


def flat_names(body: dict[str, Any]) -> dict[str, float]:
    """Return what metrics.json should say, by what the tables of evaluation.json say."""
    model = body["trained"]["model"]
    flat: dict[str, float] = {"n_test": body["n_test"], "val_loss": body["trained"]["selection"]["value"]}
    for task, table in tables(body):
        for row in table.get("methods", []):
            name = f"{task}.{row['method'].replace(' + ', '+')}"
            if task.startswith("survival."):
                flat |= {f"{name}.c{end}": row["c"][key] for end, key in _ENDS}
                flat[f"{name}.c_within_cohorts"] = row["c_within_cohorts"]["value"]
                flat |= {f"{name}.{score}": row[score]["value"] for score in _MORE if score in row}
                continue
            if task.startswith(PREFIX):
                ends = _ENDS if row["method"] in table["ours"] else _ENDS[:1]
                flat |= {f"{name}.{score}{end}": row[score][key] for score in _CLASSES for end, key in ends}
                continue
            flat |= {f"{name}.{metric}": row[metric]["value"] for metric in _ERRORS}
            if row["method"] == model:
                flat |= {f"{name}.pearson{end}": row["pearson"][key] for end, key in _ENDS[1:]}
    for task, table in _several(body, "clusters"):
        for row in table.get("methods", []):
            flat |= {f"cluster.{task}.{row['method']}.{score}": row[score]["value"] for score in ("nmi", "ari")}
    return flat


def tables(body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of an evaluation whose numbers follow from its predictions, by the names of their tasks."""
    found = [(f"reconstruct.{modality}", table) for modality, table in body["reconstruction"].items()]
    imputed, survival = body["imputation"], body["survival"]
    if "from" in imputed:
        found.append((f"impute.{'+'.join(imputed['from'])}_to_{imputed['to']}", imputed))
    if "endpoint" in survival:
        found.append((f"survival.{survival['endpoint']}", survival))
    found += [(f"translate.{pair}", table) for pair, table in _several(body, "translation")]
    return found + [(f"{PREFIX}{task}", table) for task, table in _several(body, "classes")]


def _several(body: dict[str, Any], section: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of a section that has several; none where it says why, or an older evaluation has it not."""
    held = body.get(section, {})
    return [] if "not_applicable" in held else list(held.items())
