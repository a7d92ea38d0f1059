"""How much one grouping of people says about another, beyond chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.leaks.rows import UncheckedError, endpoint, held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle

__all__ = ["Association", "associate", "targets"]

#: Permutations from which the spread of chi-squared is taken.
_DRAWS = 400


@dataclass(frozen=True, slots=True)
class Association:
    """What two groupings of the same people say about each other.

    Attributes
    ----------
    v
        Cramér's V with Bergsma's correction for bias, 0 to 1; not inflated by many small groups.
    p
        Of chi-squared under permutation.
    n
        People.
    """

    v: float
    p: float
    n: int

    def to_json(self) -> dict[str, float]:
        """Return rounded numbers."""
        return {"cramers_v": round(self.v, 3), "p": float(f"{self.p:.2g}"), "n": self.n}


def associate(one: Sequence[str], other: Sequence[str], seed: int = 0) -> Association | None:
    """Measure the association of two groupings.

    The corrected V is of Bergsma 2013 (doi:10.1016/j.jkss.2012.10.002). Groups such as sites are many and small, so
    that chi-squared does not have its usual distribution: p is the tail of a gamma distribution with the mean and the
    variance that chi-squared has when people are permuted, which also gives values far below one over the number of
    permutations.

    Parameters
    ----------
    one, other
        (n,) the groups of each person.
    seed
        Of the permutations.

    Returns
    -------
    Association or None
        None where either has a single group.

    Examples
    --------
    >>> found = associate(["a", "b"] * 30, ["x", "y"] * 30)
    >>> found.v > 0.99, found.p < 1e-9
    (True, True)
    """
    i, j = (np.unique(np.asarray(x, dtype=str), return_inverse=True)[1] for x in (one, other))
    n, r, c = len(i), int(i.max(initial=0)) + 1, int(j.max(initial=0)) + 1
    if n < 3 or r < 2 or c < 2:
        return None
    expected = np.outer(np.bincount(i, minlength=r), np.bincount(j, minlength=c)) / n
    rng = np.random.default_rng(seed)
    drawn = np.array([_chi_squared(i, rng.permutation(j), expected) for _ in range(_DRAWS)])
    found = _chi_squared(i, j, expected)
    return Association(_corrected(found, n, r, c), _tail(found, drawn, (r - 1) * (c - 1) * n / (n - 1)), n)


def targets(bundle: Bundle, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return what a model of these rows could be asked for: cohort, patient_id, target, by name.

    The events of the split's endpoint (OS where it has none), and the labels of every task.
    """
    found: dict[str, pl.DataFrame] = {}
    people = rows.select("cohort", "patient_id").unique()
    try:
        outcomes = held(bundle, "outcomes", "cohort", "patient_id", "endpoint", "event")
        labels = held(bundle, "labels", "cohort", "patient_id", "task", "label")
    except UncheckedError:
        return found
    asked = endpoint(bundle) or "OS"
    events = outcomes.filter(pl.col("endpoint") == asked).select("cohort", "patient_id", target="event")
    tasks = labels.select("cohort", "patient_id", "task", target="label").drop_nulls()
    named = {f"event of {asked}": events} | {
        str(task): own.drop("task") for (task,), own in sorted(tasks.group_by("task"), key=lambda pair: str(pair[0]))
    }
    for name, frame in named.items():
        own = frame.with_columns(pl.col("target").cast(pl.String)).drop_nulls()
        own = own.unique(["cohort", "patient_id"], keep="first", maintain_order=True)
        own = own.join(people, on=["cohort", "patient_id"], how="semi")
        if own["target"].n_unique() > 1:
            found[name] = own
    return found


def _chi_squared(i: NDArray[Any], j: NDArray[Any], expected: NDArray[Any]) -> float:
    table = np.bincount(i * expected.shape[1] + j, minlength=expected.size).reshape(expected.shape)
    return float(((table - expected) ** 2 / expected).sum())


def _corrected(chi_squared: float, n: int, r: int, c: int) -> float:
    phi = max(0.0, chi_squared / n - (r - 1) * (c - 1) / (n - 1))
    least = min(x - (x - 1) ** 2 / (n - 1) for x in (r, c)) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0


def _tail(found: float, drawn: NDArray[Any], mean: float) -> float:
    from scipy.stats import gamma

    spread = float(np.var(drawn))
    if spread <= 0:  # every permutation gives the same table
        return 1.0
    return float(gamma.sf(found, mean**2 / spread, scale=spread / mean))
