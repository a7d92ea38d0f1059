"""Reports and slides: their tables, and their rows of the profiles table."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SourceError
from omicstore.harmonize.people import Members, Note, Raws, Row, source_name
from omicstore.progress import task
from omicstore.schema import PROFILES, REPORTS
from omicstore.text.redaction import Vocabulary, redact, to_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omicstore.harmonize.samples import Sample

__all__ = ["PATCH_COLUMNS", "make_patches", "make_reports", "redact_reports"]

PATCH_COLUMNS = {
    "slide_id": pl.String,
    "sample_id": pl.String,
    "patient_id": pl.String,
    "profile_id": pl.String,
    "path": pl.String,
    "encoder": pl.String,
    "n_patches": pl.Int64,
    "table": pl.Int64,
}

_SAMPLE_COLUMNS = (
    "sample_id", "patient_id", "sample_type", "sample_type_code", "sample_type_inferred", "vial", "portion", "analyte",
    "plate", "center", "site",
)  # fmt: skip


def make_reports(raws: Raws, members: Members, notes: dict[int, Note]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the reports table and its profiles.

    A report is the patient's, and is filed under the primary sample. All reports of a patient are kept; the longest is
    the chosen profile.

    Returns
    -------
    reports
        In the columns of the store, not redacted yet, and table, the place of its table in `raws`.
    profiles
        In the columns of the store.
    """
    rows: list[dict[str, Any]] = []
    for i, (source_id, raw) in enumerate(raws):
        if raw.kind != "report" or raw.frame is None:
            continue
        note = notes[i]
        texts = raw.frame.get_column("text").to_list()
        ids = raw.frame.get_column("raw_id").to_list()
        hashes = raw.frame.get_column("raw_hash", default=None)
        for row in members.rows(raw, note, only_members=False):
            text = (texts[row.index] or "").strip()
            if not text:
                note.drops.add("empty text", [ids[row.index]])
                continue
            note.kept += 1
            digest = hashlib.sha256(text.encode()).hexdigest() if hashes is None else hashes[row.index]
            about = _profile(row, ids[row.index], source_id, members.cohort, "report")
            about |= {"content_hash": digest, "raw_hash": digest, "table": i}
            rows.append(about | {"text": text, "source": source_name(raw), "n_features": 1, "n_missing": 0})
    by_sample: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in sorted(rows, key=lambda r: (-len(r["text"]), r["content_hash"])):
        by_sample[entry["sample_id"]].append(entry)
    ordered = []
    for group in by_sample.values():
        for rank, entry in enumerate(group):
            ordered.append(entry | {"chosen": rank == 0, "reason": "shorter text" if rank else None})
    _number(ordered)
    frame = pl.DataFrame(ordered, schema_overrides=REPORTS.columns | PROFILES.columns, infer_schema_length=None)
    if not ordered:
        return pl.DataFrame(schema=REPORTS.columns | {"table": pl.Int64}), PROFILES.conform(frame)
    return frame.select(*(c for c in REPORTS.columns if c in frame.columns), "table"), PROFILES.conform(frame)


def redact_reports(reports: pl.DataFrame, raws: Raws) -> pl.DataFrame:
    """Take out of the texts what their sources say: the labels of tasks, and further words.

    Parameters
    ----------
    reports
        As `make_reports` gives them.
    raws
        The tables that they came from, and those that hold the labels of the study's own tasks.

    Raises
    ------
    UnknownNameError
        If a task is neither known nor one of the study's.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for _, raw in raws:
        if raw.kind == "label" and raw.frame is not None:
            for name, label in raw.frame.select("task", "label").drop_nulls().unique().iter_rows():
                labels[name].add(str(label))
    own = {name: sorted(values) for name, values in labels.items()}
    sources = {i: raws[i][1].source for i in reports["table"].unique().sort()}
    wanted = {i: Vocabulary.of(s.redact, s.redact_words, own) for i, s in sources.items() if s.redact or s.redact_words}
    texts, records = [], []
    with task("redacting reports", reports.height if wanted else 0, "reports") as advance:
        for text, i in reports.select("text", "table").iter_rows():
            found = redact(text, wanted[i]) if i in wanted else None
            texts.append(text if found is None else found.text)
            records.append(None if found is None else to_record(found, wanted[i]))
            advance()
    return reports.with_columns(text=pl.Series(texts, dtype=pl.String), redactions=pl.Series(records, dtype=pl.String))


def make_patches(raws: Raws, members: Members, notes: dict[int, Note]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the table of slides and its profiles; every slide of a sample is kept and chosen.

    Returns
    -------
    slides
        slide_id, sample_id, patient_id, profile_id, path, encoder, n_patches, and table, the place of its table
        in `raws`; sorted by slide_id.
    profiles
        In the columns of the store.

    Raises
    ------
    SourceError
        If two sources have the same slide by the same encoder.
    """
    rows: list[dict[str, Any]] = []
    for i, (source_id, raw) in enumerate(raws):
        if raw.kind != "patches" or raw.frame is None:
            continue
        records = raw.frame.to_dicts()
        for row in members.rows(raw, notes[i], only_members=False):
            notes[i].kept += 1
            record = records[row.index]
            about = _profile(row, record["raw_id"], source_id, members.cohort, "patches")
            about |= {name: record.get(name) for name in ("slide_id", "path", "encoder", "n_patches")} | {"table": i}
            rows.append(
                about
                | {"profile_id": record["slide_id"], "platform": record.get("encoder"), "chosen": True, "n_missing": 0}
            )
    rows.sort(key=lambda r: (r["slide_id"], r["encoder"] or "", r["path"] or ""))
    for one, other in pairwise(rows):
        if (one["slide_id"], one["encoder"]) == (other["slide_id"], other["encoder"]):
            raise SourceError(
                other["path"],
                f"slide {one['slide_id']} of encoder {one['encoder']} is there twice, here and as {one['path']}",
                expected="each slide once for each encoder",
                run="leave one of the two out, or name the encoder of each source",
            )
    _number(rows)
    frame = pl.DataFrame(rows, schema_overrides=PATCH_COLUMNS | PROFILES.columns, infer_schema_length=None)
    if not rows:
        return pl.DataFrame(schema=PATCH_COLUMNS), PROFILES.conform(pl.DataFrame())
    return frame.select(pl.col(name).cast(dtype) for name, dtype in PATCH_COLUMNS.items()), PROFILES.conform(frame)


def _profile(row: Row, raw_id: str, source_id: str, cohort: str, modality: str) -> dict[str, Any]:
    sample: Sample = row.sample
    return {name: getattr(sample, name) for name in _SAMPLE_COLUMNS} | {
        "profile_id": sample.profile_id,
        "cohort": cohort,
        "modality": modality,
        "raw_id": raw_id,
        "source_id": source_id,
    }


def _number(rows: Sequence[dict[str, Any]]) -> None:
    """Make the profile ids unique, in the order of the rows."""
    seen: Counter[str] = Counter()
    for record in rows:
        profile_id = record["profile_id"]
        seen[profile_id] += 1
        if seen[profile_id] > 1:
            record["profile_id"] = f"{profile_id}#{seen[profile_id]}"
