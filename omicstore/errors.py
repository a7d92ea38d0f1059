"""The exceptions of omicstore.

Each message says what was found, what was expected and what to run. The command line prints the message alone and
exits with ``exit_code``; ``-v`` adds the traceback.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "ExportError",
    "FetchError",
    "LeakageError",
    "LockedError",
    "MissingExtraError",
    "MixedUnitsError",
    "OmicstoreError",
    "ReferenceMissingError",
    "SourceError",
    "SplitError",
    "StoreError",
    "StudyError",
    "UnknownNameError",
    "UsageError",
    "ValidationFailedError",
    "mistyped",
    "nearest",
]


class OmicstoreError(Exception):
    """The root of all errors that a user can cause and mend.

    Parameters
    ----------
    found
        What was found, as a clause without a full stop.
    expected
        What was expected instead.
    run
        The command or the edit that mends it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, found: str, *, expected: str = "", run: str = "") -> None:
        self.found, self.expected, self.run = found, expected, run
        parts = [found.rstrip(".") + "."]
        if expected:
            parts.append(f"Expected {expected.rstrip('.')}.")
        if run:
            parts.append(f"To mend it: {run}")
        super().__init__(" ".join(parts))


class UsageError(OmicstoreError):
    """The command or call itself is wrong."""

    exit_code: ClassVar[int] = 2


class MissingExtraError(UsageError):
    """A package that only some commands need is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package}, which is not installed",
            run=f"pip install 'omicstore[{extra}]'",
        )


class UnknownNameError(UsageError):
    """A cohort, modality, gene, format, ... that does not exist; names the nearest ones that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, run: str = "") -> None:
        self.kind, self.name = kind, name
        self.suggestions = nearest(name, known)
        expected = f"one of {', '.join(self.suggestions)}" if self.suggestions else ""
        super().__init__(f"unknown {kind} {name!r}", expected=expected, run=run)


class StudyError(OmicstoreError):
    """The study section of params.yaml is wrong."""


class SourceError(OmicstoreError):
    """An upstream file is not what the study file says it is.

    Parameters
    ----------
    path
        The file.
    found
        What was found in it.
    line, column
        Where: a 1-based line, and a column name or 1-based number.
    """

    def __init__(
        self,
        path: Path | str,
        found: str,
        *,
        line: int | None = None,
        column: str | int | None = None,
        expected: str = "",
        run: str = "",
    ) -> None:
        self.path, self.line, self.column = str(path), line, column
        where = str(path)
        if line is not None:
            where += f", line {line}"
        if column is not None:
            where += f", column {column!r}" if isinstance(column, str) else f", column {column}"
        super().__init__(f"{where}: {found}", expected=expected, run=run)


class ReferenceMissingError(StudyError):
    """A build step needs a reference table that the study does not name."""

    def __init__(self, what: str, needs: str) -> None:
        super().__init__(
            f"{what} needs the reference {needs!r}, and the study names none",
            expected=f"study.references.{needs} in params.yaml",
            run=f"add study.references.{needs} to params.yaml",
        )


class StoreError(OmicstoreError):
    """A store is missing, broken, or in a format that this version cannot read."""


class LockedError(StoreError):
    """Another process is writing to the store."""


class MixedUnitsError(OmicstoreError):
    """A query would put values of different units side by side."""

    def __init__(self, modality: str, units: dict[str, str]) -> None:
        self.modality, self.units = modality, units
        by_unit: dict[str, list[str]] = {}
        for cohort, unit in sorted(units.items()):
            by_unit.setdefault(unit, []).append(cohort)
        found = "; ".join(f"{unit} in {', '.join(cohorts)}" for unit, cohorts in sorted(by_unit.items()))
        super().__init__(
            f"{modality} has different units: {found}",
            expected="one unit over the chosen cohorts",
            run="choose cohorts of one unit with --cohort, or add --allow-mixed-units",
        )


class LeakageError(OmicstoreError):
    """A read would let held-out rows, or what was fitted on them, reach a model."""


class SplitError(OmicstoreError):
    """A split cannot be made or does not fit the store."""


class ExportError(OmicstoreError):
    """An export would overwrite what must not be lost."""


class FetchError(OmicstoreError):
    """A portal does not answer, or does not give the file it promised."""


class ValidationFailedError(OmicstoreError):
    """The store failed a check that is an error."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the up to `n` known names that look most like `name`, ignoring case; the first ones if none does.

    Examples
    --------
    >>> nearest("BRAC", ["BRCA", "BLCA", "LUSC"], n=1)
    ['BRCA']
    """
    by_fold: dict[str, str] = {}
    for candidate in known:
        by_fold.setdefault(candidate.casefold(), candidate)
    slips = [candidate.casefold() for candidate in mistyped(name, by_fold.values(), n)]
    close = difflib.get_close_matches(name.casefold(), list(by_fold), n=n, cutoff=0.4)
    found = list(dict.fromkeys([*slips, *close]))[:n]
    return [by_fold[key] for key in found] or sorted(by_fold.values())[:n]


def mistyped(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the up to `n` known names of which `name` may be a misspelling, the likeliest first; none if none is near.

    A letter too many, too few, another one, or two letters changed over are one mistake each; so many are allowed as
    the name is long. `difflib`, which counts the letters in common, thinks TP35 as near to TPM3P5 as to TP53, and a
    distance from a library (rapidfuzz) would be a dependency for twenty lines.

    Examples
    --------
    >>> mistyped("TP35", ["TPM3P5", "UTP3", "TP53", "EGFR"]), mistyped("glucose", ["GLCE", "TP53"])
    (['TP53'], [])
    """
    word = name.casefold()
    most = 1 if len(word) <= _SHORT else 2 if len(word) <= 2 * _SHORT else 3
    letters = set(word)
    found = []
    for candidate in known:
        other = candidate.casefold()
        # Each letter that only one of the two has is a mistake; this leaves few to be looked at closely.
        if abs(len(other) - len(word)) > most or len(letters.difference(other)) > most:
            continue
        if (distance := _mistakes(word, other)) <= most:
            shared = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), len(word))
            found.append((distance, sorted(word) != sorted(other), -shared, candidate))
    return [candidate for *_, candidate in sorted(found)[:n]]


#: Names up to this length may have one mistake, those up to twice the length two, others three.
_SHORT = 4


def _mistakes(a: str, b: str) -> int:
    """Return the optimal string alignment distance of two words."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
