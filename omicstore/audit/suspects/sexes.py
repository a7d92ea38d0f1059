"""The sex of a patient against the genes that only men, or only women, express."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.audit.numbers import profile_column

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle, Matrix

__all__ = ["against_sex"]

#: Expressed from the silent X chromosome, which men do not have.
_FROM_SILENT_X = "XIST"

#: So many men and women must be known, and be told apart so well, for a profile to be judged.
_LEAST = 8
_LEAST_RIGHT = 0.9


def against_sex(bundle: Bundle, cohort: str, modality: str, matrix: Matrix) -> tuple[list[str], int]:
    """Return the profiles whose expression of genes on Y contradicts the patient's sex, and how many were judged.

    Only RNA is judged. Genes on Y stand out in men; tumours of men lose Y, so a man without Y counts as
    contradicted only where XIST is expressed as in women.
    """
    axis, patients = bundle.axis(cohort, modality), bundle.table("patients")
    if modality != "rna" or axis is None or patients is None or not {"symbol", "chromosome"} <= set(axis.columns):
        return [], 0
    sex_of = dict(patients.filter(pl.col("cohort") == cohort).select("patient_id", "sex").iter_rows())
    samples = np.array(matrix.sample_ids, dtype=np.str_)
    sex = np.array([sex_of.get(p) or "" for p in profile_column(bundle, "patient_id", modality, samples).tolist()])
    men, women = sex == "male", sex == "female"
    y = axis.select((pl.col("chromosome") == "chrY").fill_null(value=False)).to_series().to_numpy()
    if min(men.sum(), women.sum()) < _LEAST or not y.any():
        return [], 0
    score = _ranked(matrix.values[:, y])
    middle = (np.median(score[men]) + np.median(score[women])) / 2
    right = ((score[men] > middle).mean() + (score[women] < middle).mean()) / 2
    if right < _LEAST_RIGHT:
        return [], 0
    wrong = women & (score > np.quantile(score[men], 0.25))
    xist = axis.select((pl.col("symbol") == _FROM_SILENT_X).fill_null(value=False)).to_series().to_numpy()
    if xist.any():
        silent = _ranked(matrix.values[:, xist])
        wrong &= silent < np.quantile(silent[women], 0.25)
        wrong |= men & (score < np.quantile(score[women], 0.75)) & (silent > np.quantile(silent[women], 0.25))
    said = [
        f"{samples[i]} of {cohort} is of a {'woman' if women[i] else 'man'} and its {modality} of a "
        f"{'man' if women[i] else 'woman'}, by the genes on Y{' and XIST' if xist.any() else ''}"
        for i in np.flatnonzero(wrong)
    ]
    return said, int((men | women).sum())


def _ranked(values: np.ndarray) -> np.ndarray:
    """Return (n,) mean ranks from 0 to 1 over columns, ties at their mean; a missing value ranks in the middle."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0, nan_policy="omit") / len(values)
    return np.asarray(np.nan_to_num(ranks, nan=0.5).mean(axis=1))
