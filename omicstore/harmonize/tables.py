"""The catalogue of one cohort: patients, outcomes, labels, profiles, provenance; and its reports and slides.

Precedence among sources is tcga-cdr first, then the order of the study file.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from omicstore.files import canonical_cell
from omicstore.harmonize.people import Members, Note, Raws, by_precedence, source_name
from omicstore.harmonize.samples import SampleMap
from omicstore.harmonize.texts import make_patches, make_reports, redact_reports
from omicstore.identifiers import cohorts_agree
from omicstore.schema import LABELS, OUTCOMES, PATIENTS, PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.harmonize.references import References
    from omicstore.readers.table import Drops, RawTable
    from omicstore.sources import Study

__all__ = ["catalogue", "labels", "outcomes", "patches", "patients", "reports"]

#: Times that differ by less than this (days), or this share, say the same: sources give days or rounded months.
SAME_DAYS, SAME_SHARE = 1.0, 0.005

#: Columns of the patients table that do not come out of a clinical table.
_OURS = ("patient_id", "cohort", "dataset", "site", "tissue", "extra")


class _Ledger(Protocol):
    def table(self, raw: RawTable, kept: int, drops: Drops, warnings: list[str]) -> None: ...

    def frame(self) -> pl.DataFrame: ...


def catalogue(
    raws: Raws, profiles: Sequence[pl.DataFrame], cohort: str, study: Study, refs: References, ledger: _Ledger
) -> dict[str, pl.DataFrame]:
    """Make all catalogue tables of one cohort and enter every table source into the ledger.

    Parameters
    ----------
    raws
        Source id and table, of everything that is no matrix, in the order of the study file.
    profiles
        The profiles of the cohort's matrices.
    cohort, study, refs
        What is being built.
    ledger
        Takes one entry per table, and gives the provenance table.

    Returns
    -------
    dict
        patients, outcomes, labels, profiles, provenance, in the columns of the store.
    """
    notes = {i: Note() for i in range(len(raws))}
    nobody = Members(study, cohort, refs, PROFILES.conform(pl.DataFrame()))
    texts = [make(raws, nobody, notes)[1] for make in (make_reports, make_patches)]
    everything = PROFILES.conform(pl.concat([*(p.select(list(PROFILES.columns)) for p in profiles), *texts]))
    members = Members(study, cohort, refs, everything)
    tables = {
        "patients": _patients(raws, members, study, everything, notes),
        "outcomes": _outcomes(raws, members, notes),
        "labels": _labels(raws, members, notes),
        "profiles": everything,
    }
    for i, (_, raw) in enumerate(raws):
        ledger.table(raw, notes[i].kept, notes[i].drops, notes[i].warnings)
    return tables | {"provenance": ledger.frame()}


def reports(raws: Raws, cohort: str, study: Study, refs: References) -> pl.DataFrame:
    """Return the reports of a cohort, redacted: in the columns of the store, and table, the place in `raws`."""
    return redact_reports(make_reports(raws, _nobody(cohort, study, refs), defaultdict(Note))[0], raws)


def patches(raws: Raws, cohort: str, study: Study, refs: References) -> pl.DataFrame:
    """Return the slides of a cohort, as `omicstore.harmonize.texts.make_patches` does."""
    return make_patches(raws, _nobody(cohort, study, refs), defaultdict(Note))[0]


def patients(raws: Raws, cohort: str, study: Study, refs: References, profiles: pl.DataFrame) -> pl.DataFrame:
    """Return the patients table: one row per patient of `profiles`, with what the clinical tables say."""
    return _patients(raws, Members(study, cohort, refs, profiles), study, profiles, defaultdict(Note))


def outcomes(raws: Raws, cohort: str, study: Study, refs: References, profiles: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes table: per patient of `profiles` and endpoint the value of the first source that has one.

    Another source's differing value is recorded in ``disagrees``.
    """
    return _outcomes(raws, Members(study, cohort, refs, profiles), defaultdict(Note))


