"""What the numbers say, in sentences that claim no more than the intervals allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.evaluate.bootstrap import Estimate

__all__ = ["conclusions", "decimals", "span", "verdict"]

_NAMES = {
    "train_mean": "the training mean",
    "ridge": "ridge regression",
    "pca": "PCA",
    "clinical": "the clinical Cox model",
}


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
        The sections reconstruction, imputation and survival.
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
    said.extend(_survival(evaluation["survival"]))
    return said


def _against(name: str, part: dict[str, Any]) -> str:
    own = next(row for row in part["methods"] if row["method"] == name)
    clauses = [
        f"{verdict(d['r2'])} {_NAMES[d['against']]} in R² (difference {span(d['r2'])})" for d in part["differences"]
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
    for d in part["differences"]:
        who = "The embedding" if d["method"] == "embedding" else "A Cox model of clinic and embedding"
        said.append(f"{who} {verdict(d['c'])} {_NAMES[d['against']]} (difference in C {span(d['c'])}).")
    return said
