"""What each part of each fold holds, and which folds cannot be used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import SplitError
from omicstore.store.splitfile import PARTS, row_hash

if TYPE_CHECKING:
    from omicstore.splits.catalogue import Catalogue
    from omicstore.splits.spec import SplitSpec

__all__ = ["joined_rows", "per_fold", "refuse_unusable"]

#: What helps where a part holds too little, other than fewer folds.
_MENDS = {
    "leave_site_out": "raise split.min_test, or change split.strategy",
    "cross_cohort": "leave that cohort out of split.cohorts, or change split.strategy",
    "external": "name other cohorts in split.test_cohorts, or change split.strategy",
    "temporal": "set an earlier split.test_from, or change split.strategy",
    "imported": "import with another --endpoint or --label",
}


def joined_rows(assignments: pl.DataFrame, samples: pl.DataFrame, strata: pl.DataFrame) -> pl.DataFrame:
    """Return the assignments with each sample's modalities and its patient's event, follow-up and label."""
    return assignments.join(
        samples.select("cohort", "sample_id", "modalities"), on=["cohort", "sample_id"], how="left"
    ).join(
        strata.select("cohort", "patient_id", "event", "time_days", "label"), on=["cohort", "patient_id"], how="left"
    )


def refuse_unusable(rows: pl.DataFrame, spec: SplitSpec, k: int) -> None:
    """Refuse a split with a part that is empty, has no event of the endpoint, or one class of the label.

    Raises
    ------
    SplitError
        Which fold and part, and what it holds.
    """
    for fold in range(k):
        for part in PARTS:
            own = rows.filter((pl.col("fold") == fold) & (pl.col("part") == part))
            if lacks := _lacks(own, spec):
                found, expected, key = lacks
                mend = _MENDS.get(spec.strategy, "lower split.k, change split.seed or split.strategy")
                raise SplitError(
                    f"fold {fold} of split {spec.name} has {found} in its {part} part",
                    expected=f"{expected} in every part",
                    run=f"{mend}, or remove split.{key} from params.yaml",
                )


def _lacks(rows: pl.DataFrame, spec: SplitSpec) -> tuple[str, str, str] | None:
    """Return what a part has, what it should have, and the key that asks for it; None where nothing is wrong."""
    people = rows.unique(["cohort", "patient_id"])
    if people.is_empty():
        return "no patient", "patients", "modalities"
    if spec.endpoint and not people["event"].any():
        return f"no {spec.endpoint} event among {people.height} patients", "at least one event", "endpoint"
    if spec.label:
        classes = people["label"].drop_nulls().unique().to_list()
        if len(classes) < 2:
            has = f"only the class {classes[0]!r}" if classes else "no class"
            return f"{has} of {spec.label}", "at least two classes", "label"
    return None


def per_fold(rows: pl.DataFrame, catalogue: Catalogue, k: int) -> list[dict[str, Any]]:
    """Return the manifest's ``per_fold`` section.

    Patients are counted once per part, whatever the number of their samples. The median follow-up is that of the
    reverse Kaplan-Meier curve, in which to be censored is the event (Schemper and Smith 1996); null where that curve
    does not come down to one half. The largest standardised mean difference is over age, sex, event, labels and
    modalities, per patient.
    """
    found = []
    for fold in range(k):
        parts = {part: rows.filter((pl.col("fold") == fold) & (pl.col("part") == part)) for part in PARTS}
        found.append(
            {
                "fold": fold,
                "parts": {part: _part(own) for part, own in parts.items()},
                "largest_smd": _largest_smd(parts, catalogue),
            }
        )
    return found


def _part(rows: pl.DataFrame) -> dict[str, Any]:
    people = rows.unique(["cohort", "patient_id"])
    events = people["event"].drop_nulls()
    return {
        "row_hash": row_hash(rows["sample_id"].to_list()),
        "n_samples": rows.height,
        "n_patients": people["patient_id"].n_unique(),
        "n_groups": rows["group_id"].n_unique(),
        "n_with_outcome": events.len(),
        "n_events": int(events.sum()),
        "median_follow_up_days": _median_follow_up(people),
        "labels": _counts(people["label"]),
        "sites": sorted(rows["site"].drop_nulls().unique().to_list()),
        "cohorts": _counts(rows["cohort"]),
        "modalities": _counts(rows["modalities"].explode()),
    }


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.drop_nulls().value_counts().rows()
    return {str(name): int(n) for name, n in sorted(counted)}


def _median_follow_up(people: pl.DataFrame) -> float | None:
    """Return the first time at which half of the patients, or fewer, are still followed."""
    known = people.drop_nulls(["event", "time_days"])
    times, censored = known["time_days"].to_numpy(), ~known["event"].to_numpy().astype(bool)
    still = 1.0
    for time in np.unique(times[censored]):
        # Who has the event at this very time had it before those were censored, as in Kaplan and Meier 1958.
        at_risk = int((times > time).sum() + (times[censored] == time).sum())
        still *= 1.0 - int((times[censored] == time).sum()) / at_risk
        if still <= 0.5:
            return float(time)
    return None


def _largest_smd(parts: dict[str, pl.DataFrame], catalogue: Catalogue) -> dict[str, Any] | None:
    """Return the covariate that differs most between train and a held-out part, as (mean - mean) / pooled sd."""
    patients = catalogue.patients.select("cohort", "patient_id", "age_years", male=(pl.col("sex") == "male")).unique(
        ["cohort", "patient_id"], keep="first"
    )
    names = sorted({m for rows in parts.values() for m in rows["modalities"].explode().drop_nulls().unique()})
    labels = sorted({label for rows in parts.values() for label in rows["label"].drop_nulls().unique()})
    tables = {
        part: rows.group_by("cohort", "patient_id", maintain_order=True)
        .agg(pl.col("event", "label").first(), pl.col("modalities").explode().unique())
        .join(patients, on=["cohort", "patient_id"], how="left")
        .select(
            age_years="age_years",
            male="male",
            event="event",
            **{f"is {label}": pl.col("label") == label for label in labels},
            **{f"has {m}": pl.col("modalities").list.contains(m) for m in names},
        )
        for part, rows in parts.items()
    }
    found: list[tuple[float, str, str]] = []
    for part in ("val", "test"):
        for covariate in tables["train"].columns:
            smd = _smd(tables["train"][covariate].cast(pl.Float64), tables[part][covariate].cast(pl.Float64))
            if smd is not None:
                found.append((-round(smd, 3), covariate, part))
    if not found:
        return None
    value, covariate, part = min(found)
    return {"smd": -value, "covariate": covariate, "between": ["train", part]}


def _smd(one: pl.Series, other: pl.Series) -> float | None:
    one, other = one.drop_nulls(), other.drop_nulls()
    if one.len() < 2 or other.len() < 2:
        return None
    pooled = math.sqrt((_number(one.var()) + _number(other.var())) / 2.0)
    return abs(_number(one.mean()) - _number(other.mean())) / pooled if pooled > 0 else None


def _number(value: Any) -> float:
    return float(value)
