"""L7: the same person under two names, in another cohort or another programme."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.fingerprints import MOST_BY_CHANCE, alike
from omicstore.audit.leaks.rows import Places, UncheckedError, assigned, crossing, held, leak
from omicstore.audit.leaks.struck import struck_pairs, told
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "the same person under another name"


@leak("L7", _WHAT)
def names(bundle: Bundle) -> Finding:
    """Look for two names of one person, by tables of aliases and by what the clinic says, in two parts of a fold."""
    rows = assigned(bundle)
    pairs, broken = _aliases(bundle)
    pairs += _edges(bundle)
    struck = struck_pairs(bundle)
    groups = _groups([pair for pair in pairs if frozenset(pair) not in struck])
    named = pl.Series([groups.get(p) for p in rows["patient_id"].to_list()], dtype=pl.String)
    errors = [f"one person by aliases: {c.sentence}" for c in crossing(rows.with_columns(person=named), "person")]
    try:
        patients, outcomes = _clinic(bundle, rows)
    except UncheckedError:
        patients = outcomes = pl.DataFrame()
    found = alike(patients, outcomes) if not patients.is_empty() else []
    twins = [pair for pair in found if frozenset((pair.one, pair.other)) not in struck]
    places = Places(rows)
    warnings = [f"{where}, and {pair.why}" for pair in twins if (where := places.apart(pair.one, pair.other))]
    if not pairs and not broken and patients.is_empty():
        return not_applicable("L7", _WHAT, "there is neither a table of aliases nor one of patients")
    return result(
        "L7",
        _WHAT,
        broken + errors + warnings,
        "the table of aliases and the alias edges of the split, joined; and patients of two cohorts or data sets who "
        "agree in sex, age, year, stage and all times of follow-up, so that chance would give fewer than "
        f"{MOST_BY_CHANCE} such pairs in the whole study",
        "error" if broken or errors else "warning",
        aliases=len(pairs),
        clinical_twins=len(twins),
        clinical_twins_on_one_side=len(twins) - len(warnings),
        struck_out=told(struck),
        patients_compared=patients.height,
    )


def _aliases(bundle: Bundle) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the pairs of the table that split.aliases names, and why it cannot be read."""
    named = at(bundle.manifest, "params", "aliases")
    if not isinstance(named, str) or not named:
        return [], []
    if bundle.study is None:
        return [], [f"the table of aliases {named} cannot be found: no params.yaml lies above the split"]
    path = bundle.study / named
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            table = list(csv.reader(stream))
        who, alias = (table[0].index(column) for column in ("patient_id", "alias"))
        return [(row[who].strip(), row[alias].strip()) for row in table[1:] if row], []
    except (OSError, ValueError, IndexError, csv.Error) as error:
        return [], [f"the table of aliases {path} cannot be read as patient_id and alias: {error}"]


def _edges(bundle: Bundle) -> list[tuple[str, str]]:
    """Return the pairs of people whom the split's own graph joins by alias."""
    edges = bundle.edges
    if edges is None or not {"kind", "left", "right"} <= set(edges.columns):
        return []
    own = edges.filter(pl.col("kind") == "alias").select("left", "right")
    return [(str(a).removeprefix("patient:"), str(b).removeprefix("patient:")) for a, b in own.iter_rows()]


def _groups(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return name to ``a = b = c``, all names of that person."""
    members: dict[str, set[str]] = {}
    for one, other in pairs:
        joined = members.get(one, {one}) | members.get(other, {other})
        for name in joined:
            members[name] = joined
    return {name: " = ".join(sorted(joined)) for name, joined in members.items() if len(joined) > 1}


def _clinic(bundle: Bundle, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the tables of patients and outcomes of the people of the rows."""
    key = ["cohort", "patient_id"]
    people = rows.select(key).unique()
    patients = held(bundle, "patients", *key, "dataset", "sex", "age_years", "diagnosis_year", "stage")
    try:
        outcomes = held(bundle, "outcomes", *key, "endpoint", "time_days", "event")
    except UncheckedError:
        outcomes = pl.DataFrame(schema=dict.fromkeys((*key, "endpoint", "time_days", "event"), pl.String))
    return patients.join(people, on=key, how="semi"), outcomes.join(people, on=key, how="semi")
