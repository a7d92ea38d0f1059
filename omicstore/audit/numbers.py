"""The stored numbers that an audit judges: modality by modality, over the cohorts that the split has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle

__all__ = ["Pool", "cohorts_of", "label_of", "modalities_of", "pools", "profile_column"]


@dataclass(frozen=True, slots=True)
class Pool:
    """The numbers of one modality in one unit, over cohorts.

    Attributes
    ----------
    modality, unit
        Of the numbers.
    samples, cohorts
        (n,) whose rows they are.
    features
        (F,) feature ids: the union of the cohorts' axes.
    symbols
        Feature id to a name that people know, where there is one.
    values
        (n, F) float32, NaN where missing or where the cohort lacks the feature.
    """

    modality: str
    unit: str | None
    samples: NDArray[np.str_]
    cohorts: NDArray[np.str_]
    features: NDArray[np.str_]
    symbols: dict[str, str]
    values: NDArray[np.float32]

    def name(self, column: int) -> str:
        """Return a feature's symbol and id, or its id."""
        feature = str(self.features[column])
        symbol = self.symbols.get(feature)
        return f"{symbol} ({feature})" if symbol and symbol != feature else feature


def cohorts_of(bundle: Bundle) -> list[str]:
    """Return the cohorts that are judged: the split's; all of the store where the split names none."""
    named = sorted(bundle.rows["cohort"].drop_nulls().unique().to_list())
    return named or sorted({cohort for cohort, _ in bundle.matrices})


def modalities_of(bundle: Bundle) -> list[str]:
    """Return the modalities with numbers that are judged: the model's, or the split's, or all of the store."""
    held = sorted({modality for _, modality in bundle.matrices})
    said = (bundle.sidecar or {}).get("modalities") or bundle.params.get("modalities") or []
    named = [m for m in held if isinstance(said, list) and m in said]
    return named or held


def pools(bundle: Bundle, modalities: list[str] | None = None) -> Iterator[Pool]:
    """Yield the numbers of each modality, a pool for each unit that cohorts have it in.

    Parameters
    ----------
    bundle
        What is audited.
    modalities
        By default `modalities_of`.
    """
    cohorts = cohorts_of(bundle)
    for modality in modalities_of(bundle) if modalities is None else modalities:
        units: dict[str | None, list[str]] = {}
        for cohort in cohorts:
            if (cohort, modality) in bundle.matrices:
                units.setdefault(bundle.unit(cohort, modality), []).append(cohort)
        for unit, own in sorted(units.items(), key=str):
            pool = _pool(bundle, modality, unit, own)
            if pool is not None:
                yield pool


def _pool(bundle: Bundle, modality: str, unit: str | None, cohorts: list[str]) -> Pool | None:
    read = [(cohort, found) for cohort in cohorts if (found := bundle.matrix(cohort, modality)) is not None]
    if not read:
        return None
    features = sorted({name for _, matrix in read for name in matrix.features})
    where = {name: i for i, name in enumerate(features)}
    values = np.full((sum(len(m.sample_ids) for _, m in read), len(features)), np.nan, dtype=np.float32)
    start = 0
    for _, matrix in read:
        stop = start + len(matrix.sample_ids)
        values[start:stop, [where[name] for name in matrix.features]] = matrix.values
        start = stop
    symbols: dict[str, str] = {}
    for cohort, _ in read:
        symbols |= bundle.symbols(cohort, modality)
    return Pool(
        modality,
        unit,
        np.array([s for _, m in read for s in m.sample_ids], dtype=np.str_),
        np.array([c for c, m in read for _ in m.sample_ids], dtype=np.str_),
        np.array(features, dtype=np.str_),
        symbols,
        values,
    )


def profile_column(bundle: Bundle, name: str, modality: str, samples: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return what the sample map says of samples in one column, for a modality's profiles; "" where it says nothing.

    Parameters
    ----------
    bundle
        What is audited.
    name
        A column of text of the table `profiles`.
    modality, samples
        Whose.

    Returns
    -------
    (n,) text.
    """
    profiles = bundle.table("profiles")
    if profiles is None or name not in profiles.columns:
        return np.full(len(samples), "", dtype=np.str_)
    own = profiles.filter(pl.col("modality") == modality).sort("chosen")  # the chosen one last, and so kept
    said = dict(own.select("sample_id", pl.col(name).cast(pl.String).fill_null("")).iter_rows())
    return np.array([said.get(s, "") for s in samples.tolist()], dtype=np.str_)


def label_of(bundle: Bundle, samples: NDArray[np.str_]) -> dict[str, NDArray[np.str_]]:
    """Return per task of the labels table the (n,) labels of samples, "" where a sample has none.

    A label of the patient is of all the patient's samples that the split has; of the tumours where there is no split.
    """
    labels, profiles = bundle.table("labels"), bundle.table("profiles")
    if labels is None or not labels.height or profiles is None:
        return {}
    assigned = set(bundle.assignments["sample_id"].to_list())
    known = profiles.select("sample_id", "patient_id", "sample_type").unique("sample_id")
    kept = pl.col("sample_id").is_in(sorted(assigned)) if assigned else pl.col("sample_type") != "normal"
    patient = dict(known.filter(kept.fill_null(value=True)).select("sample_id", "patient_id").iter_rows())
    found = {}
    for task in sorted(labels["task"].drop_nulls().unique().to_list()):
        own = labels.filter(pl.col("task") == task)
        of_patient = dict(own.filter(pl.col("sample_id").is_null()).select("patient_id", "label").iter_rows())
        of_sample = dict(own.filter(pl.col("sample_id").is_not_null()).select("sample_id", "label").iter_rows())
        told = (of_sample.get(s) or of_patient.get(patient.get(s, "")) or "" for s in samples.tolist())
        found[str(task)] = np.array(list(told), dtype=np.str_)
    return found