def labels(raws: Raws, cohort: str, study: Study, refs: References, profiles: pl.DataFrame) -> pl.DataFrame:
    """Return the labels table, for the patients and samples of `profiles`."""
    return _labels(raws, Members(study, cohort, refs, profiles), defaultdict(Note))


def _nobody(cohort: str, study: Study, refs: References) -> Members:
    return Members(study, cohort, refs, PROFILES.conform(pl.DataFrame()))


def _of_kind(raws: Raws, kind: str) -> list[tuple[int, RawTable]]:
    return by_precedence((i, raw) for i, (_, raw) in enumerate(raws) if raw.kind == kind and raw.frame is not None)


def _patients(
    raws: Raws, members: Members, study: Study, profiles: pl.DataFrame, notes: dict[int, Note]
) -> pl.DataFrame:
    found: dict[str, dict[str, Any]] = {p: {} for p in members.patients}
    extra: dict[str, dict[str, Any]] = {p: {} for p in members.patients}
    for i, raw in _of_kind(raws, "clinical"):
        assert raw.frame is not None
        rows = members.rows(raw, notes[i])
        # A table by sample: what it says of the primary tumour comes first.
        rows.sort(key=lambda r: (r.sample.sample_type != "primary", r.sample.profile_id, r.index))
        typed, others = _typed(raw.frame)
        for row in rows:
            _fill(found[row.sample.patient_id], typed[row.index])
            _fill(extra[row.sample.patient_id], others[row.index])
        notes[i].kept = len(rows)
        notes[i].warnings += _other_cohort(raw, [row.index for row in rows], members.cohort)
    where = _sites_and_tissues(profiles, SampleMap(study, members.cohort))
    table = [
        found[patient]
        | {
            "patient_id": patient,
            "cohort": members.cohort,
            "dataset": study.dataset,
            "site": where[patient][0],
            "tissue": where[patient][1] or found[patient].get("tissue"),
            "extra": canonical_cell(extra[patient]) if extra[patient] else None,
        }
        for patient in sorted(members.patients)
    ]
    return PATIENTS.conform(pl.DataFrame(table, schema=PATIENTS.columns))


