"""The report of a trained model: one HTML file that needs nothing else."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from models.checkpoint import read_sidecar
from models.evaluate.conclusions import decimals
from models.evaluate.metrics import METRICS
from models.evaluate.resampled import CLASS_SCORES
from models.evaluate.sealing import read_evaluation
from models.registry import get_model
from models.report.figures import (
    drop_figure,
    imputation_figure,
    survival_figure,
    training_figure,
    translation_figure,
)
from models.settings import read_params
from omicstore.errors import OmicstoreError
from omicstore.progress import task
from omicstore.splits import in_order, load

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.splits import CheckResult

__all__ = ["write_report"]

_NAMES = {
    "train_mean": "training mean",
    "cohort_mean": "mean of the cohort",
    "class_mean": "mean of the true class",
    "ridge": "ridge regression",
    "pca": "PCA",
    "majority": "majority class",
    "embedding": "embedding, logistic",
    "knn5": "embedding, 5 neighbours",
    "pca_knn5": "PCA, 5 neighbours",
    "forest": "random forest",
}

#: Scores of survival, and what their columns are called; the last is better the lower.
_SURVIVAL_SCORES = {
    "c": "Harrell's C",
    "c_within_cohorts": "within cohorts",
    "c_uno": "Uno's C",
    "c_antolini": "Antolini's C",
    "ibs": "Brier score",
}

#: Of survival, where the names of the rows are those of Cox models.
_COX_NAMES = {"embedding": "embedding", "pca": "PCA", "forest": "survival forest"}
_PREFIXES = {"logistic_": "logistic on ", "ridge_": "ridge Cox on ", "tuned_": "head "}


def write_report(root: Path) -> Path:
    """Write ``reports/report.html`` from the evaluation and the trained model, and return its path.

    Parameters
    ----------
    root
        The study's folder.

    Raises
    ------
    OmicstoreError
        If there is no evaluation, or it is one of another model than the one in ``artifacts/``.
    LeakageError
        If it was changed after it was written.
    """
    from jinja2 import Environment, StrictUndefined

    params = read_params(root)
    reports = root / "reports"
    evaluation = read_evaluation(reports)
    trained = evaluation["trained"]
    artifact = root / "artifacts" / trained["model"]
    sidecar = read_sidecar(artifact)
    if any(trained[key] != sidecar[key] for key in trained):
        raise OmicstoreError(
            "reports/evaluation.json is about another model than the one in artifacts/",
            expected="the evaluation of this model",
            run="omicstore evaluate",
        )
    spec = get_model(trained["model"])
    plots = {
        name: json.loads((reports / "plots" / f"{name}.json").read_text("utf-8"))
        for name in ("training", "imputation", "survival", "drop")
        if name != "drop" or "drop" in evaluation
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    names = _NAMES | {trained["model"]: spec.title}
    environment.filters |= {
        "decimals": decimals,
        "upper_first": lambda text: text[:1].upper() + text[1:],
        "called": lambda method: _called(method, names),
        "cox_called": lambda method: _called(method, _COX_NAMES),
    }
    template = environment.from_string(
        resources.files("models.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    )
    checks = _checks(root / "splits" / trained["split"]["name"], trained)
    dataset = (params.get("study") or {}).get("dataset", root.resolve().name)
    html = template.render(
        heading=f"{spec.title} on {dataset}",
        title=spec.title,
        e=_Lenient.of(evaluation),
        trained=trained,
        metrics=METRICS,
        class_scores=CLASS_SCORES,
        survival_scores=_SURVIVAL_SCORES,
        figures=_figures(evaluation, plots, spec.title),
        state=_read(artifact / sidecar["states"][0]["path"], "omicstore train"),
        checks=checks,
        open_checks=[check for check in checks if check["status"] in ("fail", "warning", "waived")],
        card=spec.card(),
        rests=_rests(sidecar),
    )
    path = reports / "report.html"
    path.write_text(html, encoding="utf-8", newline="\n")
    return path


def _called(method: str, names: dict[str, str]) -> str:
    """Return what a row of a table is called."""
    prefix = next((prefix for prefix in _PREFIXES if method.startswith(prefix)), "")
    return names.get(method) or _PREFIXES.get(prefix, "") + method.removeprefix(prefix)


class _Lenient(dict[str, Any]):
    """A mapping in which an absent key is false: sections say ``not_applicable`` only where it is so."""

    @classmethod
    def of(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return cls({k: cls.of(v) for k, v in value.items()})
        return [cls.of(v) for v in value] if isinstance(value, list) else value

    def __missing__(self, key: str) -> str:
        return ""


def _read(path: Path, run: str) -> dict[str, Any]:
    if not path.is_file():
        raise OmicstoreError(f"{path} is not there", expected="what an earlier stage writes", run=run)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _figures(evaluation: dict[str, Any], plots: dict[str, list[dict[str, Any]]], title: str) -> dict[str, str]:
    with task("drawing", len(plots), "figures") as advance:
        figures = {"training": training_figure(plots["training"], evaluation["trained"]["selection"]["epoch"] + 1)}
        advance()
        if plots["imputation"]:
            figures["imputation"] = imputation_figure(plots["imputation"], title)
        advance()
        if plots["survival"]:
            figures["survival"] = survival_figure(plots["survival"], evaluation["survival"]["endpoint"])
        advance()
        if plots.get("drop"):
            figures["drop"] = drop_figure(plots["drop"], evaluation["trained"]["model"], title)
        advance()
    pairs = evaluation.get("translation", {"not_applicable": ""})
    if "not_applicable" not in pairs:
        trained = evaluation["trained"]
        figures["translation"] = translation_figure(pairs, trained["modalities"], trained["model"], title)
    return figures


def _checks(split: Path, trained: dict[str, Any]) -> list[dict[str, str]]:
    """Return the checks of the split that the model rests on, with what the evaluation settled filled in."""
    manifest = load(split)
    if manifest.manifest_hash != trained["split"]["manifest_hash"]:
        raise OmicstoreError(
            f"the split {manifest.name} was made again since the model was trained",
            expected=f"the split {trained['split']['manifest_hash'][:12]}",
            run="dvc repro, or omicstore train, evaluate and report",
        )
    # Evaluation refuses a model for which these two do not hold.
    settled = {
        "L4": "fitted again on the training rows before the test part was read, the transform came out the same",
        "L5": f"epoch {trained['selection']['epoch'] + 1} was chosen on {trained['selection']['part']}",
    }
    return [
        {
            "id": check.id,
            "what": check.what,
            "status": "pass" if check.id in settled else _status(check),
            "why": settled.get(check.id, check.why),
            "found": check.found,
        }
        for check in in_order(manifest.body["checks"])
    ]


def _status(check: CheckResult) -> str:
    return "warning" if (check.status, check.severity) == ("fail", "warning") else check.status


def _rests(sidecar: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("release", sidecar["release"]),
        ("split manifest", sidecar["split"]["manifest_hash"]),
        ("training rows", sidecar["states"][0]["fitted_on_row_hash"]),
        ("fitted state", sidecar["states"][0]["sha256"]),
        ("weights", sidecar["weights"]["sha256"]),
        ("seed", str(sidecar["seed"])),
        ("environment", ", ".join(f"{name} {version}" for name, version in sorted(sidecar["environment"].items()))),
    ]
