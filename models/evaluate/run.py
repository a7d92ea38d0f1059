"""Judge a trained model on the test part and write reports/."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models.card.evaluated import write_evaluated_card
from models.checkpoint import SEAL, load_checkpoint
from models.datamodule import CohortDataModule
from models.evaluate.about import about
from models.evaluate.classes import judge_classes
from models.evaluate.clusters_table import judge_clusters
from models.evaluate.conclusions import conclusions
from models.evaluate.flat import flat_metrics
from models.evaluate.labels import Labelled, label_tasks, labels_of
from models.evaluate.prediction import judge_imputation, judge_reconstruction
from models.evaluate.sealing import write_evaluation
from models.evaluate.survival import people
from models.evaluate.survival_table import judge_survival
from models.evaluate.sweep import judge_drop
from models.evaluate.tables import Tables
from models.evaluate.translation import judge_translation
from models.evaluate.trial import PARTS, Trial
from models.registry import get_model
from models.settings import EvaluateSettings, Survival, TrainSettings, read_params
from models.tune.saved import load_tuned
from omicstore.errors import LeakageError, UnknownNameError
from omicstore.progress import task
from omicstore.store.openings import TEST_READS, read_openings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.checkpoint import Checkpoint
    from omicstore.store.reader import Store

__all__ = ["PROTOCOLS", "evaluate"]

#: What a model is judged by, in this order: each adds its tables. The sweep reads what that of survival has found.
PROTOCOLS: tuple[Callable[[Trial, Tables], None], ...] = (
    judge_reconstruction,
    judge_imputation,
    judge_translation,
    judge_classes,
    judge_clusters,
    judge_survival,
    judge_drop,
)


def evaluate(root: Path, store: Store, *, say: Callable[[str], None], model: str | None = None) -> dict[str, Any]:
    """Judge the model in ``artifacts/`` on the test rows of its fold.

    Writes ``reports/metrics.json`` (flat numbers), ``reports/evaluation.json`` (tables with 95% intervals),
    ``reports/predictions.parquet`` (what they are made of, per test sample) and ``reports/plots/*.json``, sealed as
    `models.evaluate.sealing` says; and ``reports/card.md``, the model's card with these figures.

    Parameters
    ----------
    root
        The study's folder.
    store
        Its store.
    say
        Called with a line per step.
    model
        Instead of ``train.model`` of params.yaml.

    Returns
    -------
    What evaluation.json holds.

    Raises
    ------
    OmicstoreError
        If there is no trained model.
    LeakageError
        If it was trained on another release or split, or if anything between data and weights was exchanged.
    """
    params = read_params(root)
    settings = EvaluateSettings.of(params)
    folder = root / "artifacts" / TrainSettings.of(params, model).model
    checkpoint = load_checkpoint(folder)
    _check_names(settings, checkpoint, store)
    data = _data(root, store, checkpoint, settings)
    say(f"earlier reads of the test part of fold {data.fold}: {_times_read(data)} ({data.split.name}/{TEST_READS})")
    trial = _trial(root, store, checkpoint, data, settings)
    say(f"{len(trial.test)} test samples")
    tables = Tables()
    with task("evaluating", len(PROTOCOLS), "tables") as advance:
        for judge in PROTOCOLS:
            judge(trial, tables)
            advance()
    assert data.opening is not None  # no test row comes out before it is logged
    body = about(
        checkpoint.sidecar, settings, transform=checkpoint.state.transform, sample_ids=trial.test.sample_id,
        opening=data.opening,
    )  # fmt: skip
    heads = {n: {"task": t.task, "head": t.head, "how": t.how, SEAL: t.sidecar[SEAL]} for n, t in trial.tuned.items()}
    body |= {"tuned": heads} | tables.body
    body["conclusions"] = conclusions(get_model(trial.name).title, trial.name, body)
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    sealed = write_evaluation(
        root / "reports",
        body,
        predictions=tables.predictions,
        cohorts=dict(trial.patients.select("patient_id", "cohort").drop_nulls().iter_rows()),
        metrics=flat_metrics(body),
        plots={"training": _losses(history)} | tables.plots,
    )
    write_evaluated_card(root / "reports", folder)
    return sealed


def _check_names(settings: EvaluateSettings, checkpoint: Checkpoint, store: Store) -> None:
    """Raise where the settings name what the model or the store has not, before the test part is read."""
    if not isinstance(settings.impute, str):
        for modality in [*settings.impute.source, settings.impute.target]:
            if modality not in checkpoint.module.axes:
                raise UnknownNameError(
                    "modality of the trained model",
                    modality,
                    checkpoint.module.axes,
                    run="edit evaluate.impute or train.modalities",
                )
    if not isinstance(settings.classes, str):
        held = label_tasks(store)
        for asked in settings.classes:
            if asked not in held:
                raise UnknownNameError("task of labels", asked, held, run="edit evaluate.classes")


def _trial(
    root: Path, store: Store, checkpoint: Checkpoint, data: CohortDataModule, settings: EvaluateSettings
) -> Trial:
    sidecar = checkpoint.sidecar
    tuned = load_tuned(root / "artifacts" / sidecar["model"], checkpoint)
    own = (sidecar.get("label") or {}).get("task")
    learned = {head.task for head in tuned.values() if head.head == "class"} | ({own} if own else set())
    return Trial(
        name=sidecar["model"],
        module=checkpoint.module,
        parts={part: data.part(part) for part in PARTS},
        patients=people(store),
        settings=settings,
        features={m: checkpoint.state.features(m) for m in sidecar["modalities"]},
        labelled=_labelled(store, data, settings, learned),
        tuned=tuned,
        own_task=own,
    )


def _data(root: Path, store: Store, checkpoint: Checkpoint, settings: EvaluateSettings) -> CohortDataModule:
    sidecar = checkpoint.sidecar
    if sidecar["release"] != store.release:
        raise LeakageError(
            f"the model was trained on release {sidecar['release'][:12]} and the store holds {store.release[:12]}",
            expected="a model of this release",
            run="dvc repro, or omicstore split make and omicstore train",
        )
    data = CohortDataModule(
        store,
        root / "splits" / sidecar["split"]["name"],
        sidecar["split"]["fold"],
        modalities=sidecar["modalities"],
        cohorts=sidecar["cohorts"],
        sample_type=sidecar["sample_type"],
        state=checkpoint.state,
        reader=f"omicstore evaluate: {sidecar['model']}, weights {sidecar['weights']['sha256'][:12]}",
        endpoint=settings.survival.endpoint if isinstance(settings.survival, Survival) else None,
        batch_size=256,
    )
    if (made := data.manifest.manifest_hash) != sidecar["split"]["manifest_hash"]:
        raise LeakageError(
            f"the split {sidecar['split']['name']} was made again ({made[:12]}) since the model was trained",
            expected=f"the split {sidecar['split']['manifest_hash'][:12]}",
            run="omicstore train",
        )
    return data


def _times_read(data: CohortDataModule) -> int:
    """Return how often the test part of this fold was read before."""
    mine = (data.manifest.manifest_hash, data.fold)
    return sum((read.get("manifest_hash"), read.get("fold")) == mine for read in read_openings(data.split / TEST_READS))


def _labelled(store: Store, data: CohortDataModule, settings: EvaluateSettings, more: set[str]) -> dict[str, Labelled]:
    """Return the labels of the tasks to judge: those asked for, or all, and those that something was trained on."""
    if isinstance(settings.classes, str):
        return {}
    held = label_tasks(store)
    tasks = [*settings.classes, *sorted(more & set(held) - set(settings.classes))] if settings.classes else held
    return {name: Labelled.of(name, {p: labels_of(store, data.part(p), name) for p in PARTS}) for name in tasks}


def _losses(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the losses per epoch, counted from 1, a column for each part."""
    return [{"epoch": int(row["epoch"]) + 1, "train": row["train"], "val": row["val"]} for row in history]
