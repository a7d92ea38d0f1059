"""From the rows that break checks to results: by check and cohort, with the worst offenders first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from validation.rules import Between
from validation.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from validation.rules import Check

__all__ = ["STORE_WIDE", "CohortResult", "Result", "Status", "describe", "rounded", "summarise"]

Status = Literal["pass", "warning", "error", "not checked"]

#: Stands for a cohort where a row belongs to none, such as a file of the catalogue.
STORE_WIDE = "(store)"

#: So many offenders per check and cohort are named.
NAMED = 20

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class CohortResult:
    """What a check found in one cohort.

    Attributes
    ----------
    examined, failed
        Numbers of rows.
    offenders
        The worst rows that failed: column to value, names first.
    status
        Of this cohort.
    """

    examined: int
    failed: int
    offenders: list[dict[str, Any]]
    status: Status


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found; `cohorts` by name."""

    check: Check
    cohorts: dict[str, CohortResult]
    absent: str

    @property
    def examined(self) -> int:
        """How many rows were judged."""
        return sum(found.examined for found in self.cohorts.values())

    @property
    def failed(self) -> int:
        """How many rows broke it."""
        return sum(found.failed for found in self.cohorts.values())

    @property
    def status(self) -> Status:
        """The worst over the cohorts; ``not checked`` where no row was judged."""
        return _status(self.check, self.examined, self.failed)


def _status(check: Check, examined: int, failed: int) -> Status:
    if failed:
        return check.severity
    return "pass" if examined else "not checked"


def summarise(
    check: Check, table: pl.DataFrame, broken: Sequence[int], cohorts: Sequence[str], absent: Mapping[str, str]
) -> Result:
    """Return the result of a check.

    Parameters
    ----------
    check
        The check.
    table
        The table it judged.
    broken
        Numbers of the rows that broke it.
    cohorts
        The store's cohorts; each has an entry in the result.
    absent
        Check to why it could not be made, where that is not what the check itself says.
    """
    judged = pl.all_horizontal(pl.col(column).is_not_null() for column in check.judged)
    if check.only is not None:
        column, values = check.only
        judged = judged & pl.col(column).is_in(list(values))
    home = pl.col("cohort").fill_null(STORE_WIDE)
    examined = dict(table.filter(judged).group_by(home).len().iter_rows())
    by_cohort = table[list(broken)].with_columns(home).partition_by("cohort", as_dict=True, maintain_order=True)
    found = {}
    for cohort in [*cohorts, *sorted(set(examined) - set(cohorts))]:
        mine = by_cohort.get((cohort,), table.clear())
        n = examined.get(cohort, 0)
        found[cohort] = CohortResult(n, mine.height, _worst(check, mine), _status(check, n, mine.height))
    return Result(check, found, absent.get(check.id, check.absent))


def _worst(check: Check, rows: pl.DataFrame) -> list[dict[str, Any]]:
    rule = check.rule
    if isinstance(rule, Between):
        value = pl.col(rule.column)
        beyond = [value - rule.high] if rule.high is not None else []
        beyond += [rule.low - value] if rule.low is not None else []
        rows = rows.sort(pl.max_horizontal(beyond), descending=True, maintain_order=True)
    columns = list(dict.fromkeys([*(c for c in TABLES[check.table] if c != "cohort"), *check.shown]))
    named = rows.head(NAMED).select(columns).to_dicts()
    return [{name: rounded(value) for name, value in row.items()} for row in named]


def rounded(value: Any) -> Any:
    """Return a number with six significant digits, so that a report does not depend on the last ones; null for NaN.

    Examples
    --------
    >>> rounded(0.12345678), rounded(float("nan")), rounded("text")
    (0.123457, None, 'text')
    """
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def describe(check: Check, offender: Mapping[str, Any]) -> str:
    """Return an offender as a person reads it: its names, then in brackets how it offends.

    Examples
    --------
    >>> from validation.checks import CHECKS
    >>> describe(CHECKS[0], {"modality": "meth", "feature_id": "cg1", "n_outside": 3, "min": 0.1, "max": 1.7})
    'meth cg1 (n_outside 3, min 0.1, max 1.7)'
    """
    names = [c for c in TABLES[check.table] if c != "cohort"]
    name = " ".join(str(offender[c]) for c in names if offender.get(c) is not None)
    rest = [f"{c} {offender[c]}" for c in check.shown if c not in names and offender.get(c) is not None]
    return f"{name} ({', '.join(rest)})" if rest else name
