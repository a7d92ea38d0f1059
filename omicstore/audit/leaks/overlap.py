"""L6: cohorts that overlap, and encoders and models that were pre-trained on the patients they are tested on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.rows import (
    UncheckedError,
    assigned,
    barcodes,
    cohorts_of,
    crossing,
    held,
    leak,
    modalities_of,
)
from omicstore.audit.reading import at
from omicstore.identifiers import cohorts_agree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.audit.bundle import Bundle

_WHAT = "overlapping cohorts, and what was pre-trained on later test patients"

#: Where a sidecar may say what a model was pre-trained on, and under which keys an object there names data sets.
_SAYS = ("pretrained", "trained_on")
_NAMES = ("seen", "datasets", "trained_on", "cohorts")


@leak("L6", _WHAT)
def overlap(bundle: Bundle) -> Finding:
    """Look for patients of two cohorts in two parts, and for what encoders and models have seen before."""
    rows = assigned(bundle)
    cohorts = cohorts_of(rows)
    shared, agreeing = _shared(rows), _agreeing(rows, cohorts)
    errors = [f"a patient of several cohorts: {c.sentence}" for c in crossing(shared, "person")]
    encoders, unreadable = _encoders(bundle, cohorts)
    programmes = _programmes(bundle, rows)
    warnings = agreeing + unreadable
    told = []
    for what, cohort, name, seen in encoders:
        told.append({"features": what, "encoder": name, "seen": "unknown" if seen is None else sorted(seen)})
        if seen_here := _seen_here(seen or [], cohort, programmes):
            warnings.append(f"{name}, which encoded {what}, was pre-trained on {', '.join(seen_here)}")
    said, wrong = _upstream(bundle, rows, programmes)
    errors += wrong
    warnings += said
    claims = [key for key in _SAYS if at(bundle.sidecar, key) is not None]
    if len(cohorts) < 2 and not encoders and not claims and not unreadable:
        return not_applicable("L6", _WHAT, f"{cohorts[0]} alone is split, and nothing says that it was pre-trained")
    return result(
        "L6",
        _WHAT,
        errors + warnings,
        "patients by their id and barcode in the parts of two cohorts; cohorts whose names overlap; what the "
        "provenance of encoded features, and the sidecar, say of pre-training, against cohorts and programmes of the "
        "split (what an encoder has seen is unknown where nobody says so)",
        "error" if errors else "warning",
        cohorts=cohorts,
        patients_of_several_cohorts=shared["person"].n_unique(),
        encoders=told,
    )


def _shared(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of people who are in several cohorts, with ``person``."""
    found = barcodes(rows["patient_id"])
    person = [found[p].patient_id if p in found else p for p in rows["patient_id"].to_list()]
    named = rows.with_columns(person=pl.Series(person, dtype=pl.String)).drop_nulls("person")
    several = named.group_by("person").agg(n=pl.col("cohort").n_unique()).filter(pl.col("n") > 1)
    return named.join(several, on="person", how="semi")


def _agreeing(rows: pl.DataFrame, cohorts: list[str]) -> list[str]:
    """Say which cohorts overlap by name and share no patient: then the same people may be there under other ids."""
    people = {c: set(rows.filter(pl.col("cohort") == c)["patient_id"]) for c in cohorts}
    return [
        f"{one} and {other} overlap by name and share no patient id, so the same people may have two"
        for i, one in enumerate(cohorts)
        for other in cohorts[i + 1 :]
        if cohorts_agree(one, other) and not people[one] & people[other]
    ]


def _encoders(bundle: Bundle, cohorts: list[str]) -> tuple[list[tuple[str, str, str, list[str] | None]], list[str]]:
    """Return features, cohort, encoder and what it has seen (None if unknown); and which entries cannot be read."""
    try:
        table = held(bundle, "provenance", "cohort", "modality", "encoder")
    except UncheckedError:
        return [], []
    own = table.drop_nulls().filter(pl.col("cohort").is_in(cohorts)).unique().sort(pl.all())
    read = modalities_of(bundle)
    found, unreadable = [], []
    for cohort, modality, text in own.iter_rows():
        if read is not None and modality not in read:
            continue
        body = _parsed(text)
        seen, name = at(body, "seen"), at(body, "encoder")
        if not isinstance(name, str) or not (seen is None or isinstance(seen, list)):
            unreadable.append(f"the provenance of {modality} of {cohort} does not say which encoder: {text[:80]}")
            continue
        found.append((f"{modality} of {cohort}", str(cohort), name, None if seen is None else [str(s) for s in seen]))
    return found, unreadable


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _programmes(bundle: Bundle, rows: pl.DataFrame) -> dict[str, set[str]]:
    """Return cohort to the programmes of its patients: what the study calls its data set, and TCGA by the barcodes."""
    found: dict[str, set[str]] = {}
    for cohort, patient in rows.select("cohort", "patient_id").unique().iter_rows():
        own = found.setdefault(cohort, set())
        if str(patient).upper().startswith("TCGA-"):
            own.add("TCGA")
    try:
        for cohort, dataset in held(bundle, "patients", "cohort", "dataset").drop_nulls().unique().iter_rows():
            found.setdefault(cohort, set()).add(str(dataset).upper())
    except UncheckedError:
        pass  # without a store the barcodes are all there is
    return found


def _seen_here(seen: list[str], cohort: str, programmes: dict[str, set[str]]) -> list[str]:
    """Return which data sets hold the cohort: its programme (TCGA), itself (BRCA), or both in one (TCGA-BRCA)."""
    own = programmes.get(cohort, set())
    found = set()
    for name in seen:
        programme, _, part = name.upper().partition("-")
        whole = name.upper() in own or cohorts_agree(name.upper(), cohort.upper())
        if whole or (part and programme in own and cohorts_agree(part, cohort.upper())):
            found.add(name)
    return sorted(found)


def _upstream(bundle: Bundle, rows: pl.DataFrame, programmes: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """Say what the sidecar tells of pre-training: data sets that hold test patients; and rows that are of them."""
    test = rows.filter(pl.col("part") == "test")
    tested = {*test["patient_id"], *test["sample_id"]}
    said, wrong = [], []
    for entry in (e for key in _SAYS for e in _entries(at(bundle.sidecar, key))):
        part, fold, names = at(entry, "part"), at(entry, "fold"), set(_names(entry))
        if part not in (None, "train"):
            wrong.append(f"the model was pre-trained on the {part} part")
        if fold is not None and fold not in bundle.folds:
            wrong.append(f"the model was pre-trained in fold {fold}, where patients of this test part train")
        if known := sorted(tested & names):
            wrong.append(f"the model was pre-trained on {len(known)} of the test part, {known[0]} among them")
        if part is None:  # else it is rows of this split, of whose cohorts the test part is as well
            held_by = {name for c in cohorts_of(test) for name in _seen_here(sorted(names), c, programmes)}
            said += [f"the model was pre-trained on {n}, which has patients of the test part" for n in sorted(held_by)]
    return said, wrong


def _entries(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [] if said is None else [said]


def _names(entry: Any) -> Iterator[str]:
    """Yield what an entry names: itself, or what its lists hold."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for key in (*_NAMES, "patients", "patient_ids", "sample_ids"):
            held_names = entry.get(key)
            yield from (str(n) for n in (held_names if isinstance(held_names, list) else [held_names]) if n is not None)
