"""Clinical data of the GDC: the portal's tar.gz, a folder of its tables, clinical.tsv alone, or its JSON.

clinical.tsv has a row for each diagnosis and treatment of a case, under names with a prefix (``diagnoses.``, since
2024) or without; follow_up.tsv has a row for each visit. A patient gets one row: what the primary diagnosis says, and
follow-up to death or to the last visit that any row tells of.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.errors import SourceError
from omicstore.readers.bytestream import AGAIN, read_bytes
from omicstore.readers.clinical import TextTable, canonical, label_table, number, outcome_table, present
from omicstore.readers.delimited import Layout
from omicstore.readers.gdc_columns import check_widths
from omicstore.readers.recognise import Guess
from omicstore.readers.table import RawTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omicstore.readers.recognise import Head
    from omicstore.sources import Sampling, Source

__all__ = ["CLINICAL", "overall", "read_clinical", "recognise"]

#: Canonical column to the GDC's names, without prefixes.
CLINICAL: dict[str, tuple[str, ...]] = {
    "sex": ("gender", "sex_at_birth"),
    "age_years": ("age_at_index",),
    "age_days": ("age_at_diagnosis",),
    "race": ("race",),
    "ethnicity": ("ethnicity",),
    "stage": ("ajcc_pathologic_stage", "tumor_stage", "figo_stage", "ann_arbor_clinical_stage", "masaoka_stage",
              "ajcc_clinical_stage", "uicc_pathologic_stage", "inss_stage"),
    "grade": ("tumor_grade", "who_cns_grade"),
    "histology": ("primary_diagnosis",),
    "diagnosis_year": ("year_of_diagnosis",),
    "vital_status": ("vital_status",),
}  # fmt: skip

CASE, PROJECT = "case_submitter_id", "project_id"

#: Names that would be lost, or be two, without their prefix; later exports first.
_RENAMED = {
    "cases.submitter_id": CASE,
    "cases.case_id": "case_id",
    "project.project_id": PROJECT,
    "diagnoses.submitter_id": "diagnosis_submitter_id",
    "submitter_id": CASE,
}
_PREFIXES = ("demographic.", "diagnoses.", "cases.", "follow_ups.")

_EXPECTED = "clinical.tsv of the GDC portal: cases.submitter_id (or case_submitter_id), gender, vital_status and others"


def read_clinical(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read clinical columns, overall survival, and the labels that the source names.

    The primary diagnosis is the one that is said to be of the primary disease, else the one that is classified as
    primary, else the one nearest to day 0; among equals the first by id decides.

    Raises
    ------
    SourceError
        If there is no clinical.tsv, it is damaged, or it has no column that names the case.
    """
    del sampling  # ids are harmonised later
    rows, visits = _tables(source)
    rows_in, columns = rows.height, rows.columns
    if CASE not in columns or not {"vital_status", "gender", "primary_diagnosis"} & set(columns):
        raise SourceError(
            source.path,
            f"its columns are {', '.join(columns[:6])}, and none names the case or says something of the patient",
            expected=_EXPECTED,
            run="name the clinical tar.gz, its folder or its clinical.tsv in the study file",
        )
    rows = rows.filter(pl.col(CASE).is_not_null())
    frame = _one_row_each(rows).join(_last_seen(rows, visits), on=CASE, how="left", maintain_order="left")
    table = TextTable(Layout(source.path, "\t", [*frame.columns]), frame)
    clinical = canonical(table, CLINICAL, pl.col(CASE)).with_columns(frame.select(_cohort(frame)))
    found = RawTable("clinical", source, frame=clinical, rows_in=rows_in, columns_in=len(columns))
    found.drops.add("row without an id", [], count=rows_in - rows.height)
    found.drops.add("further diagnosis or treatment of a patient", [], count=rows.height - frame.height)
    outcome = outcome_table(source, table, {"OS": overall()}, [pl.col(CASE).alias("raw_id"), _cohort(frame)])
    named = replace(source, labels={task: _short(column) for task, column in source.labels.items()})
    labels = label_table(named, table, pl.col(CASE))
    return [found, outcome] if labels is None else [found, outcome, labels]


