"""L10: what was known only later, served as if it had been known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.association import associate
from omicstore.audit.leaks.rows import UncheckedError, assigned, endpoint, held, leak, modalities_of
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "later follow-up, or later data, served as if known"
_KEY = ["cohort", "patient_id"]
_YEAR = 365.25

#: No patient is older at the end of follow-up; the oldest person known was 122.
_OLDEST = 122.5

#: Sources of follow-up that go so closely with the part within a cohort, and so surely, are two curations.
_TELLING_V, _TELLING_P = 0.5, 0.001

#: What is known of a patient only after the tumour was measured, by the names of columns and features.
_LATER = re.compile(
    r"(?:.*[._ ])?(?:(?:OS|DSS|DFI|PFI|RFS|DFS|PFS)(?:[._ ]?(?:time|event|status|days|months|years|ind))?"
    r"|vital[._ ]?status|censor(?:ship|ed|ing)?|days[._ ]to[._ ](?:death|last[._ ].*|new[._ ].*|recurrence|progression)"
    r"|survival[._ ]?(?:time|status|days|months|years)|new[._ ]tumou?r[._ ]event.*"
    r"|(?:primary[._ ]therapy|treatment|therapy|follow[._ ]?up)[._ ](?:response|outcome|success).*"
    r"|cause[._ ]of[._ ]death"
    r"|(?:person[._ ]neoplasm[._ ])?cancer[._ ]status|last[._ ](?:contact|follow[._ ]?up).*)",
    re.IGNORECASE,
)

#: Where a sidecar may name inputs that are no modality.
_INPUTS = ("covariates", "clinical", "inputs", "features")


@leak("L10", _WHAT)
def later(bundle: Bundle) -> Finding:
    """Look for outcomes and inputs that nobody can have known when the model would have been made."""
    rows = assigned(bundle)
    outcomes = _outcomes(bundle, rows)
    years = _years(bundle, rows)
    cuts = _cuts(bundle, rows, years)
    errors = _late_inputs(bundle, rows) + _late_patients(rows, years, cuts)
    asked = endpoint(bundle)
    warnings = _unknown_then(rows, outcomes, years, cuts, asked) if asked else []
    warnings += _impossible(bundle, outcomes) + _two_curations(rows, outcomes, asked)
    evidence: dict[str, Any] = {
        "n_outcomes": outcomes.height,
        "first_tested_year": cuts,
        "vital_status_later_than_outcome": _vital(bundle, outcomes),
        "patients_whose_sources_disagree": outcomes.drop_nulls("disagrees")["patient_id"].n_unique(),
    }
    if outcomes.is_empty() and not errors and not cuts:
        return not_applicable(
            "L10", _WHAT, "there is no follow-up of these patients, and no input that is later", **evidence
        )
    how = (
        "times of follow-up that are negative, beyond a life, or after death; features and covariates by name that are "
        "known only later; whether follow-up of the tested comes of another source, within a cohort"
    )
    if cuts:
        how += (
            "; and, since the split is by years of diagnosis, training patients who were diagnosed, or followed, "
            "certainly after testing begins (a year is taken from its first day)"
        )
    return result("L10", _WHAT, errors + warnings, how, "error" if errors else "warning", **evidence)


def _outcomes(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    columns = ("endpoint", "time_days", "event", "source", "disagrees")
    try:
        found = held(bundle, "outcomes", *_KEY, *columns)
    except UncheckedError:
        return pl.DataFrame(
            schema=dict.fromkeys((*_KEY, *columns), pl.String) | {"time_days": pl.Float64, "event": pl.Int64}
        )
    numbers = (pl.col("time_days").cast(pl.Float64, strict=False), pl.col("event").cast(pl.Int64, strict=False))
    return found.with_columns(numbers).join(rows.select(_KEY).unique(), on=_KEY, how="semi").sort(*_KEY, "endpoint")


def _years(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Return cohort, patient_id, year, age_years of the patients of the rows."""
    try:
        found = held(bundle, "patients", *_KEY, "diagnosis_year", "age_years")
    except UncheckedError:
        return pl.DataFrame(schema=dict.fromkeys(_KEY, pl.String) | {"year": pl.Int64, "age_years": pl.Float64})
    known = found.select(*_KEY, year=pl.col("diagnosis_year").cast(pl.Int64, strict=False), age_years="age_years")
    return known.join(rows.select(_KEY).unique(), on=_KEY, how="semi").unique(_KEY, keep="first", maintain_order=True)


