"""The tables of figures in a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.card.markdown import section, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.card.sealed import Sealed

__all__ = ["head_table", "interval_table", "method_tables", "risk_table", "set_table"]


def risk_table(calibration: dict[str, Any]) -> str:
    """Return the survival probes with their concordance; nothing where there are none."""
    rows = [
        (name.replace("|", " from "), said["n_fit"], said["events_fit"], said["n_val"], said["events_val"],
         "-" if said["concordance"] is None else f"{said['concordance']:.3f}")
        for name, said in calibration.get("risks", {}).items()
    ]  # fmt: skip
    head = ("survival probe", "fitted on", "events", "val patients", "events on val", "Harrell's C (chance 0.500)")
    return table(head, rows) if rows else ""


def set_table(sealed: Sealed) -> str:
    """Return the sets of classes: of the model's own head, and of those that were tuned."""
    rows = [("model", *_set(view, said)) for view, said in sealed.calibration.get("classes", {}).items()]
    for name, views in sealed.head_calibration.items():
        rows += [(f"head {name}", *_set(view, said)) for view, said in views.items() if "accuracy" in said]
    return table(("classes by", "from", "val rows", "accuracy"), rows) if rows else ""


def _set(view: str, said: dict[str, Any]) -> tuple[str, int, str]:
    return view, said["n_val"], f"{said['accuracy']:.3f}"


def head_table(sealed: Sealed) -> str:
    """Return the tuned heads with their scores."""
    rows = [
        (name, f"{head['head']}, {head['how']}", head["task"], head["counts"]["train"]["rows"],
         head["counts"]["val"]["rows"], head["score"]["metric"].replace("_", " "), f"{head['score']['value']:.3f}",
         f"{head['score']['trivial']:.3f}")
        for name, head in sealed.heads.items()
        if "score" in head
    ]  # fmt: skip
    head = ("tuned head", "kind", "task", "training rows", "val rows", "score", "value", "without knowledge")
    return table(head, rows) if rows else ""


def interval_table(calibration: dict[str, Any]) -> str:
    """Return how many val rows stand behind the intervals of each imputation."""
    rows = [(pair.replace(">", " to "), said["n_val"]) for pair, said in calibration.get("intervals", {}).items()]
    return table(("intervals of an imputation", "val rows"), rows) if rows else ""


def method_tables(body: dict[str, Any], model: str, title: str) -> list[str]:
    """Return a section per table of an evaluation: a row per method, each score with its interval.

    Parameters
    ----------
    body
        evaluation.json.
    model, title
        What the model is called there, and in text.
    """
    found = []
    for name, part in _tables(body):
        if "not_applicable" in part:
            found.append(section(name, f"Not judged: {part['not_applicable']}.", level=3))
            continue
        scores = list(dict.fromkeys(k for row in part["methods"] for k, v in row.items() if _is_score(v)))
        rows = [
            (title if row["method"] == model else row["method"].replace("_", " "), *(_cell(row.get(s)) for s in scores))
            for row in part["methods"]
        ]
        found.append(section(name, table(("method", *(s.replace("_", " ") for s in scores)), rows), level=3))
    return found


def _tables(value: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the tables of an evaluation, named by where they stand; what they impute or whom they judge is said."""
    if "methods" in value or (name and "not_applicable" in value):
        said = f" from {' and '.join(value['from'])} to {value['to']}" if "from" in value and "to" in value else ""
        said += f" of {value['endpoint']}" if "endpoint" in value else ""
        number = value.get("n_patients", value.get("n_test"))
        yield f"{name.strip()}{said}" + (f", {number} test patients" if number is not None else ""), value
        return
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _tables(inner, f"{name} {key}".strip())


def _is_score(value: Any) -> bool:
    return isinstance(value, dict) and {"value", "low", "high"} <= set(value)


def _cell(score: dict[str, float | None] | None) -> str:
    if score is None or score["value"] is None:
        return "-"
    value = f"{score['value']:.3f}"
    return (
        value if score["low"] is None or score["high"] is None else f"{value} [{score['low']:.3f}, {score['high']:.3f}]"
    )
