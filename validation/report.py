"""The report: one canonical JSON body, and the same as a page that opens anywhere without a network."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omicstore.errors import MissingExtraError
from omicstore.files import canonical_json, write_if_changed
from validation.checks import CHECKS, TOPICS
from validation.results import describe, rounded, summarise
from validation.sites import find_sites
from validation.suites import judge
from validation.tables import make_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from omicstore.store.reader import Store
    from validation.results import Result

__all__ = ["FORMAT", "check_store", "offenders", "render", "write_report"]

FORMAT = "omicstore.validation/1"

JSON, HTML = "validation.json", "validation.html"

#: So many offenders per check and cohort are on the page; the JSON file has more.
_SHOWN = 8

_SITE_CHECKS = ("site-cohort", "site-known")
_MATRIX_COLUMNS = (
    "cohort", "modality", "unit", "upstream_fit", "platform", "n_samples", "n_features", "missing", "zeros", "min",
    "median_abs", "mean", "sd", "max",
)  # fmt: skip


def check_store(store: Store, *, advance: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Judge a store by all checks.

    Parameters
    ----------
    store
        The open store.
    advance
        Called after each matrix, for a progress bar.

    Returns
    -------
    dict
        The report: what ``reports/validation.json`` holds. It depends on the store and the study's table of sites
        alone; it holds neither times nor paths of this machine.
    """
    sites = find_sites(store.root if isinstance(store.root, Path) else None)
    absent = dict.fromkeys(_SITE_CHECKS, sites.absent) if sites.absent else {}
    tables = make_tables(store, sites, advance)
    broken = judge(tables, CHECKS)
    results = [summarise(check, tables[check.table], broken[check.id], store.cohorts, absent) for check in CHECKS]
    counted = Counter(result.status for result in results)
    return {
        "format": FORMAT,
        "release": store.release,
        "dataset": store.dataset,
        "simulated": store.simulated,
        "cohorts": store.cohorts,
        "passed": counted["error"] == 0,
        "n_checks": {status: counted[status] for status in ("error", "warning", "pass", "not checked")},
        "n_rows": {name: table.height for name, table in sorted(tables.items())},
        "checks": [_entry(result) for result in results],
        "matrices": _matrices(tables["matrices"]),
    }


def _matrices(table: pl.DataFrame) -> list[dict[str, Any]]:
    return [{name: rounded(value) for name, value in row.items()} for row in table.select(_MATRIX_COLUMNS).to_dicts()]


def _entry(result: Result) -> dict[str, Any]:
    check = result.check
    entry = {
        "id": check.id,
        "topic": next((topic for topic, checks in TOPICS.items() if check in checks), ""),
        "severity": check.severity,
        "table": check.table,
        "title": check.title,
        "means": check.means,
        "mend": check.mend,
        "status": result.status,
        "examined": result.examined,
        "failed": result.failed,
        "cohorts": {
            cohort: {
                "status": found.status,
                "examined": found.examined,
                "failed": found.failed,
                "offenders": found.offenders,
            }
            for cohort, found in result.cohorts.items()
        },
    }
    return entry | ({"absent": result.absent} if result.status == "not checked" else {})


def offenders(body: dict[str, Any], check_id: str, limit: int) -> list[str]:
    """Return the first `limit` offenders of a check as a person reads them, each with its cohort."""
    check = next(c for c in CHECKS if c.id == check_id)
    entry = next(c for c in body["checks"] if c["id"] == check_id)
    rows = [(cohort, row) for cohort, part in entry["cohorts"].items() for row in part["offenders"]]
    return [f"{cohort} {describe(check, row)}" for cohort, row in rows[:limit]]


def render(body: dict[str, Any]) -> str:
    """Return the report as a single page of HTML that refers to nothing outside itself.

    Raises
    ------
    MissingExtraError
        If jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("jinja2", "validate") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": _number, "percent": _percent, "words": _words}
    columns = [*body["cohorts"], *sorted({c for e in body["checks"] for c in e["cohorts"]} - set(body["cohorts"]))]
    return environment.get_template("report.html.j2").render(
        body=body, columns=columns, topics=list(TOPICS), shown=_SHOWN
    )


def _number(value: Any) -> str:
    """Return a value of a table as text: thousands apart, at most four digits of a fraction."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value.is_integer():
        return f"{int(value):,}" if abs(value) < 1e15 else f"{value:.4g}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def _percent(share: float | None) -> str:
    """Return a share in percent; what is not quite 0 or 100 never reads as if it were."""
    if share is None:
        return ""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{100 * share:.1f}%".replace(".0%", "%")


def _words(name: str) -> str:
    """Return the name of a column as words."""
    return name.replace("n_", "", 1).replace("_", " ") if name.startswith("n_") else name.replace("_", " ")


def write_report(body: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write ``validation.json`` and ``validation.html``, each in one step, and return their paths."""
    contents = {JSON: canonical_json(body), HTML: render(body).encode()}
    for name, content in contents.items():
        write_if_changed(folder / name, content)
    return folder / JSON, folder / HTML
