"""The card of a model that was judged: ``reports/card.md``, with the figures of the sealed evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.card.figures import method_tables
from models.card.markdown import bullets, paragraph, section
from models.card.model import assemble_card, front_matter
from models.card.sealed import read_sealed
from models.checkpoint import SEAL
from models.evaluate.sealing import read_evaluation
from models.registry import get_model
from omicstore.errors import LeakageError
from omicstore.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["evaluated_card", "write_evaluated_card"]


def write_evaluated_card(reports: Path, folder: Path) -> Path:
    """Write ``card.md`` beside an evaluation and return its path.

    Parameters
    ----------
    reports
        The folder with evaluation.json.
    folder
        The trained model's.

    Raises
    ------
    LeakageError
        If a file was changed after it was sealed, or the evaluation is one of another model.
    """
    path = reports / "card.md"
    write_bytes(path, evaluated_card(reports, folder).encode())
    return path


def evaluated_card(reports: Path, folder: Path) -> str:
    """Return the card of the model in `folder` with the figures of the evaluation in `reports`, in Markdown."""
    sealed, body = read_sealed(folder), read_evaluation(reports)
    if body["trained"][SEAL] != sealed.sidecar[SEAL]:
        raise LeakageError(
            f"{reports / 'evaluation.json'} is about another model than the one in {folder}",
            expected=f"the evaluation of {sealed.sidecar[SEAL][:12]}",
            run="omicstore evaluate",
        )
    title = get_model(sealed.sidecar["model"]).title
    boot = body["bootstrap"]
    tested = section(
        "On the test part",
        paragraph(
            f"{body['n_test']:,} samples of fold {body['test']['fold']} that neither training nor selection saw. "
            f"Beside simple predictors, with {boot['interval']} intervals of {boot['resamples']:,} resamples of the "
            f"{boot['unit']}s. The evaluation is {body['evaluation_hash'][:12]}."
        ),
        bullets(body["conclusions"]),
        *method_tables(body, sealed.sidecar["model"], title),
    )
    return assemble_card(sealed, front_matter(sealed.sidecar, _results(body)), tested)


def _results(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the model's own figures as a hub lists them."""
    trained, found = body["trained"], []
    dataset = {
        "name": f"{', '.join(trained['cohorts'])}, release {trained['release'][:12]}, test part",
        "type": "omicstore",
        "split": f"{trained['split']['name']}, fold {trained['split']['fold']}",
    }
    part = body["imputation"]
    for row in part.get("methods", ()):
        if row["method"] == trained["model"]:
            name = f"imputation of {part['to']} from {' and '.join(part['from'])}"
            found.append(_result(name, dataset, {"Pearson r": row["pearson"], "R2": row["r2"], "MSE": row["mse"]}))
    part = body["survival"]
    own = [row for row in part.get("methods", ()) if row["method"] == "embedding"]
    return found + [_result(f"survival ({part['endpoint']})", dataset, {"Harrell's C": row["c"]}) for row in own]


def _result(name: str, dataset: dict[str, str], scores: dict[str, dict[str, float]]) -> dict[str, Any]:
    metrics = [
        {"name": metric, "type": metric.lower().replace(" ", "_").replace("'", ""), "value": score["value"]}
        for metric, score in scores.items()
    ]
    return {"task": {"type": "other", "name": name}, "dataset": dict(dataset), "metrics": metrics}
