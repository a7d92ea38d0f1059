"""Cox models for probes and for the clinical baseline."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["ClinicalCovariates", "cox_coefficients", "cox_risk", "stage_number"]

_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4}


def stage_number(text: str | None) -> float:
    """Return the stage as 1 to 4, NaN where it is not known.

    Examples
    --------
    >>> [stage_number(t) for t in ("Stage IIIA", "iv", "2", "Stage X", None)]
    [3.0, 4.0, 2.0, nan, nan]
    """
    match = re.fullmatch(r"(?:stage)?\s*(IV|I{1,3}|[1-4])\s*[ABC]?[0-9]?", (text or "").strip(), re.IGNORECASE)
    if match is None:
        return float("nan")
    found = match[1].upper()
    return float(_ROMAN.get(found) or found)


@dataclass(frozen=True, slots=True)
class ClinicalCovariates:
    """Age, sex, stage and cohort as numbers, with the training rows' means and spreads.

    Attributes
    ----------
    names
        Covariates kept: those that vary on the training rows and are known for at least half of them.
    cohorts
        Cohorts after the first, one 0/1 column each.
    fill, mean, sd
        Per name its training median, mean and standard deviation.
    """

    names: tuple[str, ...]
    cohorts: tuple[str, ...]
    fill: dict[str, float]
    mean: dict[str, float]
    sd: dict[str, float]

    @classmethod
    def fit(cls, patients: pl.DataFrame) -> ClinicalCovariates:
        """Look at the training rows: columns age_years, sex, stage and cohort."""
        names: list[str] = []
        fill, mean, sd = {}, {}, {}
        for name, values in _numbers(patients).items():
            known = values[~np.isnan(values)]
            if 2 * len(known) < len(values) or known.std() == 0:
                continue
            names.append(name)
            fill[name], mean[name], sd[name] = float(np.median(known)), float(known.mean()), float(known.std())
        cohorts = sorted(set(patients["cohort"]))
        return cls(tuple(names), tuple(cohorts[1:]), fill, mean, sd)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `matrix`."""
        return (*self.names, *(f"cohort {c}" for c in self.cohorts))

    def matrix(self, patients: pl.DataFrame) -> NDArray[np.float64]:
        """Return (n, len(columns)); an unknown value is the training median."""
        numbers = _numbers(patients)
        columns = [
            (np.where(np.isnan(numbers[n]), self.fill[n], numbers[n]) - self.mean[n]) / self.sd[n] for n in self.names
        ]
        cohort = patients["cohort"].to_numpy()
        columns += [(cohort == c).astype(np.float64) for c in self.cohorts]
        return np.column_stack(columns) if columns else np.empty((len(patients), 0))


def _numbers(patients: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    sex = {"female": 0.0, "male": 1.0}
    return {
        "age": patients["age_years"].fill_null(float("nan")).to_numpy().astype(np.float64),
        "sex": np.array([sex.get(s, float("nan")) for s in patients["sex"]]),
        "stage": np.array([stage_number(s) for s in patients["stage"]]),
    }


def cox_risk(
    inputs: NDArray[np.floating],
    time: NDArray[np.floating],
    event: NDArray[np.floating],
    new: NDArray[np.floating],
    *,
    penalizer: float,
) -> NDArray[np.float64]:
    """Fit a ridge-penalised Cox model as `cox_coefficients` and return the log partial hazard of new rows, (m,).

    Parameters
    ----------
    inputs, time, event, penalizer
        Of the rows to fit on.
    new
        (m, p).
    """
    found = cox_coefficients(inputs, time, event, penalizer=penalizer)
    return np.asarray(np.asarray(new, dtype=np.float64) @ found)


def cox_coefficients(
    inputs: NDArray[np.floating], time: NDArray[np.floating], event: NDArray[np.floating], *, penalizer: float
) -> NDArray[np.float64]:
    """Fit a ridge-penalised Cox model and return the coefficients of the covariates, (p,).

    Minimised is the negative log partial likelihood (Cox 1972, J. R. Stat. Soc. B 34:187; ties after Efron) divided by
    n, plus half the penalty times the squared length of the coefficients of the standardised covariates: Cox ridge
    regression (Verweij and Van Houwelingen 1994, Stat. Med. 13:2427), as lifelines scales it.

    Parameters
    ----------
    inputs
        (n, p) covariates.
    time, event
        (n,) days, all above 0, and 1 = event.
    penalizer
        The penalty, at least 0.
    """
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceWarning

    names = [f"x{i}" for i in range(inputs.shape[1])]
    frame = pd.DataFrame(np.asarray(inputs, dtype=np.float64), columns=names).assign(time=time, event=event)
    with warnings.catch_warnings():
        # A cohort without events separates; the penalty holds its coefficient, and the interval shows what it is worth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = CoxPHFitter(penalizer=penalizer).fit(frame, duration_col="time", event_col="event")
    return np.asarray(model.params_[names].to_numpy())
