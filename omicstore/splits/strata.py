"""What folds are balanced on: follow-up in time bins, or labels, per patient and cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SplitError, UnknownNameError

if TYPE_CHECKING:
    from omicstore.splits.catalogue import Catalogue, Universe
    from omicstore.splits.spec import SplitSpec

__all__ = ["UNKNOWN", "patient_strata"]

UNKNOWN = "unknown"


def patient_strata(catalogue: Catalogue, seen: Universe, spec: SplitSpec) -> pl.DataFrame:
    """Return each patient's stratum.

    With an endpoint it is event and time bin, cut at quantiles of the cohort's own event times, so that no other
    cohort moves them. A time of 0 is kept in its bin but, since fitting leaves it out, does not count as an event.

    Returns
    -------
    polars.DataFrame
        cohort, patient_id, stratum, event (whether the patient counts as an event; null without endpoint or outcome),
        time_days (days of follow-up; null likewise), label (null without task or label); sorted.

    Raises
    ------
    UnknownNameError
        If the endpoint or the label's task does not exist in the store.
    SplitError
        If nobody in the split has it.
    """
    patients = seen.samples.select("cohort", "patient_id").unique().sort("cohort", "patient_id")
    timeless = {"event": pl.lit(None, dtype=pl.Boolean), "time_days": pl.lit(None, dtype=pl.Float64)}
    unlabelled = {"label": pl.lit(None, dtype=pl.String)}
    if spec.endpoint is not None:
        found = _outcome(catalogue, patients, spec.endpoint, spec.time_bins)
        return found.with_columns(**unlabelled)
    if spec.label is not None:
        return _label(catalogue, seen, patients, spec.label).with_columns(**timeless)
    return patients.with_columns(stratum=pl.lit("all"), **timeless, **unlabelled)


def _outcome(catalogue: Catalogue, patients: pl.DataFrame, endpoint: str, bins: int) -> pl.DataFrame:
    known = catalogue.outcomes.filter(pl.col("event").is_not_null() & pl.col("time_days").is_not_null())
    own = known.filter(pl.col("endpoint") == endpoint).unique(
        ["cohort", "patient_id"], keep="first", maintain_order=True
    )
    _require("endpoint", endpoint, known["endpoint"], own, patients)
    joined = patients.join(
        own.select("cohort", "patient_id", "time_days", "event"), on=["cohort", "patient_id"], how="left"
    )
    died = pl.col("time_days").filter(pl.col("event") == 1)
    edges = [died.quantile((i + 1) / bins, "lower").over("cohort") for i in range(bins - 1)]
    late = pl.sum_horizontal([pl.col("time_days") > edge for edge in edges]) if edges else pl.lit(0)
    return joined.select(
        "cohort",
        "patient_id",
        stratum=pl.when(pl.col("event").is_null())
        .then(pl.lit(UNKNOWN))
        .otherwise(
            pl.format(
                "{} in time bin {}",
                pl.when(pl.col("event") == 1).then(pl.lit("event")).otherwise(pl.lit("censored")),
                late.fill_null(0),
            )
        ),
        event=(pl.col("event") == 1) & (pl.col("time_days") > 0),
        time_days=pl.col("time_days").cast(pl.Float64),
    ).sort("cohort", "patient_id")


def _label(catalogue: Catalogue, seen: Universe, patients: pl.DataFrame, task: str) -> pl.DataFrame:
    """Take a patient's own label, else that of the primary sample, else of the first sample that has one."""
    known = catalogue.labels.filter(pl.col("label").is_not_null())
    own = known.filter(pl.col("task") == task)
    types = seen.samples.select("cohort", "sample_id", primary=pl.col("sample_type") == "primary")
    ranked = (
        own.join(types, on=["cohort", "sample_id"], how="left")
        .with_columns(rank=pl.when(pl.col("sample_id").is_null()).then(0).when(pl.col("primary")).then(1).otherwise(2))
        .sort("cohort", "patient_id", "rank", "sample_id", "label", "source")
        .unique(["cohort", "patient_id"], keep="first", maintain_order=True)
    )
    _require("label", task, known["task"], ranked, patients)
    joined = patients.join(ranked.select("cohort", "patient_id", "label"), on=["cohort", "patient_id"], how="left")
    return joined.with_columns(stratum=pl.col("label").fill_null(UNKNOWN)).sort("cohort", "patient_id")


def _require(key: str, name: str, known: pl.Series, own: pl.DataFrame, patients: pl.DataFrame) -> None:
    names = sorted(known.unique().to_list())
    run = f"correct split.{key} in params.yaml, or remove it"
    if not names:
        raise SplitError(
            f"split.{key} is {name!r} and the store has no {key}", expected="no strata", run=f"remove split.{key}"
        )
    if name not in names:
        raise UnknownNameError(f"split.{key}", name, names, run=run)
    if own.join(patients, on=["cohort", "patient_id"], how="semi").is_empty():
        raise SplitError(f"nobody in the split has the {key} {name!r}", expected="patients with it", run=run)


def balance(strata: pl.DataFrame) -> dict[str, Any]:
    """Return counts of patients per cohort and stratum."""
    counted = strata.group_by("cohort", "stratum").len().sort("cohort", "stratum")
    found: dict[str, dict[str, int]] = {}
    for cohort, stratum, n in counted.iter_rows():
        found.setdefault(cohort, {})[stratum] = n
    return found