def _cuts(bundle: Bundle, rows: pl.DataFrame, years: pl.DataFrame) -> dict[str, int]:
    """Return cohort to the year in which testing begins, in a split by years.

    It is what the manifest says, since linked persons of earlier years may be tested too; else the earliest there.
    """
    if at(bundle.manifest, "strategy", "name") != "temporal" and at(bundle.manifest, "blocks", "time") != "preserve":
        return {}
    found: dict[str, int] = {}
    said = at(bundle.manifest, "strategy", "years")
    for entry in said if isinstance(said, list) else []:
        cohorts, year = at(entry, "cohorts"), at(entry, "test_from")
        if isinstance(cohorts, list) and isinstance(year, int):
            found |= dict.fromkeys(map(str, cohorts), year)
    tested = rows.filter(pl.col("part") == "test").join(years.drop_nulls("year"), on=_KEY)
    for cohort, year in tested.group_by("cohort").agg(pl.col("year").min()).sort("cohort").iter_rows():
        found.setdefault(str(cohort), int(year))
    return found


def _before(rows: pl.DataFrame, years: pl.DataFrame, cuts: dict[str, int]) -> pl.DataFrame:
    """Return the people who train or choose, with their year and the cut of their cohort."""
    own = rows.filter(pl.col("part") != "test").select(*_KEY, "part").unique()
    cut = pl.col("cohort").replace_strict(cuts, default=None, return_dtype=pl.Int64)
    return own.with_columns(cut=cut).join(years, on=_KEY).drop_nulls(["year", "cut"]).sort(*_KEY, "part")


def _late_patients(rows: pl.DataFrame, years: pl.DataFrame, cuts: dict[str, int]) -> list[str]:
    late = _before(rows, years, cuts).filter(pl.col("year") >= pl.col("cut")) if cuts else pl.DataFrame()
    columns = ("patient_id", "cohort", "part", "year", "cut")
    return [
        f"{who} of {cohort} is in {part}, diagnosed in {year}, and testing begins in {cut}"
        for who, cohort, part, year, cut in (late.select(columns).iter_rows() if cuts else ())
    ]


def _unknown_then(
    rows: pl.DataFrame, outcomes: pl.DataFrame, years: pl.DataFrame, cuts: dict[str, int], asked: str
) -> list[str]:
    """Say of which training patients the outcome was certainly not known when testing began."""
    if not cuts:
        return []
    own = _before(rows, years, cuts).join(outcomes.filter(pl.col("endpoint") == asked), on=_KEY)
    until = pl.col("year") + pl.col("time_days") / _YEAR
    late = own.with_columns(until=until).filter(until > pl.col("cut")).unique(_KEY, keep="first", maintain_order=True)
    found = []
    for (cohort,), people in late.group_by("cohort", maintain_order=True):
        n = own.filter(pl.col("cohort") == cohort)["patient_id"].n_unique()
        most = people.sort("until", "patient_id", descending=[True, False]).row(0, named=True)
        found.append(
            f"{people.height} of {n} patients of {cohort} who train or choose are followed beyond the start of "
            f"{most['cut']}, when testing begins, {most['patient_id']} to {most['until']:.1f} or later: their {asked} "
            f"was not known then"
        )
    return found


