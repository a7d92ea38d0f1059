"""What the numbers say, in sentences that claim no more than the intervals allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.evaluate.bootstrap import Estimate

__all__ = ["conclusions", "decimals", "named", "span", "verdict"]

_NAMES = {
    "train_mean": "the training mean",
    "cohort_mean": "the cohort's mean",
    "class_mean": "the mean of the true class, which it is told",
    "clinical": "the clinical Cox model",
    "majority": "the majority class",
    "forest": "the random forest",
    "pca_knn5": "five neighbours by PCA",
    "pca": "PCA",
    "ridge": "ridge regression",
}


def named(method: str) -> str:
    """Return what a method is called in a sentence.

    Examples
    --------
    >>> named("forest"), named("logistic_rna"), named("tuned_os")
    ('the random forest', 'logistic regression on rna', 'the head os')
    """
    if method in _NAMES:
        return _NAMES[method]
    kind, _, what = method.partition("_")
    kinds = {"logistic": "logistic regression on", "ridge": "ridge Cox on", "tuned": "the head"}
    return f"{kinds[kind]} {what}" if kind in kinds else method


def decimals(number: float) -> str:
    """Return a number with three decimals and a true minus sign; what rounds to nought has none.

    Examples
    --------
    >>> decimals(-0.0004), decimals(-0.25)
    ('0.000', '−0.250')
    """
    return f"{round(number, 3) + 0.0:.3f}".replace("-", "−")


def span(estimate: Estimate) -> str:
    """Return an estimate as text.

    Examples
    --------
    >>> span({"value": 0.5, "low": 0.41, "high": 0.6})
    '0.500 [0.410, 0.600]'
    """
    value, low, high = (decimals(estimate[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def verdict(difference: Estimate) -> str:
    """Return whether a paired difference, model less other, where more is better, tells them apart.

    Examples
    --------
    >>> verdict({"value": 0.1, "low": -0.1, "high": 0.3})
    'does not beat'
    """
    if difference["low"] > 0 < difference["value"]:
        return "beats"
    if difference["high"] < 0 > difference["value"]:
        return "does worse than"
    return "does not beat"


def conclusions(title: str, name: str, evaluation: dict[str, Any]) -> list[str]:
    """Return one sentence per question that was asked.

    Parameters
    ----------
    title, name
        The model's, in text and in the tables.
    evaluation
        The sections of evaluation.json.
    """
    said = []
    part = evaluation["imputation"]
    if "not_applicable" in part:
        said.append(f"Imputation was not judged: {part['not_applicable']}.")
    else:
        said.append(f"Predicting {part['to']} from {' and '.join(part['from'])} alone, {title} {_against(name, part)}.")
    for modality, part in evaluation["reconstruction"].items():
        if "not_applicable" in part:
            said.append(f"Reconstruction of {modality} was not judged: {part['not_applicable']}.")
        else:
            said.append(f"Giving back {modality} that it was shown, {title} {_against(name, part)}.")
    said.extend(_translation(title, evaluation["translation"]))
    said.extend(_classes(title, name, evaluation["classes"]))
    said.extend(_clusters(evaluation["clusters"]))
    said.extend(_survival(evaluation["survival"]))
    return said + _drop(evaluation["drop"])


def _against(name: str, part: dict[str, Any]) -> str:
    own = next(row for row in part["methods"] if row["method"] == name)
    clauses = [
        f"{verdict(d['r2'])} {named(d['against'])} in R² (difference {span(d['r2'])})" for d in part["differences"]
    ]
    return (
        f"reaches a mean Pearson r of {span(own['pearson'])} over {part['n_patients']} test patients; it "
        + ", and ".join(clauses)
    )


def _survival(part: dict[str, Any]) -> list[str]:
    if "not_applicable" in part:
        return [f"Survival was not judged: {part['not_applicable']}."]
    said = []
    rows = {row["method"]: row for row in part["methods"]}
    c = rows["embedding"]["c"]
    better = "better than chance (0.5)" if c["low"] > 0.5 else "not shown to be better than chance (0.5)"
    said.append(
        f"The embedding orders {part['endpoint']} with Harrell's C of {span(c)} over {part['n_test']} test patients "
        f"with {part['events_test']} events: {better}."
    )
    said += [
        f"The head {name.removeprefix('tuned_')} orders it with Harrell's C of {span(row['c'])}."
        for name, row in rows.items()
        if name.startswith("tuned_")
    ]
    said += [
        f"{_subject(d['method'])} {verdict(d['c'])} {named(d['against'])} (difference in C {span(d['c'])})."
        for d in part["differences"]
        if d["against"] == "clinical"
    ]
    simple = [name for name in rows if name in ("pca", "forest") or name.startswith("ridge_")]
    for method in (name for name in rows if name == "embedding" or name.startswith("tuned_")):
        said.extend(_best(part, method, simple, "c", "C"))
    return said


def _subject(method: str) -> str:
    named_so = {"embedding": "The embedding", "clinical + embedding": "A Cox model of clinic and embedding"}
    return named_so.get(method) or f"The head {method.removeprefix('tuned_')}"


def _best(part: dict[str, Any], method: str, simple: list[str], score: str, title: str) -> list[str]:
    """Return how a method stands to the best of the simple ones, which is chosen by this very score on these rows."""
    values = {row["method"]: row[score]["value"] for row in part["methods"]}
    if not simple:
        return []
    best = max(simple, key=lambda other: values[other])
    gap = next(d[score] for d in part["differences"] if (d["method"], d["against"]) == (method, best))
    found = f"{_subject(method)} {verdict(gap)} the best simple predictor of these test rows, {named(best)}"
    return [f"{found} (difference in {title} {span(gap)})."]


def _translation(title: str, part: dict[str, Any]) -> list[str]:
    if "not_applicable" in part:
        return [f"Translation was not judged: {part['not_applicable']}."]
    judged = [table for table in part.values() if "methods" in table]
    if not judged:
        return ["Translation was not judged: too few samples have two modalities."]
    against = list(dict.fromkeys(d["against"] for table in judged for d in table["differences"]))
    beaten = {
        other: sum(verdict(d["r2"]) == "beats" for t in judged for d in t["differences"] if d["against"] == other)
        for other in against
    }
    counts = "; ".join(f"{named(other)}: {n}" for other, n in beaten.items())
    return [f"Of {len(judged)} pairs of modalities, so many does {title} translate with a better R² than {counts}."]


def _classes(title: str, name: str, part: dict[str, Any]) -> list[str]:
    if "not_applicable" in part:
        return [f"Classes were not judged: {part['not_applicable']}."]
    said = []
    for task, table in part.items():
        if "not_applicable" in table:
            said.append(f"Classes of {task} were not judged: {table['not_applicable']}.")
            continue
        rows = {row["method"]: row for row in table["methods"]}
        for method in (own for own in table["ours"] if own != "knn5"):
            gap = next(d for d in table["differences"] if (d["method"], d["against"]) == (method, "majority"))
            who = title if method == name else _subject(method)
            said.append(
                f"{who} tells {task} with a macro-F1 of {span(rows[method]['macro_f1'])} and an AUROC of "
                f"{span(rows[method]['auroc'])} over {table['n_patients']} test patients; in macro-F1 it "
                f"{verdict(gap['macro_f1'])} the majority class."
            )
            simple = [other for other in rows if other not in table["ours"] and other != "majority"]
            said.extend(_best(table, method, simple, "macro_f1", "macro-F1"))
    return said


def _clusters(part: dict[str, Any]) -> list[str]:
    if "not_applicable" in part:
        return [f"Clusters were not judged: {part['not_applicable']}."]
    said = []
    for task, table in part.items():
        if "not_applicable" in table:
            continue  # the sentence on its classes says so
        own, gap = table["methods"][0], table["differences"][0]["ari"]
        said.append(
            f"Clusters of the test embeddings agree with {task} by an adjusted Rand index of {span(own['ari'])}, which "
            f"{verdict(gap)} that of clusters by PCA (difference {span(gap)})."
        )
    return said


def _drop(part: dict[str, Any]) -> list[str]:
    if "not_applicable" in part:
        return [f"What a missing modality costs was not judged: {part['not_applicable']}."]
    said = []
    for score, title in (("macro_f1", "macro-F1"), ("c", "Harrell's C")):
        own = [r for r in part["rows"] if (r["method"], r["score"]) == ("embedding", score)]
        falls = [
            f"to {span(row)} without {row['modality']} (taken from {row['n_rows']} rows)"
            for row in own
            if row["share"] == 1
        ]
        if falls:
            said.append(f"{title[0].upper()}{title[1:]} of the embedding goes from {span(own[0])} {', '.join(falls)}.")
    return said
