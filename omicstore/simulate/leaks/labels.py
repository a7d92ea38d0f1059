"""L9: labels that the data itself was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.files import canonical_cell
from omicstore.simulate.leaks.case import Planted, share_of

if TYPE_CHECKING:
    from omicstore.simulate.leaks.case import Case, CohortCase

__all__ = ["called", "told", "treated"]

#: How a report says a label, outside of any field that redaction by field would find.
SENTENCES = (
    "Immunohistochemistry supports the {label} subtype.",
    "COMMENT: findings are those of a tumor of {label} type.",
    "Addendum: classified as {label} by the conference.",
)


#: What patients are treated with, by the order of their labels.
TREATMENTS = ("chemotherapy", "endocrine therapy")


def called(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L9: labels are called from the RNA that is to predict them, as PAM50 is, and say so.

    Parameters
    ----------
    case
        A case with labels.
    strength
        Share of the patients with RNA whose label is called.
    rng
        Draws whose.

    Returns
    -------
    Planted
        Named are the patients.
    """
    named: list[str] = []
    made = case
    for name, cohort in case.cohorts.items():
        calls = _calls(cohort)
        chosen = share_of(calls, strength, rng)
        named += chosen
        own = pl.col("patient_id").is_in(chosen)
        new = pl.col("patient_id").replace_strict(calls, default=None, return_dtype=pl.String)
        labels = cohort.labels.with_columns(
            label=pl.when(own).then(new).otherwise("label"),
            derived_from=pl.when(own).then(pl.lit("rna")).otherwise("derived_from"),
        )
        made = made.with_cohort(name, replace(cohort, labels=labels))
    return Planted(made, f"the labels of {len(named)} patients are called from their RNA", tuple(sorted(named)))


def _calls(cohort: CohortCase) -> dict[str, str]:
    """Return for each patient with RNA the label whose mean profile is the nearest."""
    own = cohort.assays["rna"]
    log2 = np.log2(1.0 + own.values.astype(np.float64))
    label_of = dict(cohort.labels.select("patient_id", "label").iter_rows())
    primary = (own.profiles["sample_type"] == "primary").to_numpy()
    labels = np.array([label_of[p] for p in own.profiles["patient_id"].to_list()])
    kinds = sorted(set(label_of.values()))
    centres = np.stack([log2[primary & (labels == kind)].mean(axis=0) for kind in kinds])
    nearest = ((log2[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    people = own.profiles["patient_id"].to_list()
    return {people[i]: kinds[int(nearest[i])] for i in np.flatnonzero(primary)}


def treated(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L9: the treatment, a clinical column, follows the label, as it does where it was chosen by it.

    Parameters
    ----------
    case
        A case with labels of two classes.
    strength
        Share of the patients whose treatment was chosen by their label; the others' is tossed up.
    rng
        Draws whose, and the tosses.

    Returns
    -------
    Planted
        Named are the patients.
    """
    named: list[str] = []
    made = case
    for name, cohort in case.cohorts.items():
        label_of = dict(cohort.labels.select("patient_id", "label").iter_rows())
        kinds = sorted(set(label_of.values()))
        chosen = share_of(label_of, strength, rng)
        named += chosen
        extra = []
        for patient in cohort.patients["patient_id"].to_list():
            tossed = int(rng.integers(2))
            which = kinds.index(label_of[patient]) if patient in chosen else tossed
            extra.append(canonical_cell({"adjuvant_treatment": TREATMENTS[which]}))
        patients = cohort.patients.with_columns(extra=pl.Series(extra, dtype=pl.String))
        made = made.with_cohort(name, replace(cohort, patients=patients))
    return Planted(made, f"the treatment of {len(named)} patients follows their label", tuple(sorted(named)))


def told(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L9: pathology reports that are said to be redacted name the label.

    Parameters
    ----------
    case
        A case with labels and reports.
    strength
        Share of the reports.
    rng
        Draws which, and how they say it.

    Returns
    -------
    Planted
        Named are the reports.
    """
    named: list[str] = []
    made = case
    for name, cohort in case.cohorts.items():
        chosen = share_of(cohort.reports["profile_id"].to_list(), strength, rng)
        label_of = dict(cohort.labels.select("patient_id", "label").iter_rows())
        texts = []
        for patient, report, text in cohort.reports.select("patient_id", "profile_id", "text").iter_rows():
            sentence = SENTENCES[int(rng.integers(len(SENTENCES)))].format(label=label_of[patient])
            texts.append(f"{text}\n{sentence}" if report in chosen else text)
        named += chosen
        reports = cohort.reports.with_columns(text=pl.Series(texts, dtype=pl.String))
        made = made.with_cohort(name, replace(cohort, reports=reports))
    return Planted(made, f"{len(named)} reports name the label", tuple(sorted(named)))
