"""The numbers of an evaluation under flat names, for ``dvc metrics`` and for ``omicstore lineage``."""

from __future__ import annotations

from typing import Any

from models.evaluate.metrics import METRICS
from models.evaluate.resampled import CLASS_SCORES

__all__ = ["flat_metrics"]

_ENDS = ("low", "high")


def flat_metrics(body: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of an evaluation under flat names.

    ``TASK.METHOD.SCORE``, with the tasks of predictions.parquet and ``cluster.TASK``; ``_low`` and ``_high`` are the
    ends of its interval, of the model's own numbers alone. What could not be computed is absent.
    """
    name = body["trained"]["model"]
    flat: dict[str, float] = {"n_test": body["n_test"], "val_loss": body["trained"]["selection"]["value"]}
    tables = {f"reconstruct.{m}": part for m, part in body["reconstruction"].items()}
    part = body["imputation"]
    if "not_applicable" not in part:
        tables[f"impute.{'+'.join(part['from'])}_to_{part['to']}"] = part
    tables |= {f"translate.{pair}": part for pair, part in several(body, "translation").items()}
    for title, table in tables.items():
        for row in table.get("methods", []):
            flat |= {f"{title}.{row['method']}.{metric}": row[metric]["value"] for metric in METRICS}
            if row["method"] == name:
                flat |= {f"{title}.{name}.pearson_{end}": row["pearson"][end] for end in _ENDS}
    for row in body["survival"].get("methods", []):
        title = f"survival.{body['survival']['endpoint']}.{row['method'].replace(' + ', '+')}"
        flat |= {f"{title}.c": row["c"]["value"]} | {f"{title}.c_{end}": row["c"][end] for end in _ENDS}
        flat[f"{title}.c_within_cohorts"] = row["c_within_cohorts"]["value"]
        flat |= {f"{title}.{score}": row[score]["value"] for score in ("c_uno", "c_antolini", "ibs") if score in row}
    for task, table in several(body, "classes").items():
        for row in table.get("methods", []):
            title = f"class.{task}.{row['method']}"
            flat |= {f"{title}.{score}": row[score]["value"] for score in CLASS_SCORES}
            if row["method"] in table["ours"]:
                flat |= {f"{title}.{score}_{end}": row[score][end] for score in CLASS_SCORES for end in _ENDS}
    for task, table in several(body, "clusters").items():
        for row in table.get("methods", []):
            flat |= {f"cluster.{task}.{row['method']}.{score}": row[score]["value"] for score in ("nmi", "ari")}
    return flat


def several(body: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    """Return the tables of a section by name; none where it holds but a reason why there is none."""
    held = body.get(section, {})
    return {} if "not_applicable" in held else held
