"""Judge a trained model on the test part and write reports/."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from models.checkpoint import environment, load_checkpoint
from models.datamodule import CohortDataModule
from models.evaluate.conclusions import conclusions
from models.evaluate.metrics import METRICS
from models.evaluate.prediction import imputation, reconstruction
from models.evaluate.sealing import write_evaluation
from models.evaluate.survival import Followed, survival_probe
from models.registry import get_model
from models.settings import EvaluateSettings, Survival, TrainSettings, read_params
from omicstore.errors import LeakageError, UnknownNameError
from omicstore.progress import task
from omicstore.store.openings import TEST_READS, read_openings
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.checkpoint import Checkpoint
    from models.module import MultiOmicsModule
    from omicstore.store.reader import Store

__all__ = ["FORMAT", "evaluate", "flat_metrics", "followed"]

FORMAT = "omicstore.evaluation/1"


def evaluate(root: Path, store: Store, *, say: Callable[[str], None], model: str | None = None) -> dict[str, Any]:
    """Judge the model in ``artifacts/`` on the test rows of its fold.

    Writes ``reports/metrics.json`` (flat numbers), ``reports/evaluation.json`` (tables with 95% intervals),
    ``reports/predictions.parquet`` (a number per test sample) and ``reports/plots/*.json``, sealed as
    `models.evaluate.sealing` says.

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
    data = _data(root, store, checkpoint, settings)
    say(f"earlier reads of the test part of fold {data.fold}: {_times_read(data)} ({data.split.name}/{TEST_READS})")
    parts = {name: data.part(name) for name in ("train", "test")}
    name, module = checkpoint.sidecar["model"], checkpoint.module
    ids, z_test = module.export_embeddings(data.batches("test"))
    say(f"{len(ids)} test samples")
    body: dict[str, Any] = _about(checkpoint, settings, n_test=len(ids)) | {"test": _judged(data)}
    with task("evaluating", 3, "tables") as advance:
        body["reconstruction"], predictions = reconstruction(
            name, module, parts["train"], parts["test"], z_test.shape[1], settings
        )
        advance()
        features: list[dict[str, Any]] = []
        curves: list[dict[str, Any]] = []
        if isinstance(settings.impute, str):
            body["imputation"] = {"not_applicable": settings.impute}
        else:
            for modality in [*settings.impute.source, settings.impute.target]:
                if modality not in module.axes:
                    raise UnknownNameError(
                        "modality of the trained model",
                        modality,
                        module.axes,
                        run="edit evaluate.impute or train.modalities",
                    )
            targets = checkpoint.state.features(settings.impute.target)
            body["imputation"], features, imputed = imputation(
                name, module, parts["train"], parts["test"], targets, settings, settings.impute
            )
            predictions += imputed
        advance()
        if isinstance(settings.survival, str):
            body["survival"] = {"not_applicable": settings.survival}
        else:
            train, val, test = (followed(store, module, data, part) for part in ("train", "val", "test"))
            body["survival"], curves, risks = survival_probe(train, val, test, settings.survival, settings)
            predictions += risks
    body["conclusions"] = conclusions(get_model(name).title, name, body)
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return write_evaluation(
        root / "reports",
        body,
        predictions=predictions,
        cohorts=dict(_people(store).select("patient_id", "cohort").drop_nulls().iter_rows()),
        metrics=flat_metrics(body),
        plots={"training": _losses(history), "imputation": features, "survival": curves},
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


def _judged(data: CohortDataModule) -> dict[str, Any]:
    """Return which rows are judged, and where the log has the read of them."""
    rows = data.part("test")
    assert data.opening is not None  # no test row comes out before it is logged
    return {
        "part": "test",
        "manifest_hash": data.manifest.manifest_hash,
        "fold": data.fold,
        "n_samples": len(rows),
        "row_hash": row_hash(rows.sample_id),
        "opening": data.opening.to_json(),
    }


def _about(checkpoint: Checkpoint, settings: EvaluateSettings, *, n_test: int) -> dict[str, Any]:
    kept = (
        "model",
        "preset",
        "modalities",
        "cohorts",
        "release",
        "simulated",
        "split",
        "seed",
        "n_parameters",
        "n_train",
        "n_val",
        "selection",
        "sidecar_hash",
    )
    return {
        "format": FORMAT,
        "part": "test",
        "n_test": n_test,
        "trained": {name: checkpoint.sidecar[name] for name in kept},
        "transform": checkpoint.state.transform,
        "bootstrap": {
            "resamples": settings.bootstrap,
            "unit": "patient",
            "interval": "95% percentile",
            "seed": settings.seed,
        },
        "environment": environment("lifelines", "polars", "scikit-learn"),
    }


def followed(store: Store, module: MultiOmicsModule, data: CohortDataModule, part: str) -> Followed:
    """Return the rows of a part with a model's embedding, their follow-up, and what the clinic knows of them."""
    rows = data.part(part)
    _, z = module.export_embeddings(data.batches(part))
    whose = pl.DataFrame({"sample_id": rows.sample_id, "patient_id": rows.patient_id})
    patients = whose.join(_people(store), on="patient_id", how="left", maintain_order="left")
    return Followed(
        z, rows.targets.time.numpy(), rows.targets.event.numpy(), patients.with_columns(pl.col("cohort").fill_null(""))
    )


def _people(store: Store) -> pl.DataFrame:
    """Return a row per patient: patient_id, cohort, age_years, sex, stage."""
    columns = ["patient_id", "cohort", "age_years", "sex", "stage"]
    return store.table("patients").select(columns).unique("patient_id", keep="first", maintain_order=True)


def _losses(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the losses per epoch, counted from 1, a column for each part."""
    return [{"epoch": int(row["epoch"]) + 1, "train": row["train"], "val": row["val"]} for row in history]


def flat_metrics(body: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of an evaluation under flat names, for ``dvc metrics``."""
    name = body["trained"]["model"]
    flat: dict[str, float] = {"n_test": body["n_test"], "val_loss": body["trained"]["selection"]["value"]}
    tables = {f"reconstruct.{m}": part for m, part in body["reconstruction"].items()}
    part = body["imputation"]
    if "not_applicable" not in part:
        tables[f"impute.{'+'.join(part['from'])}_to_{part['to']}"] = part
    for title, table in tables.items():
        for row in table.get("methods", []):
            flat |= {f"{title}.{row['method']}.{metric}": row[metric]["value"] for metric in METRICS}
            if row["method"] == name:
                flat |= {f"{title}.{name}.pearson_{end}": row["pearson"][end] for end in ("low", "high")}
    for row in body["survival"].get("methods", []):
        title = f"survival.{body['survival']['endpoint']}.{row['method'].replace(' + ', '+')}"
        flat |= {
            f"{title}.c": row["c"]["value"],
            f"{title}.c_low": row["c"]["low"],
            f"{title}.c_high": row["c"]["high"],
        }
        flat[f"{title}.c_within_cohorts"] = row["c_within_cohorts"]["value"]
    return flat
