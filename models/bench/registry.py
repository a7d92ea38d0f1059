"""The tables that ``omicstore bench`` knows: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from omicstore.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["TABLES", "Asked", "Published", "Table", "get_table"]

#: Name to the module that holds its `Table` under the name TABLE.
TABLES: dict[str, str] = {
    "aro-blca": "models.bench.aro_blca",
    "aro-ccle": "models.bench.aro_ccle",
    "competitors-blca": "models.bench.competitors_blca",
    "imputmae-blca": "models.bench.imputmae_blca",
    "modis-intersim": "models.bench.modis_intersim",
    "modis-paired": "models.bench.modis_paired",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a table is to be made.

    Attributes
    ----------
    root
        The study's folder; None for a table that needs none.
    data
        The folder of real data, where it was named.
    seeds
        How many; None for the table's own number.
    preset
        The model's preset; None for the table's own.
    quick
        One fold and one seed, few epochs and resamples: to see that it runs, not to be quoted.
    say
        Called with a line per step.
    """

    root: Path | None
    data: Path | None
    seeds: int | None
    preset: str | None
    quick: bool
    say: Callable[[str], None]

    def first(self, own: int) -> tuple[int, ...]:
        """Return the seeds: as many as were asked for, else `own`, else one where it is to be quick."""
        return tuple(range(self.seeds or (1 if self.quick else own)))


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that others reached.

    Attributes
    ----------
    task, method, measure, value
        As in the table's rows; `value` as it was printed.
    source
        Who printed it.
    """

    task: str
    method: str
    measure: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be made.

    Attributes
    ----------
    title
        What it shows, in one line.
    model
        A name of `models.registry.MODELS`.
    study
        The study file under ``studies/`` of the real data; None for a table that simulates what it reads.
    interval
        What ``low`` and ``high`` of its rows are.
    published
        What the paper and others reached.
    comparable
        Sentences on what of that can be compared with the rows, what cannot, and why.
    make
        Makes it: a body with ``rows``, and what else the table has.
    kept
        A file of finished trainings, with which a table that was stopped goes on; removed once the table is written.
    """

    title: str
    model: str
    study: str | None
    interval: str
    published: tuple[Published, ...]
    comparable: tuple[str, ...]
    make: Callable[[Asked], dict[str, Any]]
    kept: Path | None = None


def get_table(name: str) -> Table:
    """Return a table.

    Raises
    ------
    UnknownNameError
        If there is no such table.
    """
    if name not in TABLES:
        raise UnknownNameError("table", name, TABLES, run="omicstore bench --help")
    return cast("Table", import_module(TABLES[name]).TABLE)
