"""What a check is: a rule for one column of a table, how bad it is to break it, and what to do then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Between", "Check", "OneOf", "Rule", "Unique"]


@dataclass(frozen=True, slots=True)
class Between:
    """Numbers lie within bounds; null is not judged.

    Attributes
    ----------
    column
        The column that is judged.
    low, high
        The bounds; None where there is none.
    strict
        Whether the bounds themselves are outside.
    """

    column: str
    low: float | None = None
    high: float | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """Values are among the given ones; null is not judged."""

    column: str
    values: tuple[bool | int | str, ...] = (True,)


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows agree in all of these columns."""

    columns: tuple[str, ...]


Rule = Between | OneOf | Unique


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes
    ----------
    id
        Its name in reports.
    severity
        ``error`` fails the stage and so stops training; ``warning`` is for a person to look at.
    table
        The table it judges, see `validation.tables.TABLES`.
    title
        What must hold.
    means
        What it means where it does not hold.
    mend
        What to do then.
    rule
        What is judged.
    only
        A column, and the values of which a row must have one there to be judged at all.
    shown
        Columns that say how an offender offends.
    absent
        Why nothing was judged, where nothing was.
    """

    id: str
    severity: Literal["error", "warning"]
    table: str
    title: str
    means: str
    mend: str
    rule: Rule
    only: tuple[str, tuple[bool | str, ...]] | None = None
    shown: tuple[str, ...] = ()
    absent: str = "no such rows in the store"

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that are needed to judge it."""
        return (*self.judged, self.only[0]) if self.only else self.judged

    @property
    def judged(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return self.rule.columns if isinstance(self.rule, Unique) else (self.rule.column,)
