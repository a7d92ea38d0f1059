"""Who is left out of a split, whether the reason is true, and that nobody of an inner split is tested in the outer one.

A sample that is left out is not judged, so an untrue reason is a way to be rid of the patients a model does badly on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.bundle import Bundle
from omicstore.audit.chain.persons import groups, valid_edges
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["outer_split", "untrue_exclusions"]

#: The rules that belong to a strategy; any split may have those that are not named here.
_OF_STRATEGY = {
    "linked_to_test": "external", "no_site": "leave_site_out", "no_year": "temporal",
    "not_in_folds": "imported", "not_in_store": "imported",
}  # fmt: skip
_INNER = ("outer_test", "not_in_outer_fold")
_RULES = ("modalities", "no_sample", *_OF_STRATEGY, *_INNER)


def untrue_exclusions(bundle: Bundle, profiles: pl.DataFrame) -> Iterator[str]:
    """Yield, as sentences, the exclusions whose rule does not hold by the store, or is none of this split.

    Parameters
    ----------
    bundle
        Of a split.
    profiles
        The sample map of the store.
    """
    excluded = at(bundle.manifest, "exclusions") or []
    strategy, outer = at(bundle.manifest, "strategy", "name"), _outer(bundle)
    facts = _facts(bundle, profiles) if excluded else {}
    for entry in excluded:
        rule = at(entry, "rule")
        cohort, patient, sample = (at(entry, key) for key in ("cohort", "patient_id", "sample_id"))
        name = f"{sample or patient} of {cohort}"
        if rule not in _RULES or (rule in _INNER and outer is None):
            yield f"{name} is excluded by the rule {rule!r}, which such a split does not have"
        elif outer is None and _OF_STRATEGY.get(rule, strategy) != strategy:
            yield f"{name} is excluded by the rule {rule!r}, which a split by {strategy} does not have"
        elif why := _untrue(bundle, facts, str(rule), cohort, patient, sample):
            yield f"{name} is excluded by the rule {rule!r}, and {why}"


def outer_split(bundle: Bundle) -> Iterator[str]:
    """Yield, as sentences, how an inner split does not fit the outer one that it lies in; nothing for other splits."""
    outer, parent = _outer(bundle), _parent(bundle)
    if outer is None or parent is None or outer.manifest is None:
        return
    made, fold, name = outer.manifest.get("manifest_hash"), parent.get("fold"), outer.manifest.get("name")
    if parent.get("manifest_hash") != made:
        named = str(parent.get("manifest_hash"))[:12]
        yield f"this inner split was made of the split {named}, and {name} around it is {str(made)[:12]}"
    here = outer.assignments.filter((pl.col("fold") == fold) & (pl.col("part") == "test"))
    if here.is_empty():
        yield f"this inner split was made for fold {fold} of {name}, which has no test part"
    if at(outer.manifest, "strategy", "name") == "random":
        both = bundle.assignments.join(here, on=["cohort", "sample_id"], how="semi")["sample_id"]
        tested = both.unique().sort().to_list()
    else:
        held, judged = (frame["patient_id"].unique().to_list() for frame in (bundle.assignments, here))
        who = _people([*held, *judged], bundle, outer)
        away = {who[patient] for patient in judged}
        tested = sorted(patient for patient in held if who[patient] in away)
    for one in tested:
        yield f"{one} is in this inner split, and is, or is linked to who is, tested in fold {fold} of {name}"


def _parent(bundle: Bundle) -> dict[str, Any] | None:
    parents = at(bundle.manifest, "parents") or []
    return next((p for p in parents if at(p, "kind") == "outer_split"), None)


def _outer(bundle: Bundle) -> Bundle | None:
    """Return the split that this one is an inner split of, if it is there: two folders above."""
    if bundle.split is None or _parent(bundle) is None:
        return None
    folder = bundle.split.absolute().parent.parent
    return Bundle(folder, bundle.store) if (folder / "manifest.json").is_file() else None


def _people(patients: list[str], *bundles: Bundle) -> dict[str, str]:
    edges = [valid_edges(b.edges).select("left", "right") for b in bundles if b.edges is not None]
    return groups(pl.concat(edges).iter_rows() if edges else (), patients)


def _facts(bundle: Bundle, profiles: pl.DataFrame) -> dict[str, Any]:
    """Return what the rules speak of: what the store holds of whom, and who is tested."""
    table = bundle.table("patients")
    patients = pl.DataFrame(schema={"patient_id": pl.String}) if table is None else table

    def named(frame: pl.DataFrame, column: str) -> set[str]:
        known = frame.filter(pl.col(column).is_not_null()) if column in frame.columns else frame.clear()
        return set(known["patient_id"].to_list())

    rows, outer = bundle.assignments, _outer(bundle)
    left_out = [str(at(e, "patient_id")) for e in at(bundle.manifest, "exclusions") or []]
    who = _people([*rows["patient_id"].unique().to_list(), *left_out], bundle)
    parent, everywhere = _parent(bundle) or {}, None if outer is None else outer.assignments
    fold = None if everywhere is None else everywhere.filter(pl.col("fold") == parent.get("fold"))
    tested = None if fold is None else fold.filter(pl.col("part") == "test")
    return {
        "held": {
            (cohort, sample): set(modalities)
            for cohort, sample, modalities in profiles.group_by("cohort", "sample_id").agg("modality").iter_rows()
        },
        "sampled": set(profiles.select("cohort", "patient_id").unique().iter_rows()),
        "sited": named(profiles, "site") | named(patients, "site"),
        "dated": named(patients, "diagnosis_year"),
        "known": named(profiles, "patient_id") | named(patients, "patient_id"),
        "who": who,
        "tested": {who[p] for p in rows.filter(pl.col("part") == "test")["patient_id"].unique().to_list()},
        "outer_test": set() if tested is None else set(tested.select("cohort", "sample_id").iter_rows()),
        "outer_fold": set() if fold is None else set(fold.select("cohort", "sample_id").iter_rows()),
    }


def _untrue(bundle: Bundle, facts: dict[str, Any], rule: str, cohort: Any, patient: Any, sample: Any) -> str:
    """Return why a rule does not hold of a sample or patient, as a clause; nothing where it does, or is not known."""
    held = facts["held"].get((cohort, sample), set())
    asked = set(bundle.params.get("modalities") or [])
    enough = asked <= held if bundle.params.get("require") == "all" else not asked or bool(asked & held)
    told = {
        "modalities": enough and bool(held) and f"the store has its {', '.join(sorted(asked & held or held))}",
        "no_sample": (cohort, patient) in facts["sampled"] and "the store has samples of the patient",
        "no_site": patient in facts["sited"] and "its site is known",
        "no_year": patient in facts["dated"] and "the year of diagnosis is known",
        "not_in_store": patient in facts["known"] and "the patient is in the store",
        "linked_to_test": facts["who"].get(str(patient)) not in facts["tested"] and "no edge links it to who is tested",
        "outer_test": (cohort, sample) not in facts["outer_test"] and "the outer fold does not test it",
        "not_in_outer_fold": (cohort, sample) in facts["outer_fold"] and "it is in a part of the outer fold",
    }
    return told.get(rule) or ""
