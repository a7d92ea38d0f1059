"""Reading reports: their text, redacted on the way if asked for, their sentences' vectors, and prototypes of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from omicstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.store.reader import Store

__all__ = ["ReportPrototypes", "report_prototypes", "report_table", "sentence_table"]


@dataclass(frozen=True, slots=True)
class ReportPrototypes:
    """Prototypes of the sentences of several reports; see `omicstore.slides.prototypes.Prototypes`.

    Attributes
    ----------
    reports
        n rows: sample_id, patient_id, profile_id, encoder, n_sentences.
    means, variances
        (n, k, d) float32, NaN where a report has fewer distinct sentences than k.
    weights
        (n, k) float32.
    """

    reports: pl.DataFrame
    means: NDArray[np.float32]
    weights: NDArray[np.float32]
    variances: NDArray[np.float32]


def report_table(store: Store, ids: pl.DataFrame, redact: str | Sequence[str] = ()) -> pl.DataFrame:
    """Return the reports of samples, without the vectors of their sentences.

    Parameters
    ----------
    store
        Where they are.
    ids
        cohort, sample_id, patient_id; a report is its patient's.
    redact
        Tasks whose words are taken out of the text, besides what was taken out when the store was built.

    Returns
    -------
    polars.DataFrame
        sample_id, patient_id, profile_id, text, source, ..., and redacted, the tasks whose words are not in the text.
        What was taken out is not there, since it gives the label away: the record is in ``store.table("reports")``.

    Raises
    ------
    UnknownNameError
        If the store has no labels for a task that is none of the known ones.
    """
    from omicstore.text.redaction import Vocabulary, redacted_tasks
    from omicstore.text.redaction import redact as taken_out

    reports = store.table("reports")
    if reports.is_empty():
        return reports
    texts = reports.drop("sample_id", "embeddings", strict=False)
    found = ids.join(texts, on=["cohort", "patient_id"], how="inner", maintain_order="left_right").drop("cohort")
    tasks = [redact] if isinstance(redact, str) else list(redact)
    done = [", ".join(sorted({*redacted_tasks(record), *tasks})) or None for record in found["redactions"]]
    found = found.drop("redactions").with_columns(redacted=pl.Series(done, dtype=pl.String))
    if not tasks:
        return found
    labels = store.table("labels").drop_nulls("label").group_by("task").agg(pl.col("label").unique().sort())
    vocabulary = Vocabulary.of(tasks, labels=dict(labels.iter_rows()))
    return found.with_columns(
        text=pl.Series([taken_out(text, vocabulary).text for text in found["text"]], dtype=pl.String)
    )


def sentence_table(store: Store, ids: pl.DataFrame) -> pl.DataFrame:
    """Return a row per sentence: sample_id, patient_id, profile_id, sentence, text, encoder, features FLOAT[d].

    Raises
    ------
    UsageError
        If no report of the samples has vectors, or they are of several encoders.
    """
    from omicstore.text.sentences import split_sentences

    parts = [
        pl.DataFrame(
            {
                "sample_id": row["sample_id"],
                "patient_id": row["patient_id"],
                "profile_id": row["profile_id"],
                "sentence": range(len(values)),
                "text": split_sentences(row["text"]),
                "encoder": row["encoder"],
                "features": pl.Series(values, dtype=pl.Array(pl.Float32, values.shape[1])),
            }
        )
        for row, values in _vectors(store, ids)
    ]
    return pl.concat(parts)


def report_prototypes(store: Store, ids: pl.DataFrame, k: int, seed: int) -> ReportPrototypes:
    """Fit the prototypes of the sentences of each report on its own.

    Raises
    ------
    UsageError
        If no report of the samples has vectors, or they are of several encoders.
    """
    from omicstore.slides.prototypes import prototypes

    rows, found = [], []
    for row, values in _vectors(store, ids):
        rows.append({name: row[name] for name in ("sample_id", "patient_id", "profile_id", "encoder", "n_sentences")})
        found.append(prototypes(values, k, seed))
    return ReportPrototypes(
        reports=pl.DataFrame(rows),
        means=np.stack([one.means for one in found]),
        weights=np.stack([one.weights for one in found]),
        variances=np.stack([one.variances for one in found]),
    )


def _vectors(store: Store, ids: pl.DataFrame) -> list[tuple[dict[str, str], NDArray[np.float32]]]:
    from omicstore.text.embedding import sentence_vectors

    reports = store.table("reports")
    if "embeddings" not in reports.columns:
        raise UsageError(
            "the reports of this store have no vectors",
            expected="encoder: in their source, such as all-MiniLM-L6-v2",
            run="name one in params.yaml, and build the store again",
        )
    mine = ids.join(reports.drop("sample_id"), on=["cohort", "patient_id"], how="inner", maintain_order="left_right")
    mine = mine.filter(pl.col("n_sentences") > 0)
    encoders = mine["encoder"].unique().sort().to_list()
    if len(encoders) != 1:
        raise UsageError(
            f"the sentences of these reports have vectors of {len(encoders)} encoders {', '.join(encoders)}".rstrip(),
            expected="reports of one encoder",
            run="ask for the cohorts one by one",
        )
    values = sentence_vectors(mine["embeddings"], mine["n_sentences"])
    return list(zip(mine.drop("embeddings").iter_rows(named=True), values, strict=True))
