"""What the checks of the leaks share: the rows that they judge, who crosses a fold, and when a check cannot be made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import polars as pl

from omicstore.audit.finding import Finding, not_applicable
from omicstore.audit.reading import at
from omicstore.identifiers import Barcode, find_barcode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from omicstore.audit.bundle import Bundle

__all__ = [
    "Crossing",
    "Places",
    "UncheckedError",
    "assigned",
    "barcodes",
    "cohorts_of",
    "crossing",
    "endpoint",
    "held",
    "in_order",
    "label",
    "leak",
    "listed",
    "modalities_of",
    "of_profiles",
]

#: In the order in which parts are named.
PARTS = ("train", "val", "test")

_NEEDED = ("sample_id", "patient_id", "cohort", "part", "site", "fold")


class UncheckedError(Exception):
    """That a check cannot be made, and why."""


def leak(name: str, what: str) -> Callable[[Callable[[Bundle], Finding]], Callable[[Bundle], Finding]]:
    """Make a check's finding not applicable where it raises `UncheckedError`."""

    def outer(function: Callable[[Bundle], Finding]) -> Callable[[Bundle], Finding]:
        @wraps(function)
        def inner(bundle: Bundle) -> Finding:
            try:
                return function(bundle)
            except UncheckedError as reason:
                return not_applicable(name, what, str(reason))

        return inner

    return outer


def assigned(bundle: Bundle) -> pl.DataFrame:
    """Return the rows of the folds to judge: sample_id, patient_id, cohort, site, fold, part.

    Raises
    ------
    UncheckedError
        If there is no split, or its rows cannot be read.
    """
    if bundle.split is None:
        raise UncheckedError("the split that the model names is not there")
    path = bundle.split / "assignments.parquet"
    if not path.is_file():
        raise UncheckedError(f"{path} does not exist")
    if bundle.assignments.is_empty():  # as a table is that lacks a column, or has another type in one
        raise UncheckedError(f"{path} cannot be read as the rows of a split")
    rows = bundle.rows.select(_NEEDED)
    if rows.is_empty():
        raise UncheckedError(f"{path} has no row of the fold" + ("s" if bundle.sidecar is None else " of the model"))
    return rows


def held(bundle: Bundle, table: str, *columns: str) -> pl.DataFrame:
    """Return columns of a catalogue table, as text but for numbers; missing ones are null.

    Raises
    ------
    UncheckedError
        If the table is not there or cannot be read.
    """
    found = bundle.table(table)
    if found is None:
        where = f"the table {table} of the store" if bundle.store else "the store"
        raise UncheckedError(f"{where} is not there or cannot be read")
    return found.select(pl.col(c) if c in found.columns else pl.lit(None, dtype=pl.String).alias(c) for c in columns)


def of_profiles(bundle: Bundle, rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return cohort, sample_id and columns of the profiles of the samples of `rows`; empty where there is no store."""
    try:
        profiles = held(bundle, "profiles", "cohort", "sample_id", *columns)
    except UncheckedError:
        return pl.DataFrame(schema=dict.fromkeys(("cohort", "sample_id", *columns), pl.String))
    return profiles.join(rows.select("cohort", "sample_id").unique(), on=["cohort", "sample_id"], how="semi")


def barcodes(texts: Iterable[str | None]) -> dict[str, Barcode]:
    """Return the first barcode in each text that has one."""
    found = ((text, find_barcode(text)) for text in {t for t in texts if t})
    return {text: code for text, code in found if code is not None}


@dataclass(frozen=True, slots=True)
class Crossing:
    """Something that is in several parts of a fold.

    Attributes
    ----------
    value
        What.
    fold
        The first fold in which it is, those before others in which test is one of the parts.
    parts
        Its parts there.
    n_folds
        In how many folds it is in several parts.
    """

    value: str
    fold: int
    parts: tuple[str, ...]
    n_folds: int

    @property
    def sentence(self) -> str:
        """E.g. ``P1 is in train and test of fold 0 (and in several parts of 2 more folds)``."""
        more = self.n_folds - 1
        folds = f" (and in several parts of {more} more fold{'s' if more > 1 else ''})" if more else ""
        return f"{self.value} is in {listed(self.parts)} of fold {self.fold}{folds}"


def crossing(rows: pl.DataFrame, column: str) -> list[Crossing]:
    """Return the values of a column that are in several parts of a fold, sorted; null is no value."""
    parts = (
        rows.drop_nulls(column)
        .group_by(column, "fold")
        .agg(pl.col("part").unique())
        .filter(pl.col("part").list.len() > 1)
        .sort(column, ~pl.col("part").list.contains("test"), "fold")
        .group_by(column, maintain_order=True)
        .agg(pl.col("fold").first(), pl.col("part").first(), n=pl.len())
    )
    return [Crossing(str(v), int(f), in_order(p), int(n)) for v, f, p, n in parts.iter_rows()]


def in_order(parts: Iterable[str]) -> tuple[str, ...]:
    """Return parts in the usual order; odd ones last."""
    return tuple(sorted(set(parts), key=lambda p: (PARTS.index(p) if p in PARTS else len(PARTS), p)))


class Places:
    """In which part of each fold people are."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._parts: dict[str, dict[int, set[str]]] = {}
        for person, fold, part in rows.select("patient_id", "fold", "part").unique().sort(pl.all()).iter_rows():
            self._parts.setdefault(person, {}).setdefault(fold, set()).add(part)

    def apart(self, one: str, other: str) -> str | None:
        """Say where two people are in different parts of a fold, one of them in test if in any; None if nowhere."""
        first, second = self._parts.get(one, {}), self._parts.get(other, {})
        folds = [fold for fold in sorted(first) if fold in second and first[fold] != second[fold]]
        if not folds:
            return None
        fold = next((f for f in folds if "test" in first[f] | second[f]), folds[0])
        here, there = (listed(in_order(parts[fold])) for parts in (first, second))
        return f"{one} is in {here} and {other} in {there} of fold {fold}"


def listed(names: Iterable[str]) -> str:
    """Return e.g. ``a, b and c``.

    Examples
    --------
    >>> listed(["train", "test"])
    'train and test'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def endpoint(bundle: Bundle) -> str | None:
    """Return the endpoint that the split is for; None where it is for none."""
    outcome = at(bundle.manifest, "cohort", "outcome")
    if isinstance(outcome, dict) and outcome.get("kind") == "endpoint":
        return str(outcome.get("name"))
    named = at(bundle.manifest, "params", "endpoint")
    return named if isinstance(named, str) else None


def label(bundle: Bundle) -> str | None:
    """Return the label that the split is for; None where it is for none."""
    outcome = at(bundle.manifest, "cohort", "outcome")
    if isinstance(outcome, dict) and outcome.get("kind") == "label":
        return str(outcome.get("name"))
    named = at(bundle.manifest, "params", "label")
    return named if isinstance(named, str) else None


def modalities_of(bundle: Bundle) -> set[str] | None:
    """Return the modalities that the model reads, or that the split asks for; None for all."""
    read = at(bundle.sidecar, "modalities") or at(bundle.manifest, "params", "modalities")
    return {str(m) for m in read} if isinstance(read, list) and read else None


def cohorts_of(rows: pl.DataFrame) -> list[str]:
    """Return the cohorts of the rows, sorted."""
    return sorted(rows["cohort"].drop_nulls().unique().to_list())