def _impossible(bundle: Bundle, outcomes: pl.DataFrame) -> list[str]:
    """Say whose follow-up cannot be: negative or no number, beyond any age, or an event after death."""
    timed = outcomes.drop_nulls("time_days").unique([*_KEY, "endpoint"], keep="first", maintain_order=True)
    odd = timed.filter((pl.col("time_days") < 0) | ~pl.col("time_days").is_finite())
    found = [
        f"the {e} of {p} has a time of {t:g} days"
        for p, e, t in odd.select("patient_id", "endpoint", "time_days").iter_rows()
    ]
    try:
        ages = held(bundle, "patients", *_KEY, "age_years").drop_nulls().unique(_KEY, keep="first", maintain_order=True)
    except UncheckedError:
        ages = pl.DataFrame(schema=dict.fromkeys(_KEY, pl.String) | {"age_years": pl.Float64})
    aged = timed.join(ages.with_columns(pl.col("age_years").cast(pl.Float64, strict=False)), on=_KEY)
    aged = aged.with_columns(end=pl.col("age_years") + pl.col("time_days") / _YEAR).filter(pl.col("end") > _OLDEST)
    found += [
        f"the {e} of {p} ends at an age of {end:.0f} years"
        for p, e, end in aged.select("patient_id", "endpoint", "end").iter_rows()
        if end < float("inf")
    ]
    died = timed.filter((pl.col("endpoint") == "OS") & (pl.col("event") == 1)).select(*_KEY, death="time_days")
    after = timed.filter(pl.col("event") == 1).join(died, on=_KEY).filter(pl.col("time_days") > pl.col("death") + 1)
    found += [
        f"the {e} of {p} has an event {t - d:g} days after death"
        for p, e, t, d in after.select("patient_id", "endpoint", "time_days", "death").iter_rows()
    ]
    return found


def _two_curations(rows: pl.DataFrame, outcomes: pl.DataFrame, asked: str | None) -> list[str]:
    """Say where, within a cohort, the follow-up of the tested comes of another source than that of the others."""
    own = outcomes.filter(pl.col("endpoint") == (asked or "OS")).drop_nulls("source")
    tests = []
    for (fold,), here in rows.sort("fold").group_by("fold", maintain_order=True):
        parts = here.group_by(_KEY).agg(tested=(pl.col("part") == "test").any())
        both = own.join(parts, on=_KEY).sort(_KEY)
        for (cohort,), people in both.group_by("cohort", maintain_order=True):
            said = associate(people["source"].to_list(), people["tested"].cast(pl.String).to_list())
            if said is not None:
                tests.append((fold, cohort, people, said))
    found = []
    for fold, cohort, people, said in tests:
        if said.v >= _TELLING_V and said.p * len(tests) < _TELLING_P:
            share = {t: g["source"].mode().sort()[0] for (t,), g in people.group_by("tested")}
            found.append(
                f"in fold {fold} the {asked or 'OS'} of tested patients of {cohort} is mostly of {share.get(True)}, "
                f"that of the others of {share.get(False)} (Cramér's V {said.v:.2f} of 1)"
            )
    return found


def _late_inputs(bundle: Bundle, rows: pl.DataFrame) -> list[str]:
    """Say which inputs are known only later: features of the matrices that are read, and covariates of the sidecar."""
    read, cohorts = modalities_of(bundle), set(rows["cohort"])
    found: dict[str, None] = {}
    for cohort, modality in bundle.matrices:
        if cohort in cohorts and (read is None or modality in read):
            named = [*bundle.features(cohort, modality), *bundle.symbols(cohort, modality).values()]
            found |= {
                f"{n}, a feature of {modality} of {cohort}, is known only later": None for n in named if is_later(n)
            }
    for key in _INPUTS:
        said = at(bundle.sidecar, key)
        names = [str(n) for n in said] if isinstance(said, list | dict) else [said] if isinstance(said, str) else []
        found |= {f"{n}, among the {key} of the sidecar, is known only later": None for n in names if is_later(n)}
    return list(found)


def is_later(name: str) -> bool:
    """Whether a column of this name is known only after the tumour was measured.

    Examples
    --------
    >>> [is_later(n) for n in ("OS.time", "vital_status", "days_to_death", "TP53", "OSR1", "PFI", "age_years")]
    [True, True, True, False, False, True, False]
    """
    return _LATER.fullmatch(name.strip()) is not None


def _vital(bundle: Bundle, outcomes: pl.DataFrame) -> int:
    """Return how many patients are dead in the clinic's table and alive by their survival: that table is the later."""
    try:
        known = held(bundle, "patients", *_KEY, "vital_status").drop_nulls()
    except UncheckedError:
        return 0
    alive = outcomes.filter((pl.col("endpoint") == "OS") & (pl.col("event") == 0)).join(known, on=_KEY)
    return alive.filter(pl.col("vital_status").cast(pl.String).str.to_lowercase() == "dead").height
