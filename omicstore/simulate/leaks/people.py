"""L1 and L2: samples of one person dealt out one by one, as code does that splits rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from omicstore.simulate.leaks.case import Planted, share_of
from omicstore.simulate.leaks.parts import dealt_again

if TYPE_CHECKING:
    import numpy as np

    from omicstore.simulate.leaks.case import Case

__all__ = ["one_patient", "sample_types"]


def one_patient(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L1: a tumour with two aliquots is in two parts, since the aliquots were dealt out.

    Parameters
    ----------
    case
        A case whose folds take turns.
    strength
        Share of the tumours with a second aliquot.
    rng
        Draws whose.

    Returns
    -------
    Planted
        Named are the samples.
    """
    several = [
        own.profiles.group_by("sample_id").len().filter(pl.col("len") > 1)["sample_id"]
        for cohort in case.cohorts.values()
        for own in cohort.assays.values()
    ]
    chosen = share_of(pl.concat(several).to_list(), strength, rng)
    again = dealt_again(case, chosen)
    return Planted(
        case.with_parts(lambda parts: pl.concat([parts, again]).unique(maintain_order=True)),
        f"the aliquots of {len(chosen)} samples are dealt out one by one",
        tuple(chosen),
    )


def sample_types(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L2: a normal or metastasis is in another part than the patient's tumour.

    Parameters
    ----------
    case
        A case whose folds take turns.
    strength
        Share of the patients with samples of two types.
    rng
        Draws who.

    Returns
    -------
    Planted
        Named are the samples that moved.
    """
    others = [
        own.profiles.filter(pl.col("sample_type").is_in(["normal", "metastasis"])).select("patient_id", "sample_id")
        for cohort in case.cohorts.values()
        for own in cohort.assays.values()
    ]
    samples = pl.concat(others).unique()
    chosen = share_of(samples["patient_id"].to_list(), strength, rng)
    moved = samples.filter(pl.col("patient_id").is_in(chosen))["sample_id"].unique().sort().to_list()
    again = dealt_again(case, moved)
    return Planted(
        case.with_parts(lambda parts: pl.concat([parts.filter(~pl.col("sample_id").is_in(moved)), again])),
        f"normals and metastases of {len(chosen)} patients are dealt out apart from their tumours",
        tuple(moved),
    )
