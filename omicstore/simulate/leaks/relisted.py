"""People of one cohort, listed in another one or under other names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.leaks.case import CohortCase

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["relisted"]


def relisted(cohort: CohortCase, names: Mapping[str, str], other: str) -> CohortCase:
    """Return some patients of a cohort as the cohort `other`; samples and profiles are renamed with their patients.

    Parameters
    ----------
    cohort
        Where they are now.
    names
        Patient to the name there.
    other
        The other cohort.
    """
    chosen = pl.col("patient_id").is_in(sorted(names))
    renamed = pl.col("patient_id").replace_strict(dict(names), return_dtype=pl.String)

    def name_of(column: str) -> pl.Expr:
        return pl.concat_str(renamed, pl.col(column).str.slice(pl.col("patient_id").str.len_chars())).alias(column)

    assays = {}
    for modality, own in cohort.assays.items():
        rows = own.profiles.with_row_index("at").filter(chosen)
        profiles = rows.drop("at").with_columns(name_of("sample_id"), name_of("profile_id"), renamed)
        assays[modality] = replace(own, profiles=profiles, values=own.values[rows["at"].to_numpy()])
    tables = {
        name: getattr(cohort, name).filter(chosen).with_columns(renamed, cohort=pl.lit(other))
        for name in ("patients", "outcomes", "labels")
    }
    reports = cohort.reports.filter(chosen).with_columns(name_of("profile_id"), renamed)
    return CohortCase(assays=assays, reports=reports, encoder=cohort.encoder, **tables)