def overall() -> tuple[pl.Expr, pl.Expr]:
    """Return time in days and event of overall survival, from vital_status, days_to_death and ``last_seen``.

    The dead without a day of death, the living without a visit, and times before the diagnosis have none.
    """
    status = pl.col("vital_status").str.to_lowercase()
    dead, alive = status.is_in(["dead", "deceased"]), status.is_in(["alive", "living"])
    time = pl.when(dead).then(number(pl.col("days_to_death"))).when(alive).then(pl.col("last_seen"))
    event = pl.when(dead).then(1).when(alive).then(0)
    return pl.when(time >= 0).then(time), event


def _cohort(frame: pl.DataFrame) -> pl.Expr:
    if PROJECT not in frame.columns:
        return pl.lit(None, dtype=pl.String).alias("cohort")
    return pl.col(PROJECT).str.extract(r"^TCGA-(.+)$").alias("cohort")


def _one_row_each(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per case: of the primary diagnosis, what its first row says, else a later one."""
    have = set(rows.columns)

    def text(name: str) -> pl.Expr:
        return pl.col(name).str.to_lowercase() if name in have else pl.lit(None, dtype=pl.String)

    diagnosis = next((n for n in ("diagnosis_submitter_id", "diagnosis_id") if n in have), None)
    day = number(text("days_to_diagnosis")).abs()
    ranked = rows.with_columns(
        (~text("diagnosis_is_primary_disease").eq("true").fill_null(value=False)).alias("_other"),
        (~text("classification_of_tumor").eq("primary").fill_null(value=False)).alias("_class"),
        day.fill_null(float("inf")).alias("_day"),
        (pl.col(diagnosis) if diagnosis else pl.lit("")).fill_null("").alias("_id"),
    )
    order = ["_other", "_class", "_day", "_id"]
    ranked = ranked.sort(CASE, *order, maintain_order=True)
    if diagnosis is not None:  # what another diagnosis says is not of this one
        ranked = ranked.filter(pl.col("_id") == pl.col("_id").first().over(CASE))
    columns = [c for c in rows.columns if c != CASE]
    return ranked.group_by(CASE, maintain_order=True).agg(pl.col(c).drop_nulls().first() for c in columns)


def _last_seen(rows: pl.DataFrame, visits: pl.DataFrame | None) -> pl.DataFrame:
    """Return the last day on which each case was seen, by any of its rows and visits."""
    known = [
        frame.select(CASE, last_seen=number(pl.col(name)))
        for frame in (rows, visits)
        if frame is not None
        for name in ("days_to_last_follow_up", "days_to_follow_up")
        if name in frame.columns and CASE in frame.columns
    ]
    if not known:
        return rows.select(CASE, last_seen=pl.lit(None, dtype=pl.Float64)).unique(CASE)
    return pl.concat(known).group_by(CASE).agg(pl.col("last_seen").max())


def _tables(source: Source) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the rows of clinical.tsv and of follow_up.tsv, under names without prefix."""
    path = source.path
    if path.is_dir():
        texts = {p.name: read_bytes(p) for p in sorted(path.rglob("*.tsv"), reverse=True)}
        if not any(_is(name, "clinical") for name in texts) and len(tars := sorted(path.rglob("*.tar.gz"))) == 1:
            texts = _unpacked(tars[0])
    elif path.name.endswith((".tar.gz", ".tgz", ".tar")):
        texts = _unpacked(path)
    else:
        data = read_bytes(path)
        if data.lstrip()[:1] in (b"[", b"{"):
            return _from_json(path, data, source.missing)
        texts = {"clinical.tsv": data}
    main = next((name for name in sorted(texts) if _is(name, "clinical")), None)
    if main is None:
        raise SourceError(
            path,
            f"there is no clinical.tsv in it; there is {', '.join(sorted(texts)[:6]) or 'no table'}",
            expected="clinical.tsv, and follow_up.tsv where the portal gave one",
            run="download Clinical (TSV) at the portal, or: omicstore fetch gdc",
        )
    visits = next((name for name in sorted(texts) if _is(name, "follow_up")), None)
    follow_up = _parsed(path, visits, texts[visits], source.missing) if visits is not None else None
    return _parsed(path, main, texts[main], source.missing), follow_up


def _is(name: str, what: str) -> bool:
    return name == f"{what}.tsv" or (name.startswith(f"{what}.") and name.endswith(".tsv"))


def _unpacked(path: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(path, "r:*") as archive:
            members = [m for m in archive if m.isfile() and m.name.endswith(".tsv")]
            return {m.name.rpartition("/")[2]: f.read() for m in members if (f := archive.extractfile(m)) is not None}
    except FileNotFoundError:
        raise SourceError(path, "no such file", run="mend the path in the study file") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise SourceError(
            path, f"the archive is truncated or damaged ({error})", expected="a whole tar.gz file", run=AGAIN
        ) from None


def _parsed(path: Path, name: str, data: bytes, missing: Sequence[str]) -> pl.DataFrame:
    header = data[: data.find(b"\n") + 1].decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
    where = path / name if path.is_dir() or path.name.endswith((".tar.gz", ".tgz", ".tar")) else path
    if len(header) < 2:
        raise SourceError(where, f"the header {header[0][:60]!r} is one cell", line=1, expected=_EXPECTED, run=AGAIN)
    check_widths(Layout(where, "\t", header), data)
    schema = {str(i): pl.String for i in range(len(header))}
    frame = pl.read_csv(
        data, separator="\t", has_header=False, skip_lines=1, schema=schema, quote_char=None, encoding="utf8-lossy"
    )
    return _plain(frame.rename({str(i): f"{i}\t{n}" for i, n in enumerate(header)}), header, missing)


def _short(name: str) -> str:
    """Return the name of a column without its prefix."""
    return _RENAMED.get(name) or next((name[len(p) :] for p in _PREFIXES if name.startswith(p)), name)


def _plain(frame: pl.DataFrame, header: list[str], missing: Sequence[str]) -> pl.DataFrame:
    """Rename columns: without prefix, the first of those that would then be the same."""
    taken: dict[str, str] = {}
    for column, name in zip(frame.columns, header, strict=True):
        plain = _short(name)
        if plain != "submitter_id" or name == "submitter_id":
            taken.setdefault(plain, column)
    plain_frame = frame.select(pl.col(column).str.strip_chars().alias(plain) for plain, column in taken.items())
    return plain_frame.with_columns(present(pl.all(), missing))


def _from_json(path: Path, data: bytes, missing: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Turn the JSON export, a list of cases, into the rows that the tables would have."""
    try:
        body: Any = json.loads(data)
        cases = body if isinstance(body, list) else [body]
        rows = [_case(case) | _scalars(d, "diagnoses.") for case in cases for d in case.get("diagnoses") or [{}]]
        visits = [_case(case) | _scalars(v, "follow_ups.") for case in cases for v in case.get("follow_ups") or []]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SourceError(
            path,
            f"this is no clinical JSON of the GDC ({type(error).__name__}: {error})",
            expected="a list of cases with submitter_id, demographic and diagnoses",
            run=AGAIN,
        ) from None
    return _from_records(rows, missing), _from_records(visits, missing) if visits else None


def _case(case: dict[str, Any]) -> dict[str, str]:
    project = case.get("project") or {}
    found = {"cases.submitter_id": str(case["submitter_id"])} | _scalars(case.get("demographic") or {}, "demographic.")
    return found | _scalars(project, "project.")


def _scalars(record: dict[str, Any], prefix: str) -> dict[str, str]:
    return {prefix + k: str(v) for k, v in record.items() if isinstance(v, (str, int, float))}


def _from_records(rows: list[dict[str, str]], missing: Sequence[str]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    frame = pl.DataFrame({n: [row.get(n) for row in rows] for n in names}, schema=dict.fromkeys(names, pl.String))
    return _plain(frame, names, missing)


def recognise(head: Head) -> Guess | None:
    """Tell the archive and the folder by what is in them, and clinical.tsv by its columns."""
    names = {name.rpartition("/")[2] for name in head.names}
    if head.is_dir:
        ours = "clinical.tsv" in names and {"exposure.tsv", "follow_up.tsv", "family_history.tsv"} & names
        return Guess("gdc-clinical", specific=10) if ours else None
    header = set(head.header)
    if {"cases.submitter_id", "demographic.vital_status"} <= header or {CASE, PROJECT, "vital_status"} <= header:
        return Guess("gdc-clinical", specific=10)
    if head.start.lstrip()[:1] == b"[" and b'"diagnoses"' in head.start and b'"submitter_id"' in head.start:
        return Guess("gdc-clinical", specific=10)
    if b"clinical.tsv\0" in head.start or (b"follow_up.tsv\0" in head.start and b"ustar" in head.start):
        return Guess("gdc-clinical", specific=10)
    return None
