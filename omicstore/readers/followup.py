"""Follow-up in tables that people keep themselves: which columns are time and event, in which unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from omicstore.readers.clinical import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omicstore.readers.clinical import TextTable
    from omicstore.sources import FollowUp

__all__ = ["DAYS", "endpoints", "event", "follow_up", "is_follow_up"]

#: Days in a unit of time: the Julian year, and its twelfth.
DAYS: dict[str, float] = {"days": 1.0, "months": 30.4375, "years": 365.25}

#: What tables call an endpoint, in lower case. Progression-free survival is TCGA's progression-free interval.
NAMES: dict[str, tuple[str, ...]] = {
    "OS": ("os", "overall_survival"),
    "DSS": ("dss", "disease_specific_survival"),
    "PFI": ("pfi", "pfs", "progression_free_survival", "progression_free_interval"),
    "DFI": ("dfi", "dfs", "disease_free_survival", "disease_free_interval"),
}

_HAPPENED = ("1", "1.0", "true", "yes", "dead", "deceased", "died", "event", "progressed", "recurred", "relapsed",
             "recurred/progressed")  # fmt: skip
_NOT_YET = ("0", "0.0", "false", "no", "alive", "living", "censored", "none", "progression-free",
            "disease-free", "diseasefree")  # fmt: skip


_ENDPOINT = "|".join(name for names in NAMES.values() for name in names)

#: Columns of follow-up under the names of hubs and portals, in lower case and without what stands around the words.
_OF_FOLLOW_UP = re.compile(
    rf"(?:{_ENDPOINT})(?:[._ ]?(?:time|event|status|ind|unit|days|months|years))*"
    r"|event|time[._ ]to[._ ]event|vital[._ ]status|censor(?:ship|ed|ing)?"
    r"|survival[._ ](?:time|status|days|months|years)"
    r"|days[._ ]to[._ ](?:death|last[._ ]follow[._ ]?up|last[._ ]known[._ ]alive|new[._ ]tumou?r[._ ]event.*)"
)


def is_follow_up(name: str) -> bool:
    """Whether a column holds a time or an event of follow-up, by its name.

    Examples
    --------
    >>> [is_follow_up(name) for name in ("OS.time", "_TIME_TO_EVENT", "_OS_IND", "PFI", "p53", "OSR1")]
    [True, True, True, True, False, False]
    """
    return _OF_FOLLOW_UP.fullmatch(name.strip(" _").lower()) is not None


def event(text: pl.Expr) -> pl.Expr:
    """Return 1 where an event came, 0 where it had not by the last visit, null where the text is neither.

    cBioPortal's ``1:DECEASED`` counts by its digit.

    Examples
    --------
    >>> status = pl.DataFrame({"status": ["1:DECEASED", "Alive", "yes", "?"]})
    >>> status.select(event(pl.col("status"))).to_series().to_list()
    [1, 0, 1, None]
    """
    low = text.str.strip_chars().str.to_lowercase().str.replace(r"^([01])\s*:.*$", "$1")
    return pl.when(low.is_in(_HAPPENED)).then(1).when(low.is_in(_NOT_YET)).then(0).cast(pl.Int8)


def follow_up(table: TextTable, said: Mapping[str, FollowUp]) -> dict[str, tuple[pl.Expr, pl.Expr]]:
    """Return each endpoint's time in days and event.

    Parameters
    ----------
    table
        A row per patient.
    said
        What the study file says of an endpoint; the rest is told from names such as ``OS.time`` (days, as TCGA-CDR
        has it) and ``OS``, or ``os_months`` and ``os_status``. A time whose name has no unit is not guessed at.

    Raises
    ------
    SourceError
        If the table has no column that the study file names.
    """
    found: dict[str, tuple[pl.Expr, pl.Expr]] = {}
    for endpoint in NAMES:
        if endpoint in said:
            columns = said[endpoint]
            table.layout.index(columns.time)
            table.layout.index(columns.event)
            found[endpoint] = (number(pl.col(columns.time)) * DAYS[columns.unit], event(pl.col(columns.event)))
    for endpoint, (time, days, status) in endpoints(table.frame.columns).items():
        if endpoint not in found:
            found[endpoint] = (number(pl.col(time)) * days, event(pl.col(status)))
    return {endpoint: found[endpoint] for endpoint in NAMES if endpoint in found}


def endpoints(columns: list[str]) -> dict[str, tuple[str, float, str]]:
    """Return the endpoints that names of columns tell: the column of time, the days in its unit, that of the event.

    Examples
    --------
    >>> endpoints(["os_months", "os_status"])
    {'OS': ('os_months', 30.4375, 'os_status')}
    """
    found: dict[str, tuple[str, float, str]] = {}
    for endpoint, names in NAMES.items():
        time, status = _time(columns, names), _event(columns, names)
        if endpoint == "OS" and status is None:
            status = next((n for n in columns if n.lower() == "vital_status"), None)
        if time is not None and status is not None:
            found[endpoint] = (*time, status)
    return found


def _time(columns: list[str], names: tuple[str, ...]) -> tuple[str, float] | None:
    with_unit = re.compile(rf"(?:{'|'.join(names)})[._ ]?(?:time)?[._ ]?(?:in)?[._ ]?(days|months|years)")
    for name in columns:
        low = name.lower()
        if low in {f"{n}.time" for n in names}:
            return name, 1.0
        if match := with_unit.fullmatch(low):
            return name, DAYS[match[1]]
    return None


def _event(columns: list[str], names: tuple[str, ...]) -> str | None:
    told = re.compile(rf"(?:{'|'.join(names)})(?:[._ ]?(?:event|status))?")
    return next((name for name in columns if told.fullmatch(name.lower())), None)
