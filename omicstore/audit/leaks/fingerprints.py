"""Two names of one person, told by what the clinic says of both: sex, age, year, stage and the times of follow-up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_BY_CHANCE", "Twins", "alike"]

#: So many pairs that agree as much are expected by chance in the whole study; more, and agreement tells nothing.
MOST_BY_CHANCE = 0.01

_KEY = ["cohort", "patient_id"]
_WORDS = ("sex", "stage")
_NUMBERS = ("age_years", "diagnosis_year")

#: Values around one whose density tells how often another person would have it, on each side: days, and years.
_WINDOW = {"time_days": 60.0, "age_years": 2.0, "diagnosis_year": 0.0}

#: Agreement in fewer things than this is none, however rare the values.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Twins:
    """Two names that may be of one person.

    Attributes
    ----------
    one, other
        The patients, sorted.
    chance
        How many pairs that agree so would be expected among strangers of this study.
    why
        In what they agree.
    """

    one: str
    other: str
    chance: float
    why: str


def alike(patients: pl.DataFrame, outcomes: pl.DataFrame) -> list[Twins]:
    """Return the pairs of patients of two cohorts or data sets who agree in everything, where chance would not do it.

    They must share a time of follow-up of over a day, and nothing that is known of both may differ. The chance of
    agreement in a value is the share of others who have it, or the density around it where few have any one value; the
    chances multiply, and times that are equal in one person (survival and progression) count once.

    Parameters
    ----------
    patients
        cohort, patient_id, dataset, sex, stage, age_years, diagnosis_year; a row per patient.
    outcomes
        cohort, patient_id, endpoint, time_days, event.
    """
    people = _people(patients, outcomes)
    n_pairs = len(people) * (len(people) - 1) / 2
    numbers = {name: _sorted(people, name) for name in _NUMBERS}
    times = np.sort(np.array([t for p in people for t in set(p["times"].values())], dtype=float))
    words = {w: _shares([p[w] for p in people]) for w in _WORDS}
    found = []
    for one, other in _candidates(people):
        agreed = _agreement(one, other)
        if agreed is None or len(agreed) < _LEAST:
            continue
        chance = n_pairs
        for name, value in agreed.items():
            if name in words:
                chance *= words[name][value]
            elif name in numbers:
                chance *= _density(numbers[name], float(value), _WINDOW[name])
        for value in {v for n, v in agreed.items() if n.startswith("time")}:
            chance *= _density(times, float(value), _WINDOW["time_days"])
        if chance < MOST_BY_CHANCE:
            first, second = sorted((one["patient_id"], other["patient_id"]))
            said = ", ".join(
                f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in agreed.items()
            )
            found.append(
                Twins(first, second, chance, f"they agree in {said}, which chance would give {chance:.1g} times")
            )
    return sorted(found, key=lambda t: (t.chance, t.one, t.other))


def _people(patients: pl.DataFrame, outcomes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a dictionary per patient, with ``times`` and ``events`` by endpoint."""
    follow_up: dict[tuple[str, str], dict[str, tuple[float, int | None]]] = {}
    known = outcomes.with_columns(
        pl.col("time_days").cast(pl.Float64, strict=False), pl.col("event").cast(pl.Int64, strict=False)
    )
    for cohort, patient, endpoint, time, event in known.select(*_KEY, "endpoint", "time_days", "event").iter_rows():
        if endpoint is not None and time is not None and np.isfinite(time):
            follow_up.setdefault((cohort, patient), {})[endpoint] = (float(time), event)
    numbers = [pl.col(n).cast(pl.Float64, strict=False) for n in _NUMBERS]
    people = []
    for row in patients.with_columns(numbers).unique(_KEY, keep="first", maintain_order=True).iter_rows(named=True):
        own = follow_up.get((row["cohort"], row["patient_id"]), {})
        people.append(
            row | {"times": {e: t for e, (t, _) in own.items()}, "events": {e: v for e, (_, v) in own.items()}}
        )
    return people


def _candidates(people: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return pairs of other names, and of other cohorts or data sets, that share a time of follow-up and their sex."""
    by: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for person in people:
        for endpoint, time in person["times"].items():
            if time > 1:
                by.setdefault((endpoint, time, person["sex"]), []).append(person)
    seen: dict[frozenset[tuple[str, str]], tuple[dict[str, Any], dict[str, Any]]] = {}
    for members in by.values():
        for one, other in combinations(members, 2):
            elsewhere = one["cohort"] != other["cohort"] or one["dataset"] != other["dataset"]
            if elsewhere and one["patient_id"] != other["patient_id"]:
                seen[frozenset((p["cohort"], p["patient_id"]) for p in (one, other))] = (one, other)
    return list(seen.values())


def _agreement(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Return what two people agree in; None where anything that is known of both differs."""
    agreed: dict[str, Any] = {}
    for name in (*_WORDS, *_NUMBERS):
        values = (one[name], other[name])
        if None in values:
            continue
        if values[0] != values[1]:
            return None
        agreed[name] = values[0]
    for endpoint in sorted(one["times"].keys() & other["times"].keys()):
        if one["times"][endpoint] != other["times"][endpoint] or one["events"][endpoint] != other["events"][endpoint]:
            return None
        agreed[f"time of {endpoint}"] = one["times"][endpoint]
    return agreed


def _sorted(people: list[dict[str, Any]], name: str) -> NDArray[np.float64]:
    return np.sort(np.array([p[name] for p in people if p[name] is not None], dtype=float))


def _shares(values: list[Any]) -> dict[Any, float]:
    known = [v for v in values if v is not None]
    return {v: known.count(v) / len(known) for v in set(known)}


def _density(values: NDArray[np.float64], value: float, window: float) -> float:
    """Return the share of other people with a value: of those who have it, or as many as the density there gives.

    Parameters
    ----------
    values
        Of all people, sorted.
    value
        Which two people have.
    window
        How far around the value the density is taken; the finest step between the values there is their grid.
    """
    n = len(values)
    others = int(np.searchsorted(values, value, "right") - np.searchsorted(values, value, "left")) - 2
    near = values[np.searchsorted(values, value - window, "left") : np.searchsorted(values, value + window, "right")]
    steps = np.diff(np.unique(near))
    step = float(steps.min()) if len(steps) else max(window, 1.0)
    smooth = len(near) / (2 * window / step + 1) / n
    return float(min(1.0, max(others / n, smooth, 0.5 / n**2)))
