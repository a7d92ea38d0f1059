"""L9: whatever stands in for the label: what it was called from, words of reports, columns, single features."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.finding import not_applicable, result
from omicstore.audit.leaks.words import LEAST_CLASS, telling_words
from omicstore.audit.numbers import cohorts_of, label_of, pools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle
    from omicstore.audit.finding import Finding

__all__ = ["proxies"]

_WHAT = "proxies of the label"

#: A clinical column tells the label if guessing each value's most frequent class is right so often, classes alike.
_TOLD = 0.95

#: A single feature does if its AUC is so high, while that of no other feature is so high.
_AREA, _NEXT = 0.995, 0.9

#: Columns of patients that are about the person and name no trait.
_NO_TRAIT = ("patient_id", "cohort", "dataset", "extra")

_NAMED = 3


@dataclass
class _Found:
    """What was found: sentences, and whether one of them is an error."""

    sentences: list[str] = field(default_factory=list)
    evidence: dict[str, list[Any]] = field(default_factory=dict)
    is_error: bool = False

    def say(self, kind: str, sentence: str, entry: Any, *, is_error: bool = False) -> None:
        self.sentences.append(sentence)
        self.evidence.setdefault(kind, []).append(entry)
        self.is_error |= is_error


def proxies(bundle: Bundle) -> Finding:
    """Look for what tells the label without being learned from biology.

    What the label was called from, if the split or the model reads it; words of the reports, if it reads them or says
    nothing of modalities; clinical columns; and a single feature that tells the label as nothing else does. Words are
    judged one by one: a phrase of words that all classes share is not seen. A failure is an error if the label was
    called from a modality that is named as read, or reports that are said to be redacted tell it; else a warning: a
    marker may tell a class and be right to.
    """
    labels = bundle.table("labels")
    if bundle.store is None or labels is None or not labels.height:
        return not_applicable("L9", _WHAT, "no store, or none with labels")
    about, endpoint = bundle.params.get("label"), bundle.params.get("endpoint")
    tasks = sorted(labels["task"].drop_nulls().unique().to_list())
    if about is None and endpoint is not None:
        return not_applicable("L9", _WHAT, f"the split is about {endpoint}, not a label", tasks=tasks)
    found = _Found()
    for task in tasks if about is None else [about]:
        own = labels.filter(pl.col("task") == task)
        _called(bundle, task, own, found)
        _told_by_reports(bundle, task, own, found)
        _told_by_columns(bundle, task, own, found)
        _told_by_features(bundle, task, found)
    how = (
        "what the label was called from was held against what is read; the words of reports, clinical columns and "
        "features were asked one by one how well each tells the classes, and corrected for their number"
    )
    severity = "error" if found.is_error else "warning"
    return result("L9", _WHAT, found.sentences, how, severity, **found.evidence)


def _read(bundle: Bundle) -> list[str] | None:
    """Return the modalities that the model reads or the split names; None where neither says."""
    said = (bundle.sidecar or {}).get("modalities") or bundle.params.get("modalities")
    return [str(m) for m in said] if isinstance(said, list) and said else None


def _called(bundle: Bundle, task: str, labels: pl.DataFrame, found: _Found) -> None:
    read = _read(bundle)
    held = {m for _, m in bundle.matrices} if read is None else set(read)
    cohorts = cohorts_of(bundle)
    called = labels.filter(pl.col("derived_from").is_not_null() & pl.col("cohort").is_in(cohorts))
    for origin, n in (
        called.group_by("derived_from").agg(pl.col("patient_id").n_unique()).sort("derived_from").iter_rows()
    ):
        shared = sorted(held & set(str(origin).replace(",", " ").split()))
        if shared:
            found.say(
                "called",
                f"{task} of {n} patients was called from {origin}, which is read to predict it",
                {"task": task, "derived_from": origin, "patients": n},
                is_error=read is not None,
            )


def _told_by_reports(bundle: Bundle, task: str, labels: pl.DataFrame, found: _Found) -> None:
    read = _read(bundle)
    if read is not None and "report" not in read:
        return
    for cohort in cohorts_of(bundle):
        reports = bundle.reports(cohort)
        if reports is None or "text" not in reports.columns:
            continue
        texts = dict(
            reports.filter(pl.col("text").is_not_null())
            .group_by("patient_id")
            .agg(pl.col("text").str.join("\n"))
            .iter_rows()
        )
        known = _patients(labels, cohort)
        people = sorted(set(texts) & set(known))
        told = telling_words([texts[p] for p in people], np.array([known[p] for p in people], dtype=np.str_))
        if not told:
            continue
        redacted = _redacted(bundle, cohort, task)
        said = " although they are said to be redacted for it" if redacted else ""
        shown = "; ".join(
            f"{t.word!r} is in {t.n} texts, {t.of_class} of {t.label}'s {t.size}"
            f"{', and is a code, no diagnosis' if t.is_code else '' if t.names else ', and names no class'}"
            for t in told[:_NAMED]
        )
        more = f", and {len(told) - _NAMED} more words" if len(told) > _NAMED else ""
        found.say(
            "words",
            f"reports of {cohort} tell {task}{said}: {shown}{more}",
            {"cohort": cohort, "task": task, "redacted": redacted, "words": [asdict(t) for t in told[:20]]},
            is_error=redacted,
        )


def _redacted(bundle: Bundle, cohort: str, task: str) -> bool:
    provenance = bundle.table("provenance")
    if provenance is None or "redacted" not in provenance.columns:
        return False
    own = provenance.filter((pl.col("cohort") == cohort) & (pl.col("modality") == "report"))["redacted"].drop_nulls()
    return any(task in json.loads(said) for said in own.to_list())


def _told_by_columns(bundle: Bundle, task: str, labels: pl.DataFrame, found: _Found) -> None:
    patients = bundle.table("patients")
    if patients is None:
        return
    for cohort in cohorts_of(bundle):
        known = _patients(labels, cohort)
        own = patients.filter((pl.col("cohort") == cohort) & pl.col("patient_id").is_in(sorted(known)))
        classes = np.array([known[p] for p in own["patient_id"].to_list()], dtype=np.str_)
        for name, values in _columns(own):
            right = _guessed(values, classes)
            if right >= _TOLD:
                found.say(
                    "columns",
                    f"{name} of {cohort} tells {task}: its values are right for {right:.1%} of a class on average, "
                    "so that it is no covariate for a model",
                    {"cohort": cohort, "task": task, "column": name, "balanced_accuracy": round(right, 4)},
                )


def _columns(patients: pl.DataFrame) -> Iterator[tuple[str, NDArray[np.str_]]]:
    """Yield each clinical column and each one in ``extra``, as text; "" where it says nothing."""
    for name in patients.columns:
        if name not in _NO_TRAIT:
            yield name, np.array(patients[name].cast(pl.String).fill_null("").to_list(), dtype=np.str_)
    if "extra" not in patients.columns:
        return
    extra = [json.loads(said) if said else {} for said in patients["extra"].to_list()]
    for name in sorted({key for own in extra for key in own}):
        yield f"extra.{name}", np.array([str(own.get(name, "")) for own in extra], dtype=np.str_)


def _guessed(values: NDArray[np.str_], classes: NDArray[np.str_]) -> float:
    """Return the balanced accuracy of guessing, for a patient, the most frequent class among others of that value.

    The patient is left out, so that a column of names is right by chance alone.
    """
    names, own = np.unique(classes, return_inverse=True)
    sizes = np.bincount(own, minlength=len(names))
    if len(names) < 2 or sizes.min() < LEAST_CLASS or (values == "").mean() > 0.5:
        return 0.0
    levels, at = np.unique(values, return_inverse=True)
    table = np.zeros((len(levels), len(names)))
    np.add.at(table, (at, own), 1.0)
    others = table[at]
    others[np.arange(len(own)), own] -= 1.0
    share = others / sizes
    said = np.where(others.sum(axis=1) > 0, share.argmax(axis=1), -1)
    return float(np.mean([(said[own == k] == k).mean() for k in range(len(names))]))


def _told_by_features(bundle: Bundle, task: str, found: _Found) -> None:
    for pool in pools(bundle):
        labels = label_of(bundle, pool.samples).get(task)
        if labels is None:
            continue
        for cohort in np.unique(pool.cohorts).tolist():
            rows = np.flatnonzero((pool.cohorts == cohort) & (labels != ""))
            names, sizes = np.unique(labels[rows], return_counts=True)
            judged = names[sizes >= LEAST_CLASS].tolist() if len(names) > 1 else []
            for label in judged[: 1 if len(names) == 2 else None]:
                area = _areas(pool.values[rows], labels[rows] == label)
                best, second = np.argsort(-area, kind="stable")[:2].tolist() if len(area) > 1 else (0, 0)
                if area[best] >= _AREA and area[second] < _NEXT:
                    found.say(
                        "features",
                        f"{pool.name(best)} of {pool.modality} tells {label} in {cohort} ({task}) with an AUC of "
                        f"{area[best]:.3f}, and no other of {len(area)} features with more than {area[second]:.3f}",
                        {"feature": pool.name(best), "auc": round(float(area[best]), 4), "task": task},
                    )


def _areas(values: NDArray[np.float32], first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (F,) areas under the ROC curve, at least 0.5; a missing value ranks lowest."""
    from scipy.stats import rankdata

    low = np.float32(np.nanmin(values) - 1) if np.isfinite(values).any() else np.float32(0)
    ranks = rankdata(np.where(np.isnan(values), low, values), axis=0)
    a, b = int(first.sum()), int((~first).sum())
    area = (ranks[first].sum(axis=0) - a * (a + 1) / 2) / (a * b)
    return np.asarray(np.maximum(area, 1 - area))


def _patients(labels: pl.DataFrame, cohort: str) -> dict[str, str]:
    """Return each patient's label, the first by sample where there are several."""
    own = labels.filter((pl.col("cohort") == cohort) & pl.col("label").is_not_null())
    return dict(own.sort("patient_id", "sample_id", descending=True).select("patient_id", "label").iter_rows())