def _typed(frame: pl.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split the rows of a clinical table into canonical columns of the right type and what else they say."""
    canonical = [c for c in frame.columns if c in PATIENTS.columns and (c not in _OURS or c == "tissue")]
    typed = frame.select(pl.col(c).cast(PATIENTS.columns[c], strict=False) for c in canonical)
    # An age of "40-60" is no number; it is kept under its name beside the numbers.
    unread = [
        pl.when(typed.get_column(c).is_null()).then(pl.col(c).cast(pl.String)).alias(c)
        for c in canonical
        if typed.get_column(c).null_count() > frame.get_column(c).null_count()
    ]
    others = [c for c in frame.columns if c not in (*canonical, *_OURS, "raw_id")]
    rest = frame.select(*others, *unread)
    nothing: list[dict[str, Any]] = [{}] * frame.height
    return (typed.to_dicts() if typed.width else nothing, rest.to_dicts() if rest.width else nothing)


def _fill(known: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if value is not None and known.get(name) is None:
            known[name] = value


def _other_cohort(raw: RawTable, rows: list[int], cohort: str) -> list[str]:
    if raw.frame is None or "cohort" not in raw.frame.columns:
        return []
    said = raw.frame.get_column("cohort").to_list()
    ids = raw.frame.get_column("raw_id").to_list()
    others = [f"{ids[i]} ({said[i]})" for i in rows if said[i] and not cohorts_agree(str(said[i]).upper(), cohort)]
    if not others:
        return []
    return [f"{len(others)} patients of {cohort} are of another cohort in this table, e.g. {', '.join(others[:3])}"]


def _sites_and_tissues(profiles: pl.DataFrame, who: SampleMap) -> dict[str, tuple[str | None, str | None]]:
    found: dict[str, tuple[str | None, str | None]] = {}
    columns = ("patient_id", "site", "raw_id")
    for patient, site, raw_id in profiles.select(columns).unique().sort(columns).iter_rows():
        sample = who.sample(raw_id)
        before = found.get(patient, (None, None))
        found[patient] = (before[0] or site, before[1] or (sample.tissue if sample is not None else None))
    return found


def _outcomes(raws: Raws, members: Members, notes: dict[int, Note]) -> pl.DataFrame:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for i, raw in _of_kind(raws, "outcome"):
        assert raw.frame is not None
        rows, note, source = members.rows(raw, notes[i]), notes[i], source_name(raw)
        records = raw.frame.select("endpoint", "time_days", "event").rows()
        own: set[tuple[str, str]] = set()
        for row in rows:
            endpoint, time, event = records[row.index]
            key = (row.sample.patient_id, str(endpoint).upper())
            if time is None or event is None:
                note.drops.add("no time or no event", [f"{key[0]} {key[1]}"])
            elif key in own:
                note.drops.add("repeated row of a patient", [f"{key[0]} {key[1]}"])
            else:
                own.add(key)
                note.kept += 1
                _agree(found, key, float(time), int(event), source)
    table = [
        {"patient_id": patient, "cohort": members.cohort, "endpoint": endpoint, **value}
        | {"disagrees": "; ".join(value["disagrees"]) or None}
        for (patient, endpoint), value in found.items()
    ]
    return OUTCOMES.conform(pl.DataFrame(table, schema=OUTCOMES.columns))


def _agree(
    found: dict[tuple[str, str], dict[str, Any]], key: tuple[str, str], time: float, event: int, source: str
) -> None:
    first = found.get(key)
    if first is None:
        found[key] = {"time_days": time, "event": event, "source": source, "disagrees": []}
        return
    apart = abs(first["time_days"] - time) > max(SAME_DAYS, SAME_SHARE * abs(first["time_days"]))
    if apart or first["event"] != event:
        first["disagrees"].append(f"{source}: {time:g} days, event {event}")


def _labels(raws: Raws, members: Members, notes: dict[int, Note]) -> pl.DataFrame:
    found: dict[tuple[str, str | None, str, str], dict[str, Any]] = {}
    for i, raw in _of_kind(raws, "label"):
        assert raw.frame is not None
        records, note, source = raw.frame.select("raw_id", "task", "label").rows(), notes[i], source_name(raw)
        for row in members.rows(raw, note):
            raw_id, task, label = records[row.index]
            sample_id = None if row.sample.patient_level else row.sample.sample_id
            key = (row.sample.patient_id, sample_id, task, source)
            if label is None:
                note.drops.add("no label", [raw_id])
            elif sample_id is not None and not members.has_sample(sample_id):
                note.drops.add("sample without a profile", [raw_id])
            elif key in found:
                note.drops.add("repeated row of a sample", [raw_id])
            else:
                note.kept += 1
                found[key] = {"label": str(label), "derived_from": _derived_from(raw.source.labels.get(task, task))}
    table = [
        {"patient_id": patient, "sample_id": sample, "cohort": members.cohort, "task": task, "source": source} | value
        for (patient, sample, task, source), value in found.items()
    ]
    return LABELS.conform(pl.DataFrame(table, schema=LABELS.columns))


def _derived_from(column: str) -> str | None:
    """Return the modality that a label was called from, as far as the column's name says so (leak L9).

    Examples
    --------
    >>> _derived_from("PAM50Call_RNAseq"), _derived_from("methylation_Clusters_nature2012"), _derived_from("stage")
    ('rna', 'meth', None)
    """
    folded = column.lower()
    hints = {"rna": ("rnaseq", "mrna", "pam50", "expression"), "meth": ("methyl",), "prot": ("rppa", "protein")}
    hints |= {"mirna": ("mirna",), "cnv": ("cnv", "cn_cluster", "copy_number"), "mut": ("mutation",)}
    if any(word in folded for word in hints["mirna"]):
        return "mirna"
    return next((modality for modality, words in hints.items() if any(word in folded for word in words)), None)
