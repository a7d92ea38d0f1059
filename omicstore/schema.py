"""The columns of every table in a store: ``omicstore.store/1``.

Every table is written sorted by its key, with exactly these columns in this order and these types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = [
    "FEATURES",
    "FORMAT",
    "LABELS",
    "OUTCOMES",
    "PATIENTS",
    "PROFILES",
    "PROVENANCE",
    "REPORTS",
    "TABLES",
    "Table",
    "matrix_rows",
]

FORMAT = "omicstore.store/1"


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns, the columns that make its key, and those that are no part of the release id.

    `optional` columns are in the table only where they say something, so that a store whose sources have nothing of
    the kind is the same as before there was such a column.
    """

    name: str
    columns: dict[str, Any]
    key: tuple[str, ...]
    unhashed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with exactly this table's columns and types, missing ones null, sorted by the key."""
        have = set(frame.columns)
        silent = {name for name in self.optional if name not in have or frame[name].null_count() == frame.height}
        wanted = {name: dtype for name, dtype in self.columns.items() if name not in silent}
        if not frame.height:
            return pl.DataFrame(schema=wanted)  # a selection of literals alone would have one row
        columns = [
            pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in wanted.items()
        ]
        return frame.select(columns).sort(list(self.key), nulls_last=True)


S, F, N, B = pl.String, pl.Float64, pl.Int64, pl.Boolean

#: One row per patient that has a profile or a report in the study.
PATIENTS = Table(
    "patients",
    {
        "patient_id": S, "cohort": S, "dataset": S, "site": S, "sex": S, "age_years": F, "race": S, "ethnicity": S,
        "stage": S, "grade": S, "histology": S, "tissue": S, "diagnosis_year": N, "vital_status": S,
        "extra": S,        # canonical JSON of further clinical columns, or null
    },
    ("cohort", "patient_id"),
)  # fmt: skip

#: Follow-up: one row per patient and endpoint (OS, DSS, PFI, DFI).
OUTCOMES = Table(
    "outcomes",
    {
        "patient_id": S,
        "cohort": S,
        "endpoint": S,
        "time_days": F,
        "event": pl.Int8,
        "source": S,
        "disagrees": S,
    },
    ("cohort", "patient_id", "endpoint"),
)

#: Labels for classification; `sample_id` is null where the label is the patient's.
LABELS = Table(
    "labels",
    {"patient_id": S, "sample_id": S, "cohort": S, "task": S, "label": S, "source": S, "derived_from": S},
    ("cohort", "patient_id", "sample_id", "task", "source"),
)

#: The sample map: one row per measured column of every source file, chosen or not.
PROFILES = Table(
    "profiles",
    {
        "profile_id": S, "sample_id": S, "patient_id": S, "cohort": S, "modality": S, "raw_id": S, "source_id": S,
        "sample_type": S, "sample_type_code": S, "sample_type_inferred": B, "vial": S, "portion": S, "analyte": S,
        "plate": S, "center": S, "platform": S, "site": S, "ffpe": B,
        "chosen": B, "reason": S, "content_hash": S, "n_features": N, "n_missing": N,
        "nearest_profile": S, "nearest_r": F,      # the most similar profile of another patient
    },
    ("cohort", "modality", "sample_id", "profile_id"),
    unhashed=("nearest_profile", "nearest_r"),     # a matrix product's last digits depend on the machine
)  # fmt: skip

#: One row per source file (and cohort that took rows from it).
PROVENANCE = Table(
    "provenance",
    {
        "source_id": S, "cohort": S, "modality": S, "name": S, "path": S, "sha256": S, "bytes": N, "reader": S,
        "unit_in": S, "unit": S, "upstream_fit": S, "platform": S, "licence": S,
        "rows_in": N, "columns_in": N, "profiles_kept": N, "features_kept": N,
        "drops": S,        # canonical JSON {reason: count}
        "examples": S,     # canonical JSON {reason: [name, ...]}
        "warnings": S,     # canonical JSON [sentence, ...]
        "encoder": S,      # of patches and reports: canonical JSON, see omicstore.slides.exposure
        "redacted": S,     # of reports: canonical JSON [task, ...] that the text was redacted for
    },
    ("cohort", "modality", "source_id", "name"),
    unhashed=("path",),
    optional=("encoder", "redacted"),
)  # fmt: skip

#: A matrix's own axis.
FEATURES = Table(
    "features",
    {
        "feature_id": S, "symbol": S, "entrez": S, "chromosome": S, "start": N, "end": N, "strand": S,
        "platform": S, "n_probes": N, "n_sources": N, "source_name": S, "kegg": S, "hmdb": S,
        "quality": S, "suffix": S,
        "consequences": S,  # of a gene's mutations: canonical JSON {Variant_Classification: count}
    },
    ("feature_id",),
    optional=("consequences",),
)  # fmt: skip

#: One row per report.
REPORTS = Table(
    "reports",
    {
        "patient_id": S, "sample_id": S, "profile_id": S,
        "text": S,          # cleaned and, where the study asks for it, redacted
        "source": S,
        "redactions": S,    # canonical JSON, see omicstore.text.redaction.record; null where nothing was asked for
        "raw_hash": S,      # sha256 of the text as the file has it
        "encoder": S, "n_sentences": N,
        "embeddings": pl.List(pl.Float32),  # the vectors of the sentences, one after the other
    },
    ("patient_id", "profile_id"),
    unhashed=("embeddings",),  # their last digits depend on the machine; text and encoder are hashed
    optional=("encoder", "n_sentences", "embeddings"),
)  # fmt: skip

#: The tables of ``catalog/``.
TABLES: dict[str, Table] = {t.name: t for t in (PATIENTS, OUTCOMES, LABELS, PROFILES, PROVENANCE)}


def matrix_rows(profiles: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that the matrices of a sample map have: cohort, modality, sample_id, profile_id.

    A sample has one row, which holds its chosen profile. Where platforms are set side by side
    (`omicstore.modalities.Modality.side_by_side`), one profile is chosen on each, and the row holds them all: its
    profile_id is theirs, in order, joined by ``+``.

    Examples
    --------
    >>> profiles = pl.DataFrame({
    ...     "cohort": "RCC", "modality": "metab", "sample_id": ["A-T", "A-T", "B-T"],
    ...     "profile_id": ["A_T#2", "A_T", "B_T"], "chosen": True})
    >>> matrix_rows(profiles)["profile_id"].to_list()
    ['A_T+A_T#2', 'B_T']
    """
    keys = ["cohort", "modality", "sample_id"]
    return profiles.filter("chosen").group_by(keys).agg(pl.col("profile_id").sort().str.join("+")).sort(keys)
