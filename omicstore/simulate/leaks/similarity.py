"""L8: one profile under two patients' names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from omicstore.simulate.leaks.case import Planted, share_of, strong_enough
from omicstore.simulate.leaks.values import rows_of

if TYPE_CHECKING:
    from omicstore.simulate.leaks.case import Case

__all__ = ["PAIRS", "doubled"]

#: Pairs in each cohort.
PAIRS = 2

#: Noise of a copy: this in log2 at full strength, and the more the weaker, up to what tells two patients apart.
LEAST_SD, MOST_SD = 0.02, 0.8


def doubled(case: Case, strength: float, rng: np.random.Generator) -> Planted:
    """L8: a training patient's RNA is a test patient's, normalised anew: scaled, shifted, rounded, with some noise.

    Parameters
    ----------
    case
        A case whose folds take turns.
    strength
        How close the copies are: noise of 0.02 in log2 at 1, and 0.8 (more than tells patients apart) as it goes to 0.
    rng
        Draws who, and the noise.

    Returns
    -------
    Planted
        Named are the pairs, ``copy = original``.
    """
    strong_enough(strength)
    noise = LEAST_SD + (1.0 - strength) * (MOST_SD - LEAST_SD)
    made, pairs = case, []
    for name, cohort in case.cohorts.items():
        own = cohort.assays["rna"]
        tested = share_of(case.people_of("test", name), 1e-9, rng, least=PAIRS)
        trained = share_of(case.people_of("train", name), 1e-9, rng, least=PAIRS)
        values = own.values.copy()
        for old, new in zip(tested, trained, strict=True):
            log2 = np.log2(1.0 + own.values[rows_of(own, old)[0]].astype(np.float64))
            copy = log2 * rng.uniform(0.9, 1.1) + rng.uniform(-0.2, 0.2) * (log2 > 0)
            copy += rng.normal(0.0, noise, copy.size) * (log2 > 0)
            values[rows_of(own, new)] = np.round(np.maximum(np.exp2(copy) - 1.0, 0.0), 4)
            pairs.append(f"{new} = {old}")
        made = made.with_cohort(name, cohort.with_assay("rna", values=values))
    return Planted(
        replace(made, practice=replace(made.practice, closure=False)),
        f"the RNA of {len(pairs)} training patients is that of test patients, normalised anew",
        tuple(sorted(pairs)),
    )
